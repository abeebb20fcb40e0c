"""Hardened modules: the program's logits when nothing is wrong, and when something is."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import radhard
from radhard.deploy import Alarm, Hardened, harden
from radhard.errors import FaultError, InputError
from radhard.kernels import EVENTS
from radhard.kernels import repair as products_module
from radhard.machine import Clean, Machine
from radhard.models.data.fashion import fashion_mnist
from radhard.models.load import load
from radhard.program import Apply, Program, capture, quantize, run
from radhard.protection import FloatAbft, HuangAbraham, Protection, Ranges, Scheme, Tmr
from radhard.protection.abft.application import ProtectedApplication
from radhard.protection.abft.checks import Checks
from tests.support.hardened import LB, all_products, checked_rows, flip_of, hit_sums, products
from tests.support.models import MultiheadViT, TinyViT, images, seeded, tiny_program

KINDS = [TinyViT, MultiheadViT]


def everything(program: Program) -> Protection:
    """Every product checked, every other site three times."""
    schemes: dict[str, Scheme] = {site.name: Tmr() for site in program.sites}
    return Protection.of(schemes | all_products(program).schemes)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("recipe", ["int8", "int8-float", "float"])
@pytest.mark.parametrize("plan", [lambda _: Protection(), everything])
def test_the_programs_logits(kind: type[nn.Module], recipe: str, plan) -> None:
    program = tiny_program(recipe, kind)
    module = harden(program, plan(program))
    for batch in (1, 3, 8):
        x = images(batch)
        assert torch.equal(module(x), run(program, x).logits)
    assert not any(counts["alarms"] for counts in module.counts().values())
    assert all(counts["checks"] for counts in module.counts().values())


@pytest.mark.parametrize("name", ["fashion-vit", "fashion-swin", "fashion-resnet18", "fashion-cait", "fashion-deepvit"])
def test_the_zoo(name: str) -> None:
    loaded, data = load(name), fashion_mnist("calibration")
    x = data.batch(torch.arange(24), mean=loaded.mean, std=loaded.std)
    program = quantize(capture(loaded.module, x[:2], name=name), [x[8:]])
    plain, checked = harden(program, Protection()), harden(program, all_products(program))
    for batch in (1, 3, 8):
        logits = run(program, x[:batch]).logits
        assert torch.equal(plain(x[:batch]), logits)
        assert torch.equal(checked(x[:batch]), logits)
    assert not any(counts["alarms"] for counts in checked.counts().values())


RANGES = [
    Ranges(low=-0.1, high=0.2),
    Ranges(low=-0.1, high=0.2, outside="clamp"),
    Ranges(low=0.05, high=0.2, outside="clamp"),
]


@pytest.mark.parametrize("recipe", ["int8", "int8-float", "float"])
@pytest.mark.parametrize("ranges", RANGES)
def test_ranges_that_bite(recipe: str, ranges: Ranges) -> None:
    program = tiny_program(recipe)
    whole = Ranges(low=-300.5, high=700.25, outside=ranges.outside)
    schemes = {s.site.name: ranges for s in program.steps if isinstance(s, Apply) and s.operator.name != "load"}
    protection = Protection.of(schemes | dict.fromkeys(products(program), whole))
    machine, module, x = protection.on(Clean()), harden(program, protection), images(3)
    assert torch.equal(module(x), run(program, x, machine).logits)
    assert {name: counts["flagged"] for name, counts in module.counts().items()} == {
        name: account.flagged for name, account in machine.accounts.items()
    }
    assert sum(counts["flagged"] for counts in module.counts().values()) > 100


PROTECTIONS = pytest.mark.parametrize("protect", [all_products, checked_rows])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
@PROTECTIONS
def test_flipped_accumulators_are_restored(protect: Callable[[Program], Protection], data: st.DataObject) -> None:
    program = tiny_program("int8")
    module, x = harden(program, protect(program)), images(2)
    clean = run(program, x).logits
    flip = st.tuples(st.sampled_from(products(program)), st.integers(0, 1), st.integers(0, 1 << 20), st.integers(0, 31))
    hits = data.draw(st.lists(flip, min_size=1, max_size=6, unique_by=lambda flip: flip[0]))  # one a product
    with module.on(hit_sums(program, hits)):
        hit = module(x)
    assert torch.equal(hit, clean)
    for site, counts in module.counts().items():
        assert counts["flagged"] == counts["repaired"] == any(site == one for one, _, _, _ in hits)
        assert not any(counts[event] for event in ("false_alarms", "corrupted", "uncorrected"))


@PROTECTIONS
def test_every_bit_of_an_accumulator(protect: Callable[[Program], Protection]) -> None:
    program = tiny_program("int8")
    module, x = harden(program, protect(program)), images(1)
    clean = run(program, x).logits
    heard: list[Alarm] = []
    module.on_alarm = heard.append
    for site in products(program):
        for bit in range(32):
            heard.clear()
            with module.on(hit_sums(program, [(site, 0, 0, bit)])):
                assert torch.equal(module(x), clean)
            assert heard == [Alarm(site=site, flagged=1, repaired=1, false_alarms=0, corrupted=0, uncorrected=0)]


def test_without_protection_the_same_flip_is_seen() -> None:
    program = tiny_program("int8")
    module, x = harden(program, Protection()), images(1)
    machine = hit_sums(program, [(products(program)[0], 0, 3, 30)])
    with module.on(machine):
        assert not torch.equal(module(x), run(program, x).logits)
    assert torch.equal(module(x), run(program, x).logits)
    assert machine.counts.tolist() == [1]


def stored_step(module: nn.Module, site: str) -> nn.Module:
    (step,) = (m for m in module.modules() if getattr(getattr(m, "on_uncorrectable", None), "site", None) == site)
    return step


@pytest.fixture
def linear() -> tuple[Program, Hardened, nn.Module]:
    program = tiny_program("int8")
    module = harden(program, checked_rows(program))
    return program, module, stored_step(module, "blocks.0.mlp.fc1")


@pytest.mark.parametrize("bit", range(8))
@pytest.mark.parametrize("word", [0, 77, 511])
def test_a_changed_weight_is_set_right(linear, bit: int, word: int) -> None:
    program, module, step = linear
    x, before = images(4), copy.deepcopy(step.state_dict())
    step.weight.view(-1)[word] ^= flip_of(bit, bits=8)
    assert torch.equal(module(x), run(program, x).logits)
    counts = module.counts()["blocks.0.mlp.fc1"]
    assert counts["corrupted"] == 1
    assert counts["repaired"] > 0
    assert module.scrub() == {"blocks.0.mlp.fc1": "mended"}
    stored = before.keys() - {"events"}
    assert all(torch.equal(before[name], step.state_dict()[name]) for name in stored)
    assert module.scrub() == {}


@pytest.mark.parametrize("bit", [0, 13, 31])
def test_a_changed_bias_is_set_right(linear, bit: int) -> None:
    program, module, step = linear
    step.bias[5] ^= flip_of(bit)
    assert torch.equal(module(images(4)), run(program, images(4)).logits)
    assert module.counts()["blocks.0.mlp.fc1"]["corrupted"] == 1


@pytest.mark.parametrize("bit", range(8))
def test_a_changed_sum_is_recognised(linear, bit: int) -> None:
    program, module, step = linear
    n, k = len(step.bias), step.weight.shape[1]
    step.weight.view(-1)[(n + bit % 3) * k + bit] ^= flip_of(bit, bits=8)  # a digit that predicts
    assert torch.equal(module(images(4)), run(program, images(4)).logits)
    counts = module.counts()["blocks.0.mlp.fc1"]
    assert counts["corrupted"] == 1
    assert counts["repaired"] == counts["uncorrected"] == 0
    assert counts["false_alarms"] == counts["flagged"] > 0
    assert module.scrub() == {"blocks.0.mlp.fc1": "sums"}


@pytest.mark.parametrize("name", ["columns", "rows"])
def test_a_changed_sum_of_the_second_kind_is_recognised(linear, name: str) -> None:
    program, module, step = linear
    getattr(step, name)[-1] ^= 4
    assert torch.equal(module(images(2)), run(program, images(2)).logits)
    assert module.counts()["blocks.0.mlp.fc1"]["uncorrected"] == 0
    assert module.scrub() == {"blocks.0.mlp.fc1": "sums"}


def test_what_cannot_be_set_right(linear) -> None:
    program, module, step = linear
    step.weight[0, 0] ^= 1
    step.weight[3, 4] ^= 8
    with pytest.raises(FaultError, match=r"blocks\.0\.mlp\.fc1.*load the model again"):
        module(images(2))
    with pytest.raises(FaultError, match=r"blocks\.0\.mlp\.fc1.*load the model again"):
        module.scrub()
    heard: list[Alarm] = []
    telling = harden(program, checked_rows(program), on_alarm=heard.append)
    telling.load_state_dict(module.state_dict())
    with pytest.raises(FaultError):
        telling(images(2))
    assert [(alarm.site, alarm.corrupted, alarm.uncorrected > 0) for alarm in heard] == [("blocks.0.mlp.fc1", 1, True)]
    warning = harden(program, checked_rows(program), policy="warn")
    step = stored_step(warning, "blocks.0.mlp.fc1")
    step.weight[0, 0] ^= 1
    step.weight[3, 4] ^= 8
    with pytest.warns(RuntimeWarning, match=r"blocks\.0\.mlp\.fc1"):
        warning(images(2))
    assert warning.counts()["blocks.0.mlp.fc1"]["uncorrected"] > 0


def on(module: Hardened, machine: Machine, x: torch.Tensor) -> torch.Tensor:
    with module.on(machine):
        return module(x)


@pytest.mark.parametrize("policy", ["raise", "warn", "recompute"])
def test_rows_that_are_computed_wrong_again(policy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program, x = tiny_program("int8"), images(2)
    module, clean = harden(program, checked_rows(program), policy=policy), run(program, x).logits
    real = products_module.exactly
    machine = hit_sums(program, [(products(program)[2], 0, 40, 21)])
    monkeypatch.setattr(products_module, "exactly", lambda a, b: real(a, b) + 1)
    if policy == "raise":
        with pytest.raises(FaultError, match="do not add up after they were computed again"):
            on(module, machine, x)
    elif policy == "warn":
        with pytest.warns(RuntimeWarning, match="do not add up after they were computed again"):
            on(module, machine, x)
        assert sum(c["uncorrected"] for c in module.counts().values()) == 1
        assert not any(c["repaired"] for c in module.counts().values())
    else:
        assert torch.equal(on(module, machine, x), clean)
        assert sum(c["repaired"] for c in module.counts().values()) == 1


def test_counters_are_saved(linear) -> None:
    _, module, step = linear
    step.weight[0, 0] ^= 1
    module(images(2))
    again = harden(tiny_program("int8"), checked_rows(tiny_program("int8")))
    again.load_state_dict(module.state_dict())
    assert again.counts() == module.counts()
    assert again.counters.shape == (len(again.sites), len(EVENTS))
    again.reset()
    assert not again.counters.any()


def test_a_module_with_calibration() -> None:
    model = seeded(TinyViT())
    program = quantize(capture(model, images(16, seed=2)), [images(16, seed=2)])
    module = radhard.harden(model, all_products(program), calibration=[images(16, seed=2)])
    assert torch.equal(module(images(3)), run(program, images(3)).logits)


def test_a_plan_that_carries_its_scales_decides_them() -> None:
    """The images give the shape alone: their own scales would make another program."""
    model = seeded(TinyViT())
    program = quantize(capture(model, images(16, seed=2)), [images(16, seed=2)])
    plan = radhard.Plan(
        model=program.name, program=program.digest, recipe=program.recipe, ber=1e-8, protection=all_products(program),
        calibration=program.calibration,
    )  # fmt: skip
    module = radhard.harden(model, plan, calibration=[images(4, seed=3)])
    assert torch.equal(module(images(3)), run(program, images(3)).logits)
    with pytest.raises(InputError, match="its scales are other ones: other images calibrated it"):
        radhard.harden(quantize(capture(model, images(4, seed=3)), [images(4, seed=3)]), plan)


@dataclass(frozen=True, kw_only=True)
class Plan:
    protection: Protection
    program: str


def test_a_plan_is_for_its_program() -> None:
    program = tiny_program("int8")
    protection = all_products(program)
    module = harden(program, Plan(protection=protection, program=program.digest))
    assert module.sites == tuple(products(program))
    with pytest.raises(InputError, match=f"0123.*{program.digest}"):
        harden(program, Plan(protection=protection, program="0123"))


class Unknown:
    """A scheme that says nothing of a deployed form."""

    def protect(self, application: ProtectedApplication, checks: Checks) -> torch.Tensor:
        del checks
        return application.compute()


@pytest.mark.parametrize(
    ("recipe", "scheme", "name"),
    [
        ("int8", HuangAbraham(), "huang-abraham"),
        ("int8", FloatAbft(), "float-abft"),
        ("float", FloatAbft(), "float-abft"),
        ("int8", Unknown(), "Unknown"),
    ],
)
def test_a_scheme_that_is_not_deployed_is_refused_by_name(recipe: str, scheme: Scheme, name: str) -> None:
    with pytest.raises(InputError, match=rf"'head': {name} is not deployed: .*plan with .*, or measure {name}") as e:
        harden(tiny_program(recipe), Protection.of({"head": scheme}))
    assert "\n" not in str(e.value)


def test_what_is_refused() -> None:
    program, model = tiny_program("int8"), seeded(TinyViT())
    with pytest.raises(InputError, match=r"'nowhere', which is none of the \d+ sites"):
        harden(program, Protection.of({"nowhere": Tmr()}))
    with pytest.raises(InputError, match="give calibration="):
        harden(model, Protection())
    with pytest.raises(InputError, match="leave calibration out"):
        harden(program, Protection(), calibration=[images(2)])
    with pytest.raises(InputError, match="policy 'hope' is not known"):
        harden(program, Protection(), policy="hope")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="plan is dict"):
        harden(program, {})  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"softmax is no matrix product, and lb-abft is exact"):
        harden(program, Protection.of({"blocks.0.attn.softmax": LB}))
    with pytest.raises(InputError, match=r"linear computes in floats, and lb-abft"):
        harden(tiny_program("float"), Protection.of({"head": LB}))
    with pytest.raises(InputError, match=r"images have shape \[2, 1, 8, 9\].*\[B, 1, 8, 8\]"):
        harden(program, Protection())(torch.zeros(2, 1, 8, 9))
    with pytest.raises(InputError, match=r"images\.float\(\)"):
        harden(program, Protection())(torch.zeros(2, 1, 8, 8, dtype=torch.int8))
