"""Running again only what differs: bit for bit what a whole run gives, and no more work than that."""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from radhard.faults import Faults, Faulty, Flips, Where, trace
from radhard.machine import Clean, Operator, Recording, Site
from radhard.program import KeptRun, Program, Resuming, arithmetic, capture, quantize, rerun, run, run_and_keep
from tests.support.architectures import BY_NAME
from tests.support.models import MultiheadViT, TinyViT, images, tiny_program

IDS = torch.tensor([5, 3, 17, 2, 90, 1, 8])
FAMILIES = [
    "timm:swin_tiny_patch4_window7_224",  # windows folded into the batch
    "timm:cait_xxs24_224",  # class attention
    "timm:resnet18",
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("own:encoder", "own:deepvit", "timm:convnext_atto")),
]


@cache
def family(name: str, recipe: str) -> Program:
    row = BY_NAME[name]
    if recipe == "float":
        return capture(row.build(), row.images(2))
    return quantize(family(name, "float"), [row.images(8)], recipe=recipe)


def bits(x: Tensor) -> Tensor:
    return x.view(torch.int32) if x.is_floating_point() else x


class Sparing:
    """A program's run on images under faults, and runs again in which some of these are spared."""

    def __init__(self, program: Program, batch: Tensor, faults: Faults, *, ids: Tensor = IDS) -> None:
        self.program, self.batch, self.ids = program, batch, ids
        self.flips = trace(program, faults, ids)
        self.kept = run_and_keep(program, batch, Faulty(Clean(), self.flips), ids=ids)

    def names(self, field: str, value: str) -> set[str]:
        return {site.name for site in self.program.sites if getattr(site, field) == value}

    def without(self, sites: set[str]) -> tuple[Flips, dict[str, Tensor]]:
        """The flips at other sites, and which images those at these sites touch, found row by row."""
        spared = np.array([self.flips.sites[site] in sites for site in self.flips.site], np.bool_)
        touched = {site: torch.zeros(len(self.ids), dtype=torch.bool) for site in sites}
        for image, site in zip(self.flips.image[spared], self.flips.site[spared], strict=True):
            touched[self.flips.sites[site]][self.ids.tolist().index(image)] = True
        return self.flips.take(~spared), touched

    def check(self, sites: set[str]) -> float:
        """Compare with a whole run; the work, as a share of it."""
        left, touched = self.without(sites)
        again = rerun(self.kept, Faulty(Clean(), left), touched=touched)
        full = run(self.program, self.batch, Faulty(Clean(), left), ids=self.ids)
        assert torch.equal(bits(again.result.logits), bits(full.logits))
        assert torch.equal(again.result.non_finite, full.non_finite)
        return again.work / (len(self.ids) * sum(map(arithmetic, self.program.costs.values())))


def rate(program: Program, flips: float) -> float:
    """At which an image has so many."""
    kinds, words = Faults(ber=0.0).kinds, Faults(ber=0.0).words
    return flips / sum(cost.exposed_bits(kind, words) for cost in program.costs.values() for kind in kinds)


@pytest.mark.parametrize("recipe", ["int8", "int8-float"])
@pytest.mark.parametrize("name", FAMILIES)
def test_it_is_what_a_whole_run_gives(name: str, recipe: str) -> None:
    """Each layer spared at a few flips an image, each module at many."""
    program, row, ids = family(name, recipe), BY_NAME[name], IDS[:4]
    shares = []
    for flips, field in ((3.0, "layer"), (200.0, "module")):
        faults = Faults(ber=rate(program, flips), seed=int(flips))
        protecting = Sparing(program, row.images(4), faults, ids=ids)
        for value in sorted({getattr(site, field) for site in program.sites}):
            shares.append(protecting.check(protecting.names(field, value)))
    assert 0.0 <= min(shares) < 0.2
    assert 0.5 < max(shares) <= 1.0


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_sites_of_any_run(data: st.DataObject) -> None:
    """Tiny models, one of them with [tokens, batch] folded into an axis: a block a token."""
    kind = data.draw(st.sampled_from([TinyViT, MultiheadViT]))
    program = tiny_program(data.draw(st.sampled_from(["int8", "int8-float"])), kind)
    assert kind is TinyViT or max(site.blocks for site in program.sites) > 1
    batch = data.draw(st.integers(1, len(IDS)))
    flips = data.draw(st.sampled_from([0.5, 3.0, 20.0, 200.0, 2000.0]))
    faults = Faults(
        ber=rate(program, flips),
        seed=data.draw(st.integers(0, 99)),
        kinds=data.draw(st.sampled_from([{"mul", "add"}, {"mul", "add", "load", "special", "scale"}])),
    )
    protecting = Sparing(program, images(len(IDS))[:batch], faults, ids=IDS[:batch])
    protecting.check(data.draw(st.sets(st.sampled_from([site.name for site in program.sites]), min_size=1, max_size=9)))


def test_of_a_float_program_it_is_so_up_to_rounding() -> None:
    """Its matrix products may round otherwise in a batch of another size."""
    program = tiny_program("float")
    protecting = Sparing(program, images(len(IDS)), Faults(ber=rate(program, 3.0), seed=2))
    left, touched = protecting.without(protecting.names("layer", "blocks.0"))
    assert 0 < len(left) < len(protecting.flips)
    again = rerun(protecting.kept, Faulty(Clean(), left), touched=touched)
    full = run(program, protecting.batch, Faulty(Clean(), left), ids=IDS)
    torch.testing.assert_close(again.result.logits, full.logits, equal_nan=True)


@pytest.mark.parametrize("recipe", ["int8", "int8-float"])
@pytest.mark.parametrize("kind", [TinyViT, MultiheadViT])
def test_from_a_clean_run_it_says_which_flips_reached_a_word(recipe: str, kind: type[nn.Module]) -> None:
    """One flip an image, at sites whose other words are taken from the kept run: as whole runs give it."""
    program, batch, seen = tiny_program(recipe, kind), images(len(IDS)), []
    kept = run_and_keep(program, batch, Clean(), ids=IDS)
    for seed in range(12):
        flips = trace(program, Faults(flips=1, seed=seed, kinds={"mul", "add", "special", "scale"}), IDS)
        touched = {site: torch.from_numpy(some.per_image(IDS.numpy()) > 0) for site, some in flips.by_site().items()}
        resuming = Resuming(Clean())
        again = rerun(kept, Faulty(resuming, flips), touched=touched, resuming=resuming)
        full = run_and_keep(program, batch, Faulty(Clean(), flips), ids=IDS)
        assert torch.equal(bits(again.result.logits), bits(full.result.logits))
        assert torch.equal(again.result.non_finite, full.result.non_finite)
        other = torch.zeros(len(IDS), dtype=torch.bool)
        for site, words in full.outputs.items():
            other |= site.per_image(bits(words) != bits(kept.outputs[site])) > 0
        assert torch.equal(again.reached, other)
        seen += other.tolist()
        whole = len(IDS) * sum(map(arithmetic, program.costs.values()))
        assert again.work < whole if other.any() else again.work < 0.05 * whole
    assert 0 < sum(seen) < len(seen)


def test_each_flip_of_a_site_is_work() -> None:
    """Three words of the last site are computed again, each of its own dot product, and nothing else."""
    program, batch = tiny_program("int8"), images(len(IDS))
    kept = run_and_keep(program, batch, Clean(), ids=IDS)
    flips = trace(program, Faults(flips=3, seed=1, kinds={"mul"}, where=Where(sites=("head",))), IDS)
    touched = {site: torch.from_numpy(some.per_image(IDS.numpy())) for site, some in flips.by_site().items()}
    resuming = Resuming(Clean())
    again = rerun(kept, Faulty(resuming, flips), touched=touched, resuming=resuming)
    ((site, cost),) = ((site, cost) for site, cost in program.costs.items() if site.name == "head")
    assert list(touched) == [site.name]
    assert again.work == len(IDS) * 3 * arithmetic(cost) // cost.units


# --- no more work than that ---


class Applications(Clean):
    """Runs clean, and notes each site with the number of images."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, int]] = []

    def apply(self, operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Tensor:
        self.seen.append((site.name, len(self.non_finite)))
        return super().apply(operator, inputs, site)


def kept_clean(recipe: str = "int8") -> tuple[Program, KeptRun]:
    program = tiny_program(recipe)
    return program, run_and_keep(program, images(4), Clean(), ids=IDS[:4])


def mask(*places: int) -> Tensor:
    return torch.isin(torch.arange(4), torch.tensor(places, dtype=torch.int64))


def test_untouched_nothing_is_computed() -> None:
    _, kept = kept_clean()
    machine = Applications()
    again = rerun(kept, machine, touched={"blocks.0.mlp.fc1": mask()})
    assert (machine.seen, again.work) == ([], 0)
    assert torch.equal(again.result.logits, kept.result.logits)


def test_a_touch_that_changes_nothing_costs_one_application() -> None:
    program, kept = kept_clean()
    machine = Applications()
    again = rerun(kept, machine, touched={"blocks.0.mlp.fc1": mask(1, 3), "blocks.1.mlp.fc2": mask(2)})
    assert machine.seen == [("blocks.0.mlp.fc1", 2), ("blocks.1.mlp.fc2", 1)]
    work = {site.name: arithmetic(cost) for site, cost in program.costs.items()}
    assert again.work == 2 * work["blocks.0.mlp.fc1"] + work["blocks.1.mlp.fc2"]


class Changing(Applications):
    """Changes the class token at a site, of the first image of the batch that it is given."""

    def __init__(self, site: str) -> None:
        super().__init__()
        self._site = site

    def apply(self, operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Tensor:
        out = super().apply(operator, inputs, site)
        if site.name == self._site:
            out = out.clone()
            out[0, 0] += 50
        return out


def test_a_difference_is_followed_in_its_image_alone() -> None:
    """Images 1 and 3 are touched, only image 1 differs; from there on it alone is computed, and only what reads it."""
    program, kept = kept_clean()
    machine = Changing("blocks.1.mlp.fc1")
    again = rerun(kept, machine, touched={"blocks.1.mlp.fc1": mask(1, 3)})
    after = [site.name for site in program.sites]
    after = after[after.index("blocks.1.mlp.fc1") + 1 :]
    assert machine.seen == [("blocks.1.mlp.fc1", 2), *((name, 1) for name in after)]
    full = run(program, images(4)[1:2], Changing("blocks.1.mlp.fc1"))
    assert torch.equal(again.result.logits[1], full.logits[0])
    others = torch.tensor([0, 2, 3])
    assert torch.equal(again.result.logits[others], kept.result.logits[others])
    assert not torch.equal(again.result.logits[1], kept.result.logits[1])


class Constant(Applications):
    """Gives one number at blocks.0.mlp.fc1."""

    def __init__(self, number: float) -> None:
        super().__init__()
        self._number = number

    def apply(self, operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Tensor:
        out = super().apply(operator, inputs, site)
        return torch.full_like(out, self._number) if site.name == "blocks.0.mlp.fc1" else out


@pytest.mark.parametrize(("before", "after", "differ"), [(0.0, -0.0, True), (math.nan, math.nan, False)])
def test_what_differs_are_bits(before: float, after: float, differ: bool) -> None:
    """A flip of 0 is not that of -0, though they compare as equal; a NaN compares as another, and is itself."""
    program = tiny_program("int8-float")
    kept = run_and_keep(program, images(4), Constant(before), ids=IDS[:4])
    machine = Constant(after)
    rerun(kept, machine, touched={"blocks.0.mlp.fc1": mask(1)})
    assert machine.seen[:2] == [("blocks.0.mlp.fc1", 1), ("blocks.0.mlp.act", 1)][: 1 + differ]


# --- what is kept ---


def test_outputs_and_notes_of_a_kept_run() -> None:
    """Notes of all sites add up to what the run says; a second run starts afresh."""
    program = tiny_program("int8")
    faults = Faults(ber=rate(program, 2000.0), seed=1)
    keeping = Recording(Faulty(Clean(), faults))
    for batch in (images(7), images(3)):
        result = run(program, batch, keeping)
        assert tuple(keeping.outputs) == program.sites
        assert torch.equal(sum(keeping.notes.values()), result.non_finite)
        assert torch.equal(bits(result.logits), bits(run(program, batch, Faulty(Clean(), faults)).logits))
    assert int(result.non_finite.sum()) > 0
    total = sum(out.numel() * out.element_size() for out in keeping.outputs.values())
    assert total == 3 * program.kept_bytes


def test_kept_outputs_are_left_as_they_are() -> None:
    program = tiny_program("int8")
    protecting = Sparing(program, images(len(IDS)), Faults(ber=rate(program, 300.0), kinds={"mul", "add", "load"}))
    before = {site: out.clone() for site, out in protecting.kept.outputs.items()}
    logits = protecting.kept.result.logits.clone()
    for layer in ("stem", "blocks.0", "blocks.1", "head"):
        protecting.check(protecting.names("layer", layer))
    assert all(torch.equal(bits(out), bits(before[site])) for site, out in protecting.kept.outputs.items())
    assert torch.equal(bits(protecting.kept.result.logits), bits(logits))


@pytest.mark.parametrize("blocks", [1, 2, 6])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_rows_of_images(axis: int, blocks: int) -> None:
    """Against a search element by element for those that the site attributes to an image."""
    site = Site(name="s", batch_axis=axis, rows_per_image=6, blocks=blocks)
    shape = [2, 3, 4]
    shape[axis] = 6 * 5
    x = torch.arange(2 * 3 * 4 * 30 // [2, 3, 4][axis]).reshape(shape)
    owner = torch.empty(shape, dtype=torch.int64)
    for row in range(30):
        owner.select(axis, row).fill_(row // (6 // blocks) % 5)  # [blocks, 5 images, rows of a block]
    chosen = torch.tensor([1, 4])
    taken = site.take(x, chosen)
    keep = [row for row in range(30) if int(owner.select(axis, row).flatten()[0]) in (1, 4)]
    assert torch.equal(taken, x.index_select(axis, torch.tensor(keep)))
    other = site.put(x, chosen, -taken)
    assert torch.equal(other, torch.where(torch.isin(owner, chosen), -x, x))
    assert torch.equal(x.flatten().sort().values, torch.arange(x.numel()))
    transposed = x.permute(2, 0, 1).contiguous().permute(1, 2, 0)
    assert site.take(transposed, chosen).permute(2, 0, 1).is_contiguous()  # in memory as it was


def test_rows_outside_any_batch() -> None:
    site, x = Site(name="s"), torch.arange(6).reshape(2, 3)
    assert torch.equal(site.take(x, torch.tensor([0])), x)
    assert torch.equal(site.put(x, torch.tensor([0]), -x), -x)


class Folding(nn.Module):
    """Moves that ask for the size of the batch, and an output that is a move of what differs."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.linspace(-1, 1, 4).reshape(1, 1, 4))
        self.first, self.second = nn.Linear(4, 4), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x.reshape(x.shape[0] * 16, 4)).reshape(x.shape[0], 16, 4)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1)
        return self.second(torch.cat([x[:, 3], x[:, 0]], dim=1)).flip(1)


def test_moves_that_depend_on_the_size_of_the_batch() -> None:
    torch.manual_seed(0)
    program = quantize(capture(Folding().eval(), images(2)), [images(8)])
    for seed in range(4):
        protecting = Sparing(program, images(len(IDS)), Faults(ber=rate(program, 9.0), seed=seed))
        for site in program.sites:
            protecting.check({site.name})
