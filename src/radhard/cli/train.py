"""`radhard train`: train a model of the zoo again."""

from pathlib import Path
from typing import Annotated

import typer

from radhard.cli import options


def train(
    model: options.Model,
    out: Annotated[Path, typer.Option(help="folder for the weights (safetensors) and the model card")],
    seed: options.Seed = 0,
    epochs: Annotated[int | None, typer.Option(min=1, help="default: those of its recipe")] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="folder of Fashion-MNIST's training set; default: Debian's package, else a download"),
    ] = None,
) -> None:
    """Train a model of the zoo from the training images, and write its weights and its card."""
    from rich.console import Console

    from radhard.models.recipe import EpochDone
    from radhard.models.train import train as train_model

    console = Console(stderr=True)

    def tell(done: EpochDone) -> None:
        left = done.seconds / done.epoch * (done.epochs - done.epoch)
        console.print(f"epoch {done.epoch}/{done.epochs}: loss {done.loss:.4f}, {left:,.0f} s left")

    trained = train_model(model, out=out, seed=seed, epochs=epochs, data_folder=data, progress=tell)
    done = trained.training
    typer.echo(
        f"{done.correct} of {done.images} test images right ({done.correct / done.images:.2%}); "
        f"weights {trained.weights}, card {trained.card}"
    )
