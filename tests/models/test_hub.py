"""Pretrained weights as users get them: by timm and transformers from a hub on loopback, by torchvision from files."""

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlparse

import pytest
import torch
from safetensors.torch import save_file

from radhard.models.load import load
from radhard.models.vision import import_timm, import_torchvision, import_transformers
from tests.support.hub import hub

SCRIPT = """
import json, sys, torch, radhard
from radhard.errors import RadhardError
found = {}
for name, options in json.loads(sys.argv[1]).items():
    try:
        model = radhard.load(name, **options)
    except RadhardError as error:
        found[name] = [type(error).__name__, str(error)]
        continue
    images = torch.randn(2, *model.input_shape, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        found[name] = [model.weights, model.module(images).tolist(), list(model.mean)]
print(json.dumps(found))
"""
NAMES = {
    "test_vit": {"weights": "pretrained"},
    "hf:somebody/small": {},
    "hf:somebody/pickled": {},
    "hf:somebody/none": {},
}


def loaded(names: dict[str, dict[str, str]], *, endpoint: str, home: Path) -> dict[str, list[object]]:
    """What a fresh process, with an empty cache, makes of the names."""
    environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
    environment = {key: value for key, value in environment.items() if key not in ("HF_HUB_OFFLINE", "HF_TOKEN")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(names)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[object]] = json.loads(done.stdout.splitlines()[-1])
    return found


def outputs(module: torch.nn.Module, size: int) -> torch.Tensor:
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        out = module.eval()(images)
    return out if isinstance(out, torch.Tensor) else out.logits


def test_pretrained_weights_come_from_the_hub_and_answer_as_their_library_says(tmp_path: Path) -> None:
    timm, transformers = import_timm(), import_transformers()
    torch.manual_seed(11)
    vit = timm.create_model("test_vit")
    folder = tmp_path / "hub" / vit.pretrained_cfg["hf_hub_id"]
    folder.mkdir(parents=True)
    save_file(vit.state_dict(), folder / "model.safetensors")
    config = transformers.ResNetConfig(
        embedding_size=4, hidden_sizes=[4, 8], depths=[1, 1], layer_type="basic", num_labels=3
    )
    resnet = transformers.ResNetForImageClassification(config)
    for name, safe in (("small", True), ("pickled", False)):
        resnet.save_pretrained(tmp_path / "hub" / "somebody" / name)
        if not safe:
            (tmp_path / "hub" / "somebody" / name / "model.safetensors").unlink()
            torch.save(resnet.state_dict(), tmp_path / "hub" / "somebody" / name / "pytorch_model.bin")
        processor = transformers.ConvNextImageProcessor(
            size={"shortest_edge": 32}, crop_pct=0.875, image_mean=[0.5] * 3
        )
        processor.save_pretrained(tmp_path / "hub" / "somebody" / name)
    with hub(tmp_path / "hub") as (endpoint, asked):
        found = loaded(NAMES, endpoint=endpoint, home=tmp_path / "home")
    assert found["test_vit"][0] == "timm's pretrained test_vit"
    torch.testing.assert_close(torch.tensor(found["test_vit"][1]), outputs(vit, 160), rtol=1e-4, atol=1e-5)
    for name in ("small", "pickled"):
        assert found[f"hf:somebody/{name}"][0] != "ModelError", found
        torch.testing.assert_close(
            torch.tensor(found[f"hf:somebody/{name}"][1]), outputs(resnet, 32), rtol=1e-4, atol=1e-5
        )
        assert found[f"hf:somebody/{name}"][2] == [0.5] * 3
    kind, fault = found["hf:somebody/none"]
    assert kind == "ModelError"
    assert "could not be read from the hub" in str(fault)
    assert "\n" not in str(fault)
    assert f"GET /{vit.pretrained_cfg['hf_hub_id']}/resolve/main/model.safetensors" in asked


def test_without_a_network_every_source_says_so_in_one_line(tmp_path: Path) -> None:
    names = {name: NAMES[name] for name in ("test_vit", "hf:somebody/small")}
    found = loaded(names, endpoint="http://127.0.0.1:9", home=tmp_path)
    assert {kind for kind, _ in found.values()} == {"ModelError"}
    assert not any("\n" in str(text) for _, text in found.values())
    assert "by checkpoint FILE" in str(found["test_vit"][1])
    assert "Without a network, give a local folder" in str(found["hf:somebody/small"][1])


def test_torchvisions_weights_are_read_where_torch_keeps_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import_torchvision()
    from torchvision.models import ShuffleNet_V2_X0_5_Weights, shufflenet_v2_x0_5

    torch.manual_seed(12)
    model = shufflenet_v2_x0_5(weights=None)
    file = Path(urlparse(ShuffleNet_V2_X0_5_Weights.DEFAULT.url).path).name
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    torch.save(model.state_dict(), tmp_path / "hub" / "checkpoints" / file)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    found = load("torchvision:shufflenet_v2_x0_5", weights="pretrained", input_shape=(3, 64, 64))
    assert found.weights == "torchvision's pretrained ShuffleNet_V2_X0_5_Weights.IMAGENET1K_V1"
    assert isinstance(found.module, torch.nn.Module)
    assert torch.equal(outputs(found.module, 64), outputs(model, 64))
