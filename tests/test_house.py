"""The rules of the house that a machine can check."""

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import radhard

SOURCE = Path(radhard.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
PACKAGES = [
    "radhard.deploy",
    "radhard.faults",
    "radhard.machine",
    "radhard.operators",
    "radhard.kernels",
    "radhard.program",
    "radhard.protection",
]

# a generator that nobody passed: torch's, NumPy's and Python's own
GLOBAL = re.compile(
    r"torch\.(?:cuda\.)?manual_seed|np\.random\.(?!default_rng|Generator|SeedSequence|Philox)\w+|"
    r"^\s*(?:import random\b|from random import)|\.(?:normal_|uniform_|bernoulli_|random_)\(\)",
    re.MULTILINE,
)
DRAWS = {"rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial"}


def global_draws(text: str) -> list[str]:
    """What in a source text draws from a global generator."""
    found = GLOBAL.findall(text)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in DRAWS:
            owner = node.func.value
            if (
                isinstance(owner, ast.Name)
                and owner.id == "torch"
                and "generator" not in {k.arg for k in node.keywords}
            ):
                found.append(f"torch.{node.func.attr} in line {node.lineno}")
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("default_rng") and not node.args:
            found.append(f"default_rng() in line {node.lineno}")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_global_randomness(path: Path) -> None:
    assert global_draws(path.read_text()) == []


@pytest.mark.parametrize(
    "line",
    [
        "torch.manual_seed(0)",
        "x = torch.rand(3)",
        "np.random.seed(1)",
        "import random",
        "np.random.default_rng()",
        "x.normal_()",
    ],
)
def test_the_rule_sees_what_it_must(line: str) -> None:
    assert global_draws(line)
    assert not global_draws("torch.rand(3, generator=g); np.random.default_rng(3); torch.Generator().manual_seed(1)")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_file_is_long(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("name", PACKAGES)
def test_all_is_what_a_package_exports(name: str) -> None:
    package = importlib.import_module(name)
    modules = {module.name for module in pkgutil.iter_modules(package.__path__)}
    public = {key for key in vars(package) if not key.startswith("_")}
    tree = ast.parse(Path(package.__file__).read_text())
    imported = {
        alias.asname or alias.name for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for alias in n.names
    }
    assert set(package.__all__) == imported
    assert set(package.__all__) - modules <= public
    assert public - modules - imported == set()
    assert package.__all__ == sorted(package.__all__, key=lambda key: (not key.isupper(), not key[0].isupper(), key))


def test_imports_run_in_a_line() -> None:
    root = SOURCE.parent.parent
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports"], cwd=root, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout
