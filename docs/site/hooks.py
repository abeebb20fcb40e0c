"""Hooks of MkDocs: files outside docs/ that pages link to become part of the site; notebooks and code become pages.

Links in pages are paths between files of the repository, so that they lead somewhere there, too. A file keeps its path
in the site, without `docs/`.
"""

import json
import os
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"(\]\()([^)\s#:]+)((?:#[^)\s]*)?\))")
CODE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
SHORT = re.compile(r"<td((?: style=\"[^\"]*\")?>[^<]{1,12}</td>)")
FIRST = "index.md"


def anchor(heading: str, separator: str) -> str:
    """A heading's anchor, as repositories make it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", separator)


def place(path: Path) -> str:
    """Where a file of the repository is in the site; the README is the first page's."""
    named = path.relative_to(ROOT).as_posix()
    return FIRST if named == "README.md" else re.sub(r"\.(ipynb|py)$", ".md", named.removeprefix("docs/"))


def source(uri: str) -> Path:
    """The file of the repository that is at a place of the site."""
    outside = ROOT / uri
    places = (ROOT / "docs" / uri, outside.with_suffix(".ipynb"), outside.with_suffix(".py"), outside)
    (path,) = (path for path in places if path.is_file())
    return path


def notebook_page(path: Path) -> str:
    """A notebook as a page: its text, and its code in fences. ValueError for a cell of another kind."""
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"]).strip()
        if cell["cell_type"] not in ("markdown", "code"):
            raise ValueError(f"{path}: a cell of type {cell['cell_type']!r}")
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
    said = f"This page is the notebook `{path.relative_to(ROOT)}`; open it in Jupyter to run it."
    return "\n\n".join([parts[0], said, *parts[1:]])


def page_of(path: Path) -> str:
    """The Markdown of a page, a notebook or a file of Python."""
    if path.suffix == ".ipynb":
        return notebook_page(path)
    text = path.read_text(encoding="utf-8")
    return f"# {path.name}\n\n```python\n{text}```\n" if path.suffix == ".py" else text


def linked(page: Path) -> set[Path]:
    """The files that a page links to and that are there; MkDocs warns of the others."""
    targets = ((page.parent / link).resolve() for _, link, _ in LINK.findall(CODE.sub("", page_of(page))))
    return {target for target in targets if target.is_file() and target.is_relative_to(ROOT)}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Anchors as in the repository."""
    config.mdx_configs.setdefault("toc", {})["slugify"] = anchor
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what pages link to, and what those pages link to, and so on."""
    pages = [source(each.src_uri) for each in files.documentation_pages()]
    while pages:
        for target in linked(pages.pop()):
            uri = place(target)
            if files.get_file_from_path(uri) is not None:
                continue
            if target.suffix in (".ipynb", ".py"):
                files.append(File.generated(config, uri, content=page_of(target)))
            else:
                files.append(File.generated(config, uri, abs_src_path=str(target)))
            if uri.endswith(".md"):
                pages.append(target)
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Turn links between files of the repository into links between those of the site."""
    path = source(page.file.src_uri)
    here = Path(page.file.src_uri).parent

    def turned(link: re.Match[str]) -> str:
        target = (path.parent / link[2]).resolve()
        if not target.is_file() or not target.is_relative_to(ROOT):
            return link[0]
        return link[1] + os.path.relpath(place(target), here) + link[3]

    return LINK.sub(turned, markdown)


def on_page_content(html: str, **_: object) -> str:
    """Mark short cells of tables, whose numbers must not be broken."""
    return SHORT.sub(r'<td class="short"\1', html)
