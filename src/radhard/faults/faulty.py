"""The faulty machine: the inner machine computes, and only units hit by a flip are computed again."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from radhard.errors import InputError
from radhard.faults import room
from radhard.faults.check_flips import NO_HITS, draw_part
from radhard.faults.device.keys import Arrived, carry_all, keys_of
from radhard.faults.device.sampled import Drawn, draw_on_device, header_of
from radhard.faults.device.striking import strike
from radhard.faults.exposure import Patches, exposed
from radhard.faults.faults import Faults
from radhard.faults.flips import Flips
from radhard.faults.locate import Hits, executed, locate
from radhard.faults.reading import Application
from radhard.faults.sample import distinct, draw_all, draw_at, expected, flips_an_image, groups
from radhard.kernels.on_device import on_device
from radhard.machine import Cost, GraphCapturable, Machine, Operator, Site, Wrapping, read_cost, together

_AT_ONCE = 8  # sites whose flips the host draws at a time, while a device computes what it was given before


class Faulty(Wrapping, GraphCapturable):
    """Lets `inner` compute; where a flip hits, gathers the unit's inputs, reads the definition, scatters the result.

    `source` is a `Faults`, from which each run draws the flips of its images, or a `Flips` table to follow to the
    letter. An application outside a run (`apply` on tensors of one's own) is image 0 at a site of its own.

    The faults of a run are drawn before it, for the sites of the program. Where they are more than DRAWN_AT_ONCE, those
    of a site are drawn when it is applied, of some images after those of others: the same faults in less memory.
    `patches` are those of `exposures`. Where a device computes, it draws those of chains of products.

    Other sites draw theirs when they are applied, keyed by seed, trial, image and site like any other: the second and
    third copy of an operator, and the checks of protection. Which operations of a check are executed depends on the
    data; so faults are drawn over all that might be, and those at operations that are not executed are dropped. That is
    the same as to flip what is executed with the same probability, and keeps the address of every fault: the same for
    any batch, and whichever alarms other images raise. A number of flips an inference is of the program's sites alone.

    >>> import torch
    >>> import radhard as rh
    >>> a, b = torch.ones(4, 8, dtype=torch.int8), torch.ones(8, 4, dtype=torch.int8)
    >>> rh.Faulty(rh.Clean(), rh.Faults(ber=0.0)).gemm(a, b).unique()
    tensor([8], dtype=torch.int32)
    >>> bool((rh.Faulty(rh.Clean(), rh.Faults(ber=1e-2)).gemm(a, b) != 8).any())
    True
    """

    def __init__(self, inner: Machine, source: Faults | Flips, *, patches: Patches | None = None) -> None:
        given: object = source
        if not isinstance(given, Faults | Flips):
            raise InputError(f"Faulty of {type(given).__name__}: give Faults, or a table of Flips")
        super().__init__(inner)
        self.source = source
        self._patches = patches
        self._expected: Mapping[Site, float] = {}  # flips an image at each site, where they are drawn site by site
        self._counts = torch.zeros(1, dtype=torch.int64, device="cpu")
        self._counted: set[str] = set()  # sites whose flips are in the counts
        self._flips: Flips | None = None
        self._by_site: Mapping[str, Flips] = {}
        self._met = np.empty(0, np.bool_)  # the rows of a table that hit something in the run
        self._mine = np.empty(0, np.bool_)  # those that name an image of the run
        self._images = np.empty(0, np.int64)
        self._different = True  # whether no identity stands twice among the images
        self._costs: Mapping[Site, Cost] = {}
        self._drawn: Drawn | None = None  # what was drawn on the run's device
        self._unsure: list[Tensor] = []  # of each time since it was last asked, whether that is not the host's
        self._on_host = False  # whether all flips are drawn there
        self._header: Tensor | None = None  # what a recorded run reads of its images and its trial
        self._waiting: dict[str, Sequence[Site]] = {}  # sites whose flips the host has yet to draw, and those with them
        self._device = torch.device("cpu")
        self._keys: dict[str, Tensor] = {}  # of the flips of each site, where the run is on a device
        self._hits_of: dict[str, Hits | None] = {}
        self._started = True
        self._non_finite = torch.zeros(1, dtype=torch.int64, device="cpu")

    def begin(self, costs: Mapping[Site, Cost], ids: Tensor) -> None:
        """A run of these sites and images; a table is checked once a program."""
        self.inner.begin(costs, ids)
        self._images = ids.cpu().numpy().astype(np.int64)
        self._different = len(np.unique(self._images)) == len(self._images)
        if isinstance(self.source, Flips) and costs is not self._costs:
            self.source.check(costs)
            self._flips, self._by_site = self.source, self.source.by_site()
        self._costs, self._keys, self._hits_of, self._waiting, self._started = costs, {}, {}, {}, False
        if isinstance(self.source, Flips):
            self._mine = np.isin(self.source.image, self._images)
            known = {site.name for site in costs}
            self._met = self._mine & np.array([name in known for name in self.source.sites], np.bool_)[self.source.site]
        self._non_finite = torch.zeros(len(ids), dtype=torch.int64, device="cpu")

    def _start(self, out: Tensor | None = None) -> None:
        """Draw the flips of all sites and images of the run, once it is known where it is: where `out` is."""
        if self._started:
            return
        self._started = True
        if isinstance(self.source, Faults):
            self._draw_on_device(self.source, out)
            self._begin_drawing(self._costs, self.source)
        if out is None:
            return
        self._device, self._non_finite = out.device, torch.zeros_like(self._non_finite, device=out.device)
        if on_device(out) is not None:
            self._carry([site for site in self._costs if site.name in self._by_site])

    def _carry(self, sites: Sequence[Site]) -> None:
        """Bring the flips of these sites to the device, in one copy."""
        located = [(site, self._located(site)) for site in sites]
        keys = {site.name: keys_of(hits, self._costs[site]) for site, hits in located if hits is not None}
        self._keys |= carry_all({name: key for name, key in keys.items() if key is not None}, self._device)

    def _draw_on_device(self, faults: Faults, out: Tensor | None) -> None:
        self._drawn = None
        if out is not None and not self._on_host and not faults.flips and on_device(out) is not None:
            self._drawn = draw_on_device(self._costs, faults, self._images, out.device, header=self._header)
        if self._drawn is not None:
            self._unsure.append(self._drawn.unsure)

    def settled(self) -> bool:
        """Whether flips that were drawn on a device are those of the host. If not, the host draws the next ones.

        It waits for the device.
        """
        sure = not any(bool(unsure.any()) for unsure in self._unsure)
        self._unsure, self._on_host = [], not sure
        return sure and super().settled()

    def recordable(self, costs: Mapping[Site, Cost]) -> bool:
        """Whether a device has drawn all flips of the run."""
        whole = self._drawn is not None and not any(self._drawn.rest.values())
        return whole and isinstance(self.inner, GraphCapturable) and self.inner.recordable(costs)

    def like(self) -> "Faulty":
        """A machine with the same faults."""
        if not isinstance(self.inner, GraphCapturable):
            raise InputError(f"{type(self.inner).__name__} cannot be recorded; run it as it is")
        return Faulty(self.inner.like(), self.source, patches=self._patches)

    def renew(self, ids: Tensor, other: Machine) -> None:
        """The seed and the trial are those of the other one, whose faults are the same else."""
        mine, source = self.source, other.source if isinstance(other, Faulty) else None
        if not isinstance(mine, Faults) or not isinstance(source, Faults):
            raise InputError("a recorded run draws its faults: give Faulty of Faults")
        if replace(source, seed=mine.seed, trial=mine.trial) != mine:
            raise InputError("a recorded run has faults of one kind, rate and place; record another for others")
        assert isinstance(other, Faulty)
        assert isinstance(self.inner, GraphCapturable)
        self.inner.renew(ids, other.inner)
        self.source, self._images = source, ids.cpu().numpy().astype(np.int64)
        self._different = len(np.unique(self._images)) == len(self._images)
        header = torch.from_numpy(header_of(source, self._images))
        if self._header is None:
            self._header = header.to(other._device)
        else:
            self._header.copy_(header)
        self._unsure = [] if self._drawn is None else [self._drawn.unsure]

    def _begin_drawing(self, costs: Mapping[Site, Cost], faults: Faults) -> None:
        means = expected(costs, faults) if self._drawn is None else self._drawn.rest
        self._expected, self._flips, self._by_site, self._counted = {}, None, {}, set()
        self._counts = torch.zeros(len(self._images), dtype=torch.int64, device="cpu")
        if not faults.flips and sum(means.values()) * len(self._images) > room.DRAWN_AT_ONCE:
            room.check_room(max(means.values()), rate=faults.ber)
            self._expected = means
        elif self._drawn is not None:
            sites = list(means)
            for first in range(0, len(sites), _AT_ONCE):
                some = sites[first : first + _AT_ONCE]
                self._waiting |= {site.name: some for site in some}
        else:
            self._flips = draw_at(costs, faults, self._images, patches=self._patches)
        self._by_site = {} if self._flips is None else self._flips.by_site()

    def _draw_waiting(self, sites: Sequence[Site]) -> None:
        """Draw the flips of these sites, which nothing has asked for before."""
        for site in sites:
            del self._waiting[site.name]
        if isinstance(self.source, Faults):
            flips = draw_all({site: self._costs[site] for site in sites}, self.source, self._images)
            self._counts += torch.from_numpy(flips.per_image(self._images))
            self._by_site = {**self._by_site, **flips.by_site()}
            self._carry(sites)

    @property
    def flips(self) -> Flips | None:
        """The flips of the run; None before the first one. Drawn again where they were drawn site by site.

        Rows of a table that hit nothing are not among them.
        """
        self._start()
        if (self._expected or self._drawn is not None) and isinstance(self.source, Faults):
            return draw_at(self._costs, self.source, self._images, patches=self._patches)
        return self._flips if self._flips is None or self._flips is not self.source else self._flips.take(self._met)

    @property
    def missed(self) -> Flips | None:
        """The rows of a table that name an image of the run and hit nothing: no operation that they name was executed.

        They are at sites of checks, of which the data decide what is executed. None without a table, or before a run.
        """
        table = self._flips is not None and self._flips is self.source
        return self._flips.take(self._mine & ~self._met) if table and self._flips is not None else None

    @property
    def counts(self) -> Tensor:
        """The number of flips [B] int64 of each image of the run, once it is at its end."""
        self._start()
        while self._waiting:
            self._draw_waiting(next(iter(self._waiting.values())))
        if self._flips is self.source and self._flips is not None:
            return torch.from_numpy(self._flips.take(self._met).per_image(self._images))
        counts = self._counts if self._flips is None else torch.from_numpy(self._flips.per_image(self._images))
        return counts if self._drawn is None else counts + self._drawn.flips.cpu()

    @property
    def non_finite(self) -> Tensor:
        """What the inner machine noted, and what flips made non-finite where a definition quantises it."""
        return together(self.inner.non_finite, self._non_finite)

    def apply(self, operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Tensor:
        """The inner machine's output, with the hit units replaced."""
        out = self.inner.apply(operator, inputs, site)
        self._start(out)
        own = all(out is not x for x in inputs)
        for arrived in self._arrived(site) if site in self._costs else self._lone(operator, inputs, site):
            out = out if own else out.clone()
            own = True
            counted = self._non_finite
            application = Application(operator=operator, inputs=inputs, site=site, out=out, counted=counted)
            non_finite = strike(application, arrived, self.source.words)
            if non_finite is not None and non_finite is not counted:
                self._non_finite = together(self._non_finite, non_finite)
        return out

    @property
    def sparse(self) -> bool:
        """Whether the inner machine is; a subclass that computes otherwise is not."""
        return type(self).apply is Faulty.apply and self.inner.sparse

    def strike(self, operator: Operator, *, site: Site, cost: Cost | None) -> None:
        """The units that flips hit, on the host."""
        empty = torch.empty(0, dtype=torch.int32, device="cpu")
        self.inner.strike(operator, site=site, cost=cost)
        self._start(empty)
        if cost is not None and (hits := self._drawn_part(cost, site)) is not None:
            arriving: Iterable[Arrived] = [Arrived(cost=cost, hits=hits)] if len(hits.units) else ()
        else:
            arriving = self._arrived(site) if cost is None else self._alone(cost, site)
        reads = 0 if cost is None else max(step.per_unit for step in cost.steps)
        for arrived in arriving:
            application = Application(operator=operator, inputs=(), site=site, out=empty, reads=reads)
            strike(application, arrived, self.source.words)

    def _drawn_part(self, cost: Cost, site: Site) -> Hits | None:
        """The hits of a part, drawn in one call; None where that is not for this case."""
        faults, part = self.source, site.part
        if not isinstance(faults, Faults) or faults.flips or faults.where.fine or part is None or not site.of:
            return None
        if len(self._images) <= int(part.slot.max()) or not self._different:
            return None
        if not faults.where.selects(site):
            return NO_HITS
        return draw_part(cost, faults, site, self._images)

    def _arrived(self, site: Site) -> Iterator[Arrived]:
        """The flips of an application within a run, those of some images after those of others."""
        if self._drawn is not None and site in self._drawn.keys:
            yield Arrived(cost=self._costs[site], keys=self._drawn.keys[site])
        elif self._expected:
            yield from (Arrived(cost=self._costs[site], hits=hits) for hits in self._drawn_hits(site))
        elif (hits := self._located(site)) is not None:
            yield Arrived(cost=self._costs[site], hits=hits, keys=self._keys.get(site.name))

    def _located(self, site: Site) -> Hits | None:
        """The units that the flips of a site hit, once in a run; None where there are none."""
        if site.name in self._waiting:
            self._draw_waiting(self._waiting[site.name])
        if site.name not in self._hits_of:
            flips = self._by_site.get(site.name)
            if flips is not None and not self._mine.all():
                flips = flips.only(self._images)
            self._hits_of[site.name] = (
                locate(flips, self._costs[site], site, self._images) if flips is not None and len(flips) else None
            )
        return self._hits_of[site.name]

    def _drawn_hits(self, site: Site) -> Iterator[Hits]:
        """The same, drawn now, some images at a time."""
        faults, mean = self.source, self._expected.get(site, 0.0)
        if not isinstance(faults, Faults) or not mean:
            return
        cost = self._costs[site]
        for group in groups(distinct(self._images), mean=mean):
            flips = draw_all({site: cost}, faults, group)
            if faults.where.fine:
                flips = flips.take(exposed(flips, self._costs, faults, patches=self._patches))
            if site.name not in self._counted:
                self._counts += torch.from_numpy(flips.per_image(self._images))
            if len(flips):
                yield locate(flips, cost, site, self._images)
        self._counted.add(site.name)  # an operator may finish at a site what another began

    def _lone(self, operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Iterator[Arrived]:
        """The flips of an application at a site that the run does not know."""
        part, axis = site.part, site.batch_axis
        if part is not None and not part.exposed:
            return
        cost = read_cost(operator, tuple(inputs), site)
        if part is not None:
            cost = Cost(grid=(part.pieces, *cost.grid[1:]), steps=cost.steps)
            if (hits := self._drawn_part(cost, site)) is not None:
                if len(hits.units):
                    yield Arrived(cost=cost, hits=hits)
                return
        images = 1 if part is not None or axis is None else operator.units(inputs).grid[axis] // site.rows_per_image
        yield from self._alone(cost, site, images=images)

    def _alone(self, cost: Cost, site: Site, *, images: int = 1) -> Iterator[Arrived]:
        """The same, of a site of this `cost` for one image.

        Its images are those of the run, if it has one; else 0, 1, 2 ... of the site's batch, or image 0.
        """
        part, axis = site.part, site.batch_axis
        if part is not None:
            images = int(part.slot.max()) + 1
        in_run = len(self._images) >= images if part is not None else axis is not None and len(self._images) == images
        ids = self._images if in_run else np.arange(images, dtype=np.int64)
        if isinstance(self.source, Flips):
            if site.name not in self.source.sites:
                return
            here = (self.source.site == self.source.sites.index(site.name)) & np.isin(self.source.image, ids)
            flips = self.source.take(here)
            flips.check({site: cost})
            if in_run:
                self._met[here] |= executed(flips, cost, site, ids)
            if len(flips):
                yield Arrived(cost=cost, hits=locate(flips, cost, site, ids))
            return
        if self.source.flips and (site.of or self._costs):  # they are drawn for the sites of a program
            return
        if site.of and not self.source.where.selects(site):
            return
        if site.of and self.source.where.fine:
            raise InputError(
                f"site {site.name!r} belongs to the protection of {site.of!r}; its faults have no patch and are not "
                "told apart by bit: select sites alone, or give a table of flips"
            )
        present, drawn = ids, draw_all if site.of else draw_at
        if site.of and part is not None:
            present = ids[np.flatnonzero(np.bincount(part.slot))]
        for group in groups(distinct(present), mean=flips_an_image(cost, self.source)):
            if len(flips := drawn({site: cost}, self.source, group)):
                yield Arrived(cost=cost, hits=locate(flips, cost, site, ids))
