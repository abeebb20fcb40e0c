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
    from radhard.models.data.preprocessing import PixelSize
    from radhard.models.loaded import ImageShape
    from radhard.program import Overrides
    from radhard.protection import Method
    from radhard.words import Words


def option(text: str, *, least: int | None = None) -> Mapping[str, object]:
    """A field's metadata: the help text of its option, and its minimum."""
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
    """How a model is loaded, prepared and quantised; None takes the value of the model's source.

    `input_shape`: (channels, height, width). `mean`, `std`: of pixels in [0, 1], one number or one a channel.
    `resize`: pixels of the shorter edge, (height, width), or "none". `scales`: files of `radhard quantize`.

    >>> import radhard as rh
    >>> rh.ModelOptions(recipe="int8-symmetric").recipe
    'int8-symmetric'
    """

    checkpoint: Path | None = field(default=None, metadata=option("file of weights to load: safetensors or torch.save"))
    checkpoint_key: str | None = field(
        default=None,
        metadata=option("key of the weights in a checkpoint that holds several, such as ema or model.backbone"),
    )
    pretrained: bool = field(default=False, metadata=option("download timm's or torchvision's weights"))
    recipe: str | None = field(
        default=None,
        metadata=option(
            "int8: results requantised with saturation, unsigned words where values cannot be negative, a zero point "
            "for GELU outputs and softmax scores; int8-symmetric: all words signed and symmetric; int8-float: "
            "symmetric, results stay float; float. "
            "Default: the plan's recipe; pt2e for a model that is already quantised; else int8"
        ),
    )
    scales: tuple[Path, ...] = field(
        default=(),
        metadata=option(
            "file of scales, written by `radhard quantize` on this or another machine; replaces calibration. "
            "Repeatable, one file per model"
        ),
    )
    input_shape: "ImageShape | None" = field(
        default=None, metadata=option("C,H,W of the images, such as 3,224,224; default: from the model's source")
    )
    mean: tuple[float, ...] | None = field(
        default=None,
        metadata=option("mean of pixels in [0, 1], one number or one per channel; default: from the model's source"),
    )
    std: tuple[float, ...] | None = field(
        default=None, metadata=option("standard deviation of pixels in [0, 1]; default: from the model's source")
    )
    resize: "int | PixelSize | Literal['none'] | None" = field(
        default=None,
        metadata=option(
            "resize the shorter edge to this many pixels, such as 248, and crop the centre; or resize to height x "
            "width, such as 32x32; none: no resizing. Default: from the model's configuration; without one, images "
            "must have the model's size"
        ),
    )
    crop_pct: float | None = field(
        default=None,
        metadata=option("crop this share of the image, such as 0.875, from the centre, resized to the model's size"),
    )
    interpolation: str | None = field(
        default=None,
        metadata=option("interpolation of resized images: nearest, bilinear, bicubic, lanczos, box, hamming"),
    )
    anatomy: "Overrides | None" = field(
        default=None,
        metadata=option(
            "a .json or .toml file that maps patterns of site names to layer, module or both; it overrides module "
            "names and graph (`radhard inspect --template` prints one)"
        ),
    )
    no_cache: bool = field(
        default=False,
        metadata=option(
            "capture, calibrate and quantise anew: neither take programs from the cache nor put them there "
            "(docs/cache.md)"
        ),
    )
    program_digest: str | None = field(
        default=None,
        metadata=option(
            "SHA-256 of the quantised program, or its first characters, as a study's file states it: another one is "
            "refused"
        ),
    )


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """Which images of the data are evaluated, which calibrate, and their labels.

    >>> import radhard as rh
    >>> rh.DataOptions(samples=1000, data_seed=3).samples
    1000
    """

    data_root: Path | None = field(default=None, metadata=option("folder of the data set timm:NAME"))
    split: str | None = field(
        default=None,
        metadata=option(
            "split to evaluate: train, validation, test, or the data set's name for it; default: validation for "
            "timm:NAME, else the split that is not train. none: folders with such names are classes"
        ),
    )
    samples: int | None = field(default=None, metadata=option("number of images to sample; default: all", least=1))
    data_seed: int = field(default=0, metadata=option("seed of the samples and their order"))
    calibration: "str | InMemory | None" = field(
        default=None,
        metadata=option(
            "other images for calibration, named as for --data; default: 512 of the data, or a fifth of fewer than "
            "2,560, which are then not evaluated"
        ),
    )
    calibration_split: str | None = field(
        default=None,
        metadata=option("split of --calibration; default: train, if there are several"),
    )
    skip_bad: bool = field(default=False, metadata=option("skip images that cannot be read, instead of stopping"))
    labels: str | None = field(
        default=None,
        metadata=option(
            "a CSV or text file with the label of each image of --data; none: no labels, then changed predictions "
            "count. Default: folders are classes, or a list of labels in the folder"
        ),
    )
    classes: Path | None = field(
        default=None,
        metadata=option(
            "a file with one class name per line, in the order of the model's outputs; default: names in "
            "sorted order, numbers 0 ... K - 1 as numbers"
        ),
    )
    data_digest: str | None = field(
        default=None,
        metadata=option(
            "SHA-256 of the images that are evaluated, or its first characters, as a study's file states it: others "
            "are refused"
        ),
    )


@dataclass(frozen=True, kw_only=True)
class FaultOptions:
    """Which results can flip, and the seed of the flips; the rate is an argument of the verb.

    `layer`, `module`, `operator`, `site`: patterns of names, as `fnmatch` reads them; all four must match. `except_`
    inverts the selection: faults hit all sites but the selected ones.

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
    except_: bool = field(default=False, metadata=option("expose all sites but the selected ones"))
    seed: int = field(default=0, metadata=option("seed of all faults"))
    words: "Words" = field(
        default_factory=_words,
        metadata=option("number formats of integer products and running sums, and the low bits that can flip"),
    )

    @property
    def where(self) -> "Where":
        """The sites that are exposed. InputError for `except_` of nothing."""
        from radhard.faults import EVERYWHERE, Where

        where = Where(layers=self.layer, modules=self.module, operators=self.operator, sites=self.site)
        if self.except_ and where == EVERYWHERE:
            raise InputError(
                "--except without --layer, --module, --operator or --site excludes every site: select sites with one "
                "of them"
            )
        return ~where if self.except_ else where


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How much is run, where, and what is stored. `until_width`: percentage points. `shard`: part i of n.

    `workers`: number of processes on this machine, or open workers.

    >>> import radhard as rh
    >>> rh.RunOptions(images=500, trials=2).trials
    2
    """

    images: int | None = field(
        default=None,
        metadata=option("number of test images, from the first on; default: 1000, or all if there are fewer", least=1),
    )
    trials: int = field(default=5, metadata=option("runs of each image at each BER", least=1))
    until_width: float | None = field(
        default=None,
        metadata=option(
            "end the trials once the 95 % interval of the accuracy, or of every factor, is at most this wide, in "
            "percentage points, such as 0.5; intervals then hold after every trial at once (a confidence sequence)"
        ),
    )
    batch: int = field(
        default=64,
        metadata=option(
            "images at a time; changes speed and memory, not the result, except for the last bits of logits where "
            "products are float32 (recipe float)",
            least=1,
        ),
    )
    device: str = field(
        default="cpu",
        metadata=option(
            "device of the model: cpu; cuda or cuda:N, a GPU; auto, a GPU if one is usable. Scales are the same on all "
            "devices (docs/devices.md)"
        ),
    )
    chunk: int = field(
        default=200, metadata=option("images per unit of work; a killed run loses at most one unit", least=1)
    )
    store: Path | None = field(default=None, metadata=option("file that keeps outcomes, to resume and reuse them"))
    journal: Literal["wal", "rollback"] = field(
        default="wal",
        metadata=option(
            "journal of the store: wal, a write-ahead log; rollback, for a store on a network file system, which one "
            "process at a time can use"
        ),
    )
    workers: "int | Workers | None" = field(
        default=None,
        metadata=option(
            "number of processes on this machine, each with its share of the cores; default: this process only. "
            "The result is the same"
        ),
    )
    cluster: str | None = field(
        default=None,
        metadata=option(
            "run on a Dask cluster: local:N, so many workers on this machine; tcp://HOST:PORT, a scheduler that is "
            "there; slurm:FILE.yaml, pbs:FILE.yaml, lsf:FILE.yaml, jobs of a queue (docs/cluster.md). The result is "
            "the same"
        ),
    )
    shard: tuple[int, int] = field(default=(1, 1), metadata=option("run part i of n, i/n; merge the stores afterwards"))


ONE_TRIAL = RunOptions(trials=1, batch=100, chunk=100)
"""The default run of plan, evaluate and compare."""

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
"""The default schemes of `compare`, as `read_method` reads them."""

_WEIGHTS = option("weights of a multiplication, an addition and a comparison in the overhead")


@dataclass(frozen=True, kw_only=True)
class PlanOptions:
    """Scheme, order and limits of a plan: `max_loss` in percentage points, `max_overhead` and `level` in percent.

    >>> import radhard as rh
    >>> rh.PlanOptions(scheme="tmr", max_overhead=250).max_loss
    2.0
    """

    scheme: "str | Method" = field(
        default="row-abft",
        metadata=option("a scheme, with options after colons, such as lb-abft:policy=leave:ranges=none"),
    )
    max_loss: float = field(default=2.0, metadata=option("allowed loss of clean accuracy, in percentage points"))
    max_overhead: float = field(
        default=2.0, metadata=option("allowed operations of protection, in percent of the model's, by --weights")
    )
    level: float = field(default=95.0, metadata=option("confidence of the verdict: of one-sided limits, in percent"))
    strategy: Literal["algorithm1", "gain"] = field(
        default="algorithm1",
        metadata=option(
            "order of products: layers, then products by vulnerability (Algorithm 1), or by gain per operation"
        ),
    )
    grain: Literal["site", "layer"] = field(
        default="site", metadata=option("protect one more product at each step, or one more layer")
    )
    frontier: Literal["whole", "needed"] = field(
        default="whole", metadata=option("measure all steps, or stop at the first limit")
    )
    judge: int | None = field(
        default=None,
        metadata=option("number of further images that judge the plan; default: as many as --images", least=1),
    )
    weights: "Weights" = field(default_factory=_weights, metadata=_WEIGHTS)


@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    """Schemes to compare, their extent and their baseline; `margin` and `max_loss` are percentage points.

    >>> import radhard as rh
    >>> rh.CompareOptions(schemes=("row-check", "tmr")).margin
    2.0
    """

    schemes: "Sequence[str | Method]" = field(
        default=BASELINES,
        metadata=option("schemes, with options after colons, such as lb-abft:policy=leave:checks=immune,tmr"),
    )
    extent: Literal["all", "needed"] = field(
        default="all",
        metadata=option(
            "protect all products, or those of the most vulnerable layers, until the upper limit of the loss is "
            "within --max-loss; the same rule for every scheme"
        ),
    )
    max_loss: float = field(default=2.0, metadata=option("percentage points, the target of --extent needed"))
    select: int | None = field(
        default=None,
        metadata=option(
            "images on which --extent needed chooses layers; they do not evaluate. Default: 300, or a quarter of fewer "
            "than 1,200",
            least=1,
        ),
    )
    reference: str | None = field(
        default=None,
        metadata=option("baseline scheme of the paired differences; default: the first of --schemes"),
    )
    margin: float = field(
        default=2.0,
        metadata=option(
            "largest difference in accuracy (without labels, in agreement with the fault-free answers) of equivalent "
            "schemes, in percentage points"
        ),
    )
    weights: "Weights" = field(default_factory=_weights, metadata=_WEIGHTS)
