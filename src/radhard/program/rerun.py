"""Incremental runs: images are run again under other faults, computing only what differs from a recorded run.

Between two runs that share most faults an image differs from the first step on that a fault touches in one of them
alone, and only as long as its words do: requantised to int8, many differences are gone. So each value has the images of
the batch in which it differs, and its rows for them; a step is computed for the images that differ in one of its
inputs or are touched at its site, and compared with what was kept, bit by bit. All else is taken from there.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from radhard.kernels.bits import bits
from radhard.machine import Cost, Machine, Operator, Recording, Site, Wrapping, applied, together, undisturbed
from radhard.program.program import Apply, Move, Program, Ref, RunResult, refs, run


@dataclass(frozen=True, kw_only=True, eq=False)
class KeptRun:
    """A run of `images` [B, *input_shape], `ids` [B] int64, and of each site its output and its notes [B] int64."""

    program: Program
    images: Tensor
    ids: Tensor
    result: RunResult
    outputs: Mapping[Site, Tensor]
    notes: Mapping[Site, Tensor]


@dataclass(frozen=True, kw_only=True, eq=False)
class Rerun:
    """What the same images gave on another machine, and the `work` it took: multiplications and additions.

    `reached` bool [B]: the images in which a site has written another word than in the kept run.
    """

    result: RunResult
    work: int
    reached: Tensor


class Resuming(Wrapping):
    """Lets `inner` compute, but for outputs that it is handed: those of a kept run of that machine on the same inputs.

    So a machine around it that changes some words of an output takes all others from there.
    """

    def __init__(self, inner: Machine) -> None:
        super().__init__(inner)
        self._handed: tuple[Tensor, Tensor] | None = None
        self._noted = torch.zeros(1, dtype=torch.int64, device="cpu")

    def begin(self, costs: Mapping[Site, Cost], ids: Tensor) -> None:
        """Start afresh."""
        self._handed, self._noted = None, torch.zeros(len(ids), dtype=torch.int64, device="cpu")
        super().begin(costs, ids)

    def hand(self, out: Tensor, notes: Tensor) -> None:
        """The output of the next application, which may be written to, and its notes [B] int64."""
        self._handed = out, notes

    def apply(self, operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Tensor:
        """What it was handed, or the inner machine's output."""
        if self._handed is None:
            return self.inner.apply(operator, inputs, site)
        (out, notes), self._handed = self._handed, None
        self._noted = together(self._noted, notes)
        return out

    @property
    def non_finite(self) -> Tensor:
        """What the inner machine noted, and what it was handed."""
        return together(self.inner.non_finite, self._noted)


def run_and_keep(program: Program, images: Tensor, machine: Machine, *, ids: Tensor) -> KeptRun:
    """Run as `run` does, and keep what `rerun` starts from: `program.kept_bytes` an image."""
    keeping = Recording(machine)
    result = run(program, images, keeping, ids=ids)
    return KeptRun(program=program, images=images, ids=ids, result=result, outputs=keeping.outputs, notes=keeping.notes)


def rerun(kept: KeptRun, machine: Machine, *, touched: Mapping[str, Tensor], resuming: Resuming | None = None) -> Rerun:
    """What `run` gives for the images on `machine`, bit for bit where no kernel depends on the size of its batch.

    `touched`: by the name of a site, how many words [B] int64 of each image of the batch `machine` treats otherwise
    there than the kept run did, given the same inputs, or whether it does so to any [B] bool; none at sites that are
    not named. `resuming`: what `machine` wraps, where the kept run is one of the machine within: it is handed the kept
    output of a site whose inputs are the kept ones.
    """
    program, values = kept.program, _Values(kept)
    logits, non_finite = kept.result.logits.clone(), kept.result.non_finite.clone()
    none = torch.zeros(len(kept.ids), dtype=torch.bool, device="cpu")
    begun, work, reached = none, 0, none
    with undisturbed(kept.images.device):
        for place, step in enumerate(program.steps):
            images = differing = values.differing(refs(step), none)
            if isinstance(step, Apply):
                images = images | (touched.get(step.site.name, none) > 0)
            if images.any():
                if isinstance(step, Move):
                    values.differ(step.out, images, values.moved(step, images))
                else:
                    if not torch.equal(images, begun):
                        machine.begin(program.costs, kept.ids[images])
                        begun = images
                    inputs = [None if ref is None else values.of(ref.number, images) for ref in step.inputs]
                    cost, units = arithmetic(program.costs[step.site]), program.costs[step.site].units
                    notes = kept.notes[step.site].cpu().expand(len(images))[images]
                    if resuming is not None and not differing.any():
                        resuming.hand(values.kept_rows(step, images).clone(), notes)
                        hit = touched[step.site.name][images].to(torch.int64).clamp(max=units)
                        work += int(hit.sum()) * -(-cost // units)
                    else:
                        work += int(images.sum()) * cost
                    out, noted = applied(machine, step.operator, inputs, site=step.site)
                    non_finite[images] += noted.cpu() - notes
                    reached = reached | values.compare(step, images, out)
            values.release(program.released.get(place, ()))
        changed = values.differing([Ref(program.output)], none)
        if changed.any():
            logits[_places(changed, logits)] = values.of(program.output, changed)
    if not machine.settled():
        return rerun(kept, machine, touched=touched, resuming=resuming)
    return Rerun(result=RunResult(logits=logits, non_finite=non_finite), work=work, reached=reached)


def _places(images: Tensor, x: Tensor) -> Tensor:
    """Those of `images` [B] bool, on the CPU, as places in the batch [d] int64, on the device of x."""
    return images.nonzero().flatten().to(x.device)


def arithmetic(cost: Cost) -> int:
    """Multiplications and additions of a site for one image: what work is measured in."""
    return cost.operations("mul") + cost.operations("add")


class _Values:
    """The values of a kept run: for the images in which they differ by now as computed again, for others as kept."""

    def __init__(self, kept: KeptRun) -> None:
        self.kept = kept
        self._rows: dict[int, tuple[Tensor, Any]] = {}  # the images in which a value differs, and its rows for them
        self._wider: dict[int, tuple[Tensor, Any]] = {}  # its rows for more images, as a step has asked for them

    def differing(self, read: Iterable[Ref], none: Tensor) -> Tensor:
        """The images [B] bool in which one of these values differs."""
        images = none
        for ref in read:
            if ref.number in self._rows:
                images = images | self._rows[ref.number][0]
        return images

    def differ(self, number: int, images: Tensor, rows: Any) -> None:
        """A value differs in `images` [B] bool, for which it has these rows."""
        self._rows[number] = images, rows

    def compare(self, step: Apply, images: Tensor, out: Tensor) -> Tensor:
        """The output of a step for `images` [B] bool -> those of them [B] bool whose bits are not as kept."""
        before = self.kept_rows(step, images)
        changed = step.site.per_image(bits(out) != bits(before)).cpu() > 0
        differing = images.clone()
        differing[images] = changed
        if changed.any():
            rows = out if changed.all() else step.site.take(out, changed.nonzero().flatten())
            self.differ(step.out, differing, rows)
        return differing

    def release(self, numbers: Iterable[int]) -> None:
        """Let go of values."""
        for number in numbers:
            self._rows.pop(number, None)
            self._wider.pop(number, None)

    def of(self, number: int, images: Tensor) -> Any:
        """A value for `images` [B] bool, among them all those in which it differs."""
        if number in self.kept.program.constants:
            return self.kept.program.constants[number]
        if number == self.kept.program.input:
            whole = self.kept.images
            return whole if images.all() else whole[_places(images, whole)]
        for known in (self._rows, self._wider):
            if number in known and torch.equal(known[number][0], images):
                return known[number][1]
        maker = self.kept.program.makers[number]
        value = self.moved(maker, images) if isinstance(maker, Move) else self._merged(maker, images)
        self._wider[number] = images, value
        return value

    def moved(self, step: Move, images: Tensor) -> Any:
        """What a move makes of its inputs for `images` [B] bool."""
        return step.moved(lambda number: self.of(number, images))

    def _merged(self, step: Apply, images: Tensor) -> Tensor:
        rows = self.kept_rows(step, images)
        if step.out not in self._rows:
            return rows
        differing, own = self._rows[step.out]
        return step.site.put(rows, differing[images].nonzero().flatten(), own)

    def kept_rows(self, step: Apply, images: Tensor) -> Tensor:
        """The kept output of a step for `images` [B] bool."""
        out = self.kept.outputs[step.site]
        return out if images.all() else step.site.take(out, images.nonzero().flatten())
