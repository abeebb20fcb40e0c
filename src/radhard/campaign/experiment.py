"""Definition of an experiment: a setting fixes every number, a campaign its trials and images."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from radhard.campaign.outcomes import Tally
from radhard.errors import InputError
from radhard.faults import EVERYWHERE, Faults, Where
from radhard.hardware import FaultModel, event_of, fault_model_dict, fault_model_text
from radhard.machine import Kind
from radhard.program import NONE, Overrides
from radhard.program.program import digested
from radhard.protection import Protection
from radhard.words import Words

MOST_UNITS = 2_000_000
"""Units of one campaign: a list of more takes gigabytes before the first is run."""


def canonical_json(value: object) -> str:
    """A JSON value -> its one text: sorted keys, no blanks, ASCII, shortest floats. NaN raises."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """All that decides what becomes of an image in a trial: runs of one setting have the same outcomes."""

    model: str
    recipe: str
    program: str
    """Digest of the program: its steps, weights and scales."""
    data: str
    data_digest: str
    normalisation: tuple[tuple[float, ...], tuple[float, ...]] = ((0.0,), (1.0,))
    """Mean and standard deviation of each channel, subtracted and divided by."""
    ber: float = 0.0
    kinds: frozenset[Kind] = frozenset()
    where: Where = EVERYWHERE
    seed: int = 0
    words: Words = field(default_factory=Words)
    bits: int = 0
    """Bits of one image's inference that these faults can flip."""
    protection: Protection | None = None
    flips: int = 0
    """Exactly so many flips an inference, in place of a rate."""
    labelled: bool = True
    """Whether the images have labels; where they have none, an answer is right that is the clean one."""
    overrides: Overrides = NONE
    """What the user says of the anatomy: it decides which sites a layer or a module is."""
    fault_model: FaultModel | None = None
    """What the one upset of an inference hits, in place of bits of operations: then `flips` is 1."""

    @property
    def reference(self) -> bool:
        """Whether it is the one that others are compared with: no fault, no protection."""
        return self.clean and self.protection is None

    @property
    def clean(self) -> bool:
        """Whether no bit can flip, so that all trials are the same."""
        return self.ber == 0 and not self.flips

    @property
    def flips_expected(self) -> float:
        """How many flips an inference meets in the mean."""
        return self.flips or self.bits * self.ber

    @property
    def amount(self) -> float:
        """The bit error rate, or the number of flips an inference."""
        return self.flips or self.ber

    @property
    def rate_expected(self) -> float:
        """The bit error rate at which as many bits flip in the mean."""
        return self.flips / max(1, self.bits) if self.flips else self.ber

    @property
    def rate(self) -> str:
        """`BER 1e-08`, `1 flip an inference`, `1 upset an inference`, or of what a fault model has."""
        if self.fault_model is not None:
            return f"1 {event_of(self.fault_model)} an inference"
        return f"{self.flips} flip{'s' * (self.flips > 1)} an inference" if self.flips else f"BER {self.ber:g}"

    def faults(self, trial: int) -> Faults:
        """The flips of operations of one trial. A clean setting has none and raises, and one with a fault model."""
        if self.fault_model is not None:
            raise InputError(
                f"setting {self.digest[:12]} has {self.hits}: it has no flips of operations to draw; leave --faults out"
            )
        if self.clean:
            raise InputError(f"setting {self.digest[:12]} has BER 0: it has no faults to draw")
        return Faults(
            ber=self.ber,
            flips=self.flips,
            kinds=self.kinds,
            where=self.where,
            seed=self.seed,
            trial=trial,
            words=self.words,
        )

    def as_dict(self) -> dict[str, Any]:
        """The setting as JSON values; what has no meaning without faults is null when BER is 0."""
        faults: dict[str, Any] | None = None
        if self.fault_model is not None:
            faults = {
                "fault_model": fault_model_dict(self.fault_model),
                "flips": self.flips,
                "where": self.where.as_dict(),
                "seed": self.seed,
                "bits": self.bits,
            }
        elif not self.clean:
            faults = {**self.faults(0).as_dict(), "bits": self.bits}
            del faults["trial"]
        return {
            "model": self.model,
            "recipe": digested(self.recipe),
            "program": self.program,
            "data": self.data,
            "data_digest": self.data_digest,
            "normalisation": [list(values) for values in self.normalisation],
            "faults": faults,
            **({} if self.protection is None else {"protection": self.protection.as_dict()}),
            **({} if self.labelled else {"labels": None}),
            **({} if self.overrides == NONE else {"anatomy": self.overrides.as_dict()}),
        }

    @property
    def hits(self) -> str:
        """What the faults are in, in words: `flips in add, mul`, or `upsets of registers of a 16x16 array ...`."""
        if self.fault_model is not None:
            return f"{event_of(self.fault_model)}s of {self.fault_model.title}"
        return f"flips in {', '.join(sorted(self.kinds)) or 'nothing'}"

    @property
    def fault_model_text(self) -> str | None:
        """The fault model as a command line writes it; None for flips of operations."""
        return None if self.fault_model is None else fault_model_text(self.fault_model)

    @cached_property
    def text(self) -> str:
        """Canonical JSON of `as_dict`: what the digest is taken of."""
        return canonical_json(self.as_dict())

    @cached_property
    def digest(self) -> str:
        """SHA-256 in hexadecimal of `text`: the setting's identity in a store."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def within(self, other: "Setting") -> bool:
        """Whether every flip of this setting is a flip of `other`, in each image and trial.

        Faults are addressed and nested: at no higher BER, of no other kinds and at no other places, they are a subset.
        So are fewer flips an inference among more, of the same kinds and places: what they are drawn from is the same.
        """
        if self.without_faults().digest != other.without_faults().digest or self.protection or other.protection:
            return False
        if self.fault_model != other.fault_model:
            return self.clean
        if self.flips or other.flips:
            same = (self.kinds, self.where) == (other.kinds, other.where) and self.ber == other.ber
            return self.clean or (
                same and (self.seed, self.words) == (other.seed, other.words) and self.flips <= other.flips
            )
        return self.clean or (
            (self.seed, self.words) == (other.seed, other.words)
            and self.ber <= other.ber
            and self.kinds <= other.kinds
            and (other.where == EVERYWHERE or self.where.within(other.where))
        )

    def without_faults(self) -> "Setting":
        """The same program on the same data with no fault and no protection: what `changed` is counted against."""
        return Setting(
            model=self.model,
            recipe=self.recipe,
            program=self.program,
            data=self.data,
            data_digest=self.data_digest,
            normalisation=self.normalisation,
            labelled=self.labelled,
            overrides=self.overrides,
        )


@dataclass(frozen=True, kw_only=True)
class Unit:
    """The unit of work: the images `start` ... `stop - 1` of a setting's data in one trial."""

    setting: Setting
    trial: int
    start: int
    stop: int

    def __len__(self) -> int:
        """Number of images."""
        return self.stop - self.start

    @property
    def key(self) -> tuple[str, int, int, int]:
        """Digest of the setting, trial, start, stop: the unit's identity in a store."""
        return self.setting.digest, self.trial, self.start, self.stop

    def without_faults(self) -> "Unit":
        """The unit that holds the clean outcomes of the same images."""
        return Unit(setting=self.setting.without_faults(), trial=0, start=self.start, stop=self.stop)


class StopRule(Protocol):
    """Decides, at the end of each whole trial of a setting, that it needs no further one."""

    @property
    def name(self) -> str:
        """What to say of a setting that it stopped, such as `width 1 points`."""
        ...

    def reached(self, tally: Tally) -> bool:
        """Whether the trials in `tally` are enough."""
        ...


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """Settings, each run over images 0 ... images - 1 in trials 0 ... trials - 1, `chunk` images a unit.

    `whole` is one of them whose faults include those of all others, which spare kinds or sites at the same BER; or the
    clean one, where the others have a number of flips an inference. They are measured together: each of the others from
    the run of the whole on, and only where it differs.
    """

    settings: tuple[Setting, ...]
    images: int
    trials: int = 1
    chunk: int = 200
    stop: StopRule | None = None
    whole: Setting | None = None

    def __post_init__(self) -> None:
        for name in ("images", "trials", "chunk"):
            if (value := getattr(self, name)) < 1:
                raise InputError(f"{name} is {value}; a campaign needs at least 1")
        units = sum(map(self.trials_of, self.settings)) * -(-self.images // self.chunk)
        if units > MOST_UNITS:
            raise InputError(
                f"{len(self.settings)} settings of {self.trials:,} trials with {self.images:,} images are {units:,} "
                f"units of work, more than {MOST_UNITS:,}: take fewer --trials or rates, or a larger --chunk"
            )
        if len({setting.digest for setting in self.settings}) != len(self.settings):
            raise InputError("the campaign has the same setting twice; give each BER once")
        if self.whole is None:
            return
        if self.whole not in self.settings:
            raise InputError(f"the whole setting {self.whole.digest[:12]} is not one of the campaign's: add it to them")
        for setting in self.settings:
            if self.whole.reference:
                self._check_from_clean(setting)
                continue
            if not setting.within(self.whole):
                raise InputError(
                    f"setting {setting.digest[:12]} has flips that the whole one, {self.whole.digest[:12]}, has not: "
                    "take one of the same program, data, seed and words, with at least its kinds and sites"
                )
            if not setting.clean and (setting.ber, setting.flips) != (self.whole.ber, self.whole.flips):
                raise InputError(
                    f"setting {setting.digest[:12]} has {setting.rate}, the whole one, {self.whole.digest[:12]}, "
                    f"{self.whole.rate}: give both the same"
                )

    def _check_from_clean(self, setting: Setting) -> None:
        if setting.without_faults() != self.whole or not (setting.flips or setting.reference) or setting.protection:
            raise InputError(
                f"setting {setting.digest[:12]} ({setting.rate}) does not start from the clean run of "
                f"{self.whole.model if self.whole else ''}: give settings of one program with a number of flips an "
                "inference and no protection"
            )

    def trials_of(self, setting: Setting) -> int:
        """How many trials a setting has at most: one if it is clean, since all would be the same."""
        return 1 if setting.clean else self.trials

    def groups(self) -> Iterator[tuple[Unit, ...]]:
        """The units by what is measured together, trial after trial; from a clean run on all trials of the same images.

        So that run is done once.
        """
        every = (group for trial in range(self.trials) for group in self.together(trial))
        if self.whole is None or not self.whole.reference:
            yield from every
            return
        of_images: dict[int, list[Unit]] = {}
        for group in every:
            of_images.setdefault(group[0].start, []).extend(group)
        yield from map(tuple, of_images.values())

    def together(self, trial: int) -> Iterator[tuple[Unit, ...]]:
        """The units of a trial by what is measured together: each alone, or all of the same images, the whole first."""
        settings = [setting for setting in self.settings if trial < self.trials_of(setting)]
        if self.whole is None:
            yield from ((unit,) for setting in settings for unit in self.units(setting, trial))
        else:
            settings.sort(key=lambda setting: setting != self.whole)
            yield from zip(*(self.units(setting, trial) for setting in settings), strict=True)

    def units(self, setting: Setting, trial: int) -> Iterator[Unit]:
        """The units of one trial of a setting, in the order of their images."""
        for start in range(0, self.images, self.chunk):
            yield Unit(setting=setting, trial=trial, start=start, stop=min(start + self.chunk, self.images))
