"""What the records of studies by component share: the model, its images, and what was exposed."""

from typing import Annotated, Any, TypedDict

from radhard.campaign.components import By
from radhard.campaign.experiment import Setting
from radhard.faults import Where
from radhard.report.record import WordsRecord, words_record


class ComponentsRecord(TypedDict):
    """A model studied `by` components: its images, what was exposed, and how simultaneous intervals are made."""

    model: str
    recipe: str
    data: str
    data_digest: str
    device: str
    labelled: bool
    by: str
    kinds: list[str]
    words: WordsRecord
    where: Annotated[dict[str, Any], Where]
    seed: int
    anatomy: dict[str, dict[str, str]]
    images: int
    exposed_bits: int
    simultaneous: str


def components_record(setting: Setting, *, by: By, images: int, bits: int, device: str) -> ComponentsRecord:
    """A setting in which `bits` of an image are exposed -> JSON values."""
    return {
        "model": setting.model,
        "recipe": setting.recipe,
        "data": setting.data,
        "data_digest": setting.data_digest,
        "device": device,
        "labelled": setting.labelled,
        "by": by,
        "kinds": sorted(setting.kinds),
        "words": words_record(setting.words),
        "where": setting.where.as_dict(),
        "seed": setting.seed,
        "anatomy": setting.overrides.as_dict(),
        "images": images,
        "exposed_bits": bits,
        "simultaneous": "Bonferroni",
    }
