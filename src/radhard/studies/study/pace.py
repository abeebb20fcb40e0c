"""How long an image takes: measured on a few images, without faults, under faults, and protected; in seconds."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from radhard.campaign.components import take_apart
from radhard.campaign.experiment import Unit
from radhard.campaign.measure import Job, measure
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
"""Images that are measured; a batch, where these take no longer than `QUICK` seconds."""

QUICK = 1.0

PLACES = (0, 4, 8)
"""Which of the nine rates of a whole curve are measured. The middle one stands for the operating point."""

LAYERS = 4
"""Of so many layers, spread over the model, the time of a single flip is measured."""

Clock = Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Seconds an image: of the float program, without faults, at each of `rates`, and where components are ranked.

    `operating`: at the rate where components are ranked and plans are made; `protected`: there, by each method.
    `flipped`: seconds an image of one flip in each layer in turn, from the clean run on. `opening`: seconds until a
    verb has its model and images. `layers`, `modules`, `bits`: how many components there are, a part of a pass counted
    by its share of operations. `patches`: how many, 0 where there is no grid. `products`: of layers that have one.
    """

    opening: float
    float_: float
    clean: float
    rates: tuple[tuple[float, float], ...]
    operating: float
    protected: tuple[tuple[str, float], ...]
    flipped: float
    layers: float
    modules: float
    bits: float
    patches: float
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

    def by(self, scheme: str) -> float:
        """Seconds an image of a scheme that was measured."""
        return dict(self.protected)[scheme]


def measure_pace(
    set_up: SetUp,
    *,
    schemes: tuple[str, ...],
    opening: float,
    ber: float | None = None,
    clock: Clock = time.perf_counter,
) -> Pace:
    """Run a few images of the model under test in each way that a study runs them; `ber`: the rate of its plans."""
    model_under_test = set_up.model_under_test
    program = model_under_test.programs[set_up.recipe]
    rates = whole_curve(set_up.exposed(0.0).bits, recipe=set_up.recipe)
    costs = {site.name: site for site in program.costs}
    products = model_under_test.protectable(set_up.recipe, words=set_up.faults.words).products.found
    few = _FewImages(set_up=set_up, clock=clock)
    pace = Pace(
        opening=opening,
        float_=few.seconds(model_under_test.programs.get("float", program), Clean),
        clean=few.seconds(program, Clean),
        rates=tuple((rates[place], few.faulty(rates[place])) for place in PLACES),
        operating=0.0,
        protected=(),
        flipped=_flipped(set_up, images=len(few.ids)),
        layers=_passes(program, "layer"),
        modules=_passes(program, "module"),
        bits=float(len(take_apart(model_under_test, set_up.exposed(rates[PLACES[1]]), by="bit").components)),
        patches=_patches(program),
        products=len({costs[name].layer for name in products}),
        sites=len(costs),
    )
    return at_rate(pace, set_up, ber=rates[PLACES[1]] if ber is None else ber, schemes=schemes, clock=clock)


def at_rate(
    pace: Pace, set_up: SetUp, *, ber: float, schemes: tuple[str, ...], clock: Clock = time.perf_counter
) -> Pace:
    """The pace with what depends on the rate of plans measured at `ber`: a rate ten times higher may cost as much."""
    few = _FewImages(set_up=set_up, clock=clock)
    protected = tuple((scheme, few.protected(read_method(scheme), ber)) for scheme in schemes)
    return replace(pace, operating=few.faulty(ber), protected=protected)


@dataclass(frozen=True, kw_only=True)
class _FewImages:
    """The first images of a set-up, and how long a run of them takes."""

    set_up: SetUp
    clock: Clock

    @cached_property
    def ids(self) -> Tensor:
        """Identities of the images [n] int64: a batch, or all if there are fewer."""
        return self.set_up.model_under_test.data.ids[self._places]

    @cached_property
    def _places(self) -> Tensor:
        return torch.arange(min(self.set_up.run.batch, len(self.set_up.model_under_test.data)))

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
    """Seconds an image of one flip in each layer; of a few layers and images, as many times as there are layers."""
    whole = replace(set_up.exposed(0.0), flips=1, kinds=set_up.faults.kinds, where=set_up.faults.where)
    try:
        layers = targets(set_up.model_under_test, whole, by="layer")
    except InputError:  # nothing is exposed: the step will say so, and takes no time
        return 0.0
    few = layers[:: -(-len(layers) // LAYERS)]
    settings = (whole.without_faults(), *(layer.setting for layer in few))
    found = 0.0
    for count in dict.fromkeys((1, min(SAMPLE, images), images)):
        units = tuple(Unit(setting=setting, trial=0, start=0, stop=count) for setting in settings)
        _, *flipped = measure(Job(units=units, clean=None), set_up.model_under_test, batch=set_up.run.batch)
        seconds = sum(each.seconds for each in flipped)
        found = seconds / count * len(layers) / len(few)
        if count > 1 and seconds > QUICK:
            break
    return found


def _passes(program: Program, by: str) -> float:
    """Passes of an image for all components: each starts at its first site, by the share of multiplications."""
    left = {site.name: 0 for site in program.costs}
    total = 0
    for site in reversed(tuple(program.costs)):
        total += program.costs[site].operations("mul") + program.costs[site].operations("add")
        left[site.name] = total
    first: dict[str, int] = {}
    for site in program.costs:
        first.setdefault(str(getattr(site, by)), left[site.name])
    return sum(first.values()) / max(1, total)


def _patches(program: Program) -> float:
    try:
        rows, columns = grid_of(program)
    except InputError:
        return 0.0
    return float(rows * columns + 1)
