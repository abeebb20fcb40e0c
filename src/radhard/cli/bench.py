"""From a command's options to the model under test, with what is told of it on the console."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from rich.console import Console

from radhard.campaign.bench import Bench
from radhard.campaign.store import Store
from radhard.cli.live import Course, watching
from radhard.cli.notes import notes
from radhard.faults import EVERYWHERE, Where
from radhard.machine.device import choose_device
from radhard.models.data.splits import Part
from radhard.protection import Plan
from radhard.studies.options import DataOptions, FaultOptions, ModelOptions
from radhard.studies.under_test import device_chosen, images_taken, under_test

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Source:
    """What the options say of the images, of layers and modules that are named, and of where models run."""

    data: str
    options: DataOptions
    part: Part = "evaluate"
    places: Where = EVERYWHERE
    device: str = "cpu"


def source_of(
    data: str, options: DataOptions, *, faults: FaultOptions | None = None, device: str = "cpu", part: Part = "evaluate"
) -> Source:
    """The images of `data`, those of `part`. InputError for a device that is not there."""
    places = EVERYWHERE if faults is None else Where(layers=faults.layer, modules=faults.module)
    choose_device(device)
    return Source(data=data, options=options, places=places, device=device, part=part)


def chosen_device(text: str) -> torch.device:
    """The device of --device; of auto it is told which, and why no GPU is. Errors are those of `choose_device`."""
    if (line := device_chosen(text)) is not None:
        notes().print(line, soft_wrap=True, markup=False, highlight=False)
    return choose_device(text)


def prepared(
    source: Source,
    model: str,
    options: ModelOptions,
    *,
    console: Console,
    images: int | None = None,
    course: Course | None = None,
    store: Store | None = None,
    plans: Mapping[str, Plan] | None = None,
    scales: Literal["known", "new"] = "known",
) -> Bench:
    """The bench of a model for `images` of the data; `console` is told what was assumed. Errors: `under_test`."""
    with watching(course or Course(model=model), console=console) as report:
        return under_test(
            model,
            source.data,
            model_options=options,
            data_options=source.options,
            images=images,
            device=source.device,
            store=store,
            plans=plans,
            part=source.part,
            places=source.places,
            scales=scales,
            progress=report,
        )


def calibrated(source: Source, model: str, options: ModelOptions, *, console: Console) -> Bench:
    """The bench of a model that is calibrated here and now, whatever scales are known of it."""
    return prepared(source, model, options, console=console, scales="new")


def counted(bench: Bench, asked: int | None, *, default: int, console: Console) -> int:
    """How many images are taken: as many as were `asked` for, else `default`, or all of fewer, which is told."""
    with watching(Course(model=bench.model), console=console) as report:
        return images_taken(bench, asked, default=default, progress=report)
