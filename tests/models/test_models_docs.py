"""The examples of docs/models.md run."""

import re
from pathlib import Path

import torch
from safetensors.torch import save_file

from radhard.models.load import load

PAGE = Path(__file__).parents[2] / "docs" / "models.md"


def test_the_page_s_files_are_models(tmp_path: Path) -> None:
    net, hook = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "net.py").write_text(net)
    model = load(f"{tmp_path / 'net.py'}:make", input_shape=(3, 32, 32))
    assert model.classes == 10
    assert isinstance(model.module, torch.nn.Module)
    save_file(model.module.state_dict(), tmp_path / "w.safetensors")
    for checkpoint in (tmp_path / "w.safetensors", str(tmp_path / "w.safetensors")):
        assert load(f"{tmp_path / 'net.py'}:make", checkpoint, input_shape=(3, 32, 32)).classes == 10
    (tmp_path / "maps.py").write_text(
        "from torch import nn\nclass Maps(nn.Conv2d):\n    def forward(self, x):\n"
        "        return {'out': super().forward(x)}\n"
        "def make():\n    return Maps(3, 5, 3)\n" + hook
    )
    assert load(f"{tmp_path / 'maps.py'}:logits", input_shape=(3, 8, 8)).classes == 5
