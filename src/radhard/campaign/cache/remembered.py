"""What the source of a model said of it, kept, so that the model need not be built to know it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

from radhard.campaign.cache.cache import Cache
from radhard.models.data.preprocessing import CropMode, Interpolation, Preprocessing
from radhard.models.loaded import LoadedModel, Unbuilt
from radhard.program import Calibration

_KIND = "model"


def remembered(
    cache: Cache | None, decided: Callable[[], object | None], *, build: Callable[[], LoadedModel]
) -> LoadedModel:
    """The model that `build` gives, `decided` by JSON values; not built where the cache knows what is said of it."""
    before = None if cache is None else decided()
    if cache is None or before is None:
        return build()
    key = cache.key(kind=_KIND, parts=before)
    values = cache.folder.get(_KIND, key)
    if values is not None:
        return _from_dict(values, origin=key, build=build)
    loaded = build()
    if decided() != before:  # a file was changed while it was read
        return loaded
    cache.folder.put(_KIND, key, _as_dict(loaded))
    return replace(loaded, origin=key)


def _as_dict(loaded: LoadedModel) -> dict[str, Any]:
    stated = loaded.preprocessing
    return {
        "name": loaded.name,
        "input_shape": loaded.input_shape,
        "mean": loaded.mean,
        "std": loaded.std,
        "classes": loaded.classes,
        "weights": loaded.weights,
        "preprocessing": {
            "size": stated.size,
            "resize": stated.resize,
            "crop_mode": stated.crop_mode,
            "interpolation": stated.interpolation,
            "stated_by": stated.stated_by,
        },
        "assumed": loaded.assumed,
        "calibrations": [each.as_dict() for each in loaded.calibrations],
        "class_names": loaded.class_names,
    }


def _from_dict(values: dict[str, Any], *, origin: str, build: Callable[[], LoadedModel]) -> LoadedModel:
    stated = values["preprocessing"]
    crop: CropMode = next(known for known in get_args(CropMode) if known == stated["crop_mode"])
    how: Interpolation = next(known for known in get_args(Interpolation) if known == stated["interpolation"])
    channels, height, width = values["input_shape"]
    return LoadedModel(
        name=values["name"],
        module=Unbuilt(build),
        input_shape=(channels, height, width),
        mean=tuple(values["mean"]),
        std=tuple(values["std"]),
        classes=values["classes"],
        weights=values["weights"],
        preprocessing=Preprocessing(
            size=_size(stated["size"]),
            resize=None if stated["resize"] is None else _size(stated["resize"]),
            crop_mode=crop,
            interpolation=how,
            stated_by=stated["stated_by"],
        ),
        assumed=tuple(values["assumed"]),
        calibrations=tuple(Calibration.from_dict(each, place=values["name"]) for each in values["calibrations"]),
        class_names=tuple(values["class_names"]),
        origin=origin,
    )


def _size(values: list[int]) -> tuple[int, int]:
    height, width = values
    return height, width
