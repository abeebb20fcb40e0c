"""Which device is chosen, what is told of one that cannot be, and of one whose memory runs out."""

import json
import re
from pathlib import Path

import pytest
import torch

from radhard.campaign.execute import execute
from radhard.campaign.executor import InProcess
from radhard.campaign.experiment import Campaign
from radhard.campaign.model_under_test import ModelUnderTest, clean_setting, faulty_setting
from radhard.campaign.store import Store
from radhard.errors import DeviceMemoryError, InputError
from radhard.machine import device as devices
from radhard.machine.device import CPU, choose_device
from radhard.program import device_graph
from tests.cli.test_commands import call, refused
from tests.support.explorations import tiny_under_test

DOCS = Path(__file__).parents[2] / "docs" / "devices.md"


class Cuda:
    """What `torch.cuda` says where there are GPUs, or where a driver does not take the torch."""

    def __init__(self, *, count: int, capability: tuple[int, int] = (9, 0), refuses: str = "") -> None:
        self.count, self.capability, self.refuses = count, capability, refuses

    def is_available(self) -> bool:
        return self.count > 0

    def device_count(self) -> int:
        return self.count

    def current_device(self) -> int:
        return 0

    def init(self) -> None:
        if self.refuses:
            raise RuntimeError(self.refuses)

    def get_device_name(self, _: object) -> str:
        return "Imagined GPU"

    def get_device_capability(self, _: int) -> tuple[int, int]:
        return self.capability


def there_is(monkeypatch: pytest.MonkeyPatch, cuda: Cuda, *, triton: bool = True) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch, "cuda", cuda)
    monkeypatch.setattr(devices, "kernels", lambda: object() if triton else None)


def test_a_gpu_is_chosen_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    there_is(monkeypatch, Cuda(count=2))
    chosen = [str(choose_device(text)) for text in ("cpu", "cuda", "cuda:1", "auto")]
    assert chosen == ["cpu", "cuda:0", "cuda:1", "cuda:0"]


@pytest.mark.parametrize(
    ("cuda", "triton", "told"),
    [
        (
            Cuda(count=0),
            True,
            r"no GPU is there \(torch .* is built for CUDA 13.0; it finds no GPU\): install the GPU's",
        ),
        (Cuda(count=1), False, r'Triton, .*, is not installed: pip install "radhard\[cuda\]"'),
        (
            Cuda(count=1, capability=(6, 1)),
            True,
            "Imagined GPU has compute capability 6.1, .* 7.0 or more: take a newer",
        ),
        (
            Cuda(count=0, refuses="The NVIDIA driver on your system is too old (found version 11040). Please update"),
            True,
            r"the driver is too old \(.*found version 11040\)\): update the driver",
        ),
    ],
)
def test_what_is_missing_is_told(cuda: Cuda, triton: bool, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    there_is(monkeypatch, cuda, triton=triton)
    with pytest.raises(InputError, match="device cuda: " + told):
        choose_device("cuda")
    assert choose_device("auto") == CPU


def test_a_number_that_is_not_there_is_told_with_those_that_are(monkeypatch: pytest.MonkeyPatch) -> None:
    there_is(monkeypatch, Cuda(count=1))
    with pytest.raises(InputError, match=r"device cuda:3 is not there: this machine has cpu, cuda:0 \(Imagined GPU\)"):
        choose_device("cuda:3")


def test_a_torch_without_cuda_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(InputError, match=rf"device cuda: torch {re.escape(torch.__version__)} is built without CUDA"):
        choose_device("cuda")


@pytest.mark.parametrize("command", ["sweep", "vulnerability", "compare"])
def test_commands_refuse_a_device_that_is_none(command: str) -> None:
    assert "device 'gpu' is not known: write cpu, cuda, cuda:N or auto" in refused(
        command, "fashion-vit", "--device", "gpu"
    )


def test_memory_that_runs_out_stores_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model_under_test = tiny_under_test()

    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    settings = (clean_setting(model_under_test, "int8"), faulty_setting(model_under_test, "int8", ber=1e-5))
    campaign = Campaign(settings=settings, images=8, trials=1, chunk=8)
    with Store(tmp_path / "run.db") as store:
        monkeypatch.setattr(device_graph, "run", full)
        told = "the memory of cpu ran out in a batch of 4 images; take smaller batches .batch., below 4"
        with pytest.raises(DeviceMemoryError, match=told):
            list(
                execute(
                    campaign,
                    store,
                    executor=InProcess(model_under_test=model_under_test, batch=4),
                    model_under_test=model_under_test,
                )
            )
        assert store.keys() == []


def test_results_name_their_device(tmp_path: Path) -> None:
    text = call(
        "sweep", "fashion-vit", "--images", 4, "--trials", 1, "--ber", "1e-7", "--store", tmp_path / "run.db", "--json"
    )
    assert json.loads(text)["models"][0]["device"] == "cpu"
    (first, *others) = json.loads(call("store", tmp_path / "run.db", "--json"))["models"]
    assert {tuple(one["devices"]) for one in (first, *others)} == {("cpu",)}


def test_a_bench_on_its_own_device_is_itself() -> None:
    model_under_test: ModelUnderTest = tiny_under_test()
    assert model_under_test.on("cpu") is model_under_test


def test_the_page_on_devices_runs() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    session: dict[str, object] = {}
    exec(compile(block.replace('"cuda"', '"cpu"'), "devices.md", "exec"), session)
    assert session["result"].logits.shape == (8, 10)  # type: ignore[attr-defined]
