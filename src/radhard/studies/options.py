"""Options of the verbs: frozen values; each field is also a command-line option.

`radhard.cli` builds the options of its commands from these fields: name, default, help, least value. This file imports
nothing of torch, so that help is fast.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from radhard.errors import InputError

if TYPE_CHECKING:
    from radhard.analysis.overhead import Weights
    from radhard.campaign.executor import Workers
    from radhard.faults import Where
    from radhard.machine import Kind
    from radhard.models.data.in_memory import InMemory
    from radhard.models.data.preprocessing import Size
    from radhard.models.loaded import Shape
    from radhard.program import Overrides
    from radhard.protection import Method
    from radhard.words import Words


def option(text: str, *, least: int | None = None) -> Mapping[str, object]:
    """A field's metadata: what its option's help says, and the least value that it takes."""
    return {"help": text, "least": least}


def _kinds() -> "frozenset[Kind]":
    return frozenset({"mul", "add"})


def _words() -> "Words":
    from radhard.words import Words

    return Words()


def _weights() -> "Weights":
    from radhard.analysis.overhead import Weights

    return Weights()


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """How a model is loaded, prepared and quantised; None leaves to the model's source what it says.

    `input_shape`: (channels, height, width). `mean`, `std`: of pixels in [0, 1], one number or one a channel.
    `resize`: pixels of the shorter edge, (height, width), or "none". `scales`: files of `radhard quantize`.

    >>> import radhard as rh
    >>> rh.ModelOptions(recipe="int8-symmetric").recipe
    'int8-symmetric'
    """

    checkpoint: Path | None = field(
        default=None, metadata=option("weights to load, a file of safetensors or of torch.save")
    )
    checkpoint_key: str | None = field(
        default=None,
        metadata=option("which weights to take from a checkpoint that holds several, such as ema or model.backbone"),
    )
    pretrained: bool = field(default=False, metadata=option("download timm's or torchvision's weights"))
    recipe: str | None = field(
        default=None,
        metadata=option(
            "int8: results requantised with saturation, words that cannot be negative on an unsigned grid; "
            "int8-symmetric: all on a symmetric grid; int8-float: symmetric too, results left as float; float. "
            "Default: what the plan says; of a model that is quantised already its own; else int8"
        ),
    )
    scales: tuple[Path, ...] = field(
        default=(),
        metadata=option(
            "scales of the integer program, a file that `radhard quantize` made on this or another machine, instead of "
            "calibrating; repeatable, a file for each model"
        ),
    )
    input_shape: "Shape | None" = field(
        default=None, metadata=option("C,H,W of the images, such as 3,224,224; default: what the model's source says")
    )
    mean: tuple[float, ...] | None = field(
        default=None,
        metadata=option("mean of pixels in [0, 1], one number or one a channel; default: as --input-shape"),
    )
    std: tuple[float, ...] | None = field(
        default=None, metadata=option("standard deviation of pixels in [0, 1]; default: as --input-shape")
    )
    resize: "int | Size | Literal['none'] | None" = field(
        default=None,
        metadata=option(
            "resize images to so many pixels of the shorter edge and cut the middle out, such as 248; or to height x "
            "width, such as 32x32; none: not at all. Default: what the model's configuration states; where none does, "
            "images must be of the model's size"
        ),
    )
    crop_pct: float | None = field(
        default=None,
        metadata=option("resize so that this share of the image, such as 0.875, is the model's size, and cut that out"),
    )
    interpolation: str | None = field(
        default=None, metadata=option("how images are resized: nearest, bilinear, bicubic, lanczos, box, hamming")
    )
    anatomy: "Overrides | None" = field(
        default=None,
        metadata=option(
            "a .json or .toml file that says where sites stand, patterns of their names -> layer, module or both; it "
            "overrides names and graph (`radhard inspect --template` prints one)"
        ),
    )


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """Which images of the data are seen, which of them calibrate, and what labels they have.

    >>> import radhard as rh
    >>> rh.DataOptions(samples=1000, data_seed=3).samples
    1000
    """

    data_root: Path | None = field(default=None, metadata=option("where the images of timm:NAME are"))
    split: str | None = field(
        default=None,
        metadata=option(
            "which split is classified, where the data have several: train, validation, test, or a name of their own; "
            "default: of timm:NAME validation, else the one beside train. none: folders called so are classes"
        ),
    )
    samples: int | None = field(default=None, metadata=option("draw so many of the images; default: all", least=1))
    data_seed: int = field(default=0, metadata=option("what samples and their order are drawn from"))
    calibration: "str | InMemory | None" = field(
        default=None,
        metadata=option(
            "other images to calibrate the quantisation on, named as for --data; default: 512 of the data, or a fifth "
            "of fewer than 2,560, are set apart and not classified"
        ),
    )
    calibration_split: str | None = field(
        default=None,
        metadata=option("which split calibrates, with --calibration; default: train, where there are several"),
    )
    skip_bad: bool = field(default=False, metadata=option("leave out images that cannot be read, instead of stopping"))
    labels: str | None = field(
        default=None,
        metadata=option(
            "a CSV or text file with the label of each image of --data; none: no labels, so that sweep and "
            "vulnerability count the answers that change. Default: folders are classes, or a list of labels "
            "that lies there"
        ),
    )
    classes: Path | None = field(
        default=None,
        metadata=option(
            "a file with the name of a class in each line, in the order of the model's outputs; default: names in "
            "sorted order, numbers 0 ... K - 1 as numbers"
        ),
    )


@dataclass(frozen=True, kw_only=True)
class FaultOptions:
    """Which operations' results can flip, and what the flips are drawn from; the rate is an argument of the verb.

    `layer`, `module`, `operator`, `site`: patterns of names, as `fnmatch` reads them; all of the four must match.
    `except_`: the sites so selected are the only ones that are protected.

    >>> import radhard as rh
    >>> rh.FaultOptions(module=("MHA-LF",), seed=3).where.modules
    ('MHA-LF',)
    """

    kinds: "frozenset[Kind]" = field(
        default_factory=_kinds,
        metadata=option("kinds of operations whose results can flip: mul, add, load, special"),
    )
    layer: tuple[str, ...] = field(default=(), metadata=option("only sites of this layer; a pattern, repeatable"))
    module: tuple[str, ...] = field(
        default=(), metadata=option("only sites of this module category; a pattern, repeatable")
    )
    operator: tuple[str, ...] = field(default=(), metadata=option("only sites of this operator; a pattern, repeatable"))
    site: tuple[str, ...] = field(default=(), metadata=option("only sites of this name; a pattern, repeatable"))
    except_: bool = field(
        default=False, metadata=option("everything but the selected sites: these are perfectly protected")
    )
    seed: int = field(default=0, metadata=option("what all faults are drawn from"))
    words: "Words" = field(
        default_factory=_words,
        metadata=option("words of integer products and running sums, and which low bits can flip"),
    )

    @property
    def where(self) -> "Where":
        """The sites that are exposed. InputError for `except_` of nothing."""
        from radhard.faults import EVERYWHERE, Where

        where = Where(layers=self.layer, modules=self.module, operators=self.operator, sites=self.site)
        if self.except_ and where == EVERYWHERE:
            raise InputError(
                "--except without --layer, --module, --operator or --site spares everything: name what it spares"
            )
        return ~where if self.except_ else where


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How much is run, where, and what is kept of it. `until_width`: percentage points. `shard`: part i of n.

    `workers`: how many processes of this machine, or workers that are open already.

    >>> import radhard as rh
    >>> rh.RunOptions(images=500, trials=2).trials
    2
    """

    images: int | None = field(
        default=None,
        metadata=option("how many test images, from the first on; default: 1000, or all of fewer", least=1),
    )
    trials: int = field(default=5, metadata=option("how often each image is run at each BER", least=1))
    until_width: float | None = field(
        default=None,
        metadata=option(
            "end the trials once the 95 % interval, of accuracy at a rate or of every factor, is so narrow, in "
            "percentage points, such as 0.5"
        ),
    )
    batch: int = field(
        default=64,
        metadata=option(
            "images at a time: changes speed and memory, not the result; in products that are computed in float32 "
            "(recipe float) the last bits of logits may differ",
            least=1,
        ),
    )
    device: str = field(
        default="cpu",
        metadata=option(
            "where the model runs: cpu; cuda or cuda:N, a GPU; auto, a GPU where one can be used. Calibration stays on "
            "the CPU, so that scales are the same on all (docs/devices.md)"
        ),
    )
    chunk: int = field(default=200, metadata=option("images a unit of work, which a killed run loses at most", least=1))
    store: Path | None = field(default=None, metadata=option("keep outcomes in this file, and go on from it"))
    workers: "int | Workers | None" = field(
        default=None,
        metadata=option(
            "run on so many processes of this machine, each with its share of the cores; default: in this one alone. "
            "The result is the same"
        ),
    )
    shard: tuple[int, int] = field(default=(1, 1), metadata=option("do part i of n, i/n; merge the stores afterwards"))


ONE_TRIAL = RunOptions(trials=1, batch=100, chunk=100)
"""How plan, evaluate and compare run unless they are told otherwise."""

BASELINES = (
    "lb-abft:policy=leave",
    "lb-abft",
    "standard-abft",
    "huang-abraham",
    "intensity-ideal",
    "intensity-measured",
    "tmr",
    "row-abft",
)
"""The schemes that `compare` compares unless it is told others, as `read_method` reads them."""

_WEIGHTS = option("how much a multiplication, an addition and a comparison count in overhead")


@dataclass(frozen=True, kw_only=True)
class PlanOptions:
    """What a plan is made of, and its limits: `max_loss` in percentage points, `max_overhead` and `level` in percent.

    >>> import radhard as rh
    >>> rh.PlanOptions(scheme="tmr", max_overhead=250).max_loss
    2.0
    """

    scheme: "str | Method" = field(
        default="row-abft",
        metadata=option("how: a scheme and its options behind colons, such as lb-abft:policy=leave:ranges=none"),
    )
    max_loss: float = field(default=2.0, metadata=option("percentage points of clean accuracy that may be lost"))
    max_overhead: float = field(
        default=2.0, metadata=option("operations of protection, in percent of the model's, by --weights")
    )
    level: float = field(
        default=95.0, metadata=option("confidence of a target called met: of one-sided limits, in percent")
    )
    strategy: Literal["algorithm1", "gain"] = field(
        default="algorithm1",
        metadata=option("order: layers, then products by vulnerability (Algorithm 1), or by gain an operation"),
    )
    grain: Literal["site", "layer"] = field(
        default="site", metadata=option("protect one product more at a time, or a layer's")
    )
    frontier: Literal["whole", "needed"] = field(
        default="whole", metadata=option("measure all steps, or until a limit is passed")
    )
    judge: int | None = field(
        default=None,
        metadata=option("how many further images judge whether it meets the target; default: as many", least=1),
    )
    weights: "Weights" = field(default_factory=_weights, metadata=_WEIGHTS)


@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    """Which schemes are compared, how far each protects, and what pairs are: `margin`, `max_loss` in percentage points.

    >>> import radhard as rh
    >>> rh.CompareOptions(schemes=("row-check", "tmr")).margin
    2.0
    """

    schemes: "Sequence[str | Method]" = field(
        default=BASELINES,
        metadata=option("schemes with options behind colons, such as lb-abft:policy=leave:checks=immune,tmr"),
    )
    extent: Literal["all", "needed"] = field(
        default="all",
        metadata=option(
            "each scheme on all products, or on those of the most vulnerable layers, until surely no more than "
            "--max-loss is lost; the same for every scheme"
        ),
    )
    max_loss: float = field(default=2.0, metadata=option("percentage points, the target of --extent needed"))
    select: int | None = field(
        default=None,
        metadata=option(
            "images on which --extent needed chooses layers; none evaluates. Default: 300, or a quarter of fewer than "
            "1,200",
            least=1,
        ),
    )
    reference: str | None = field(
        default=None,
        metadata=option("the scheme that the others are paired with; default: the first of --schemes"),
    )
    margin: float = field(
        default=2.0,
        metadata=option("percentage points: two schemes are equivalent if their accuracies surely differ by less"),
    )
    weights: "Weights" = field(default_factory=_weights, metadata=_WEIGHTS)
