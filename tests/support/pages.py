"""The pages of the project (README, docs) and the blocks of code in them."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
TOP = ("README.md", "CONTRIBUTING.md", "SECURITY.md")


def pages() -> list[Path]:
    """Every page that a reader is sent to."""
    return [*(ROOT / name for name in TOP if (ROOT / name).exists()), *sorted(DOCS.rglob("*.md"))]


def named(page: Path) -> str:
    """A page's name: its path from the root."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of one language, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def commands(page: Path) -> list[str]:
    """Every `radhard ...` line of the page's shell blocks and of its indented blocks, continued lines joined."""
    text = page.read_text(encoding="utf-8")
    shell = "\n".join(blocks(page, "(?:sh|bash)"))
    indented = "\n".join(line[4:] for line in text.splitlines() if line.startswith("    "))
    joined = re.sub(r"\\\n\s*", " ", f"{shell}\n{indented}")
    return [line for line in joined.splitlines() if re.match(r"radhard [a-z]", line)]
