"""Writes the model card of a trained zoo model."""

import platform
from dataclasses import dataclass, fields
from importlib.metadata import version

import torch
from torch import nn

from radhard.models.training.recipe import TrainingRecipe
from radhard.models.zoo import ZooEntry


@dataclass(frozen=True, kw_only=True)
class Training:
    """How a model was trained and did: `correct` of `images` test images, `seconds` on `device` with `threads`."""

    recipe: TrainingRecipe
    seed: int
    trained_on: str
    trained_images: int
    correct: int
    images: int
    seconds: float
    threads: int
    device: str = "cpu"


def card(name: str, module: nn.Module, *, entry: ZooEntry, training: Training) -> str:
    """The card's Markdown. The accuracy has n and a Wilson interval at 95 %."""
    from scipy.stats import binomtest

    low, high = binomtest(training.correct, training.images).proportion_ci(0.95, method="wilson")
    parameters = sum(p.numel() for p in module.parameters())
    rows = [
        f"| {field.name.replace('_', ' ')} | {getattr(training.recipe, field.name)} |"
        for field in fields(TrainingRecipe)
    ]
    return "\n".join(
        [
            f"# {name}",
            "",
            f"{entry.summary}; {parameters:,} parameters, float32. Input {list(entry.input_shape)}, mean "
            f"{list(entry.mean)}, std {list(entry.std)} on pixels in [0, 1]; {entry.classes} classes.",
            "",
            f"Accuracy in float32 on the {training.images:,} test images of Fashion-MNIST: "
            f"**{training.correct / training.images:.2%}** ({training.correct} of {training.images}, "
            f"95 % Wilson interval {low:.2%} to {high:.2%}). "
            "The weights are those of the last epoch; the test images chose nothing.",
            "",
            "## Data",
            "",
            f"Trained on {training.trained_images:,} images: {training.trained_on}.",
            "The embedded calibration set is 2,000 of the 60,000 training images (`calibration_indices` in",
            "`radhard.models.data.fashion` states the rule) and was left out, so selection's data is unseen.",
            "Fashion-MNIST is Copyright (c) 2017 Zalando SE, https://tech.zalando.com, MIT licence.",
            "",
            "## Recipe",
            "",
            "AdamW (no decay on biases and norms), linear warm-up, half a cosine to 0, label smoothing,",
            "mirroring at odds 1/2, shifts of up to `shift` pixels on both axes, forward pass in bfloat16.",
            "",
            "| setting | value |",
            "|---|---|",
            f"| seed | {training.seed} |",
            *rows,
            "",
            f"It took {training.seconds / 60:.1f} minutes on {_computed_on(training)}, with torch "
            f"{torch.__version__}, timm {version('timm')}, Python {platform.python_version()}.",
            f"Made by `radhard.models.training.train.train({name!r}, out=..., seed={training.seed}, "
            f"epochs={training.recipe.epochs})`. The same seed gives the same bits only on the same kind of "
            "processor, torch version and number of threads.",
            "",
        ]
    )


def _computed_on(training: Training) -> str:
    """`2 CPU thread(s)`, or what the GPU calls itself."""
    return f"{training.threads} CPU thread(s)" if training.device == "cpu" else training.device
