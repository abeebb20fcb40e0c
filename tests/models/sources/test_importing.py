"""Python files of users': parts of their packages, of projects of any layout, two of one name, and what they raise."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from radhard.errors import ModelError
from radhard.models.load import load
from radhard.models.sources import importing

BLOCK = """from torch import nn
N = {width}
class Block(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, N, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
"""
NET = """from torch import nn
from {layers} import Block, N
def make():
    return nn.Sequential(Block(), nn.Linear(N, 5))
"""
SHAPE = (3, 8, 8)

# folders of files: {file: text}, and the model that is loaded
LAYOUTS = {
    "beside": ({"layers.py": BLOCK, "net.py": NET.format(layers="layers")}, "net.py"),
    "in a package": ({"pkg/__init__.py": "", "pkg/layers.py": BLOCK, "pkg/net.py": NET.format(layers=".layers")}, None),
    "two packages up": (
        {
            "repo/models/__init__.py": "",
            "repo/models/layers.py": BLOCK,
            "repo/models/vit/__init__.py": "from .net import make",
            "repo/models/vit/net.py": NET.format(layers="..layers"),
        },
        None,
    ),
    "from the root of the project": (
        {
            "repo/pyproject.toml": "",
            "repo/tools/layers.py": BLOCK,
            "repo/models/net.py": NET.format(layers="tools.layers"),
        },
        None,
    ),
    "src of the project": (
        {
            "repo/setup.py": "",
            "repo/src/mine/__init__.py": "",
            "repo/src/mine/layers.py": BLOCK,
            "repo/scripts/net.py": NET.format(layers="mine.layers"),
        },
        None,
    ),
    "a package without __init__": (
        {"repo/models/layers.py": BLOCK, "repo/models/net.py": NET.format(layers=".layers")},
        None,
    ),
    "dashes": (
        {"my-repo/__init__.py": "", "my-repo/layers.py": BLOCK, "my-repo/my-net.py": NET.format(layers=".layers")},
        None,
    ),
    "dots": (
        {"repo-1.2/__init__.py": "", "repo-1.2/layers.py": BLOCK, "repo-1.2/net.py": NET.format(layers="layers")},
        None,
    ),
    "in a package, as if beside": (
        {"pkg/__init__.py": "", "pkg/layers.py": BLOCK, "pkg/net.py": NET.format(layers="layers")},
        None,
    ),
}


def write(folder: Path, files: dict[str, str], *, width: int = 4) -> Path:
    """The last of the files."""
    path = folder
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("{width}", str(width)))
    return path


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_file_is_imported_where_it_stands(name: str, tmp_path: Path) -> None:
    files, _ = LAYOUTS[name]
    path = write(tmp_path, files)
    before = [entry for entry in sys.path if entry not in importing._seen]
    assert load(f"{path}:make", input_shape=SHAPE).classes == 5
    assert sys.path[: len(before)] == before  # what was added stands last


def test_the_current_folder_is_importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, {"tools/layers.py": BLOCK, "deep/down/net.py": NET.format(layers="tools.layers")})
    with pytest.raises(ModelError, match=r"ModuleNotFoundError: No module named 'tools.*looked for beside net\.py"):
        load(f"{path}:make", input_shape=SHAPE)
    monkeypatch.chdir(tmp_path)
    assert load("deep/down/net.py:make", input_shape=SHAPE).classes == 5


def test_files_of_one_name_in_two_folders_are_two(tmp_path: Path) -> None:
    files = {"layers.py": BLOCK, "net.py": NET.format(layers="layers")}
    packaged = {"pkg/__init__.py": "", "pkg/layers.py": BLOCK, "pkg/net.py": NET.format(layers=".layers")}
    for folder, width in (("a", 3), ("b", 6), ("a", 3)):
        for kind, each in (("plain", files), ("packaged", packaged)):
            path = write(tmp_path / kind / folder, each, width=width)
            module = load(f"{path}:make", input_shape=SHAPE).module
            assert isinstance(module, torch.nn.Module)
            assert next(module.parameters()).shape[0] == width


def test_names_of_the_standard_library_and_of_dependencies_keep_their_meaning(tmp_path: Path) -> None:
    for name in ("random.py", "profile.py", "torchvision.py", "numpy.py"):
        (tmp_path / name).write_text("raise RuntimeError('the wrong one')\n")
    (tmp_path / "timm.py").write_text(
        "import timm\nimport random, profile, numpy\n"
        "def make():\n    return timm.create_model('test_resnet', num_classes=7)\n"
    )
    assert load(f"{tmp_path / 'timm.py'}:make", input_shape=(3, 32, 32)).classes == 7


def test_a_module_may_be_named_and_a_class(tmp_path: Path) -> None:
    path = write(tmp_path, {"m.py": BLOCK + "net = Block()\ndef make():\n    import later\n    return later.net\n"})
    (tmp_path / "later.py").write_text(BLOCK.format(width=9) + "net = Block()\n")
    assert [load(f"{path}:{name}", input_shape=SHAPE).classes for name in ("net", "Block", "make")] == [4, 4, 9]


def test_what_a_forward_imports_is_found(tmp_path: Path) -> None:
    (tmp_path / "gains_of_mine.py").write_text("GAIN = 2.0\n")
    path = write(
        tmp_path,
        {
            "m.py": "from torch import nn\nclass Net(nn.Flatten):\n    def forward(self, x):\n"
            "        import gains_of_mine\n        return super().forward(x) * gains_of_mine.GAIN\n"
        },
    )
    assert load(f"{path}:Net", input_shape=(1, 2, 2)).classes == 4


FAULTS = {
    "deep": ("import torch\ndef f():\n    return torch.nonsense()\n", r"parts\.py, line 3, in f: `return torch\.nons"),
    "at import": ("import json\njson.loads('{')\n", r"JSONDecodeError: .*parts\.py, line 2, in <module>: `json\.loads"),
    "syntax": ("def f(:\n", r"SyntaxError: .*parts\.py, line 1: `def f\(:`"),
    "in a library": (
        "from torch import nn\ndef f():\n    return nn.Linear('a', 2)\n",
        r"TypeError: .*parts\.py, line 3, in f: `return nn\.Linear",
    ),
    "several lines": ("def f():\n    raise ValueError('one\\ntwo')\n", r"ValueError: one \(.*line 2, in f"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_a_users_code_raises_is_told_at_its_innermost_line(name: str, tmp_path: Path) -> None:
    text, fault = FAULTS[name]
    (tmp_path / "parts.py").write_text(text)
    (tmp_path / "m.py").write_text("def make():\n    import parts\n    return parts.f()\n")
    with pytest.raises(ModelError, match=fault) as caught:
        load(f"{tmp_path / 'm.py'}:make", input_shape=SHAPE)
    assert "\n" not in str(caught.value)
    assert "site-packages" not in str(caught.value)


def test_a_relative_import_that_climbs_too_far_says_what_to_do(tmp_path: Path) -> None:
    path = write(tmp_path, {"a.b/m.py": "from .layers import Block as make\n", "a.b/layers.py": BLOCK}).parent / "m.py"
    with pytest.raises(ModelError, match=r"relative import.*put an __init__\.py"):
        load(f"{path}:make", input_shape=SHAPE)


def test_what_a_file_prints_does_not_go_to_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, {"m.py": BLOCK + "print('built')\ndef make():\n    print('made')\n    return Block()\n"})
    load(f"{path}:make", input_shape=SHAPE)
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "built\nmade\n")


DICT = """import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(12, 4)
    def forward(self, x):
        y = self.head(x.flatten(1))
        return {answer}
def make():
    return Net()
"""
ANSWERS = {
    "logits beside others": ("{'logits': y, 'features': x}", True),
    "one tensor in a list": ("[y]", True),
    "one tensor in a dictionary": ("{'out': y}", True),
    "two": ("{'out': y, 'aux': y}", False),
    "maps": ("x", False),
    "a pair": ("(x, y)", False),
    "tokens": ("x.flatten(2)", False),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_logits_are_taken_where_they_are_certain_else_the_wrapper_is_shown(name: str, tmp_path: Path) -> None:
    answer, certain = ANSWERS[name]
    path = tmp_path / "m.py"
    path.write_text(DICT.replace("{answer}", answer))
    if not certain:
        with pytest.raises(
            ModelError, match=r"write `def logits\(\): .*` into .*m\.py and give .*m\.py:logits"
        ) as caught:
            load(f"{path}:make", input_shape=(3, 2, 2))
        path.write_text(path.read_text() + str(caught.value).split("`")[1] + "\n")
    loaded = load(f"{path}:{'make' if certain else 'logits'}", input_shape=(3, 2, 2))
    assert isinstance(loaded.module, torch.nn.Module)
    assert loaded.module(torch.zeros(2, 3, 2, 2)).shape == (2, loaded.classes)


def test_wrappers_and_other_floats_become_what_is_captured(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        {
            "m.py": BLOCK + "def parallel():\n    return nn.DataParallel(Block())\n"
            "def half():\n    return Block().half()\n"
            "def lazy():\n    return nn.Sequential(nn.Flatten(), nn.LazyLinear(3))\n"
            "def scripted():\n    import torch\n    return torch.jit.script(Block())\n"
        },
    )
    parallel, half, lazy = (load(f"{path}:{name}", input_shape=SHAPE) for name in ("parallel", "half", "lazy"))
    assert type(parallel.module).__name__ == "Block"
    assert half.weights == f"as {path}:half makes them, seed 0, float16 converted to float32"
    assert lazy.classes == 3


def test_torchvision_and_timm_in_a_users_file_work_in_a_fresh_process(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(
        "import torchvision\nimport timm\n"
        "def make():\n    return torchvision.models.shufflenet_v2_x0_5(weights=None, num_classes=10)\n"
    )
    script = f"import radhard\nprint(radhard.load('{tmp_path / 'm.py'}:make', input_shape=(3, 32, 32)).classes)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout == "10\n", done.stderr
