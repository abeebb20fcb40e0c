"""Upsets of outputs: one bit of one word that a layer writes, an inference; what PyTorchFI, MRFI and ALFI inject."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar, Literal

from radhard.errors import InputError
from radhard.hardware.fault_models.registry import fault_model
from radhard.hardware.fault_models.seen_words import words_of
from radhard.hardware.fault_models.stored_places import StoredPlaces
from radhard.hardware.machine import check_sites
from radhard.hardware.output_upset import OutputUpset
from radhard.program import Program


@fault_model("outputs", about="words that layers write: what PyTorchFI, MRFI and ALFI inject")
@dataclass(frozen=True, kw_only=True)
class OutputUpsets:
    """One bit of one word of an output flips in an inference, uniform over all bits of all words.

    `of`: of the outputs of convolutions and linear layers (`layers`), or of every operator of arithmetic (`operators`).
    A word has the 8 bits of an integer program, or the 32 of float32.

    >>> import radhard as rh
    >>> rh.OutputUpsets().title
    'words that convolutions and linear layers write'
    """

    stored: ClassVar[bool] = False
    unprotected: ClassVar[str] = ""
    of: Literal["layers", "operators"] = "layers"

    def __post_init__(self) -> None:
        if self.of not in ("layers", "operators"):
            raise InputError(f"of={self.of!r} is not known; choose from layers, operators")

    @property
    def title(self) -> str:
        """`words that convolutions and linear layers write`."""
        return f"words that {'convolutions and linear layers' if self.of == 'layers' else 'all operators'} write"

    def places(self, program: Program, *, sites: Collection[str] | None = None) -> StoredPlaces:
        """All words that are written for one image. InputError where there are none."""
        check_sites(sites, program.costs)
        found = words_of(program)
        chosen = {
            name: words
            for name, words in found.outputs.items()
            if (sites is None or name in sites) and (self.of == "operators" or name in found.weights)
        }
        if not chosen:
            raise InputError(f"none of the sites is one of {self.title}: select others, or take outputs:of=operators")
        return StoredPlaces(of=chosen, kind=OutputUpset)
