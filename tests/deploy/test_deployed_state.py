"""What users do to a deployed module beside calling it: other types and devices, threads, pickles, copies."""

import copy
import io
import multiprocessing
import pickle
import re
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from radhard.deploy import Alarm, Hardened, harden, save_hardened
from radhard.deploy.steps import Moving
from radhard.errors import InputError
from radhard.program import Program, run
from radhard.protection import Protection, Ranges, Tmr
from tests.support.hardened import all_products, hit_sums, products
from tests.support.models import MultiheadViT, TinyViT, images, tiny_program

RECIPES = pytest.mark.parametrize("recipe", ["int8", "int8-float", "float"])
CASTS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "half": lambda m: m.half(),
    "bfloat16": lambda m: m.bfloat16(),
    "double": lambda m: m.double(),
    "float": lambda m: m.float(),
    "to": lambda m: m.to(torch.float16),
    "to, with a device": lambda m: m.to("cpu", torch.float64),
    "type": lambda m: m.type(torch.float16),
    "type of integers": lambda m: m.type(torch.int32),
}
NOISY: list[str] = []


def noisy(alarm: Alarm) -> None:
    NOISY.append(alarm.site)


def plan_of(program: Program) -> Protection:
    """Every kind of step."""
    schemes = {
        site.name: Ranges(low=-50.0, high=50.0) if site.operator in {"gelu", "add"} else Tmr()
        for site in program.sites
        if site.operator != "load"
    }
    return Protection.of(schemes | all_products(program).schemes)


def module_of(recipe: str = "int8", kind: type[nn.Module] = TinyViT) -> tuple[Hardened, torch.Tensor]:
    """A module, and the logits of three images."""
    program = tiny_program(recipe, kind)
    return harden(program, plan_of(program), on_alarm=noisy), run(program, images(3)).logits


@RECIPES
@pytest.mark.parametrize("cast", CASTS)
def test_tensors_keep_their_types(recipe: str, cast: str) -> None:
    module, logits = module_of(recipe)
    types = {name: x.dtype for name, x in module.state_dict().items()}
    pipeline = nn.Sequential(nn.Identity(), module)
    for whole in (pipeline, module, module.body):
        assert CASTS[cast](whole) is whole
        assert torch.equal(module(images(3)), logits)
    assert {name: x.dtype for name, x in module.state_dict().items()} == types
    assert not any(counts["alarms"] for counts in module.counts().values())


@pytest.mark.parametrize("recipe", ["int8", "int8-float"])
def test_a_loaded_file_of_another_type_is_refused(recipe: str, tmp_path: Path) -> None:
    module, logits = module_of(recipe)
    save_hardened(module, tmp_path / "model.pt2")
    assert torch.equal(torch.export.load(tmp_path / "model.pt2").module()(images(3)), logits)
    for to in ("half", "bfloat16", "double"):
        other = torch.export.load(tmp_path / "model.pt2").module()
        with pytest.raises(InputError, match=r"torch.ops.radhard.quantize: x is torch.*; it must be torch.float32"):
            other(getattr(images(3), to)())
        getattr(other, to)()
        with pytest.raises(InputError, match=r"blocks_checked: multiplier is torch.*; it must be torch.float32") as e:
            other(images(3))
        assert "\n" not in str(e.value)


def test_images_of_another_type_are_refused() -> None:
    module, _ = module_of()
    for wrong in (images(2).half(), images(2).double(), images(2).to(torch.uint8)):
        with pytest.raises(InputError, match=r"images are torch\..*images\.float\(\)"):
            module(wrong)
    with pytest.raises(InputError, match="images are ndarray"):
        module(images(2).numpy())


@RECIPES
def test_images_that_lie_otherwise(recipe: str) -> None:
    """Bit for bit, but for float products of torch: their last bits depend on the layout and on the processor."""

    def same(got: torch.Tensor, expected: torch.Tensor) -> None:
        tolerance = 1e-5 if recipe == "float" else 0.0
        torch.testing.assert_close(got, expected, rtol=tolerance, atol=tolerance)

    module, logits = module_of(recipe)
    x = images(3)
    apart = torch.stack([x, -x], dim=-1)[..., 0]
    for one in (x.to(memory_format=torch.channels_last), apart, x.clone().requires_grad_()):
        got = module(one)
        same(got, logits)
        assert not got.requires_grad
    same(module(x[:1].expand(4, -1, -1, -1)), logits[:1].expand(4, -1))
    overlapping = torch.as_strided(torch.randn(200, generator=torch.Generator().manual_seed(0)), x.shape, (5, 1, 3, 1))
    same(module(overlapping), run(tiny_program(recipe), overlapping.clone()).logits)
    assert module(x[:0]).shape == (0, 5)


@RECIPES
def test_what_surrounds_a_call_changes_nothing(recipe: str) -> None:
    module, logits = module_of(recipe)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(module(images(3)), logits)
        assert torch.equal(run(tiny_program(recipe), images(3)).logits, logits)
    x = images(3)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    try:
        assert torch.equal(module(x), logits)
    finally:
        torch.set_default_dtype(before)
        torch.set_default_device(None)


@RECIPES
@pytest.mark.parametrize("transform", [torch.func.vmap, lambda f: torch.func.grad(lambda x: f(x).sum())])
def test_transforms_are_refused(recipe: str, transform) -> None:
    module, _ = module_of(recipe)
    with pytest.raises(InputError, match=r"hardened, .* no transform of torch.func goes"):
        transform(module)(images(4)[:, None])


def test_other_devices() -> None:
    module, logits = module_of()
    moved = copy.deepcopy(module).to("meta")
    with pytest.raises(InputError, match=r"radhard\.\w+: \w+ is on meta; \w+ is on cpu, and all must be"):
        moved(images(3))
    assert moved(images(3).to("meta")).shape == (3, 5)
    if not torch.cuda.is_available():
        with pytest.raises((AssertionError, RuntimeError)):
            module.cuda()
    assert torch.equal(module(images(3)), logits)


@pytest.mark.parametrize("kind", [TinyViT, MultiheadViT])
@RECIPES
def test_copies_and_pickles(recipe: str, kind: type[nn.Module]) -> None:
    module, logits = module_of(recipe, kind)
    module(images(1))
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    program, once = tiny_program(recipe, kind), module.counts()
    stated = harden(program, plan_of(program), on_alarm=noisy)
    stated.load_state_dict(module.state_dict())
    unpickled = pickle.loads(pickle.dumps(module))
    for other in (copy.deepcopy(module), unpickled, torch.load(file, weights_only=False), stated):
        assert torch.equal(other(images(3)), logits)
        assert other.counts() == {s: c | {"checks": 4 * c["checks"]} for s, c in once.items()}
        assert other.scrub() == {}
        assert other.on_alarm is noisy
    assert module.counts() == once


def test_what_a_pickle_cannot_take() -> None:
    module, _ = module_of()
    module.on_alarm = lambda _: None
    assert copy.deepcopy(module).on_alarm is module.on_alarm
    with pytest.raises(InputError, match=r"on_alarm, .*lambda.*, cannot be pickled.*set on_alarm to None"):
        pickle.dumps(module)
    module.on_alarm = None
    module.body.add_module("moved", Moving(lambda x: x))
    with pytest.raises(InputError, match=r"moves data .* cannot be pickled: .*load the \.pt2"):
        pickle.dumps(module)


def test_a_state_dict_of_another_type_is_refused() -> None:
    module, logits = module_of()
    state = {name: x.half() if x.is_floating_point() else x for name, x in module.state_dict().items()}
    with pytest.raises(InputError, match=r"multiplier is torch\.float16, and it must be torch\.float32"):
        module.load_state_dict(state)
    with pytest.raises(InputError, match=r"weight is torch\.int32, and it must be torch\.int8"):
        module.load_state_dict({n: x.int() if x.dtype == torch.int8 else x for n, x in module.state_dict().items()})
    assert torch.equal(module(images(3)), logits)


def answer(module: Hardened, queue) -> None:
    queue.put(module(images(3)).tolist())


@pytest.mark.slow
def test_a_spawned_process() -> None:
    module, logits = module_of()
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=answer, args=(module, queue))
    process.start()
    assert queue.get(timeout=120) == logits.tolist()
    process.join()


@pytest.mark.parametrize("fault", [(2, 40, 21), (5, 3, 30)])
def test_alarms_under_threads(fault: tuple[int, int, int]) -> None:
    """In every call of every thread one accumulator of one product is hit: 1 found and told, 200 times."""
    program = tiny_program("int8")
    clean = run(program, images(2)).logits
    told: list[Alarm] = []
    module = harden(program, all_products(program), on_alarm=told.append)
    place, word, bit = fault
    site = products(program)[place]
    wrong = Counter[int]()

    def work(thread: int) -> None:
        for _ in range(50):
            with module.on(hit_sums(program, [(site, 1, word, bit)])):
                wrong[thread] += not torch.equal(module(images(2)), clean)

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not sum(wrong.values())
    assert told == [Alarm(site=site, flagged=1, repaired=1, false_alarms=0, corrupted=0, uncorrected=0)] * 200
    once = harden(program, all_products(program))
    once(images(2))
    for name, counts in module.counts().items():
        assert counts["checks"] == 200 * once.counts()[name]["checks"]
        assert counts["flagged"] == counts["alarms"] == counts["repaired"] == (200 if name == site else 0)


def test_the_examples_of_the_documentation_run() -> None:
    page = (Path(__file__).parents[2] / "docs" / "deploy.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    session: dict[str, object] = {}
    with torch.random.fork_rng():
        for block in blocks:
            exec(compile(block, "deploy.md", "exec"), session)
    assert len(blocks) == 3
    assert len(session["counts"]) == 3  # type: ignore[arg-type]


def test_an_alarm_that_calls_the_module() -> None:
    """What a call within a callback finds is told of that call alone."""
    program = tiny_program("int8")
    told: list[tuple[str, int]] = []

    def again(alarm: Alarm) -> None:
        told.append((alarm.site, alarm.flagged))
        if len(told) < 3:
            module(images(2))

    module = harden(program, all_products(program), on_alarm=again)
    with module.on(hit_sums(program, [(products(program)[2], 0, 40, 21)])):
        module(images(2))
    assert told == [(products(program)[2], 1)] * 3


def test_a_machine_in_one_thread_is_none_in_another() -> None:
    program = tiny_program("int8")
    module, clean, site = harden(program, Protection()), run(program, images(2)).logits, products(program)[0]
    inside: list[bool] = []
    with module.on(hit_sums(program, [(site, 0, 3, 30)])):
        assert not torch.equal(module(images(2)), clean)
        thread = threading.Thread(target=lambda: inside.append(torch.equal(module(images(2)), clean)))
        thread.start()
        thread.join()
        exported = torch.export.export(module, (images(2),))
    assert inside == [True]
    assert torch.equal(exported.module()(images(2)), clean)
    assert torch.equal(module(images(2)), clean)
