"""What a study tells of its way: what it will do, and what came out of each step."""

from dataclasses import dataclass

from radhard.report.study import StudyStepRecord
from radhard.studies.progress import Event
from radhard.studies.study.extent import clock


@dataclass(frozen=True, kw_only=True)
class StepExpected:
    """A step that is to come: its name, what it does, on how many images, and about how many seconds."""

    name: str
    does: str
    images: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Scheduled(Event):
    """What a study will do, before it begins. Whoever is told may raise StoppedError.

    `seconds`: of all steps that are left. `left_out`: steps and why they are. `done`: steps of a run before.
    """

    images: int
    trials: int
    available: int
    steps: tuple[StepExpected, ...]
    left_out: tuple[tuple[str, str], ...]
    done: tuple[str, ...]
    seconds: float
    folder: str

    def lines(self) -> list[str]:
        """As sentences, one a line."""
        trials = f"{self.trials} trial{'s' * (self.trials > 1)}"
        found = [
            f"{self.model}: {self.images:,} of {self.available:,} images evaluate, as many others choose a plan, as "
            f"many judge it; {trials} each; all into {self.folder}"
            if self.available > self.images
            else f"{self.model}: {self.images:,} images, {trials} each; all into {self.folder}"
        ]
        found += [f"  {each.name:<9} {clock(each.seconds):>7}  {each.does}" for each in self.steps]
        found += [f"  {name:<9}       -  left out: {why}" for name, why in self.left_out]
        if self.done:
            found.append(f"  done before: {', '.join(self.done)}")
        return [*found, f"  together about {clock(self.seconds)}"]


@dataclass(frozen=True, kw_only=True)
class FittedAgain(Event):
    """The rate of plans is known, and with it what the steps that are left take: `seconds`, on `images` of `before`."""

    ber: float
    images: int
    before: int
    left_out: tuple[tuple[str, str], ...]
    seconds: float

    def lines(self) -> list[str]:
        """As sentences, one a line."""
        of = f" of {self.before:,}" if self.images < self.before else ""
        found = f"timed at BER {self.ber:.3g}: {clock(self.seconds)} to come, on {self.images:,}{of}"
        return [f"{found} images", *(f"  {name:<9}       -  left out: {why}" for name, why in self.left_out)]


@dataclass(frozen=True, kw_only=True)
class StepEnded(Event):
    """A step is done, or skipped."""

    step: StudyStepRecord

    def lines(self) -> list[str]:
        """`sweep: fashion-vit, int8: clean 91.2 % ... (0:41)`."""
        step = self.step
        what = step["line"] if step["state"] == "done" else f"skipped: {step['line']}"
        took = "" if step["seconds"] is None or step["state"] == "skipped" else f" ({clock(step['seconds'])})"
        return [f"{step['name']}: {what}{took}"]
