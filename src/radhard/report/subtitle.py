"""The subtitle of figures over bit error rates: faults, images, trials."""

from collections.abc import Collection

from radhard.campaign.experiment import Setting


def setting_lines(setting: Setting, *, sizes: Collection[int], images: int, place: str = "") -> str:
    """Two lines: recipe, flips (in a `place`, such as ` of selected sites`) and words; data and answers a point.

    `sizes`: numbers of answers of all points, of some of the first `images`.
    """
    return (
        f"recipe {setting.recipe}, flips in {', '.join(sorted(setting.kinds)) or 'nothing'}{place}, words "
        f"{setting.words.name}\n{setting.data}, {_answers(sizes)} answers a point on {images:,} images"
    )


def _answers(sizes: Collection[int]) -> str:
    """`n = 100`, `n = 100 to 500`, or `no point`."""
    if not sizes:
        return "no point"
    least, most = min(sizes), max(sizes)
    return f"n = {least:,}" if least == most else f"n = {least:,} to {most:,}"
