"""What may flip, where and how often: values that a user gives, and tensors of his own."""

import json
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import torch

from radhard.errors import CaptureError, InputError
from radhard.faults import EVERYWHERE, Faults, Faulty, Flips, Where, trace
from radhard.faults.locate import locate
from radhard.faults.sample import draw_at
from radhard.machine import KINDS, Clean, Cost, CostStep, Counting, Site
from radhard.program import run
from radhard.words import Int, Words
from tests.reference.gemm import gemm
from tests.support.flips import flips_at
from tests.support.models import images, tiny_program

SITES = tiny_program("float").sites


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"ber": "1e-6"}, "ber='1e-6'.* number from 0 to 1"),
        ({"ber": True}, "ber=True"),
        ({"ber": float("nan")}, "ber=nan"),
        ({"ber": 1.5}, "ber=1.5.*from 0 to 1"),
        ({"ber": -1e-9}, "ber=-1e-09"),
        ({"ber": 1e-6, "kinds": {"mul", "div"}}, "kinds: 'div' is not a kind of operation; choose from mul, add, load"),
        ({"ber": 1e-6, "kinds": set()}, "kinds is empty"),
        ({"ber": 1e-6, "seed": -1}, r"seed=-1: .*2\*\*64"),
        ({"ber": 1e-6, "seed": 2**64}, "seed="),
        ({"ber": 1e-6, "trial": 2**32}, r"trial=4294967296: .*2\*\*32"),
        ({"ber": 1e-6, "kinds": "mul"}, "kinds='mul': give a set of kinds"),
        ({"ber": 1e-6, "seed": 1.5}, r"seed=1\.5: give an integer"),
        ({"ber": 1e-6, "trial": True}, "trial=True: give an integer"),
        ({"ber": 1e-6, "where": "head"}, r"where='head': give a radhard\.Where"),
        ({"ber": 1e-6, "words": "int16"}, r"words='int16': give a radhard\.Words"),
        ({"ber": 1e-6, "words": Words(product=Int(8))}, "product=int8 cannot hold .* int16"),
        ({"ber": 1e-6, "words": Words(product=Int(40))}, "product=int40"),
        ({"ber": 1e-6, "words": Words(accumulator=Int(24))}, r"accumulator=int24.*int32\[0:24\]"),
    ],
)
def test_a_value_that_is_not_allowed(fields: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Faults(**fields)


def test_faults_are_a_value() -> None:
    faults = Faults(ber=1e-6, kinds=["add", "mul"], seed=3)
    assert faults == Faults(ber=1e-6, seed=3)
    assert hash(faults) == hash(Faults(ber=1e-6, seed=3))
    with pytest.raises(FrozenInstanceError):
        faults.ber = 1.0
    nothing = {"layers": [], "modules": [], "operators": [], "sites": [], "patches": [], "grid": None, "bits": []}
    assert json.loads(json.dumps(Faults(ber=0.5, where=~Where(layers=("a", "b")), trial=2).as_dict())) == {
        "ber": 0.5,
        "kinds": ["add", "mul"],
        "where": {**nothing, "spared": [{**nothing, "layers": ["a", "b"], "spared": []}]},
        "seed": 0,
        "trial": 2,
        "words": {"product": "int16", "accumulator": "int32"},
    }


def test_what_can_hit_nothing_is_refused() -> None:
    program = tiny_program("float")
    for faults in (Faults(ber=0.1, kinds={"scale"}), Faults(ber=0.1, kinds={"special"}, where=Where(sites=("head",)))):
        with pytest.raises(
            InputError, match=r"kinds s.*: none of the \d+ sites that are selected has such an operation"
        ):
            trace(program, faults, np.arange(2))
    with pytest.raises(InputError, match="no operation of arithmetic"):
        Where().select(())
    for wrong, message in (
        ({"sites": "head"}, r"sites='head': give a tuple of patterns, sites=\('\.\.\.',\)"),
        ({"bits": (3,)}, "bits=.*: give a tuple of patterns"),
        ({"protected": ("head",)}, "protected=.*: give a tuple of Where"),
    ):
        with pytest.raises(InputError, match=message):
            Where(**wrong)
    assert Where(sites=["head"]) == Where(sites=("head",))


def names(where: Where) -> set[str]:
    return {site.name for site in where.select(SITES)}


def test_where_selects_by_each_field() -> None:
    every = names(EVERYWHERE)
    assert every == {site.name for site in SITES}
    assert names(Where(layers=("blocks.1",))) == {name for name in every if name.startswith("blocks.1.")}
    assert names(Where(modules=("Head", "Embed"))) == {"patch_embed.load", "patch_embed", "add", "head.load", "head"}
    assert names(Where(operators=("soft*",))) == {"blocks.0.attn.softmax", "blocks.1.attn.softmax"}
    assert names(Where(sites=("*.mlp.fc?",))) == {f"blocks.{i}.mlp.fc{j}" for i in (0, 1) for j in (1, 2)}
    both = Where(layers=("blocks.0",), operators=("gelu", "softmax"))
    assert names(both) == {"blocks.0.attn.softmax", "blocks.0.mlp.act"}
    assert names(~both) == every - names(both)
    assert ~~both == both


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (
            Where(layers=("block.0",)),
            "layer pattern 'block.0' matches none of the model's 4 layers; near ones: blocks.0",
        ),
        (Where(sites=("blocks.0.attn.sofmax",)), "site pattern .*near ones: blocks.0.attn.softmax.*radhard inspect"),
        (~Where(operators=("lstm",)), "operator pattern 'lstm' matches none"),
        (Where(modules=("MHA",)), "module pattern 'MHA' matches none .* MHA-LF"),
        (Where(layers=("blocks.0",), modules=("Head",)), "leaves none of the model's .* sites"),
        (~EVERYWHERE, "leaves none"),
    ],
)
def test_a_selection_of_nothing(where: Where, message: str) -> None:
    with pytest.raises(InputError, match=message):
        where.select(SITES)
    with pytest.raises(InputError, match=message):
        trace(tiny_program("float"), Faults(ber=0.1, where=where), np.arange(1))


def test_kinds_are_exposed_only_when_asked() -> None:
    program = tiny_program("int8")
    default = trace(program, Faults(ber=1e-4), np.arange(2))
    assert {KINDS[kind] for kind in np.unique(default.kind)} == {"mul", "add"}
    for kind in KINDS:
        found = trace(program, Faults(ber=1e-3, kinds={kind}), np.arange(2))
        assert {KINDS[code] for code in np.unique(found.kind)} == {kind}
        held = {found.sites[place] for place in np.unique(found.site)}
        costs = {site.name: cost for site, cost in program.costs.items()}
        assert all(costs[name].operations(kind) for name in held)


def test_two_names_with_one_key_are_refused() -> None:
    class Same(Site):
        key = 5

    cost = Cost(grid=(1,), steps=(CostStep(kind="mul", per_unit=1, dtype=torch.int32),))
    with pytest.raises(CaptureError, match=r"sites 'a' and 'b' share .* rename"):
        draw_at({Same(name="a"): cost, Same(name="b"): cost}, Faults(ber=0.1), np.arange(1))


def test_on_two_tensors_alone() -> None:
    a = torch.randint(-128, 128, (5, 20), dtype=torch.int8, generator=torch.Generator().manual_seed(0))
    b = torch.randint(-128, 128, (20, 6), dtype=torch.int8, generator=torch.Generator().manual_seed(1))
    faults = Faults(ber=1e-3, seed=2)
    got = Faulty(Clean(), faults).gemm(a, b)
    counting = Counting()
    counting.gemm(a, b)
    flips = draw_at(counting.costs, faults, np.arange(1))
    rows = [(KINDS[k], int(i), int(bit)) for k, i, bit in zip(flips.kind, flips.index, flips.bit, strict=True)]
    assert len(rows) > 10
    assert [got.tolist()] == gemm([a.tolist()], [b.tolist()], None, rows)
    assert not torch.equal(got, Clean().gemm(a, b))
    assert torch.equal(got, Faulty(Clean(), faults).gemm(a, b))
    assert not torch.equal(got, Faulty(Clean(), faults).gemm(a, b, site="another"))


def test_primitives_by_hand() -> None:
    """1, 2, 3: the sign of one word each."""
    x, y = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([4.0, 5.0, 6.0])

    def at(site: str, kind: str, index: int, bit: int) -> Faulty:
        return Faulty(Clean(), flips_at(site, [(kind, index, bit)]))

    assert at("mul", "mul", 1, 31).mul(x, y).tolist() == [4, -10, 18]
    assert at("add", "add", 2, 31).add(x, y).tolist() == [5, 7, -9]
    assert at("sum", "add", 0, 31).sum(x).tolist() == [0]  # -(1 + 2) + 3
    assert at("sum", "add", 1, 31).sum(x).tolist() == [-6]
    assert at("load", "load", 0, 31).load(x).tolist() == [-1, 2, 3]
    assert x.tolist() == [1, 2, 3]
    words = torch.tensor([1, 2, 3], dtype=torch.int8)
    assert at("load", "load", 2, 7).load(words).tolist() == [1, 2, 3 - 128]
    one = torch.ones(1, 2, dtype=torch.int8)
    assert at("gemm", "mul", 1, 15).gemm(one, one.T).tolist() == [[2 - 2**15]]
    assert at("gemm", "add", 0, 31).gemm(one, one.T).tolist() == [[2 - 2**31]]
    assert at("elsewhere", "mul", 0, 0).mul(x, y).tolist() == [4, 10, 18]


@pytest.mark.parametrize(("index", "bit", "message"), [(2, 0, "index 2 at site 'gemm'"), (0, 16, "bit 16")])
def test_a_row_beyond_two_tensors_alone(index: int, bit: int, message: str) -> None:
    one = torch.ones(1, 2, dtype=torch.int8)
    with pytest.raises(InputError, match=message):
        Faulty(Clean(), flips_at("gemm", [("mul", index, bit)])).gemm(one, one.T)


def test_a_table_is_checked_against_every_program_that_it_meets() -> None:
    """Once on each, however often it runs there: a float program has no requantisation."""
    integer, floating = tiny_program("int8"), tiny_program("float")
    (site,) = {site.name for site in integer.sites if site.name == "blocks.0.attn.requantize"}
    machine = Faulty(Clean(), flips_at(site, [("scale", 0, 31)]))
    for ids in ([0, 1], [1, 0], [5]):
        result = run(integer, images(len(ids)), machine, ids=torch.tensor(ids))
        assert machine.flips is not None
        assert len(machine.flips) == (0 in ids)
        assert result.logits.shape == (len(ids), 5)
    with pytest.raises(InputError, match=f"site '{site}' is not one of the program's"):
        run(floating, images(1), machine)


def test_flips_per_image() -> None:
    program, ids = tiny_program("int8"), np.array([9, 4, 7])
    flips = trace(program, Faults(ber=1e-5), ids)
    assert flips.per_image(ids).tolist() == [int((flips.image == image).sum()) for image in ids]
    assert flips.per_image(np.array([4, 100])).tolist() == [int((flips.image == 4).sum()), 0]
    assert set(flips.only(np.array([7])).image.tolist()) == {7}
    assert sum(len(part) for part in flips.by_site().values()) == len(flips)


def test_hits_are_every_flip_by_unit_step_and_place() -> None:
    """Against plain loops: 3 images of 2 rows, a text of a mul (5 a unit), a sum (4) and another mul (1)."""
    cost = Cost(
        grid=(2, 1),
        steps=tuple(
            CostStep(kind=kind, per_unit=size, dtype=torch.float32)
            for kind, size in (("mul", 5), ("add", 4), ("mul", 1))
        ),
    )
    site, ids = Site(name="s", batch_axis=0, rows_per_image=2), np.array([7, 3, 5])
    expected, rows = [], []
    for slot, image in enumerate((7, 3, 5)):
        for unit in range(2):
            for step, (kind, size, offset) in enumerate((("mul", 5, 0), ("add", 4, 0), ("mul", 1, 10))):
                for within in range(size):
                    bit = (step + within + unit) % 32
                    expected.append((slot * 2 + unit, step, within, bit))
                    rows.append((image, KINDS.index(kind), offset + unit * size + within, bit))
    order = np.random.default_rng(0).permutation(len(rows))
    image, kind, index, bit = np.array(rows)[order].T.copy()
    flips = Flips(sites=("s",), image=image, site=np.zeros_like(image), kind=kind, index=index, bit=bit)
    hits = locate(flips, cost, site, ids)
    assert hits.units.tolist() == list(range(6))
    found = zip(hits.units[hits.place], hits.step, hits.within, hits.bit, strict=True)
    assert [tuple(map(int, row)) for row in found] == sorted(expected)
    part = hits.steps(2, 4)
    assert part[1].unit.tolist() == [0] * 4 + [1] * 4
    assert part[1].within.tolist() == [0, 1, 2, 3] * 2
