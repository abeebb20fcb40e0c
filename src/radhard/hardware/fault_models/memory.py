"""Upsets of memory: one bit of one stored word, wrong whenever it is read in the inference of an image."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar, Literal

from radhard.errors import InputError
from radhard.hardware.fault_models.output_words import OutputUpsets
from radhard.hardware.fault_models.registry import fault_model
from radhard.hardware.fault_models.seen_words import words_of
from radhard.hardware.fault_models.stored_places import StoredPlaces
from radhard.hardware.machine import check_sites
from radhard.hardware.stored_weight_upset import StoredWeightUpset
from radhard.program import Program


@fault_model("memory", about="words in memory: weights of layers, or activations between operators")
@dataclass(frozen=True, kw_only=True)
class MemoryUpsets:
    """One bit of one stored word flips before it is read, and stays so to the end of an inference.

    `what`: `weights` of convolutions and linear layers, which all outputs of a column or channel read; `activations`,
    the words that operators write for others.

    >>> import radhard as rh
    >>> rh.MemoryUpsets().title
    'stored weights of convolutions and linear layers'
    """

    stored: ClassVar[bool] = True
    what: Literal["weights", "activations"] = "weights"

    def __post_init__(self) -> None:
        if self.what not in ("weights", "activations"):
            raise InputError(f"what={self.what!r} is not known; choose from weights, activations")

    @property
    def title(self) -> str:
        """`stored weights of convolutions and linear layers`."""
        return "stored weights of convolutions and linear layers" if self.what == "weights" else "stored activations"

    @property
    def unprotected(self) -> str:
        """Why no protection is measured under it; "" where one is."""
        return "a repair would read the same wrong weight again" if self.what == "weights" else ""

    def places(self, program: Program, *, sites: Collection[str] | None = None) -> StoredPlaces:
        """All words that are stored, of activations those of one image. InputError where there are none."""
        if self.what == "activations":
            return OutputUpsets(of="operators").places(program, sites=sites)
        check_sites(sites, program.costs)
        found = words_of(program)
        chosen = {name: words for name, words in found.weights.items() if sites is None or name in sites}
        for one, other in found.shared.items():
            if one in chosen or other in chosen:
                raise InputError(
                    f"sites {other!r} and {one!r} read one weight: an upset of it would be of both, which is not "
                    "modelled; select other sites"
                )
        if not chosen:
            raise InputError("none of the sites is a convolution or a linear layer, which have weights: select others")
        return StoredPlaces(of=chosen, kind=StoredWeightUpset)
