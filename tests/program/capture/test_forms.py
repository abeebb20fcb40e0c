"""The forms that a module may have: what torch.export takes in any mode is captured, the rest refused in one line."""

import functools
import random
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from radhard.errors import CaptureError, InputError, RadhardError
from radhard.program import capture, run

QUIET = pytest.mark.filterwarnings("ignore:`torch.jit")  # torch.compile and torch.jit say that torch.jit is old
IMAGES = torch.randn(3, 1, 4, 4, generator=torch.Generator().manual_seed(1))


class Net(nn.Module):
    """Images [B, 1, 4, 4] -> logits [B, 5]."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 5)

    def body(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(functional.relu(self.norm(self.conv(x))).mean((2, 3)))
        return out

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


def of(forward: Callable[..., object]) -> nn.Module:
    """Net with another forward."""
    torch.manual_seed(0)
    forward.__code__ = forward.__code__.replace(co_name="forward")  # torch's traces begin at that name
    return type("Mine", (Net,), {"forward": forward})().eval()  # type: ignore[no-any-return]


def net() -> nn.Module:
    torch.manual_seed(0)
    return Net().eval()


def wrapped(make: Callable[[nn.Module], nn.Module]) -> Callable[[], nn.Module]:
    return lambda: make(net()).eval()


def decorated(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    @functools.wraps(forward)
    def inner(*arguments: object, **options: object) -> Tensor:
        return forward(*arguments, **options)

    return inner


@decorated
def by_decorator(self: Net, x: Tensor) -> Tensor:
    return self.body(x)


def by_keyword(self: Net, *, images: Tensor) -> Tensor:
    return self.body(images)


def counts(self: Net, x: Tensor) -> Tensor:
    self.steps += 1  # type: ignore[has-type]
    return self.body(x)


def counted() -> nn.Module:
    model = of(counts)
    model.register_buffer("steps", torch.zeros(()))
    return model


def averages(self: Net, x: Tensor) -> Tensor:
    out = self.body(x)
    self.mean.mul_(0.9).add_(0.1 * out.mean(0))  # type: ignore[operator]
    return out


def averaged() -> nn.Module:
    model = of(averages)
    model.register_buffer("mean", torch.zeros(5))
    return model


def caches(self: Net, x: Tensor) -> Tensor:
    self.features = self.conv(x)
    return self.body(x)


def by_numpy(self: Net, x: Tensor) -> Tensor:
    return self.body(x) * torch.from_numpy(np.linspace(0, 1, 5).astype("float32"))


ASSERTS: dict[str, Callable[..., Tensor]] = {}  # compiled here, as pytest rewrites assertions of tests
exec(
    "import torch\ndef forward(self, x):\n    assert x.shape[1] == 1\n"
    "    assert torch.isfinite(x).all(), 'broken image'\n    return self.body(x)\n",
    ASSERTS,
)


def whole(self: Net, x: Tensor) -> Tensor:
    return self.body(x).view(int(x.shape[0]), -1)


def part_compiled() -> nn.Module:
    model = net()
    model.head = torch.compile(model.head)
    return model


def normed() -> nn.Module:
    model = Net()
    model.conv = nn.utils.parametrizations.weight_norm(model.conv)
    model.head = nn.utils.parametrizations.spectral_norm(model.head)
    return model.eval()


def tied() -> nn.Module:
    first, second = nn.Linear(16, 16), nn.Linear(16, 16)
    second.weight = first.weight
    return nn.Sequential(nn.Flatten(), first, nn.ReLU(), second).eval()


TAKEN: dict[str, Callable[[], nn.Module]] = {
    "*args": lambda: of(lambda self, *args: self.body(args[0])),
    "first and *args": lambda: of(lambda self, x, *_: self.body(x)),
    "**options": lambda: of(lambda self, x, **options: self.body(x) * options.get("gain", 1.0)),
    "keyword only": lambda: of(by_keyword),
    "optional arguments": lambda: of(lambda self, x, _mask=None, *, scale=2.0: self.body(x) * scale),
    "decorated": lambda: of(by_decorator),
    "int of a size": lambda: of(whole),
    "assertions on the images": lambda: of(ASSERTS["forward"]),
    "a constant of numpy": lambda: of(by_numpy),
    "a tensor in a tuple": lambda: of(lambda self, x: (self.body(x),)),
    "a counter in a buffer": counted,
    "an average in a buffer, not read": averaged,
    "an attribute set": lambda: of(caches),
    "DataParallel": wrapped(nn.DataParallel),
    "an averaged model": wrapped(AveragedModel),
    "compiled": wrapped(torch.compile),  # type: ignore[arg-type]
    "compiled in DataParallel": wrapped(lambda m: nn.DataParallel(torch.compile(m))),
    "compiled in part": part_compiled,
    "parametrised": normed,
    "tied": tied,
    "traced by fx": wrapped(torch.fx.symbolic_trace),
}


@QUIET
@pytest.mark.parametrize("name", TAKEN)
def test_what_torch_exports_is_captured_and_left_as_it_was(name: str) -> None:
    model = TAKEN[name]()
    state = {key: value.clone() for key, value in model.state_dict().items()}
    program = capture(model, IMAGES[:1])
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    torch._dynamo.reset()
    plain = getattr(model, "_orig_mod", model)
    with torch.no_grad(), torch.compiler.set_stance("force_eager"):
        wanted = plain(images=IMAGES) if name == "keyword only" else plain(IMAGES)
    wanted = wanted[0] if isinstance(wanted, tuple) else wanted
    torch.testing.assert_close(run(program, IMAGES).logits, wanted, rtol=1e-5, atol=1e-5)


@QUIET
def test_a_wrapper_leaves_the_names_of_sites() -> None:
    names = [site.name for site in capture(net(), IMAGES).sites]
    for name in ("DataParallel", "compiled", "an averaged model"):
        assert [site.name for site in capture(TAKEN[name](), IMAGES).sites] == names


def state_read(self: Net, x: Tensor) -> Tensor:
    self.gain.mul_(2)  # type: ignore[operator]
    out: Tensor = self.body(x) * self.gain  # type: ignore[operator]
    return out


def stateful() -> nn.Module:
    model = of(state_read)
    model.register_buffer("gain", torch.ones(5))
    return model


def drawn_in_python(self: Net, x: Tensor) -> Tensor:
    return self.body(x) * random.random()


def numbered(self: Net, x: Tensor) -> Tensor:
    self.calls = getattr(self, "calls", 0) + 1
    return self.body(x) + self.calls


def decides(self: Net, x: Tensor) -> Tensor:
    if x.max() > 10:
        x = x / 255
    return self.body(x)


def one_by_one(self: Net, x: Tensor) -> Tensor:
    return torch.stack([self.body(image[None])[0] for image in x])


def by_batch(self: Net, x: Tensor) -> Tensor:
    return self.body(x) * (1 if x.shape[0] == 2 else 3)


def in_bfloat16(self: Net, x: Tensor) -> Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return self.body(x).float()


def on_meta() -> nn.Module:
    with torch.device("meta"):
        return Net().eval()


@dataclass
class Answer:
    scores: Tensor
    features: Tensor


LINE = r" at .*test_forms\.py, line \d+, in "
REFUSED: dict[str, tuple[Callable[[], nn.Module], type[RadhardError], str]] = {
    "a decision": (lambda: of(decides), CaptureError, LINE + r"forward: `if x\.max\(\) > 10:`: .*torch\.where"),
    "a loop": (lambda: of(one_by_one), CaptureError, LINE + r"forward: `return torch\.stack.*over the whole batch"),
    "a batch": (lambda: of(by_batch), CaptureError, LINE + r"forward: `return self\.body.*over the whole batch"),
    "dropout": (
        lambda: of(lambda self, x: functional.dropout(self.body(x))),
        CaptureError,
        r"draws random numbers .*test_forms\.py, line \d+.*training=self\.training",
    ),
    "noise of the images' size": (
        lambda: of(lambda self, x: self.body(x + torch.randn_like(x))),
        CaptureError,
        r"draws random numbers \(aten\.randn_like",
    ),
    "noise of one size": (
        lambda: of(lambda self, x: self.body(x) + torch.rand(5)),
        CaptureError,
        r"draws random numbers \(aten\.rand\.default" + LINE,
    ),
    "noise of Python": (lambda: of(drawn_in_python), CaptureError, "other answers to the same images"),
    "a counter of Python": (lambda: of(numbered), CaptureError, r"other answers to the same images.*test_forms\.py"),
    "a state": (stateful, CaptureError, "changes gain in forward and reads it"),
    "autocast": (lambda: of(in_bfloat16), CaptureError, r"computes in bfloat16 under autocast.*" + LINE),
    "half": (lambda: net().half(), InputError, r"is float16.*call model\.float\(\)"),
    "double": (lambda: net().double(), InputError, r"is float64.*call model\.float\(\)"),
    "a part in training": (
        lambda: net().apply(lambda m: m.train() if isinstance(m, nn.BatchNorm2d) else None),
        InputError,
        r"norm \(BatchNorm2d\) is in training mode: call model\.eval\(\)",
    ),
    "meta": (on_meta, CaptureError, r"conv\.weight is on the device meta, without values"),
    "lazy": (lambda: nn.Sequential(nn.Flatten(), nn.LazyLinear(5)).eval(), CaptureError, r"1\.weight of a lazy module"),
    "scripted": (lambda: torch.jit.script(net()), CaptureError, r"is a TorchScript module.*give the nn\.Module"),
    "traced": (lambda: torch.jit.trace(net(), IMAGES), CaptureError, r"is a TorchScript module"),
    "scripted in part": (
        lambda: nn.Sequential(nn.Flatten(), torch.jit.script(nn.Linear(16, 5))).eval(),
        CaptureError,
        r"1 \(RecursiveScriptModule\) is a TorchScript module",
    ),
    "two inputs": (lambda: of(lambda self, x, meta: self.body(x) + meta), CaptureError, r"takes x, meta.*one input"),
    "named by nobody": (lambda: of(lambda self, **all_of: self.body(all_of["x"])), CaptureError, "names no input"),
    "a dictionary": (
        lambda: of(lambda self, x: {"main": self.body(x), "maps": x}),
        CaptureError,
        r"returns a dict \(\['main'\] \[1, 5\], .*`model\.register_forward_hook\(.* out: out\['main'\]\)`",
    ),
    "a dataclass": (
        lambda: of(lambda self, x: Answer(self.body(x), x)),
        CaptureError,
        r"returns a Answer .*out: out\.scores\)",
    ),
    "a pair": (lambda: of(lambda self, x: (x, [self.body(x)])), CaptureError, r"out: out\[1\]\[0\]\)"),
    "nothing": (lambda: of(lambda _self, _x: None), CaptureError, "returns a NoneType; a classifier returns float"),
    "its own error": (lambda: of(lambda self, x: self.body(x[9])), CaptureError, r"does not take images .*" + LINE),
}


@QUIET
@pytest.mark.parametrize("name", REFUSED)
def test_what_torch_cannot_export_is_refused_in_one_line_of_the_user_s(name: str) -> None:
    make, kind, fault = REFUSED[name]
    with pytest.raises(kind) as caught:
        capture(make(), IMAGES)
    text = str(caught.value)
    assert re.search(fault, text), text
    assert "\n" not in text
    assert "site-packages" not in text
    assert "lib/python3" not in text


def test_the_hook_that_is_shown_makes_a_module_that_is_taken() -> None:
    for answer in (lambda self, x: {"out": self.body(x), "aux": x}, lambda self, x: (x, self.body(x))):
        model = of(answer)
        with pytest.raises(CaptureError) as caught:
            capture(model, IMAGES)
        (code,) = re.findall(r"`(model\..*)`", str(caught.value))
        eval(code, {"model": model})
        assert run(capture(model, IMAGES), IMAGES).logits.shape == (3, 5)


def quantised_modules() -> dict[str, tuple[Callable[[], nn.Module], str]]:
    import torch.ao.quantization as q

    def eager(*, converted: bool) -> nn.Module:
        model = nn.Sequential(
            q.QuantStub(), nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 5), q.DeQuantStub()
        )
        model.eval().qconfig = q.get_default_qconfig("x86")
        q.prepare(model, inplace=True)
        model(IMAGES)
        return q.convert(model) if converted else model

    def by_torchao() -> nn.Module:
        from torchao.quantization import Int8WeightOnlyConfig, quantize_

        model = nn.Sequential(nn.Flatten(), nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 5)).eval()
        quantize_(model, Int8WeightOnlyConfig())
        return model

    plain = nn.Sequential(nn.Flatten(), nn.Linear(16, 5)).eval()
    return {
        "eager": (lambda: eager(converted=True), r"0 \(Quantize\) is quantised in eager or FX mode"),
        "prepared": (lambda: eager(converted=False), r"prepared for quantisation and not yet converted"),
        "dynamic": (lambda: q.quantize_dynamic(plain, {nn.Linear}), r"1 \(Linear\) is quantised dynamically"),
        "torchao": (by_torchao, r"1\.weight is a tensor quantised by torchao's quantize_"),
    }


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("name", ["eager", "prepared", "dynamic", "torchao"])
def test_what_torch_has_quantised_is_refused_with_what_to_give(name: str) -> None:
    make, fault = quantised_modules()[name]
    with pytest.raises(CaptureError, match=fault + r".*give the float model.*PT2E") as caught:
        capture(make(), IMAGES)
    assert "\n" not in str(caught.value)
