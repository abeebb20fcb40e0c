"""A step of a study: what it does, what it needs, what it costs, and what runs it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from radhard.campaign.model_under_test import ModelUnderTest
from radhard.report.record import Envelope
from radhard.studies.data import Data
from radhard.studies.model import Model
from radhard.studies.progress import Report
from radhard.studies.result import DrawnResult
from radhard.studies.settings import settings_of
from radhard.studies.study.pace import Pace
from radhard.studies.study.study_folder import StudyFolder
from radhard.studies.study_file.study import Study


class StepSkipped(Exception):  # noqa: N818 - no error: a step has nothing to measure, and says why
    """A step has nothing that it could measure; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Here:
    """What a step is given: the model and its images, the study, its folder, and whom to tell.

    `given`: the model as the user gave it; `model`: the same, captured where it was given in memory. `images`: how many
    the file of the study says; the step takes those of `study`, which may be fewer.
    """

    given: Model
    model: Model
    data: Data | None
    study: Study
    folder: StudyFolder
    model_under_test: ModelUnderTest
    recipe: str
    plan_ber: float | None
    report: Report
    images: int | None = None

    @property
    def labelled(self) -> bool:
        """Whether the images have labels."""
        return self.model_under_test.data.labelled

    @property
    def known_ber(self) -> float | None:
        """The bit error rate of the study: the one that was stated, else the one that costs 10 points; None before."""
        if self.plan_ber is not None:
            return self.plan_ber
        if not self.folder.step("points").is_file():
            return None
        points = self.folder.record("points", "points")
        return next((float(point["ber"]) for point in points if point["loss"] == OPERATING and point["ber"]), None)

    @property
    def ber(self) -> float:
        """The bit error rate of the study. StepSkipped if there is none."""
        found = self.known_ber
        if found is None:
            raise StepSkipped(
                f"no rate of the curve costs {100 * OPERATING:.0f} points, at which this step would work: give "
                "--plan-ber"
            )
        return found

    def command(self, verb: str, *arguments: str) -> str:
        """The command of a step: `vulnerability --study study/study.toml --by layer`, on the images that it takes."""
        own = self.study.run.images
        images = () if own == self.images else (f"--images {own}",)
        return " ".join((verb, f"--study {self.folder.file}", *arguments, *images))

    def envelope(self, command: str, record: Mapping[str, object], **settings: object) -> Envelope:
        """What the `command` would print by --json, of one model."""
        options = self.study.options
        told = settings_of(
            options["model_options"], options["data_options"], options["faults"], options["run"],
            model=self.study.model, data=self.study.data, **settings,
        )  # fmt: skip
        return Envelope(command=f"radhard {command}", settings=told, models=[record])


OPERATING = 0.1
"""The loss at whose rate components are ranked and protection is planned, as a share of all answers."""


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """What a step found: the envelope of its command, if that prints JSON, one line, and what is drawn of it."""

    envelope: Envelope | None
    line: str
    drawn: DrawnResult | None = None


@dataclass(frozen=True, kw_only=True)
class StepCost:
    """Seconds that do not depend on images, and seconds an image and trial."""

    fixed: float = 0.0
    image: float = 0.0


@dataclass(frozen=True, kw_only=True)
class StudyStep:
    """A step by its `name`, and the `group` by which --only and --skip may name it, too.

    `needs`: steps whose results it reads. `share`: of the study's images, so many it takes.
    `apart`: it needs images that choose, beside those that evaluate. `cost`: from the measured pace. What does not
    measure is done in every run.
    """

    name: str
    does: str
    run: Callable[[Here], StepResult]
    cost: Callable[[Pace], StepCost]
    group: str = ""
    needs: Sequence[str] = ()
    share: float = 1.0
    apart: bool = False
    measures: bool = True

    def named(self, name: str) -> bool:
        """Whether --only or --skip mean this step by a name."""
        return name in (self.name, self.group)

    def images(self, images: int, *, least: int) -> int:
        """How many images the step takes of the study's."""
        return max(min(least, images), int(images * self.share))
