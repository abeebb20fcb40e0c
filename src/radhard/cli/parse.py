"""Parsers of option values (lists, ranges, grids). Errors name the value, the mistake and the fix."""

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast, get_args

from radhard import strict_json
from radhard.errors import InputError

if TYPE_CHECKING:
    from radhard.analysis.overhead import Weights
    from radhard.machine import Kind
    from radhard.models.data.preprocessing import PixelSize
    from radhard.models.loaded import ImageShape
    from radhard.program import Overrides
    from radhard.words import Words

LARGEST = 1e6
"""A mean or standard deviation of pixels in [0, 1] is no larger, nor a deviation smaller than one over it."""

MOST_PIXELS = 2**26
"""Words of one image, over all its channels: 8,192 x 8,192 of one."""

MOST_POINTS = 1000
"""Bit error rates of one range."""

_MOST_PATCHES = 4096
_RATES = "write a list such as 1e-9,1e-8, or a range such as 1e-9:1e-5:9 (from:to:number of points)"


def rate(text: str) -> float:
    """`1e-9` -> 1e-9, a bit error rate in [0, 1]."""
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"--ber: {text!r} is not a number; {_RATES}") from None
    if not 0 <= value <= 1:
        raise InputError(f"--ber: {text} is not in [0, 1]; a bit error rate is a probability")
    return value


def rates(text: str) -> tuple[float, ...]:
    """`1e-9,1e-8` or `1e-9:1e-5:9` -> bit error rates; a range is even in the logarithm, to 4 digits."""
    parts = text.split(":")
    if len(parts) == 1:
        values = tuple(rate(part) for part in text.split(","))
        if len(set(values)) != len(values):
            raise InputError(f"--ber {text}: a rate is given twice; give each once")
        return values
    if len(parts) != 3:
        raise InputError(f"--ber {text}: a range has three parts, this has {len(parts)}; {_RATES}")
    low, high = rate(parts[0]), rate(parts[1])
    points = whole(parts[2], most=MOST_POINTS)
    if points is None or points < 2:
        raise InputError(
            f"--ber {text}: {parts[2]!r} is not a number of points, at least 2 and at most {MOST_POINTS}; {_RATES}"
        )
    if not 0 < low < high:
        raise InputError(f"--ber {text}: a range rises from more than 0; {_RATES}")
    from radhard.campaign.rates import even_in_logarithm

    return even_in_logarithm(low, high, points=points)


def counts(text: str, *, ber: str | None) -> tuple[int, ...]:
    """`1` or `1,2,4` -> numbers of flips an inference; InputError beside `ber`, a rate."""
    if ber is not None:
        raise InputError(f"--ber {ber} with --flips {text}: a rate and a count together; leave one of the two out")
    found = [whole(part) for part in text.split(",")]
    values = tuple(value for value in found if value)
    if len(values) < len(found):
        raise InputError(f"--flips {text}: write a number of flips an inference, at least 1, or a list such as 1,2,4")
    if len(set(values)) < len(values):
        raise InputError(f"--flips {text}: a number is given twice; give each once")
    return values


def check_upset(model: str | None, *, ber: str | None, flips: str | None) -> None:
    """Raise InputError for a text that is no fault model, and for one beside a rate, or a number of flips but 1."""
    if model is None:
        return
    for option, given in (("--ber", ber), ("--flips", flips)):
        if given is not None and (option, given.strip()) != ("--flips", "1"):
            raise InputError(
                f"{option} {given} with --faults {model}: a fault model has one upset an inference; leave {option} out"
            )
    from radhard.hardware import read_fault_model

    read_fault_model(model)


def whole(text: str, *, most: int = 10**9) -> int | None:
    """`12` -> 12; None for what is no whole number from 0 to `most`, however many digits it has."""
    digits = text.strip()
    if not (digits.isascii() and digits.isdecimal()) or len(digits.lstrip("0")) > len(str(most)):
        return None
    return int(digits) if int(digits) <= most else None


def kinds(text: str) -> "frozenset[Kind]":
    """`mul,add` -> the kinds of operations that are exposed."""
    from radhard.machine import Kind

    known = get_args(Kind)
    names = {part.strip() for part in text.split(",") if part.strip()}
    if unknown := sorted(names - set(known)):
        raise InputError(f"--kinds: {unknown[0]!r} is not a kind of operation; choose from {', '.join(known)}")
    if not names:
        raise InputError(f"--kinds {text!r} names nothing that could flip; choose from {', '.join(known)}")
    return cast("frozenset[Kind]", frozenset(names))


def words(text: str) -> "Words":
    """`product=int16,accumulator=int32` -> Words."""
    from radhard.words import Words

    return Words.from_dict(fields(text, option="--words"))


def anatomy(text: str) -> "Overrides":
    """A .json or .toml file, or JSON in braces -> what it says of sites. Errors are those of `read_overrides`."""
    from radhard.program import Overrides, read_overrides

    return Overrides.from_dict(strict_json.loads(text)) if text.startswith("{") else read_overrides(Path(text))


def fields(text: str, *, option: str, example: str = "product=int16,accumulator=int32") -> dict[str, str]:
    """`product=int16,accumulator=int32` -> the two as a dict."""
    found: dict[str, str] = {}
    for part in text.split(","):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not (key and equals and value):
            raise InputError(f"{option} {text}: {part!r} is not name=value; write {example}")
        if key in found:
            raise InputError(f"{option} {text}: {key!r} is given twice; give it once")
        found[key] = value
    return found


def schemes(text: str) -> tuple[str, ...]:
    """`lb-abft:policy=leave,tmr` -> the schemes, as `read_method` reads each."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def weights(text: str) -> "Weights":
    """`mul=1,add=1,cmp=0` -> how much each operation counts; what is not named counts 1."""
    from radhard.analysis.overhead import Weights

    found = {"mul": 1.0, "add": 1.0, "cmp": 1.0}
    for key, value in fields(text, option="--weights", example="mul=1,add=1,cmp=0").items():
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if key not in found or not 0 <= number < float("inf"):
            raise InputError(f"--weights {text}: {key}={value} is no weight of mul, add or cmp, a number from 0 on")
        found[key] = number
    return Weights(**found)


def files(paths: list[Path], *, option: str, suffix: str) -> list[Path]:
    """Files, and for a folder the files in it that end in `suffix`, by name."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(path.glob(f"*{suffix}"))
            if not inside:
                raise InputError(f"{option} {path}: no file in this folder ends in {suffix}")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise InputError(f"{option} {path}: there is no such file or folder; check the path")
    return found


def fraction(text: str) -> tuple[int, int]:
    """`3/16` -> (3, 16)."""
    index, slash, of = text.partition("/")
    part, parts = whole(index), whole(of)
    if not slash or part is None or parts is None or not 1 <= part <= parts:
        raise InputError(f"--shard {text}: write i/n with i from 1 to n, such as 3/16")
    return part, parts


def models(names: list[str]) -> list[str]:
    """The models, each of them once."""
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"model {twice[0]!r} is given twice; give each once")
    return names


def of_models(texts: list[str], *, models: list[str], option: str = "--checkpoint") -> dict[str, str]:
    """`fashion-vit=vit.safetensors` -> the file of each model that has one; a single model needs no name."""
    found: dict[str, str] = {}
    for text in texts:
        named = next((model for model in models if text.startswith(f"{model}=")), None)
        if named is None and len(models) > 1:
            raise InputError(
                f"{option} {text}: it names none of the models; write {models[0]}=FILE, or that of another of "
                f"{', '.join(models)}"
            )
        model, file = (models[0], text) if named is None else (named, text.removeprefix(f"{named}="))
        if model in found:
            raise InputError(f"{option} {text}: {model} has {found[model]} already; give each model one file")
        found[model] = file
    return found


def grid(text: str) -> tuple[int, int]:
    """`7x7` -> (7, 7), rows and columns of patches."""
    rows, times, columns = text.partition("x")
    size = whole(rows), whole(columns)
    if not times or size[0] is None or size[1] is None or not 1 <= size[0] * size[1] <= _MOST_PATCHES:
        raise InputError(f"--grid {text}: write rows x columns of patches, {_MOST_PATCHES} at most, such as 7x7")
    return size[0], size[1]


def duration(text: str) -> float:
    """`20m` -> 1,200 seconds; `90s`, `2h`, `1h30m`, `45` (seconds). InputError for what is none."""
    found = re.fullmatch(r"(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s?)?", text.strip(), re.ASCII)
    hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    if not (total := 3600 * hours + 60 * minutes + seconds):
        raise InputError(f"--budget {text}: write a time above 0, such as 20m, 90s, 2h or 1h30m")
    return float(total)


def width(points: float) -> float:
    """`0.5`, percentage points of an interval, from above 0 to 100."""
    if not 0 < points <= 100:
        raise InputError(f"--until-width {points:g}: give percentage points above 0 and up to 100, such as 0.5")
    return points


def losses(text: str) -> tuple[float, ...]:
    """`10,20,30`, percentage points of accuracy -> the numbers."""
    found = []
    for part in text.split(","):
        try:
            points = float(part)
        except ValueError:
            raise InputError(f"--loss: {part!r} is not a number; write percentage points such as 10,20,30") from None
        if not 0 < points < 100:
            raise InputError(f"--loss: {part} is not between 0 and 100; write percentage points such as 10,20,30")
        found.append(points)
    if len(set(found)) != len(found):
        raise InputError(f"--loss {text}: a loss is given twice; give each once")
    return tuple(found)


def shape(text: str) -> "ImageShape":
    """`3,224,224` -> (3, 224, 224)."""
    parts = [part.strip() for part in text.split(",")]
    sizes = [whole(part, most=MOST_PIXELS) for part in parts]
    if len(sizes) != 3 or not all(sizes) or math.prod(size or 0 for size in sizes) > MOST_PIXELS:
        raise InputError(
            f"--input-shape {text}: write channels,height,width, such as 3,224,224, together {MOST_PIXELS:,} at most"
        )
    channels, height, width = (size or 0 for size in sizes)
    return channels, height, width


def edges(text: str) -> "int | PixelSize | Literal['none']":
    """`248` -> 248, `32x48` -> (32, 48), height first, `none` -> "none"."""
    if text == "none":
        return "none"
    height, times, width = text.partition("x")
    if not (height.isdecimal() and int(height)) or (times and not (width.isdecimal() and int(width))):
        raise InputError(
            f"--resize {text}: write pixels of the shorter edge, such as 248, of both, such as 32x32, or none"
        )
    return (int(height), int(width)) if times else int(height)


def mean(text: str) -> tuple[float, ...]:
    """`0.485,0.456,0.406` -> the numbers."""
    return numbers(text, option="--mean")


def std(text: str) -> tuple[float, ...]:
    """`0.229,0.224,0.225` -> the numbers, all above 0."""
    return numbers(text, option="--std")


def numbers(text: str, *, option: str) -> tuple[float, ...]:
    """`0.5` or `0.485,0.456,0.406` -> the numbers; those of --std are above 0."""
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"{option} {text}: write one number, or one a channel, such as 0.485,0.456,0.406") from None
    for number in found:
        if not abs(number) <= LARGEST or (option == "--std" and not number >= 1 / LARGEST):
            least = f"{1 / LARGEST:g}" if option == "--std" else f"{-LARGEST:g}"
            raise InputError(f"{option} {text}: {number:g} is not in the range of pixels, {least} to {LARGEST:g}")
    return found
