"""Write the parts of pages that follow from the code: `python docs/write.py`; `--check` only compares."""

import argparse
import ast
import re
import sys
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import reference_api
import reference_commands

DOCS = Path(__file__).parent
ROOT = DOCS.parent
SOURCE = ROOT / "src" / "radhard"


def first_sentence(path: Path) -> str:
    """The first line of a file's docstring, without its full stop."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.split("\n")[0].removesuffix(".")


def files() -> str:
    """Every file of the source: a heading and a table a package."""
    parts = []
    paths = sorted(SOURCE.rglob("*.py"), key=lambda path: (path.parent.relative_to(SOURCE).parts, path.name))
    for folder, group in groupby(paths, key=lambda path: path.parent):
        inside = list(group)
        name = "/".join(("radhard", *folder.relative_to(SOURCE).parts))
        (package,) = [path for path in inside if path.name == "__init__.py"]
        rows = [f"| `{path.name}` | {first_sentence(path)} |" for path in inside if path != package]
        table = ["", "| file | what |", "|---|---|", *rows] if rows else []
        parts.append("\n".join([f"### {name}", "", f"{first_sentence(package)}.", *table]))
    return "\n\n".join(parts)


def examples() -> str:
    """Every example and its idea."""
    rows = [f"| [{path.name}]({path.name}) | {first_sentence(path)} |" for path in sorted(ROOT.glob("examples/*.py"))]
    return "\n".join(["| example | idea |", "|---|---|", *rows])


def schemes() -> str:
    """What each scheme takes, costs and becomes, and its verdicts."""
    from radhard.report.scheme_table import scheme_rows, scheme_table

    return scheme_table(scheme_rows())


def options() -> str:
    """The options of every scheme."""
    from radhard.protection.planning.method import methods
    from radhard.report.scheme_table import option_table

    return option_table(tuple(methods()))


PARTS: dict[str, tuple[Path, Callable[[], str]]] = {
    "files": (DOCS / "architecture.md", files),
    "schemes": (DOCS / "schemes.md", schemes),
    "options": (DOCS / "schemes.md", options),
    "examples": (ROOT / "examples" / "README.md", examples),
    "commands": (DOCS / "reference" / "commands.md", reference_commands.written),
    "api": (DOCS / "reference" / "api.md", reference_api.written),
}
"""Name of a part -> its page, and what writes it."""


def fresh(name: str) -> str:
    """The page of a part with that part written anew. ValueError where the page lacks its marks."""
    page, write = PARTS[name]
    text = page.read_text(encoding="utf-8")
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- {name} end -->", text, re.DOTALL)
    if found is None:
        raise ValueError(f"{page} has no <!-- {name} --> ... <!-- {name} end -->")
    return f"{text[: found.start(1)]}\n{write()}\n\n{text[found.end(1) :]}"


def main() -> None:
    """Write, or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = [name for name, (page, _) in PARTS.items() if fresh(name) != page.read_text(encoding="utf-8")]
    if check:
        print("\n".join(f"{PARTS[name][0].relative_to(ROOT)}: {name}" for name in stale), end="\n" if stale else "")
        sys.exit(1 if stale else 0)
    for name in stale:  # one after the other: a page may have several parts
        PARTS[name][0].write_text(fresh(name), encoding="utf-8")


if __name__ == "__main__":
    main()
