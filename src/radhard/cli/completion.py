"""Shell completion of option values. It avoids importing torch, except for names that only torch's libraries know."""

from collections.abc import Iterable
from pathlib import Path

import radhard

RECIPES = ("int8", "int8-symmetric", "int8-float", "pt2e", "float")
DEVICES = ("cpu", "cuda", "auto")
_LEAST = 3  # characters of a name before timm's thousand are offered


def models(incomplete: str) -> list[str]:
    """Names of the zoo and of the other sources; of timm and torchvision once the name's beginning is written."""
    prefix, colon, name = incomplete.partition(":")
    if prefix == "torchvision" and colon:
        from radhard.models.vision import import_torchvision

        import_torchvision()
        import torchvision.models

        return [f"torchvision:{each}" for each in torchvision.models.list_models(torchvision.models, f"{name}*")]
    near = _beginning(incomplete, [*sorted(zoo()), "timm:", "torchvision:", "hf:"])
    if near or (colon and prefix != "timm") or len(incomplete) < _LEAST:
        return near
    from radhard.models.vision import import_timm

    found = import_timm().list_models(f"{name if colon else prefix}*")
    return [f"timm:{each}" for each in found] if colon else list(found)


def zoo() -> list[str]:
    """The models whose weights are shipped."""
    return [file.stem for file in (Path(radhard.__file__).parent / "models" / "weights").glob("*.safetensors")]


def recipes(incomplete: str) -> list[str]:
    """The ways to quantise a model."""
    return _beginning(incomplete, RECIPES)


def devices(incomplete: str) -> list[str]:
    """Where a model can run."""
    return _beginning(incomplete, DEVICES)


def schemes(incomplete: str) -> list[str]:
    """Names of schemes; after a comma another one."""
    from radhard.protection.planning.method import methods

    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in _beginning(last, methods())]


def fault_models(incomplete: str) -> list[str]:
    """Names of fault models."""
    from radhard.hardware import fault_models as every

    return _beginning(incomplete, [entry.name for entry in every()])


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
