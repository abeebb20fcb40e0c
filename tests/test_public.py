"""What `import radhard` gives: each public name, from where it is said to be."""

import subprocess
import sys

import pytest

import radhard


@pytest.mark.parametrize("name", radhard.__all__)
def test_a_name_is_there(name: str) -> None:
    assert getattr(radhard, name) is not None
    home = next(home for home, names in radhard._HOME.items() if name in names)
    assert getattr(radhard, name) is getattr(sys.modules[home], name)


def test_dir_lists_the_public_names_and_no_other() -> None:
    assert dir(radhard) == sorted(radhard.__all__)
    assert sorted(name for names in radhard._HOME.values() for name in names) == sorted(radhard.__all__)
    for verb in (
        "sweep",
        "vulnerability",
        "inspect",
        "blocks",
        "plan",
        "evaluate",
        "compare",
        "harden",
        "trace",
        "replay",
        "reproduce",
        "block_sizes",
    ):
        assert verb in dir(radhard)


def test_a_name_that_is_not_there_is_said_so() -> None:
    with pytest.raises(AttributeError, match="no attribute 'sweeep'"):
        radhard.sweeep  # noqa: B018


def test_importing_radhard_does_not_import_torch() -> None:
    text = "import sys, radhard; assert 'torch' not in sys.modules; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", text], check=True)
