"""The model under test: a model's programs and the images of a campaign."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from radhard.campaign.experiment import Setting, canonical_json
from radhard.errors import InputError
from radhard.faults import EVERYWHERE, Faults, Where, exposures, patches_of
from radhard.hardware import FaultModel, UpsetPlaces, event_of
from radhard.machine import Kind
from radhard.machine.device import CPU, choose_device, device_name
from radhard.models.data.dataset import Dataset
from radhard.models.data.pixels import Pixels
from radhard.models.data.same import same_pictures
from radhard.models.data.splits import CALIBRATION_IMAGES
from radhard.program import Program
from radhard.program.description import describe
from radhard.protection import Protectable, Protection, observed_limits, products_of
from radhard.version import VERSION
from radhard.words import Words


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelUnderTest:
    """The programs of one model by recipe, the data, and the mean and deviation that normalise it.

    `calibrated_on` says which images the scales of its integer programs are from: those of `calibration`.
    `scales_from`: where they were known from already; "" if they were calibrated here.
    """

    model: str
    programs: Mapping[str, Program]
    data: Dataset
    mean: tuple[float, ...]
    std: tuple[float, ...]
    calibrated_on: str = ""
    calibration: Dataset | None = None
    scales_from: str = ""
    from_cache: bool = False
    """Whether the program of the recipe was made before, and not here."""
    pixels: Pixels | None = None
    """What was done to the images' pixels; None where the images came as a tensor."""
    device: torch.device = CPU
    """Where the programs are, and are run."""

    def on(self, device: str | torch.device) -> "ModelUnderTest":
        """The same model under test with its programs on `device`, as `choose_device` reads it."""
        chosen = choose_device(device)
        if chosen == self.device:
            return self
        return replace(self, programs={r: p.to(chosen) for r, p in self.programs.items()}, device=chosen)

    def protectable(self, recipe: str, *, words: Words) -> Protectable:
        """What of the program of a recipe can be protected: its products, and the ranges on calibration images."""
        program = self.programs[recipe]
        if self.calibration is None:
            raise InputError(
                f"{self.model}: the model under test has no images that calibrate, and ranges are of none that evaluate"
            )
        batches = calibration_batches(self.calibration, mean=self.mean, std=self.std)
        limits = observed_limits(program, batches)
        return Protectable(program=program, products=products_of(program), limits=limits, words=words)

    def images(self, indices: Tensor) -> Tensor:
        """`indices` int64 [B], places in the data -> float32 [B, C, H, W] on the device: what the programs take.

        They are decoded and normalised on the CPU, so that they are the same on every device.
        """
        images = self.data.batch(indices, mean=self.mean, std=self.std)
        if self.device.type != "cuda":
            return images.to(self.device)
        return images.pin_memory().to(self.device, non_blocking=True)

    def program_of(self, setting: Setting) -> Program:
        """The program that a setting names. Raises InputError if the model under test holds another one."""
        program = self.programs.get(setting.recipe)
        if program is None or program.digest != setting.program:
            held = ", ".join(f"{recipe} {p.digest[:12]}" for recipe, p in self.programs.items())
            raise InputError(
                f"setting {setting.digest[:12]} wants the {setting.recipe} program {setting.program[:12]}, "
                f"the model under test holds {held}: the model, its weights or its calibration are other ones"
            )
        return program


def shared(model_under_test: ModelUnderTest, first: int, second: int) -> tuple[ModelUnderTest, ModelUnderTest]:
    """A model under test of the `first` images of the data, and one of `second` after them that are no copies of these.

    InputError for too few.
    """
    data = model_under_test.data
    chosen = data.take(torch.arange(min(first, len(data))), name=data.name)
    copies = set(same_pictures(data, as_in=chosen))
    others = [place for place in range(first, len(data)) if place not in copies]
    if len(data) < first or len(others) < second:
        copied = len(data) - len(chosen) - len(others)
        without = f" ({copied:,} of them copies of those that choose)" * bool(copied)
        raise InputError(
            f"{data.name} has {len(data):,} images{without}, {first:,} that choose and {second:,} that judge were "
            "asked for: ask for fewer (--images, --judge), or give more data"
        )
    parts = (torch.arange(first), torch.tensor(others[:second], dtype=torch.int64))
    without = ", without copies of those before" if others[:second] != list(range(first, first + second)) else ""
    names = (data.name, f"{data.name}, from image {first + 1:,} on{without}")
    one, other = (
        replace(model_under_test, data=data.take(part, name=name)) for part, name in zip(parts, names, strict=True)
    )
    return one, other


CALIBRATION_BATCH = 256


def calibration_batches(data: Dataset, *, mean: tuple[float, ...], std: tuple[float, ...]) -> list[Tensor]:
    """The first CALIBRATION_IMAGES images of `data`, or all of fewer, float32 [CALIBRATION_BATCH, C, H, W] each."""
    indices = torch.split(torch.arange(min(CALIBRATION_IMAGES, len(data))), CALIBRATION_BATCH)
    return [data.batch(part, mean=mean, std=std) for part in indices]


def made_by(model_under_test: ModelUnderTest) -> Mapping[str, str]:
    """What computes each program: its digest -> JSON of versions, of the device, of the back ends of its products, of
    what was done to pixels, and of the processor's instructions, by which float operators may differ in the last bits.
    """
    versions = {
        "radhard": VERSION,
        "torch": torch.__version__,
        "device": device_name(model_under_test.device),
        "processor": torch.backends.cpu.get_cpu_capability(),
    }
    pixels = {} if model_under_test.pixels is None else {"pixels": model_under_test.pixels.as_dict()}
    return {
        p.digest: canonical_json({**versions, "back_end": p.backends, **pixels})
        for p in model_under_test.programs.values()
    }


def descriptions(model_under_test: ModelUnderTest) -> Mapping[str, str]:
    """What is to be known of each program where it is not at hand: its digest -> canonical JSON."""
    return {
        p.digest: canonical_json({"model": model_under_test.model, **describe(p)})
        for p in model_under_test.programs.values()
    }


def exposed_bits(program: Program, faults: Faults) -> int:
    """Bits of one image's inference that `faults` can flip. InputError if they select no site."""
    found = exposures(program.costs, faults, patches=patches_of(program, faults.where))
    return sum(exposure.bits for exposure in found.values())


def clean_setting(model_under_test: ModelUnderTest, recipe: str) -> Setting:
    """The setting in which nothing flips."""
    return Setting(
        model=model_under_test.model,
        recipe=recipe,
        program=model_under_test.programs[recipe].digest,
        data=model_under_test.data.name,
        data_digest=model_under_test.data.digest,
        normalisation=(model_under_test.mean, model_under_test.std),
        labelled=model_under_test.data.labelled,
        overrides=model_under_test.programs[recipe].overrides,
    )


def faulty_setting(
    model_under_test: ModelUnderTest,
    recipe: str,
    *,
    ber: float = math.nan,
    flips: int = 0,
    kinds: frozenset[Kind] = frozenset({"mul", "add"}),
    where: Where = EVERYWHERE,
    seed: int = 0,
    words: Words | None = None,
) -> Setting:
    """The setting in which each exposed bit flips at `ber`, or `flips` of them. InputError if nothing is selected."""
    words = words or Words()
    faults = Faults(ber=ber, flips=flips, kinds=kinds, where=where, seed=seed, words=words)
    bits = exposed_bits(model_under_test.programs[recipe], faults)
    clean = clean_setting(model_under_test, recipe)
    return replace(clean, ber=faults.ber, flips=flips, kinds=kinds, where=where, seed=seed, words=words, bits=bits)


def upset_setting(
    model_under_test: ModelUnderTest,
    recipe: str,
    fault_model: FaultModel,
    *,
    where: Where = EVERYWHERE,
    seed: int = 0,
) -> Setting:
    """The setting in which one place of `fault_model` is upset in each inference. InputError if it has none there."""
    places = places_of(model_under_test.programs[recipe], fault_model, where=where)
    clean = clean_setting(model_under_test, recipe)
    return replace(clean, fault_model=fault_model, flips=1, where=where, seed=seed, bits=places.bits)


def places_of(program: Program, fault_model: FaultModel, *, where: Where) -> UpsetPlaces:
    """The places of a fault model at the sites that are selected. InputError for a selection within sites."""
    if where.fine:
        raise InputError(f"the selection {where.name}: upsets are of whole sites; select no patches and no bits")
    sites = None if where == EVERYWHERE else [site.name for site in where.select(program.sites)]
    return fault_model.places(program.on_host, sites=sites)


def check_host(device: torch.device, fault_model: FaultModel) -> None:
    """Raise InputError for another device than the CPU: upsets are computed there."""
    if device.type != "cpu":
        what = f"{event_of(fault_model)}s of {fault_model.title}"
        raise InputError(f"--device {device.type}: {what} are computed on the CPU; take cpu")


def protected(setting: Setting, protection: Protection | None) -> Setting:
    """The same faults, if any, in the same program, protected so. InputError for faults of which none is modelled."""
    model = setting.fault_model
    if model is not None and protection is not None and model.unprotected:
        raise InputError(
            f"--faults {setting.fault_model_text}: no protection is measured under it, for {model.unprotected}; take "
            "`radhard sweep`, or another fault model"
        )
    return replace(setting, protection=protection)
