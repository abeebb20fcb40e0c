"""The examples in the docstrings of the source run, and every public value has one."""

import doctest
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType

import pytest
import torch

import radhard as rh

SOURCES = sorted(
    module.name for module in pkgutil.walk_packages(rh.__path__, "radhard.") if not module.name.endswith(".__main__")
)


def examples(module: ModuleType) -> Iterator[doctest.DocTest]:
    """The docstrings of a module's own values that hold examples."""
    for test in doctest.DocTestFinder(recurse=True, exclude_empty=True).find(module, extraglobs={}):
        if test.examples:
            yield doctest.DocTest(
                test.examples, dict(vars(module)), test.name, test.filename, test.lineno, test.docstring
            )


def source_has_examples(name: str) -> bool:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    with open(spec.origin, encoding="utf-8") as file:
        return ">>> " in file.read()


@pytest.mark.parametrize("name", [name for name in SOURCES if source_has_examples(name)])
def test_examples_run(name: str, tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(str(tmp_path))
    found = list(examples(importlib.import_module(name)))
    assert found
    told: list[str] = []
    with torch.random.fork_rng():
        for test in found:
            runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
            runner.run(test, out=told.append)
            assert not runner.failures, "".join(told)


def test_every_public_value_has_an_example() -> None:
    lacking = [
        name
        for name in rh.__all__
        if inspect.isclass(value := getattr(rh, name)) or inspect.isfunction(value)
        if ">>> " not in (value.__doc__ or "")
    ]
    assert lacking == []
