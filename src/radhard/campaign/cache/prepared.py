"""The programs of a model: out of the cache where it has them, else captured, calibrated, quantised, and put there."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from radhard.campaign.cache.cache import Cache
from radhard.campaign.scales import KnownScales, chosen
from radhard.errors import InputError, RadhardError
from radhard.machine.device import choose_device, device_name
from radhard.models.checkpoints.finite import check_finite
from radhard.models.loaded import LoadedModel
from radhard.program import Calibration, IntegerRecipe, Program, capture, quantize
from radhard.program.quantization.calibration import digest_of_images
from radhard.program.saving import UnsavableError
from radhard.program.saving.file import fingerprint

_CAPTURED, _QUANTIZED, _IMAGES = "captured", "quantized", "images"


@dataclass(frozen=True, kw_only=True, eq=False)
class CalibrationImages:
    """The images that calibrate: JSON values that say which they are, and what reads them, in batches."""

    identity: Mapping[str, object]
    read: Callable[[], list[Tensor]]

    @cached_property
    def batches(self) -> list[Tensor]:
        """float32 [B, C, H, W] each."""
        return self.read()


@dataclass(frozen=True, kw_only=True, eq=False)
class Original:
    """The program as the model is, and what it is by; `kept`: out of the cache."""

    program: Program
    identity: str | None
    kept: bool


def original(loaded: LoadedModel, calibrating: CalibrationImages, *, cache: Cache | None) -> Original:
    """The program of a loaded model, not quantised by us, from an example of the images that calibrate."""
    key = None
    if cache is not None and loaded.origin:
        rows = [list(row) for row in loaded.overrides.rows]
        key = cache.key(kind=_CAPTURED, parts=[loaded.origin, rows, dict(calibrating.identity)])
        entry = cache.folder.get(_CAPTURED, key)
        program = None if entry is None else cache.read(entry["program"])
        if entry is not None and program is not None:
            return Original(program=program, identity=entry["identity"], kept=True)
    program = captured(loaded, calibrating)
    identity = None if cache is None else _identity(program)
    if cache is not None and key is not None and identity is not None:
        checksum = cache.keep(program)
        if checksum is not None:
            named = {"program": checksum, "model": program.name, "recipe": program.recipe}
            cache.folder.put(_CAPTURED, key, {**named, "identity": identity})
    return Original(program=program, identity=identity, kept=False)


def captured(loaded: LoadedModel, calibrating: CalibrationImages) -> Program:
    """The program of a loaded model, captured here."""
    module = loaded.built
    if isinstance(module, Program):
        return module.on_host
    check_finite(module, source=loaded.name)
    return capture(module, calibrating.batches[0], name=loaded.name, anatomy=loaded.overrides)


def scales(
    known: Sequence[KnownScales], start: Original, *, recipe: str, calibrating: CalibrationImages, cache: Cache | None
) -> KnownScales | None:
    """The one of `known` that the integer program takes, as `chosen` says."""
    return chosen(known, start.program, recipe=recipe, images=lambda: images_digest(calibrating, cache))


def quantized(
    loaded: LoadedModel,
    start: Original,
    *,
    recipe: IntegerRecipe,
    found: KnownScales | None,
    calibrating: CalibrationImages,
    device: str | torch.device,
    cache: Cache | None,
) -> tuple[Program, bool]:
    """The integer program of the one to `start` from, with the scales that were `found` or new ones; whether kept."""
    how: object = dict(calibrating.identity)
    if found is not None:
        how = _content(found.calibration)
    elif (calibrated_on := choose_device(device)).type != "cpu":
        how = [how, device_name(calibrated_on)]
    if cache is not None and start.identity is not None:
        entry = cache.folder.get(_QUANTIZED, cache.key(kind=_QUANTIZED, parts=[start.identity, recipe, how]))
        program = None if entry is None else cache.read(entry["program"])
        if program is not None:
            return program, True
    source, identity = start.program, start.identity
    if cache is not None and start.kept and source.graph is None:
        source = captured(loaded, calibrating)
        identity = _identity(source)
        if source.digest != start.program.digest:
            raise InputError(f"{loaded.name} was changed while it was read: run the command again")
    if found is None:
        program = quantize(source, calibrating.batches, recipe=recipe, device=device)
    else:
        program = quantize(source, recipe=recipe, calibration=found.calibration)
    if cache is not None and identity is not None and (checksum := cache.keep(program)) is not None:
        ways = [how]
        if found is None and program.calibration is not None:  # who is given these scales makes the same program
            ways.append(_content(program.calibration))
        for way in ways:
            key = cache.key(kind=_QUANTIZED, parts=[identity, recipe, way])
            cache.folder.put(_QUANTIZED, key, {"program": checksum, "model": program.name, "recipe": recipe})
    return program, False


def images_digest(calibrating: CalibrationImages, cache: Cache | None) -> str:
    """The digest of the images that calibrate, as the model takes them."""
    if cache is None:
        return digest_of_images(calibrating.batches)
    key = cache.key(kind=_IMAGES, parts=dict(calibrating.identity))
    entry = cache.folder.get(_IMAGES, key)
    if entry is None:
        entry = {"digest": digest_of_images(calibrating.batches)}
        cache.folder.put(_IMAGES, key, entry)
    return str(entry["digest"])


def _identity(program: Program) -> str | None:
    """SHA-256 of all that quantising a program starts from; None where it holds what no file does."""
    try:
        return fingerprint(program)
    except (UnsavableError, RadhardError):
        return None


def _content(calibration: Calibration) -> str:
    """SHA-256 of a calibration, all of it."""
    return hashlib.sha256(json.dumps(calibration.as_dict(), sort_keys=True).encode()).hexdigest()
