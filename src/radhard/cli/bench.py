"""From a command's options to the bench that it works on: its model, its images, its programs."""

import gc
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from rich.console import Console

from radhard.campaign import build
from radhard.campaign.bench import Bench
from radhard.campaign.contents import unused
from radhard.campaign.scales import given, of_plans, of_store, shipped
from radhard.campaign.store import Store
from radhard.cli.live import Course
from radhard.cli.model import load, tell_assumed
from radhard.cli.notes import notes
from radhard.faults import EVERYWHERE, Where
from radhard.machine import MARKED
from radhard.machine.device import CPU, choose_device, device_name, why_no_gpu
from radhard.models.data.decode import Progress
from radhard.models.data.splits import DataChoice, Part
from radhard.program import Program
from radhard.protection import Plan
from radhard.studies.options import DataOptions, FaultOptions, ModelOptions

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Source:
    """What the options say of the images, of layers and modules that are named, and of where models run."""

    data: DataChoice
    places: Where = EVERYWHERE
    device: torch.device = CPU


def source_of(
    data: str, options: DataOptions, *, faults: FaultOptions | None = None, device: str = "cpu", part: Part = "evaluate"
) -> Source:
    """The images of `data`, those of `part`. InputError for a device that is not there."""
    choice = DataChoice(
        data=data,
        root=options.data_root,
        split=options.split,
        samples=options.samples,
        seed=options.data_seed,
        calibration=options.calibration,
        calibration_split=options.calibration_split,
        labels=options.labels,
        classes=options.classes,
        bad="skip" if options.skip_bad else "stop",
        part=part,
    )
    places = EVERYWHERE if faults is None else Where(layers=faults.layer, modules=faults.module)
    return Source(data=choice, places=places, device=chosen_device(device))


def chosen_device(text: str) -> torch.device:
    """The device of --device; of auto it is told which, and why no GPU is. Errors are those of `choose_device`."""
    device = choose_device(text)
    if text == "auto":
        why = f": {why_no_gpu()}" if device == CPU else f" ({device_name(device)})"
        notes().print(f"--device auto: {device}{why}", soft_wrap=True, markup=False, highlight=False)
    return device


def of_each(
    models: Mapping[str, ModelOptions],
    measured: Callable[[Bench, Course], T],
    *,
    source: Source,
    images: int | None,
    console: Console,
    store: Store,
    plans: Mapping[str, Mapping[str, Plan]] | None = None,
) -> list[T]:
    """What is `measured` of each model in turn, on its bench; `plans` by model, the rest as of `prepared`."""
    if len(models) > 1:  # a name that is wrong is told now, not after the models before it
        for model, options in models.items():
            load(model, options)
    found, began = [], time.perf_counter()
    for place, (model, options) in enumerate(models.items(), start=1):
        course = Course(model=model, place=place, of=len(models), began=began)
        found.append(
            measured(
                prepared(
                    source,
                    model,
                    options,
                    images=images,
                    told=course.name,
                    console=console,
                    store=store,
                    plans=(plans or {}).get(model),
                ),
                course,
            )
        )
        gc.collect()  # a captured graph holds itself in cycles: free this bench before the next is built
    return found


@contextmanager
def opened(path: Path | None) -> Iterator[Store]:
    """The store at `path`, or one that is gone afterwards; so is a new one if an error leaves it without a unit."""
    if path is not None:
        new, empty = not os.path.lexists(path), False
        try:
            with Store(path) as store:
                for remark in store.remarks:
                    notes().print(remark)
                try:
                    yield store
                except BaseException:
                    empty = new and not store.keys()
                    raise
        finally:
            if empty and not path.with_name(f"{path.name}-wal").exists():  # it is there while others have it open
                path.unlink(missing_ok=True)
        return
    with tempfile.TemporaryDirectory(prefix="radhard-") as folder, Store(Path(folder) / "run.db") as store:
        yield store


def prepared(
    source: Source,
    model: str,
    options: ModelOptions,
    *,
    console: Console,
    images: int | None = None,
    told: str | None = None,
    store: Store | None = None,
    plans: Mapping[str, Plan] | None = None,
) -> Bench:
    """The bench of a model, `told` so (default: its name), for `images` of the data; tell `console` what was assumed.

    Scales are those of --scales, of the `plans`, of the `store` or of the model, where one of these has them. What
    the store holds of the model and cannot be used is told. Errors are those of `radhard.models.load.load` and
    `radhard.campaign.build.build`.
    """
    with _preparing(f"{told or model}: capturing and calibrating", console=console) as progress:
        scales = given(options.scales)
        loaded = load(model, options)
        known = [*scales, *of_plans(plans or {}), *(of_store(store) if store else ()), *shipped(loaded)]
        bench = build.build(
            loaded,
            recipe=options.recipe,
            data=source.data,
            images=images or 1,
            progress=progress,
            known=known,
            device=source.device,
        )
    tell_assumed(loaded, console=console)
    _tell_data(bench, console=console)
    if bench.scales_from not in ("", "the model"):
        console.print(f"{bench.model}: scales from {bench.scales_from}", markup=False, highlight=False, soft_wrap=True)
    _tell_guessed(bench.programs[options.recipe], source.places, console=console)
    for line in unused(store, bench) if store else ():
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return bench


def calibrated(source: Source, model: str, options: ModelOptions, *, console: Console) -> Bench:
    """The bench of a model that is calibrated here and now, whatever scales are known of it."""
    with _preparing(f"{model}: capturing and calibrating", console=console) as progress:
        loaded = load(model, options)
        bench = build.build(
            loaded, recipe=options.recipe, data=source.data, progress=progress, known=(), device=source.device
        )
    tell_assumed(loaded, console=console)
    _tell_data(bench, console=console)
    return bench


def counted(bench: Bench, asked: int | None, *, default: int, console: Console) -> int:
    """How many images are taken: as many as were `asked` for, else `default`, or all of fewer, which is told."""
    if asked is not None:
        return asked
    held = len(bench.data)
    if held < default:
        console.print(
            f"{bench.data.name} has fewer images than the {default:,} that are taken by default: all {held:,} are "
            "taken (--images)",
            soft_wrap=True,
            markup=False,
            highlight=False,
        )
    return min(default, held)


@contextmanager
def _preparing(text: str, *, console: Console) -> Iterator[Progress | None]:
    """Show `text`, and images as they are decoded, while the work within goes on, if the console is a terminal."""
    if not console.is_terminal:
        yield None
        return
    with console.status(text) as status:
        yield lambda done, total: status.update(f"{text}: {done:,} of {total:,} images decoded")


def _tell_guessed(program: Program, places: Where, *, console: Console) -> None:
    """Say it if layers or modules that are selected by name are guesses."""
    sources = ("layer_source",) * bool(places.layers) + ("module_source",) * bool(places.modules)
    guessed = [
        site.name
        for site in program.sites
        if places.names(site) and any(getattr(site, source) in MARKED for source in sources)
    ]
    if guessed:
        console.print(
            f"{len(guessed)} of the selected sites, {guessed[0]} the first, have a layer or a module that is a guess, "
            "or that a name contradicts: `radhard inspect` marks them with ?, --anatomy states them",
            soft_wrap=True,
            markup=False,
            highlight=False,
        )


def _tell_data(bench: Bench, *, console: Console) -> None:
    """Say what was done to the pixels; of images that are not embedded, which calibrated, and what was left out.

    Every unreadable image is told by name, other files in short.
    """
    if bench.pixels is not None:
        console.print(bench.pixels.line(), highlight=False, markup=False, soft_wrap=True)
    if not bench.data.names and not bench.data.skipped and not bench.data.remarks:
        return
    text = f"{bench.data.name}; int8 scales from {bench.calibrated_on}"
    console.print(text, highlight=False, markup=False, soft_wrap=True)
    for remark in bench.data.remarks:
        console.print(remark, highlight=False, markup=False, soft_wrap=True)
    if bench.data.skipped:
        names = ", ".join(bench.data.skipped)
        text = f"{len(bench.data.skipped)} image(s) could not be read and are left out: {names}"
        console.print(text, markup=False, highlight=False, soft_wrap=True)
