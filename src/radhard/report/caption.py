"""The caption of a figure, in sentences that are computed: a text file beside the drawing."""

from dataclasses import dataclass
from pathlib import Path

SUFFIX = ".caption.txt"


@dataclass(frozen=True, kw_only=True)
class Caption:
    """What a figure shows, with what n, intervals and settings: a `title` and `sentences`, each without its full stop.

    >>> print(Caption(title="toy under bit flips", sentences=("bars are 95 % intervals",)).text)
    Toy under bit flips. Bars are 95 % intervals.
    """

    title: str
    sentences: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """All of it in one paragraph."""
        return " ".join(f"{_capital(one)}." for one in (self.title, *self.sentences) if one)


def sentences_of(subtitle: str) -> tuple[str, ...]:
    """The lines and parts of a figure's subtitle."""
    return tuple(part.strip() for line in subtitle.split("\n") for part in line.split("; ") if part.strip())


def caption_path(figure: Path) -> Path:
    """`curve.png` -> `curve.caption.txt`."""
    return figure.with_suffix(SUFFIX)


def write_caption(caption: Caption, figure: Path) -> None:
    """Write it beside the figure."""
    caption_path(figure).write_text(f"{caption.text}\n", encoding="utf-8")


def _capital(text: str) -> str:
    """A sentence begins with a capital, unless with a name such as `fashion-vit`."""
    first = text.split(" ", 1)[0]
    return text[:1].upper() + text[1:] if len(first) > 1 and first.isalpha() else text
