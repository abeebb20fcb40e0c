"""The training recipe of the zoo: AdamW, warm-up and cosine, label smoothing, flips and shifts."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from radhard.machine.device import CPU
from radhard.models.data.dataset import Dataset, normalise


@dataclass(frozen=True, kw_only=True)
class TrainingRecipe:
    """`batch` in images, `warmup` a share of all steps, `shift` in pixels, `clip` the gradient's top norm."""

    epochs: int
    batch: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    warmup: float = 0.05
    label_smoothing: float = 0.1
    shift: int = 1
    clip: float = 1.0


@dataclass(frozen=True, kw_only=True)
class EpochDone:
    """Epoch `epoch` of `epochs`, counted from 1, is done: its mean `loss`, `seconds` since the start."""

    epoch: int
    epochs: int
    loss: float
    seconds: float


def fit(
    module: nn.Module,
    data: Dataset,
    *,
    recipe: TrainingRecipe,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    generator: torch.Generator,
    progress: Callable[[EpochDone], None] | None = None,
    device: torch.device = CPU,
) -> None:
    """Train `module` in place on `data`, then set it to eval; `generator` draws order and augmentation, on the CPU.

    The forward pass runs in bfloat16 (autocast), weights and optimiser are float32. The same state of the
    generator gives the same weights bit for bit (on the same processor, torch version, number of threads; on a GPU
    nearly so). The module is on `device` afterwards.
    """
    module.to(device)
    pixels, labels = data.images.to(device), data.labels.to(device)
    for part in module.modules():
        if hasattr(part, "fused_attn"):  # timm's switch; off, bfloat16 trains 3 times as fast on a CPU
            setattr(part, "fused_attn", False)  # noqa: B010
    decayed = [p for p in module.parameters() if p.ndim > 1]  # the others: biases, normalisations
    others = [p for p in module.parameters() if p.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": recipe.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=device.type == "cuda")
    steps = recipe.epochs * math.ceil(len(data) / recipe.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate(step, steps=steps, warmup=recipe.warmup))
    start = time.perf_counter()
    module.train()
    with torch.autocast(device.type, torch.bfloat16, cache_enabled=device.type == "cpu"):
        example = normalise(pixels[: recipe.batch], mean=mean, std=std)
        forward: Callable[[Tensor], Tensor] = module
        if device.type == "cuda" and len(example) == recipe.batch:
            forward = recorded(module, example)
    for epoch in range(1, recipe.epochs + 1):
        total = torch.zeros((), dtype=torch.float64, device=device)
        for indices in torch.split(torch.randperm(len(data), generator=generator), recipe.batch):
            here = indices.to(device)
            images = normalise(augmented(pixels[here], shift=recipe.shift, generator=generator), mean=mean, std=std)
            with torch.autocast(device.type, torch.bfloat16):
                logits = forward(images) if len(here) == recipe.batch else module(images)
            loss = functional.cross_entropy(logits.float(), labels[here], label_smoothing=recipe.label_smoothing)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(module.parameters(), recipe.clip)
            optimiser.step()
            schedule.step()
            total += loss.detach().double() * len(here)
        if progress is not None:
            mean_loss, seconds = float(total) / len(data), time.perf_counter() - start
            progress(EpochDone(epoch=epoch, epochs=recipe.epochs, loss=mean_loss, seconds=seconds))
    module.eval()


def recorded(module: nn.Module, example: Tensor) -> Callable[[Tensor], Tensor]:
    """The module's forward and backward on images like `example`, as CUDA graphs: small kernels wait for no launch.

    Recording runs the module some times, which leaves what it remembers, such as means of batches, as it was.
    """
    remembered = {name: value.clone() for name, value in module.state_dict().items()}
    graphed = torch.cuda.make_graphed_callables(nn.Sequential(module), (example,))
    module.load_state_dict(remembered)
    return cast(Callable[[Tensor], Tensor], graphed)


def rate(step: int, *, steps: int, warmup: float) -> float:
    """The learning rate at `step` of `steps`, a share of its peak: linear warm-up, half a cosine to 0."""
    rising = max(1, round(warmup * steps))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


def augmented(images: Tensor, *, shift: int, generator: torch.Generator) -> Tensor:
    """`images` uint8 [B, C, H, W] -> the same shape, each mirrored at odds 1/2 and moved by some pixels.

    Each axis moves on its own, uniformly over -shift ... shift; what moves in from outside is 0. `generator` is of the
    CPU, so that images are moved the same on every device.
    """
    count, _, height, width = images.shape
    padded = functional.pad(images, (shift, shift, shift, shift))
    top, left = torch.randint(0, 2 * shift + 1, (2, count, 1), generator=generator)
    mirrored = torch.randint(0, 2, (count, 1), generator=generator).bool()
    columns = torch.arange(width).expand(count, width)
    columns = torch.where(mirrored, columns.flip(1), columns) + left
    rows = torch.arange(height) + top
    chosen = torch.arange(count).view(-1, 1, 1)
    places = (part.to(images.device) for part in (chosen, rows[:, :, None], columns[:, None, :]))
    return padded.permute(0, 2, 3, 1)[tuple(places)].permute(0, 3, 1, 2)
