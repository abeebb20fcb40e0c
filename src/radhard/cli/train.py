"""`radhard train`: train models of the zoo again."""

from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated

import typer

from radhard.cli import options
from radhard.errors import OutputError


def train(
    out: Annotated[Path, typer.Option(help="folder for the weights (safetensors) and the model cards")],
    models: Annotated[
        list[str] | None, typer.Argument(help="models of the zoo, such as fashion-vit; default: all of them")
    ] = None,
    seed: options.Seed = 0,
    epochs: Annotated[int | None, typer.Option(min=1, help="default: those of each model's recipe")] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="folder of Fashion-MNIST's training set; default: Debian's package, else a download"),
    ] = None,
) -> None:
    """Train models of the zoo from the training images, one after another, and write their weights and cards."""
    from radhard.cli.notes import notes
    from radhard.models.recipe import EpochDone
    from radhard.models.train import train as train_model
    from radhard.models.zoo import ZOO, entry_of

    console, names = notes(), models or list(ZOO)
    for name in names:
        entry_of(name)  # an unknown one is told before hours of work on the others
    try:
        out.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise OutputError(f"--out {out} is no folder that can be written: {error.strerror}") from error

    for name in names:

        def tell(done: EpochDone, name: str = name) -> None:
            left = done.seconds / done.epoch * (done.epochs - done.epoch)
            console.print(f"{name}: epoch {done.epoch}/{done.epochs}, loss {done.loss:.4f}, {left:,.0f} s left")

        trained = train_model(name, out=out, seed=seed, epochs=epochs, data_folder=data, progress=tell)
        done = trained.training
        typer.echo(
            f"{name}: {done.correct} of {done.images} test images right ({done.correct / done.images:.2%}), "
            f"{done.seconds / 60:.1f} minutes; weights {trained.weights}, card {trained.card}"
        )
