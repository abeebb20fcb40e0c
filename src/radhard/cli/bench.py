"""From a command's options to the bench that it works on: its model, its images, its programs.

The options of a model and of images stand in the signature of every command that takes them, for `--help`, and are
read here, by the names of these parameters, from the mapping that typer keeps as `ctx.params`.
"""

import gc
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from rich.console import Console

from radhard.campaign import build
from radhard.campaign.bench import Bench
from radhard.campaign.contents import unused
from radhard.campaign.scales import Known, given, of_plans, of_store, shipped
from radhard.campaign.store import Store
from radhard.cli.live import Course
from radhard.cli.model import ModelChoice, model_choice, tell_assumed
from radhard.cli.notes import notes
from radhard.faults import EVERYWHERE, Where
from radhard.machine import MARKED
from radhard.machine.device import CPU, choose_device, device_name, why_no_gpu
from radhard.models.data.decode import Progress
from radhard.models.data.splits import DataChoice, Part
from radhard.program import Program
from radhard.protection import Plan

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Source:
    """What the options say of the model, but its name and checkpoint, of images, layers and modules; and scales.

    `device`: where the model runs.
    """

    model: ModelChoice
    data: DataChoice
    scales: tuple[Known, ...] = ()
    places: Where = EVERYWHERE
    device: torch.device = CPU


def source_of(params: Mapping[str, Any], *, part: Part = "evaluate") -> Source:
    """A command's `ctx.params` -> Source. InputError for numbers that cannot be read, or a device that is not there."""
    device = chosen_device(params.get("device", "cpu"))
    data = DataChoice(
        data=params["data"],
        root=params["data_root"],
        split=params["split"],
        samples=params["samples"],
        seed=params["data_seed"],
        calibration=params["calibration"],
        calibration_split=params["calibration_split"],
        labels=params["labels"],
        classes=None if params["classes"] is None else Path(params["classes"]),
        bad="skip" if params["skip_bad"] else "stop",
        part=part,
    )
    scales = tuple(given(params.get("scales") or []))
    places = Where(layers=tuple(params.get("layer") or ()), modules=tuple(params.get("module") or ()))
    return Source(model=model_choice(params), data=data, scales=scales, places=places, device=device)


def chosen_device(text: str) -> torch.device:
    """The device of --device; of auto it is told which, and why no GPU is. Errors are those of `choose_device`."""
    device = choose_device(text)
    if text == "auto":
        why = f": {why_no_gpu()}" if device == CPU else f" ({device_name(device)})"
        notes().print(f"--device auto: {device}{why}", soft_wrap=True, markup=False, highlight=False)
    return device


def of_each(
    models: Sequence[str],
    measured: Callable[[Bench, Course], T],
    *,
    source: Source,
    checkpoints: Mapping[str, Path],
    recipe: str,
    images: int | None,
    console: Console,
    store: Store,
    plans: Mapping[str, Mapping[str, Plan]] | None = None,
) -> list[T]:
    """What is `measured` of each model in turn, on its bench; `plans` by model, the rest as of `prepared`."""
    if len(models) > 1:  # a name that is wrong is told now, not after the models before it
        for model in models:
            source.model.load(model, checkpoints.get(model))
    found, began = [], time.perf_counter()
    for place, model in enumerate(models, start=1):
        course = Course(model=model, place=place, of=len(models), began=began)
        file = checkpoints.get(model)
        found.append(
            measured(
                prepared(
                    source,
                    model,
                    checkpoint=file,
                    recipe=recipe,
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
    *,
    checkpoint: Path | None,
    recipe: str,
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
        loaded = source.model.load(model, checkpoint)
        known = [*source.scales, *of_plans(plans or {}), *(of_store(store) if store else ()), *shipped(loaded)]
        bench = build.build(
            loaded,
            recipe=recipe,
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
    for line in unused(store, bench) if store else ():
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return bench


def calibrated(source: Source, model: str, *, checkpoint: Path | None, recipe: str, console: Console) -> Bench:
    """The bench of a model that is calibrated here and now, whatever scales are known of it."""
    with _preparing(f"{model}: capturing and calibrating", console=console) as progress:
        loaded = source.model.load(model, checkpoint)
        bench = build.build(loaded, recipe=recipe, data=source.data, progress=progress, known=(), device=source.device)
    tell_assumed(loaded, console=console)
    _tell_data(bench, console=console)
    _tell_guessed(bench.programs[recipe], source.places, console=console)
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
