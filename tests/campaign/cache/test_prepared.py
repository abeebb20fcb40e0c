"""Nothing is done twice, and no number depends on it: the cache gives what would be made, or it gives nothing."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import radhard as rh
from radhard.campaign.cache import environment, prepared
from radhard.campaign.model_under_test import ModelUnderTest
from radhard.deploy.archive import save_hardened
from radhard.models import vision
from radhard.models.zoo import ZOO
from radhard.operators import aten
from radhard.program import Overrides, write_calibration
from radhard.protection import Protection, Tmr
from radhard.studies.options import ModelOptions
from radhard.studies.progress import Event, Note
from radhard.studies.under_test import under_test

MODEL = "tiny"


def tiny() -> nn.Module:
    """A model of the zoo that takes no time."""
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 16), nn.ReLU(), nn.Linear(16, 10))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, in a process in which nobody has imported timm before radhard; and a tiny model."""
    path = tmp_path / "cache"
    monkeypatch.setenv("RADHARD_CACHE", str(path))
    monkeypatch.setattr(vision, "_imported", {"timm", "torchvision"})
    draw = torch.Generator().manual_seed(0)
    state = {key: torch.randn(value.shape, generator=draw) / 16 for key, value in tiny().state_dict().items()}
    (tmp_path / "zoo").mkdir()
    save_file(state, tmp_path / "zoo" / "tiny.safetensors")
    entry = replace(ZOO["fashion-vit"], build=tiny, weights=tmp_path / "zoo" / "tiny.safetensors")
    monkeypatch.setitem(ZOO, MODEL, entry)  # type: ignore[misc]
    return path


class Made:
    """How often something was captured and quantised."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.captured = self.quantized = 0
        capture, quantize = prepared.capture, prepared.quantize

        def counted_capture(*arguments: Any, **options: Any) -> rh.Program:
            self.captured += 1
            return capture(*arguments, **options)

        def counted_quantize(*arguments: Any, **options: Any) -> rh.Program:
            self.quantized += 1
            return quantize(*arguments, **options)

        patch.setattr(prepared, "capture", counted_capture)
        patch.setattr(prepared, "quantize", counted_quantize)

    def since(self) -> tuple[int, int]:
        """How often since it was last asked."""
        found = self.captured, self.quantized
        self.captured = self.quantized = 0
        return found


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    return Made(monkeypatch)


def prepare(model: Any = MODEL, *, notes: list[str] | None = None, **options: Any) -> ModelUnderTest:
    def report(event: Event) -> None:
        if isinstance(event, Note) and notes is not None:
            notes.append(event.line)

    data = options.pop("data", None)
    return under_test(model, data, model_options=ModelOptions(**options), progress=report)


def same(one: ModelUnderTest, other: ModelUnderTest) -> None:
    """Fail unless two models under test hold the same programs, and say the same of them."""
    assert list(one.programs) == list(other.programs)
    for ours, theirs in zip(one.programs.values(), other.programs.values(), strict=True):
        assert ours.digest == theirs.digest
        assert ours.sites == theirs.sites
        assert (ours.accounts, ours.calibration, ours.overrides) == (
            theirs.accounts, theirs.calibration, theirs.overrides,
        )  # fmt: skip
        images = torch.randn(2, *ours.input_shape, generator=torch.Generator().manual_seed(0))
        assert torch.equal(rh.run(ours, images).logits, rh.run(theirs, images).logits)
    for field in ("model", "mean", "std", "calibrated_on", "scales_from", "pixels"):
        assert getattr(one, field) == getattr(other, field)


def test_the_second_time_nothing_is_made(made: Made) -> None:
    notes: list[str] = []
    without = prepare(no_cache=True)
    assert made.since() == (1, 1)
    first = prepare(notes=notes)
    assert made.since() == (1, 1)
    assert not any("cache" in text for text in notes)
    second = prepare(notes=notes)
    assert made.since() == (0, 0)
    assert any("program from the cache" in text for text in notes)
    same(without, first)
    same(first, second)


def test_no_cache_writes_nothing(folder: Path) -> None:
    prepare(no_cache=True)
    assert not folder.exists()


def test_another_recipe_captures_anew_and_both_are_kept(made: Made) -> None:
    prepare()
    made.since()
    other = prepare(recipe="int8-symmetric")
    assert made.since() == (1, 1)  # the float program was kept, but the graph to quantise was not
    same(other, prepare(recipe="int8-symmetric"))
    assert made.since() == (0, 0)
    same(other, prepare(recipe="int8-symmetric", no_cache=True))


def test_scales_that_come_with_a_model_and_new_ones_are_told_apart(made: Made) -> None:
    scales = under_test(MODEL).programs["int8"].calibration
    assert scales is not None
    write_calibration(scales, ZOO[MODEL].weights.with_suffix(".int8.scales.json"))
    made.since()
    shipped = prepare()
    assert made.since() == (1, 0)  # other files of the model, the same scales
    new = under_test(MODEL, scales="new")
    assert made.since() == (0, 0)  # calibrated above
    assert (shipped.scales_from, new.scales_from) == ("the model", "")
    assert shipped.programs["int8"].digest == new.programs["int8"].digest


def test_a_checkpoint_is_its_bytes(made: Made, tmp_path: Path) -> None:
    state, path = load_file(ZOO[MODEL].weights), tmp_path / "weights.safetensors"
    save_file(state, path)
    first = prepare(checkpoint=path)
    made.since()
    same(first, prepare(checkpoint=path))
    assert made.since() == (0, 0)
    before = path.stat()
    key = next(key for key, value in state.items() if value.is_floating_point())
    state[key] = state[key] * 1.5
    save_file(state, path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    second = prepare(checkpoint=path)
    assert made.since() == (1, 1)
    assert second.programs["float"].digest != first.programs["float"].digest


def test_what_the_user_says_of_the_anatomy_is_in_the_key(made: Made) -> None:
    first = prepare()
    site = first.programs["float"].sites[-1].name
    made.since()
    said = Overrides(rows=((site, "layer X", ""),))
    second = prepare(anatomy=said)
    assert made.since()[0] == 1
    layers = [
        {site.name: site.layer for site in model_under_test.programs["int8"].sites}[site]
        for model_under_test in (first, second)
    ]
    assert layers[0] != layers[1] == "layer X"
    same(second, prepare(anatomy=said))
    assert made.since() == (0, 0)


def test_other_images_calibrate_another_program(made: Made) -> None:
    draw = torch.Generator().manual_seed(0)
    images = [torch.randint(0, 256, (40, 1, 28, 28), dtype=torch.uint8, generator=draw) for _ in range(2)]
    labels = torch.arange(40) % 10
    first, second = (prepare(data=(each, labels)) for each in images)
    assert made.since() == (2, 2)
    assert first.programs["int8"].calibration != second.programs["int8"].calibration
    same(second, prepare(data=(images[1], labels)))
    assert made.since() == (0, 0)


def test_another_environment_is_another_key(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare()
    made.since()
    real = environment._installed()
    for change in ({"radhard": "9"}, {"torch": ["2.99", ""]}, {"code": {**real["code"], "timm": "0"}}):  # type: ignore[dict-item]
        with monkeypatch.context() as patch:
            patch.setattr(environment, "_installed", lambda change=change: {**real, **change})
            prepare()
        assert made.since() == (1, 1), change
    with monkeypatch.context() as patch:
        patch.setenv("TIMM_FUSED_ATTN", "0")
        prepare()
    assert made.since() == (1, 1)
    prepare()
    assert made.since() == (0, 0)


class Own(nn.Module):
    """A model of the user's."""

    def __init__(self, *, slope: float = 1.0) -> None:
        super().__init__()
        self.slope, self.head = slope, nn.Linear(12, 5)
        with torch.no_grad():
            self.head.weight.copy_(torch.linspace(-1, 1, 60).reshape(5, 12))
            self.head.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(x.flatten(1).relu() * self.slope)
        return out


def test_a_module_is_captured_each_time_and_calibrated_once(made: Made) -> None:
    data = torch.randn(40, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    first = prepare(Own().eval(), data=data)
    made.since()
    second = prepare(Own().eval(), data=data)
    assert made.since() == (1, 0)
    same(first, second)
    other = prepare(Own(slope=2.0).eval(), data=data)  # the same class, weights and images
    assert made.since() == (1, 1)
    assert other.programs["int8"].digest != first.programs["int8"].digest
    changed = Own().eval()
    with torch.no_grad():
        changed.head.bias[0] = 1
    prepare(changed, data=data)
    assert made.since() == (1, 1)


def test_a_file_of_the_users_may_read_anything(made: Made, tmp_path: Path) -> None:
    """The same file of code, whose model depends on another file: never taken for the same model."""
    (tmp_path / "model.py").write_text(
        "import torch, pathlib\n"
        "def build():\n"
        "    torch.manual_seed(int(pathlib.Path(__file__).with_name('seed.txt').read_text()))\n"
        "    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10))\n"
    )
    name, found = f"{tmp_path / 'model.py'}:build", []
    for seed in ("1", "2", "1"):
        (tmp_path / "seed.txt").write_text(seed)
        found.append(prepare(name, input_shape=(1, 28, 28)))
    assert made.since() == (3, 2)
    assert found[0].programs["int8"].digest == found[2].programs["int8"].digest
    assert found[0].programs["int8"].digest != found[1].programs["int8"].digest


@pytest.mark.parametrize("how", ["flip", "cut", "empty"])
def test_a_damaged_program_is_told_and_made_anew(made: Made, folder: Path, how: str) -> None:
    first, notes = prepare(), list[str]()
    made.since()
    for path in (folder / "programs").iterdir():
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 4
        path.write_bytes({"flip": bytes(content), "cut": bytes(content[:-100]), "empty": b""}[how])
    again = prepare(notes=notes)
    assert sum("is damaged" in text for text in notes) == 2
    assert made.since()[1] == 1
    same(first, again)
    same(first, prepare())
    assert made.since() == (0, 0)


def test_libraries_that_a_program_imports_itself_may_be_changed_by_it(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare()
    made.since()
    monkeypatch.setattr(vision, "_imported", set())
    monkeypatch.setitem(sys.modules, "timm", ModuleType("timm"))
    prepare()
    assert made.since() == (1, 0)


def test_an_operation_that_a_user_registers_is_in_no_key(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not aten.registered_by_others()
    prepare()
    made.since()
    monkeypatch.setitem(aten._KNOWN, "an operation of the user's", None)
    prepare()
    assert made.since() == (1, 0)


def test_inspect_takes_the_model_from_the_cache_and_builds_it_where_torch_counts(made: Made) -> None:
    first = rh.inspect(MODEL)
    assert made.since() == (1, 1)
    second = rh.inspect(MODEL)
    assert made.since() == (0, 0)
    assert second.to_dict() == first.to_dict()
    assert second.coverage == first.coverage
    assert second.torch_macs == first.torch_macs


def test_a_store_says_where_scales_are_from_as_without_the_cache(tmp_path: Path) -> None:
    run = rh.RunOptions(images=4, trials=1, store=tmp_path / "store.db")
    data = torch.randn(60, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    told: dict[bool, list[str]] = {True: [], False: []}
    for no_cache in (False, False, True):
        rh.sweep(
            MODEL, data, ber=1e-7, run=run, model_options=ModelOptions(no_cache=no_cache),
            progress=lambda event, own=told[no_cache]: own.append(event.line) if isinstance(event, Note) else None,
        )  # fmt: skip
    from_store = [text for text in told[True] if "scales from store" in text]
    assert from_store
    assert from_store[0] in told[False]


def test_a_program_from_the_cache_is_hardened_into_the_same_file(tmp_path: Path) -> None:
    files, images = [], torch.randn(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    logits = []
    for place in (0, 1):
        program = prepare().programs["int8"]
        site = next(site.name for site in program.sites if site.operator == "linear")
        hardened = rh.harden(program, Protection.of({site: Tmr()}))
        logits.append(hardened(images))
        save_hardened(hardened, tmp_path / f"{place}.pt2")
        files.append((tmp_path / f"{place}.pt2").stat().st_size)
    assert torch.equal(*logits)
    assert abs(files[0] - files[1]) < 0.01 * files[0]  # weights are stored once, not with the file that they are from


COMMANDS = (
    ("sweep", "fashion-resnet20", "--images", "6", "--trials", "1", "--ber", "1e-7", "--json"),
    ("inspect", "fashion-vit", "--by", "layer", "--json"),
)


@pytest.mark.parametrize("by", ["sweep", "vulnerability"])
def test_a_verb_finds_the_same_with_and_without(by: str) -> None:
    run, found = rh.RunOptions(images=6, trials=2), []
    for no_cache in (True, False, False):
        options = ModelOptions(no_cache=no_cache)
        if by == "sweep":
            found.append(rh.sweep(MODEL, ber=[1e-6, 1e-4], run=run, model_options=options).to_dict())
        else:
            found.append(rh.vulnerability(MODEL, ber=1e-4, run=run, model_options=options).to_dict())
    for record in found:
        dict(record).pop("back_end", None)
    assert json.dumps(found[0]) == json.dumps(found[1]) == json.dumps(found[2])


def told(command: tuple[str, ...], *, cache: Path | None) -> tuple[dict[str, Any], str]:
    """What a command prints: its record, without what says how it was asked, and its notes."""
    extra = ("--no-cache",) if cache is None else ()
    done = subprocess.run(
        [sys.executable, "-m", "radhard", *command, *extra],
        capture_output=True, text=True, check=True, timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", "RADHARD_CACHE": str(cache or "none")},
    )  # fmt: skip
    record = json.loads(done.stdout)
    for name in ("command", "settings", "made"):
        record.pop(name, None)
    for each in record.get("models", []):
        each.pop("back_end", None)  # the fastest, each process measures
    return record, done.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=[command[0] for command in COMMANDS])
def test_a_command_prints_the_same_with_and_without(command: tuple[str, ...], folder: Path) -> None:
    without, _ = told(command, cache=None)
    first, _ = told(command, cache=folder)
    second, notes = told(command, cache=folder)
    assert without == first == second
    assert command[0] == "inspect" or "program from the cache" in notes


def test_two_processes_at_once_and_one_that_is_killed(folder: Path) -> None:
    command = [sys.executable, "-m", "radhard", *COMMANDS[0]]
    environment_ = {**os.environ, "OMP_NUM_THREADS": "1", "RADHARD_CACHE": str(folder)}
    start = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment_)
        for _ in range(3)
    ]
    while not list(folder.glob("programs/*")) and start[0].poll() is None:
        time.sleep(0.01)
    start[0].kill()
    outputs = [process.communicate(timeout=300)[0] for process in start]
    records = [json.loads(output)["models"] for output in outputs[1:]]
    alone, notes = told(COMMANDS[0], cache=folder)
    assert "is damaged" not in notes
    for record in records:
        record[0].pop("back_end")
        assert record == alone["models"]
