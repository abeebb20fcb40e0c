"""Trains a zoo model on the 58,000 training images that do not calibrate."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from radhard.machine.device import CPU, device_name
from radhard.models.checkpoints.checkpoint import read_checkpoint
from radhard.models.data.dataset import Dataset
from radhard.models.data.fashion import calibration_indices, fashion_mnist, training_set
from radhard.models.seeding import drawn_from
from radhard.models.training.card import Training, card
from radhard.models.training.recipe import EpochDone, fit
from radhard.models.zoo import entry_of


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What `train` wrote, and how the training went (accuracy on the test images among it)."""

    weights: Path
    card: Path
    training: Training


def train(
    name: str,
    *,
    out: Path,
    seed: int = 0,
    epochs: int | None = None,
    data_folder: Path | None = None,
    progress: Callable[[EpochDone], None] | None = None,
    device: torch.device = CPU,
    stem: str | None = None,
) -> Trained:
    """Train the zoo model `name`; write `<stem>.safetensors` (float32) and its card `<stem>.md` into `out`.

    The default `stem` is the name. First weights, order and augmentation come from `seed` alone. ModelError for a name
    not in the zoo.
    """
    entry = entry_of(name)
    recipe = entry.recipe if epochs is None else replace(entry.recipe, epochs=epochs)
    data = unseen(training_set(data_folder))
    generator = torch.Generator().manual_seed(seed)
    with drawn_from(generator):
        module = entry.build()
    start = time.perf_counter()
    fit(
        module,
        data,
        recipe=recipe,
        mean=entry.mean,
        std=entry.std,
        generator=generator,
        progress=progress,
        device=device,
    )
    seconds = time.perf_counter() - start
    out.mkdir(parents=True, exist_ok=True)
    weights = out / f"{stem or name}.safetensors"
    save_file({key: value.cpu().contiguous() for key, value in module.state_dict().items()}, weights)
    test = fashion_mnist("test")
    read_checkpoint(weights).put(module)  # what the file holds is what is judged
    right = correct(module.eval(), test, mean=entry.mean, std=entry.std)
    training = Training(
        recipe=recipe,
        seed=seed,
        trained_on=data.name,
        trained_images=len(data),
        correct=right,
        images=len(test),
        seconds=seconds,
        threads=torch.get_num_threads(),
        device=device_name(device),
    )
    page = weights.with_suffix(".md")
    page.write_text(card(name, module, entry=entry, training=training), encoding="utf-8")
    return Trained(weights=weights, card=page, training=training)


def unseen(data: Dataset) -> Dataset:
    """The 60,000 training images -> the 58,000 that the calibration set leaves, in their order."""
    keep = torch.ones(len(data), dtype=torch.bool)
    keep[calibration_indices(data.labels)] = False
    return data.take(keep.nonzero().flatten(), name=f"{data.name} without fashion-mnist/calibration")


@torch.inference_mode()
def correct(
    module: nn.Module, data: Dataset, *, mean: tuple[float, ...], std: tuple[float, ...], batch: int = 250
) -> int:
    """How many images of `data` get their label as the module's largest logit; the module as and where it is."""
    right, device = 0, next(module.parameters()).device
    for indices in torch.split(torch.arange(len(data)), batch):
        logits = module(data.batch(indices, mean=mean, std=std).to(device)).cpu()
        right += int((logits.argmax(dim=1) == data.labels[indices]).sum())
    return right
