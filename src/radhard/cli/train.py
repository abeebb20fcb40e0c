"""`radhard train`: trains models of the zoo."""

import json
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated

import typer

from radhard.cli.signature import taken
from radhard.cli.spelling import DATA, MODEL, OUTPUT, RUN
from radhard.errors import OutputError
from radhard.studies.options import RunOptions

if TYPE_CHECKING:
    from radhard.models.training.train import Trained


def train(
    out: Annotated[
        Path,
        typer.Option(help="folder for the weights (safetensors) and the model cards", rich_help_panel=OUTPUT),
    ],
    run: Annotated[RunOptions, taken(only=("device",))],
    models: Annotated[
        list[str] | None, typer.Argument(help="models of the zoo, such as fashion-vit; default: all of them")
    ] = None,
    seed: Annotated[int, typer.Option(help="seed of weights and batches", rich_help_panel=MODEL)] = 0,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="number of seeds to train each model from, beginning with --seed: writes weights named by seed, and "
            "seeds.json with the accuracies in float and int8",
            rich_help_panel=MODEL,
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1, help="passes over the training images; default: those of each model's recipe", rich_help_panel=RUN
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="folder of Fashion-MNIST's training set; default: Debian's package, else a download",
            rich_help_panel=DATA,
        ),
    ] = None,
) -> None:
    """Train models of the zoo from the training images, one after another, and write their weights and cards."""
    from radhard.campaign.seeds import Seeded, train_seeds
    from radhard.cli.notes import notes
    from radhard.machine.device import choose_device
    from radhard.models.training.recipe import EpochDone
    from radhard.models.training.train import train as train_model
    from radhard.models.zoo import ZOO, entry_of
    from radhard.studies.under_test import device_chosen

    console, names, chosen = notes(), models or list(ZOO), choose_device(run.device)
    if (line := device_chosen(run.device)) is not None:
        console.print(line)
    for name in names:
        entry_of(name)  # an unknown one is told before hours of work on the others
    try:
        out.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise OutputError(f"--out {out} is no folder that can be written: {error.strerror}") from error

    def tell(name: str, done: EpochDone) -> None:
        left = done.seconds / done.epoch * (done.epochs - done.epoch)
        console.print(f"{name}: epoch {done.epoch}/{done.epochs}, loss {done.loss:.4f}, {left:,.0f} s left")

    found: list[Seeded] = []
    for name in names:
        if seeds is None:

            def epoch(done: EpochDone, name: str = name) -> None:
                tell(name, done)

            trained = train_model(
                name, out=out, seed=seed, epochs=epochs, data_folder=data, progress=epoch, device=chosen
            )
            typer.echo(f"{name}: {_told(trained)}")
            continue

        def epoch_of(of: int, done: EpochDone, name: str = name) -> None:
            tell(f"{name}, seed {of}", done)

        for one in train_seeds(
            name,
            range(seed, seed + seeds),
            out=out,
            epochs=epochs,
            data_folder=data,
            device=chosen,
            progress=epoch_of,
        ):
            found.append(one)
            (out / "seeds.json").write_text(json.dumps([each.as_dict() for each in found], indent=1) + "\n")
            right = one.int8_correct / one.trained.training.images
            typer.echo(f"{name}, seed {one.trained.training.seed}: {right:.2%} in {one.recipe}; {_told(one.trained)}")


def _told(trained: "Trained") -> str:
    """What a training gave, and where."""
    done = trained.training
    return (
        f"{done.correct} of {done.images} test images right ({done.correct / done.images:.2%}), "
        f"{done.seconds / 60:.1f} minutes; weights {trained.weights}, card {trained.card}"
    )
