"""Zoo models trained from several seeds: the spread of their float and int8 accuracies."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from radhard.campaign.build import build
from radhard.machine.device import CPU
from radhard.models.load import load
from radhard.models.training import train
from radhard.models.training.recipe import EpochDone
from radhard.models.training.train import Trained
from radhard.program import run

BATCH = 250


@dataclass(frozen=True, kw_only=True)
class Seeded:
    """A model of the zoo `trained` from one seed: mean loss of each epoch, and test images right in int8."""

    model: str
    trained: Trained
    losses: tuple[float, ...]
    recipe: str
    int8_correct: int

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        training = self.trained.training
        return {
            "model": self.model,
            "seed": training.seed,
            "epochs": training.recipe.epochs,
            "images": training.images,
            "float_correct": training.correct,
            "recipe": self.recipe,
            "int8_correct": self.int8_correct,
            "losses": list(self.losses),
            "seconds": training.seconds,
            "device": training.device,
            "weights": self.trained.weights.name,
        }


def train_seeds(
    name: str,
    seeds: Iterable[int],
    *,
    out: Path,
    recipe: str = "int8",
    epochs: int | None = None,
    data_folder: Path | None = None,
    device: torch.device = CPU,
    progress: Callable[[int, EpochDone], None] | None = None,
) -> Iterator[Seeded]:
    """Train the zoo model `name` from each seed, into `<name>-seed<seed>.safetensors`, and judge its int8 program too.

    `progress` is told the seed and each epoch that is done. Errors are those of `radhard.models.training.train.train`.
    """
    for seed in seeds:
        losses: list[float] = []

        def tell(done: EpochDone, seed: int = seed, losses: list[float] = losses) -> None:
            losses.append(done.loss)
            if progress is not None:
                progress(seed, done)

        trained = train.train(
            name,
            out=out,
            seed=seed,
            epochs=epochs,
            data_folder=data_folder,
            device=device,
            stem=f"{name}-seed{seed}",
            progress=tell,
        )
        images = trained.training.images
        right = int8_correct(name, trained.weights, recipe=recipe, device=device, images=images)
        yield Seeded(model=name, trained=trained, losses=tuple(losses), recipe=recipe, int8_correct=right)


def int8_correct(name: str, weights: Path, *, recipe: str, device: torch.device, images: int) -> int:
    """How many of the first `images` test images the integer program of these weights classifies rightly."""
    model_under_test = build(load(name, weights), recipe=recipe, device=device)
    program, right = model_under_test.programs[recipe], 0
    for places in torch.split(torch.arange(images), BATCH):
        logits = run(program, model_under_test.images(places), ids=model_under_test.data.ids[places]).logits
        right += int((logits.cpu().argmax(dim=1) == model_under_test.data.labels[places]).sum())
    return right
