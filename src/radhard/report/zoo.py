"""The table of shipped models and of other sources."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import torch
from rich.markup import escape
from rich.table import Table

from radhard.models.sources.names import FORMS
from radhard.models.zoo import TEST_IMAGES, ZOO, ZooEntry
from radhard.report.fitted import FittedTable


@dataclass(frozen=True, kw_only=True)
class Shipped:
    """A model of the zoo: how many `parameters` it has, `correct` answers of so many `images` by recipe, no faults."""

    name: str
    summary: str
    parameters: int
    input_shape: tuple[int, int, int]
    classes: int
    images: int
    correct: dict[str, int]


class ShippedRecord(TypedDict):
    """A model of the zoo as JSON values; `accuracy` by recipe, as shares of `images`."""

    model: str
    summary: str
    parameters: int
    input_shape: list[int]
    classes: int
    images: int
    accuracy: dict[str, float]


class FormRecord(TypedDict):
    """A form of names as JSON values."""

    form: str
    source: str
    weights: str
    example: str


def shipped() -> list[Shipped]:
    """The zoo, in its order."""
    return [
        Shipped(
            name=name,
            summary=entry.summary,
            parameters=_parameters(entry),
            input_shape=entry.input_shape,
            classes=entry.classes,
            images=TEST_IMAGES,
            correct=dict(entry.correct),
        )
        for name, entry in ZOO.items()
    ]


def shipped_record(model: Shipped) -> ShippedRecord:
    """A model of the zoo -> JSON values."""
    return {
        "model": model.name,
        "summary": model.summary,
        "parameters": model.parameters,
        "input_shape": list(model.input_shape),
        "classes": model.classes,
        "images": model.images,
        "accuracy": {recipe: right / model.images for recipe, right in model.correct.items()},
    }


def form_records() -> list[FormRecord]:
    """The forms of names -> JSON values."""
    return [
        {"form": form.form, "source": form.source, "weights": form.weights, "example": form.example} for form in FORMS
    ]


def zoo_table(models: Sequence[Shipped]) -> Table:
    """One row a model: its size, and its accuracy by recipe."""
    images = models[0].images
    table = FittedTable(f"The zoo: Fashion-MNIST, accuracy on all {images:,} test images, no faults")
    table.add_column("model")
    table.add_column("parameters", justify="right")
    recipes = tuple(models[0].correct)
    for recipe in recipes:
        table.add_column(recipe, justify="right")
    table.add_column("what it is")
    for model in models:
        rates = (f"{model.correct[recipe] / model.images:.2%}" for recipe in recipes)
        table.add_row(model.name, f"{model.parameters:,}", *rates, model.summary)
    return table


def forms_table() -> Table:
    """One row a form of names."""
    table = FittedTable("Names of models")
    for heading in ("name", "source", "weights", "such as"):
        table.add_column(heading)
    for form in FORMS:
        table.add_row(*map(escape, (form.form, form.source, form.weights, form.example)))
    return table


def _parameters(entry: ZooEntry) -> int:
    with torch.device("meta"):  # shapes alone, no weights
        return sum(parameter.numel() for parameter in entry.build().parameters())
