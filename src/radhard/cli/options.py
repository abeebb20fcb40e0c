"""Options shared by commands but unknown to verbs: names of models and data, output formats and files.

Those that verbs know, too, are in `radhard.studies.options`.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import typer

from radhard.cli import completion, parse
from radhard.cli.signature import Taken, taken
from radhard.cli.spelling import DATA, FAULTS, MODEL, OUTPUT, RUN
from radhard.errors import InputError
from radhard.studies.options import ONE_TRIAL, ModelOptions

MODEL_HELP = (
    "a model of the zoo, such as fashion-vit; any name of timm's; torchvision:NAME; hf:NAME or a Hugging Face folder; "
    "FILE.py:FUNCTION; or an exported program, FILE.pt2"
)
ModelArgument = Annotated[str, typer.Argument(help=MODEL_HELP, autocompletion=completion.models)]
DataOption = Annotated[
    str,
    typer.Option(
        help="images to evaluate: fashion-mnist (embedded); a folder with one folder per class, with a list of labels, "
        "or with images only; .npz, .npy, IDX or CIFAR files, tars (docs/data.md); or timm:NAME for data sets of "
        "timm's factory, such as timm:torch/cifar10",
        rich_help_panel=DATA,
    ),
]
FlipsOption = Annotated[
    str | None,
    typer.Option(
        help="exactly so many bits of an inference flip, uniformly over the exposed ones: 1, or a list, 1,2,4; "
        "in place of --ber",
        rich_help_panel=FAULTS,
    ),
]
FaultModelOption = Annotated[
    str | None,
    typer.Option(
        "--faults",
        help="exactly one upset an inference of a fault model, in place of --ber and --flips: "
        "registers:array=16x16:dataflow=output (or weight), a bit of a register of a systolic array in one cycle; "
        "outputs, a bit of a word that a convolution or linear layer writes (outputs:of=operators: any operator); "
        "memory:what=weights (or activations, inputs), a bit of a stored word, or the cells of a shape under a code, "
        "memory:cells=pair:interleave=4:ecc=secded; "
        "stuck:of=sum (product, a or b):array=16x16:dataflow=output:copies=same (or other), a bit of a cell of such an "
        "array that is stuck, and dead:array=16x16, a multiplier that yields 0, both permanent; timing:halving=4, a "
        "bit of a running sum that comes too late, half as often every so many bits below the highest (docs/faults.md)",
        rich_help_panel=FAULTS,
        autocompletion=completion.fault_models,
    ),
]


@dataclass(frozen=True, kw_only=True)
class Models:
    """The models of a command that takes several, with options for all of them or, as NAME=FILE, for one."""

    models: tuple[str, ...] = field(
        metadata={
            "help": f"each is {MODEL_HELP}; several are compared",
            "metavar": "MODEL...",
            "complete": completion.models,
        }
    )
    checkpoint: tuple[str, ...] = field(
        default=(),
        metadata={
            "help": "weights to load, a safetensors or torch file; with several models NAME=FILE, repeatable",
            "panel": MODEL,
        },
    )
    anatomy: tuple[str, ...] = field(
        default=(),
        metadata={
            "help": "a .json or .toml file that maps patterns of site names to layer, module or both; it overrides "
            "module names and graph (`radhard inspect --template` prints one); with several models NAME=FILE, "
            "repeatable",
            "panel": MODEL,
        },
    )
    shared: Annotated[ModelOptions, taken(but=("checkpoint", "anatomy"))]

    @property
    def each(self) -> dict[str, ModelOptions]:
        """The options of each model, by its name. InputError for one given twice, and for a file of no model."""
        names = parse.models(list(self.models))
        files = parse.of_models(list(self.checkpoint), models=names)
        anatomies = parse.of_models(list(self.anatomy), models=names, option="--anatomy")
        key = self.shared.checkpoint_key
        if key is not None and not files:
            raise InputError(f"--checkpoint-key {key}: it is of a checkpoint, and none is given (--checkpoint FILE)")
        return {
            name: replace(
                self.shared,
                checkpoint=Path(files[name]) if name in files else None,
                checkpoint_key=key if name in files else None,
                anatomy=parse.anatomy(anatomies[name]) if name in anatomies else None,
            )
            for name in names
        }


@dataclass(frozen=True, kw_only=True)
class ProgressOptions:
    """What a command that runs trials tells of its way, and asks."""

    quiet: bool = field(
        default=False,
        metadata={"help": "no progress and no notes: errors and jobs that are skipped alone", "panel": RUN},
    )
    yes: bool = field(
        default=False, metadata={"help": "do not ask before a run that takes more than an hour", "panel": RUN}
    )


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """What a command prints and writes beside its table."""

    csv: Path | None = field(default=None, metadata={"help": "write the results to this .csv file", "panel": OUTPUT})
    plot: Path | None = field(
        default=None, metadata={"help": "draw the results into this .png, .svg or .pdf file", "panel": OUTPUT}
    )
    json_: bool = field(
        default=False, metadata={"help": "print one JSON object to stdout, nothing else", "panel": OUTPUT}
    )
    wide: bool = field(
        default=False,
        metadata={
            "help": "all columns of a table beside each other, however wide the terminal; without it, what has no room "
            "follows in a second table",
            "panel": OUTPUT,
        },
    )


def written(*, csv: str, plot: str) -> Taken:
    """All of `OutputOptions`, with what the files of a command hold."""
    drawn = f"draw {plot} into this .png, .svg or .pdf file, with a caption beside it"
    return taken(helps={"csv": f"write {csv} to this .csv file", "plot": drawn})


def one_trial(**helps: str) -> Taken:
    """The `RunOptions` of plan, evaluate and compare: whole trials; one trial by default."""
    chunk = "images per unit of work; a killed run loses at most one unit; the interval of overhead is over units"
    return taken(
        but=("until_width",),
        helps={"chunk": chunk, **helps},
        trials=ONE_TRIAL.trials,
        batch=ONE_TRIAL.batch,
        chunk=ONE_TRIAL.chunk,
    )
