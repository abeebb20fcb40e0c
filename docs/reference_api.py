"""The reference of `import radhard as rh`, from signatures, fields and docstrings of the public names."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from itertools import groupby
from typing import Any

GROUPS = {
    "studies": "Verbs, their options and results",
    "models": "Models",
    "program": "Programs",
    "machine": "Machines",
    "faults": "Faults",
    "hardware": "Hardware",
    "analysis": "Rates",
    "words": "Words",
    "protection": "Plans",
    "deploy": "Deployment",
}
"""Package of the source -> the heading of its public names, in the order of the page."""


def tree(value: Any) -> ast.FunctionDef | ast.ClassDef:
    """The definition as it is written."""
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(value))).body
    assert isinstance(node, ast.FunctionDef | ast.ClassDef)
    return node


def signature(name: str, node: ast.FunctionDef) -> list[str]:
    """A call with its arguments, as they are written; `self` left out."""
    head = node.args
    ordered = [*head.posonlyargs, *head.args]
    values: list[ast.expr | None] = [*[None] * (len(ordered) - len(head.defaults)), *head.defaults]
    said = [one(each, value) for each, value in zip(ordered, values, strict=True) if each.arg not in ("self", "cls")]
    if head.vararg:
        said.append(f"*{one(head.vararg, None)}")
    elif head.kwonlyargs:
        said.append("*")
    said += [one(each, value) for each, value in zip(head.kwonlyargs, head.kw_defaults, strict=True)]
    end = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    line = f"{name}({', '.join(said)}){end}"
    return [line] if len(line) <= 100 else [f"{name}(", *(f"    {each}," for each in said), f"){end}"]


def one(argument: ast.arg, value: ast.expr | None) -> str:
    """One argument."""
    typed = f": {ast.unparse(argument.annotation)}" if argument.annotation else ""
    return f"{argument.arg}{typed}" + (f" = {ast.unparse(value)}" if value is not None else "")


def text(value: Any) -> list[str]:
    """A docstring, with its examples as indented blocks."""
    lines: list[str] = []
    example = False
    for line in (inspect.getdoc(value) or "").splitlines():
        starts = line.startswith(">>>")
        if starts and not example and lines and lines[-1]:
            lines.append("")
        example = starts or (example and bool(line.strip()))
        lines.append(f"    {line}" if example else line.replace("<", "&lt;") if "`" not in line else line)
    return lines


def classes(value: type) -> list[ast.ClassDef]:
    """The definitions of a class and of those of radhard that it is made of, the outermost last."""
    mine = [each for each in value.__mro__ if each.__module__.startswith("radhard")]
    return [node for each in reversed(mine) if isinstance(node := tree(each), ast.ClassDef)]


def fields(value: type) -> list[str]:
    """The fields of a dataclass, as they are written."""
    found: dict[str, str] = {}
    for node in classes(value):
        for each in node.body:
            if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name) and each.target.id[0] != "_":
                found[each.target.id] = re.sub(r" = field\(default_factory=(.*)\)$", r" = \1()", ast.unparse(each))
    return list(found.values())


def methods(value: type) -> Iterator[str]:
    """Public methods and properties: name, arguments, first sentence."""
    found: dict[str, str] = {}
    for node in classes(value):
        for each in node.body:
            if not isinstance(each, ast.FunctionDef) or each.name.startswith("_"):
                continue
            marks = {ast.unparse(mark).split(".")[-1] for mark in each.decorator_list}
            arguments = "" if "property" in marks else signature("", each)[0].split(" -> ")[0]
            arguments = "(...)" if arguments == "(" else arguments
            said = (ast.get_docstring(each) or "").split("\n\n")[0].replace("\n", " ")
            found[each.name] = f"- `.{each.name}{arguments}`" + (f": {said}" if said else "")
    yield from found.values()


def entry(name: str, value: Any) -> list[str]:
    """One public name."""
    lines = [f"### rh.{name}", ""]
    if inspect.isfunction(value):
        node = tree(value)
        assert isinstance(node, ast.FunctionDef)
        return [*lines, *(f"    {line}" for line in signature(f"rh.{name}", node)), "", *text(value), ""]
    if not inspect.isclass(value):
        return [*lines, f"A `{type(value).__name__}`: `{value!r}`.", ""]
    lines += [*text(value), ""]
    if said := fields(value):
        lines += ["Fields:", "", *(f"    {line}" for line in said), ""]
    if said := list(methods(value)):
        lines += [*said, ""]
    return lines


def package(name: str) -> str:
    """The package of a public name's home."""
    import radhard

    (home,) = (module for module, names in radhard._HOME.items() if name in names)
    return home.split(".")[1]


def written() -> str:
    """The whole reference. KeyError for a public name whose package has no heading."""
    import radhard

    order = list(GROUPS)
    names = sorted(dir(radhard), key=lambda name: (order.index(package(name)), name[0].isupper(), name))
    lines: list[str] = []
    for group, inside in groupby(names, key=package):
        lines += [f"## {GROUPS[group]}", ""]
        for name in inside:
            lines += entry(name, getattr(radhard, name))
    return "\n".join(lines).strip()
