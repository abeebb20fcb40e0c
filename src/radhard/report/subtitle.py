"""The subtitle of figures over bit error rates: faults, images, trials."""

from collections.abc import Collection, Iterable

from radhard.campaign.experiment import Setting
from radhard.errors import InputError
from radhard.hardware import event_of, read_fault_model


def setting_lines(setting: Setting, *, sizes: Collection[int], images: int, place: str = "") -> str:
    """Two lines: recipe, flips (in a `place`, such as ` of selected sites`) and words; data and answers a point.

    `sizes`: numbers of answers of all points, of some of the first `images`.
    """
    model = setting.fault_model_text
    faults = fault_line(setting.recipe, kinds=setting.kinds, words=setting.words.name, place=place, fault_model=model)
    return f"{faults}\n{setting.data}, {answers_line(sizes, images=images)}"


def fault_line(
    recipe: str, *, kinds: Iterable[str], words: str, place: str = "", fault_model: str | None = None
) -> str:
    """`recipe int8, flips in add, mul, words product=int16,accumulator=int32`, or what a fault model, a text, hits."""
    if fault_model is not None:
        return f"recipe {recipe}, one {_event(fault_model)}{place}"
    return f"recipe {recipe}, flips in {', '.join(sorted(kinds)) or 'nothing'}{place}, words {words}"


def _event(fault_model: str) -> str:
    """`upset an inference of ...`; by its text where a file that it names is not here, as beside records of others."""
    try:
        model = read_fault_model(fault_model)
    except InputError:
        return f"upset an inference of {fault_model}"
    return f"{event_of(model)} an inference of {model.title}"


def answers_line(sizes: Collection[int], *, images: int) -> str:
    """`n = 100 to 500 answers a point on 100 images`."""
    return f"{_answers(sizes)} answers a point on {images:,} images"


def _answers(sizes: Collection[int]) -> str:
    """`n = 100`, `n = 100 to 500`, or `no point`."""
    if not sizes:
        return "no point"
    least, most = min(sizes), max(sizes)
    return f"n = {least:,}" if least == most else f"n = {least:,} to {most:,}"
