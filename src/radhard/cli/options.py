"""The options that several commands share.

Those of a model and of images a command declares only; `radhard.cli.bench` reads them, by these parameters' names.
"""

from pathlib import Path
from typing import Annotated

import typer

MODEL_HELP = (
    "a model of the zoo, such as fashion-vit; any name of timm's; torchvision:NAME; hf:NAME or a Hugging Face folder; "
    "FILE.py:FUNCTION; or an exported program, FILE.pt2"
)
Model = Annotated[str, typer.Argument(help=MODEL_HELP)]
Checkpoint = Annotated[Path | None, typer.Option(help="weights to load, a file of safetensors or of torch.save")]
CheckpointKey = Annotated[
    str | None,
    typer.Option(help="which weights to take from a checkpoint that holds several, such as ema or model.backbone"),
]
Models = Annotated[list[str], typer.Argument(metavar="MODEL...", help=f"each is {MODEL_HELP}; several are compared")]
Checkpoints = Annotated[
    list[str] | None,
    typer.Option(help="weights to load, a safetensors or torch file; with several models NAME=FILE, repeatable"),
]
Pretrained = Annotated[bool, typer.Option("--pretrained", help="download timm's or torchvision's weights")]
InputShape = Annotated[
    str | None, typer.Option(help="C,H,W of the images, such as 3,224,224; default: what the model's source says")
]
Mean = Annotated[
    str | None, typer.Option(help="mean of pixels in [0, 1], one number or one a channel; default: as --input-shape")
]
Std = Annotated[str | None, typer.Option(help="standard deviation of pixels in [0, 1]; default: as --input-shape")]
Resize = Annotated[
    str | None,
    typer.Option(
        help="resize images to so many pixels of the shorter edge and cut the middle out, such as 248; or to height x "
        "width, such as 32x32; none: not at all. Default: what the model's configuration states; where none does, "
        "images must be of the model's size"
    ),
]
CropPct = Annotated[
    float | None,
    typer.Option(
        "--crop-pct",
        help="resize so that this share of the image, such as 0.875, is the model's size, and cut that out",
    ),
]
Interpolation = Annotated[
    str | None, typer.Option(help="how images are resized: nearest, bilinear, bicubic, lanczos, box, hamming")
]
ANATOMY_HELP = (
    "a .json or .toml file that says where sites stand, patterns of their names -> layer, module or both; it overrides "
    "names and graph (`radhard inspect --template` prints one)"
)
Anatomy = Annotated[Path | None, typer.Option(help=ANATOMY_HELP)]
Anatomies = Annotated[
    list[str] | None, typer.Option("--anatomy", help=f"{ANATOMY_HELP}; with several models NAME=FILE, repeatable")
]
Recipe = Annotated[
    str,
    typer.Option(
        help="int8: results requantised with saturation, words that cannot be negative on an unsigned grid; "
        "int8-symmetric: all on a symmetric grid; int8-float: symmetric too, results left as float; float"
    ),
]
Data = Annotated[
    str,
    typer.Option(
        help="the images that are classified: fashion-mnist (embedded); a folder with a folder of images for each "
        "class, or with images and a list of labels, or without; .npz, .npy, IDX, CIFAR's files, tars (docs/data.md); "
        "or timm:NAME for what timm's data set factory reads, such as timm:torch/cifar10"
    ),
]
DataRoot = Annotated[Path | None, typer.Option(help="where the images of timm:NAME are")]
Split = Annotated[
    str | None,
    typer.Option(
        help="which split is classified, where the data have several: train, validation, test, or a name of their own; "
        "default: of timm:NAME validation, else the one beside train. none: folders called so are classes"
    ),
]
Samples = Annotated[int | None, typer.Option(min=1, help="draw so many of the images; default: all")]
DataSeed = Annotated[int, typer.Option(help="what samples and their order are drawn from")]
Calibration = Annotated[
    str | None,
    typer.Option(
        help="other images to calibrate the quantisation on, named as for --data; default: 512 of the data, or a "
        "fifth of fewer than 2,560, are set apart and not classified"
    ),
]
CalibrationSplit = Annotated[
    str | None, typer.Option(help="which split calibrates, with --calibration; default: train, where there are several")
]
Scales = Annotated[
    list[Path] | None,
    typer.Option(
        help="scales of the integer program, a file that `radhard quantize` made on this or another machine, instead "
        "of calibrating; repeatable, a file for each model"
    ),
]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="leave out images that cannot be read, instead of stopping")]
Labels = Annotated[
    str | None,
    typer.Option(
        help="a CSV or text file with the label of each image of --data; none: no labels, so that sweep and "
        "vulnerability count the answers that change. Default: folders are classes, or a list of labels that lies there"
    ),
]
Classes = Annotated[
    str | None,
    typer.Option(
        help="a file with the name of a class in each line, in the order of the model's outputs; default: names in "
        "sorted order, numbers 0 ... K - 1 as numbers"
    ),
]
Kinds = Annotated[str, typer.Option(help="kinds of operations whose results can flip: mul, add, load, special")]
Layers = Annotated[list[str] | None, typer.Option("--layer", help="only sites of this layer; a pattern, repeatable")]
Modules = Annotated[
    list[str] | None,
    typer.Option("--module", help="only sites of this module category; a pattern, repeatable"),
]
Operators = Annotated[
    list[str] | None, typer.Option("--operator", help="only sites of this operator; a pattern, repeatable")
]
Sites = Annotated[list[str] | None, typer.Option("--site", help="only sites of this name; a pattern, repeatable")]
Except = Annotated[
    bool, typer.Option("--except", help="everything but the selected sites: these are perfectly protected")
]
Seed = Annotated[int, typer.Option(help="what all faults are drawn from")]
WordsText = Annotated[
    str,
    typer.Option("--words", help="words of integer products and running sums, and which low bits can flip"),
]
WeightsText = Annotated[
    str, typer.Option("--weights", help="how much a multiplication, an addition and a comparison count in overhead")
]
Chunk = Annotated[
    int,
    typer.Option(min=1, help="images a unit of work: a killed run loses these; the interval of overhead is of units"),
]
UntilWidth = Annotated[
    float | None,
    typer.Option(
        help="end the trials once the 95 % interval, of accuracy at a rate or of every factor, is so narrow, in "
        "percentage points, such as 0.5"
    ),
]
Images = Annotated[
    int | None, typer.Option(min=1, help="how many test images, from the first on; default: 1000, or all of fewer")
]
Batch = Annotated[
    int,
    typer.Option(
        min=1,
        help="images at a time: changes speed and memory, not the result; in products that are computed in float32 "
        "(recipe float) the last bits of logits may differ",
    ),
]
Device = Annotated[
    str,
    typer.Option(
        help="where the model runs: cpu; cuda or cuda:N, a GPU; auto, a GPU where one can be used. Calibration stays "
        "on the CPU, so that scales are the same on all (docs/devices.md)"
    ),
]
Json = Annotated[bool, typer.Option("--json", help="print one JSON object to stdout, nothing else")]

DEFAULT_IMAGES = 1000
DEFAULT_KINDS = "mul,add"
DEFAULT_WEIGHTS = "mul=1,add=1,cmp=1"
DEFAULT_WORDS = "product=int16,accumulator=int32"
