"""How long an image takes: measured on a few images, without faults, under faults, and protected; in seconds."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, islice

import torch
from torch import Tensor

from radhard.campaign.components import By, take_apart
from radhard.campaign.experiment import Setting, Unit
from radhard.campaign.measure import Job, measure
from radhard.campaign.outcomes import Outcome
from radhard.campaign.patches import grid_of
from radhard.campaign.rates import whole_curve
from radhard.campaign.single_flips import targets
from radhard.errors import InputError
from radhard.faults import Faulty
from radhard.machine import Clean, Machine
from radhard.program import Program, run
from radhard.protection import Method, read_method
from radhard.studies.request import SetUp

SAMPLE = 4
"""Images that are measured; as many as a step has at once, where these take no longer than `QUICK` seconds."""

QUICK = 1.0

PLACES = (0, 4, 8)
"""Which of the nine rates of a whole curve are measured. The middle one stands for the operating point."""

FEW = 3
"""Of so many components, spread over the model, the time is measured."""

RANKED: tuple[By, ...] = ("layer", "module", "bit", "patch")
"""What components that a study ranks are told apart by."""

Clock = Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Seconds an image: of the float program, without faults, at each of `rates`, and where components are ranked.

    `operating`: at the rate where components are ranked and plans are made; there, `protected` by each method, and of
    all `components` in turn by what they are told apart, 0 where there are none. `flipped`: seconds an image of one
    flip in each layer in turn, from the clean run on. `opening`: seconds until a verb has its model and images.
    `products`: how many layers have one.
    """

    opening: float
    float_: float
    clean: float
    rates: tuple[tuple[float, float], ...]
    operating: float
    protected: tuple[tuple[str, float], ...]
    components: tuple[tuple[By, float], ...]
    flipped: float
    products: int
    sites: int

    def at(self, place: int) -> float:
        """Seconds an image at a place of the curve, by a line between those that were measured."""
        low, middle, high = (seconds for _, seconds in self.rates)
        if place <= PLACES[1]:
            return low + (middle - low) * place / PLACES[1]
        return middle + (high - middle) * (place - PLACES[1]) / (PLACES[2] - PLACES[1])

    @property
    def curve(self) -> float:
        """Seconds an image for all nine rates."""
        return sum(self.at(place) for place in range(PLACES[-1] + 1))

    def under(self, scheme: str) -> float:
        """Seconds an image under a scheme that was measured."""
        return dict(self.protected)[scheme]

    def all_by(self, by: By) -> float:
        """Seconds an image of all components, told apart by this."""
        return dict(self.components)[by]


def measure_pace(
    set_up: SetUp,
    *,
    schemes: tuple[str, ...],
    opening: float,
    images: int,
    ber: float | None = None,
    clock: Clock = time.perf_counter,
) -> Pace:
    """Run a few images of the model under test in each way that a study runs them; `ber`: the rate of its plans.

    `images`: so many a step takes: of fewer at a time each takes longer.
    """
    model_under_test = set_up.model_under_test
    program = model_under_test.programs[set_up.recipe]
    rates = whole_curve(set_up.exposed(0.0).bits, recipe=set_up.recipe)
    costs = {site.name: site for site in program.costs}
    products = model_under_test.protectable(set_up.recipe, words=set_up.faults.words).products.found
    few = _FewImages(set_up=set_up, clock=clock, most=images)
    pace = Pace(
        opening=opening,
        float_=few.seconds(model_under_test.programs.get("float", program), Clean),
        clean=few.seconds(program, Clean),
        rates=tuple((rates[place], few.faulty(rates[place])) for place in PLACES),
        operating=0.0,
        protected=(),
        components=(),
        flipped=_flipped(set_up, images=len(few.ids)),
        products=len({costs[name].layer for name in products}),
        sites=len(costs),
    )
    ber = rates[PLACES[1]] if ber is None else ber
    return at_rate(pace, set_up, ber=ber, schemes=schemes, images=images, clock=clock)


def at_rate(
    pace: Pace, set_up: SetUp, *, ber: float, schemes: tuple[str, ...], images: int, clock: Clock = time.perf_counter
) -> Pace:
    """The pace with what depends on the rate of plans measured at `ber`: a rate ten times higher may cost as much."""
    few = _FewImages(set_up=set_up, clock=clock, most=images)
    return replace(
        pace,
        operating=few.faulty(ber),
        protected=tuple((scheme, few.protected(read_method(scheme), ber)) for scheme in schemes),
        components=_ranked(set_up, ber=ber, images=len(few.ids)),
    )


@dataclass(frozen=True, kw_only=True)
class _FewImages:
    """The first images of a set-up, `most` at most, and how long a run of them takes."""

    set_up: SetUp
    clock: Clock
    most: int

    @cached_property
    def ids(self) -> Tensor:
        """Identities of the images [n] int64: a batch, or all if there are fewer."""
        return self.set_up.model_under_test.data.ids[self._places]

    @cached_property
    def _places(self) -> Tensor:
        return torch.arange(min(self.most, self.set_up.run.batch, len(self.set_up.model_under_test.data)))

    @cached_property
    def _images(self) -> Tensor:
        return self.set_up.model_under_test.images(self._places)

    @property
    def _program(self) -> Program:
        return self.set_up.model_under_test.programs[self.set_up.recipe]

    def seconds(self, program: Program, machine: Callable[[], Machine]) -> float:
        """Seconds an image; the first run, which makes what later ones have, does not count."""
        images, ids = self._images, self.ids
        run(program, images[:1], machine(), ids=ids[:1])
        found = 0.0
        for count in dict.fromkeys((min(SAMPLE, len(images)), len(images))):
            start = self.clock()
            run(program, images[:count], machine(), ids=ids[:count])
            took = self.clock() - start
            found = took / count
            if took > QUICK:
                break
        return found

    def _faults(self, ber: float) -> Faulty:
        return Faulty(Clean(), self.set_up.exposed(ber).faults(0))

    def faulty(self, ber: float) -> float:
        """Seconds an image under faults."""
        return self.seconds(self._program, lambda: self._faults(ber))

    def protected(self, method: Method, ber: float) -> float:
        """Seconds an image under faults, all products protected."""
        protectable = self.set_up.model_under_test.protectable(self.set_up.recipe, words=self.set_up.faults.words)
        try:
            protection = method.protect(protectable, ber=ber)
        except InputError:  # it cannot protect at this rate: its step will say so, and takes no time
            return self.faulty(ber)
        return self.seconds(self._program, lambda: protection.on(self._faults(ber)))


def _flipped(set_up: SetUp, *, images: int) -> float:
    """Seconds an image of one flip in each layer."""
    whole = replace(set_up.exposed(0.0), flips=1, kinds=set_up.faults.kinds, where=set_up.faults.where)
    try:
        layers = targets(set_up.model_under_test, whole, by="layer")
    except InputError:  # nothing is exposed: the step will say so, and takes no time
        return 0.0
    _, found = _of_few(set_up, whole.without_faults(), {"layer": [layer.setting for layer in layers]}, images=images)
    return found["layer"]


def _ranked(set_up: SetUp, *, ber: float, images: int) -> tuple[tuple[By, float], ...]:
    """Seconds an image of all faults and of those outside each component in turn, by what these are told apart."""
    model_under_test, whole = set_up.model_under_test, set_up.exposed(ber)
    parts: dict[By, list[Setting]] = {}
    for by in RANKED:
        try:
            grid = grid_of(model_under_test.programs[set_up.recipe]) if by == "patch" else None
            found = take_apart(model_under_test, whole, by=by, grid=grid)
        except InputError:  # it has no such components: the step will say so, and takes no time
            continue
        parts[by] = [one.protected for one in found.components]
    first, seconds = _of_few(set_up, whole, parts, images=images)
    return tuple((by, first + seconds[by] if by in seconds else 0.0) for by in RANKED)


def _of_few(
    set_up: SetUp, whole: Setting, parts: Mapping[By, Sequence[Setting]], *, images: int
) -> tuple[float, dict[By, float]]:
    """Seconds an image of `whole`, and of each of the `parts`: of a few of their settings, as if all took as long."""
    few = {by: settings[:: -(-len(settings) // FEW)] for by, settings in parts.items()}
    settings = (whole, *chain.from_iterable(few.values()))
    first, found = 0.0, dict.fromkeys(parts, 0.0)
    for count in dict.fromkeys((1, min(2, images), images)):  # the first makes what later ones have
        units = tuple(Unit(setting=each, trial=0, start=0, stop=count) for each in settings)
        job = Job(units=units, clean=_clean(set_up, whole, images=count))
        taken = [each.seconds / count for each in measure(job, set_up.model_under_test, batch=set_up.run.batch)]
        first, others = taken[0], iter(taken[1:])
        found = {by: sum(islice(others, len(own))) * len(parts[by]) / len(own) for by, own in few.items()}
        if count > 1 and count * sum(taken) > QUICK:
            break
    return first, found


def _clean(set_up: SetUp, whole: Setting, *, images: int) -> Outcome | None:
    """What a job under faults is compared with."""
    if whole.clean:
        return None
    unit = Unit(setting=whole.without_faults(), trial=0, start=0, stop=images)
    (found,) = measure(Job(units=(unit,), clean=None), set_up.model_under_test, batch=set_up.run.batch)
    return found.outcome
