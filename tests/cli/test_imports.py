"""What is heavy is imported where it is used: help and errors come at once, and a verb loads no library of figures."""

import pkgutil
import subprocess
import sys
from types import ModuleType

import radhard.cli
import radhard.studies

NEVER_FOR_HELP = {"torch", "numpy", "numba", "scipy", "pyarrow", "matplotlib", "pandas", "PIL", "distributed", "plotly"}
NEVER_FOR_A_VERB = {
    "matplotlib", "pyarrow", "pandas", "scipy.stats", "plotly", "distributed", "dask", "timm", "torchvision", "torchao",
    "transformers", "jinja2", "starlette",
}  # fmt: skip

OF_A_RUN = {"radhard.cli.live"}  # imported once a run begins
WRITES_FIGURES = "radhard.studies.reproduction"  # all of the paper's, each time


def modules_of(package: ModuleType) -> list[str]:
    found = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    return sorted(module.name for module in found)


def loaded(code: str) -> set[str]:
    """The modules that a new interpreter has after running `code`."""
    text = f"import sys\n{code}\nprint('loaded:', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("loaded:")[2].split())


def test_help_loads_nothing_heavy() -> None:
    called = (
        "from radhard.cli import main\nsys.argv = ['radhard', '--help']\ntry:\n    main()\nexcept SystemExit:\n    pass"
    )
    after = loaded(called)
    assert "radhard.cli.commands" in after
    assert not after & NEVER_FOR_HELP


def test_the_modules_of_commands_load_nothing_heavy() -> None:
    modules = [name for name in modules_of(radhard.cli) if name not in OF_A_RUN]
    assert len(modules) > 20
    after = loaded(f"import {', '.join(modules)}")
    assert set(modules) <= after
    assert not after & NEVER_FOR_HELP


def test_verbs_load_neither_figures_nor_tables_of_files() -> None:
    modules = [name for name in modules_of(radhard.studies) if not name.startswith(WRITES_FIGURES)]
    assert len(modules) > 20
    after = loaded(f"import radhard\nradhard.plan, radhard.vulnerability, radhard.blocks\nimport {', '.join(modules)}")
    assert set(modules) <= after
    assert "torch" in after
    assert not after & NEVER_FOR_A_VERB
