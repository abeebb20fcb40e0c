"""A page as one HTML document: scripts and styles inside, no network, all text escaped."""

import base64
import hashlib
import importlib.util
import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from radhard.errors import InputError
from radhard.report.page.page import Page
from radhard.report.page.section import PageFigure, PageTable, Section
from radhard.version import VERSION

if TYPE_CHECKING:
    from jinja2 import Environment


def document(page: Page, *, live: Section | None = None) -> str:
    """The HTML text of a page. InputError without the extra `report`.

    `live`: the section of a campaign that runs; the page then asks its server for what is new, and for Plotly.
    """
    environment = _environment()
    scripts = [_text("page.js"), _text("live.js")] if live else [plotly_script(), _text("page.js")]
    own = [f"'sha256-{_digest(script)}'" for script in scripts]
    server, network = (["'self'"], "'self'") if live else ([], "'none'")
    policy = (
        f"default-src 'none'; script-src {' '.join([*own, *server])}; style-src 'unsafe-inline'; "
        f"img-src data: blob:; base-uri 'none'; form-action 'none'; connect-src {network}"
    )
    return str(
        environment.get_template("page.html.j2").render(
            page=page, scripts=scripts, style=_text("page.css"), policy=policy, version=VERSION, live=live
        )
    )


def section_text(section: Section) -> str:
    """The HTML of one section, as it stands in the page."""
    return str(_environment().get_template("section.html.j2").render(section=section, page=None))


def plotly_script() -> str:
    """The script of Plotly, from its Python package. InputError without it."""
    found = importlib.util.find_spec("plotly")
    file = Path(found.origin).parent / "package_data" / "plotly.min.js" if found and found.origin else None
    if file is None or not file.is_file():
        raise InputError("a report needs Plotly and Jinja2: pip install 'radhard[report]'")
    return file.read_text(encoding="utf-8")


def _environment() -> "Environment":
    try:
        from jinja2 import Environment, FunctionLoader, StrictUndefined
    except ImportError as error:
        raise InputError("a report needs Plotly and Jinja2: pip install 'radhard[report]'") from error
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, loader=FunctionLoader(_text), trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"figure_json": _figure_json, "csv_address": _csv_address, "raw": _raw, "marked": _marked}
    environment.tests |= {"figure": _is_figure}
    return environment


def _raw(text: str) -> Any:
    """A text of our own that is HTML, or a script, already."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - scripts, styles and escaped JSON: no text of a user's


def _marked(text: str) -> Any:
    """A sentence, escaped, in which `commands` stand as code."""
    from markupsafe import Markup, escape

    parts = text.split("`")
    if len(parts) % 2 == 0:  # a name with a mark of its own
        return escape(text)
    shown = (Markup("<code>{}</code>").format(part) if k % 2 else escape(part) for k, part in enumerate(parts))
    return Markup("").join(shown)


def _figure_json(figure: PageFigure) -> Any:
    """The panels as JSON inside a script element, which no text within can end."""
    panels: Sequence[dict[str, object]] = [
        {"data": list(panel.traces), "layout": {**panel.layout, "height": panel.height}} for panel in figure.panels
    ]
    text = json.dumps(panels, allow_nan=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return _raw(text)


def _csv_address(figure: PageFigure) -> str:
    return f"data:text/csv;charset=utf-8,{quote(figure.csv)}"


def _is_figure(part: PageFigure | PageTable) -> bool:
    return isinstance(part, PageFigure)


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _text(name: str) -> str:
    return (resources.files("radhard.report.page") / "templates" / name).read_text(encoding="utf-8")
