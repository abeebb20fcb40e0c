"""What the commands that read images share: the choice of data, its progress, and what it left out."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from radhard.campaign.bench import Bench
from radhard.models.decode import Progress
from radhard.models.supply import DataChoice


def data_choice(
    data: str,
    *,
    root: Path | None,
    split: str,
    samples: int | None,
    seed: int,
    calibration: str | None,
    calibration_split: str,
    skip_bad: bool,
) -> DataChoice:
    """The options of `radhard.cli.options` as one value."""
    return DataChoice(
        data=data,
        root=root,
        split=split,
        samples=samples,
        seed=seed,
        calibration=calibration,
        calibration_split=calibration_split,
        bad="skip" if skip_bad else "stop",
    )


@contextmanager
def preparing(text: str, *, console: Console) -> Iterator[Progress | None]:
    """Show `text`, and images as they are decoded, while the work within goes on, if the console is a terminal."""
    if not console.is_terminal:
        yield None
        return
    with console.status(text) as status:
        yield lambda done, total: status.update(f"{text}: {done:,} of {total:,} images decoded")


def tell_data(bench: Bench, *, console: Console) -> None:
    """Say which images calibrated, and what was left out: every unreadable image by name, other files in short."""
    if not bench.data.names and not bench.data.skipped and not bench.data.remarks:
        return
    console.print(f"{bench.data.name}; int8 scales from {bench.calibrated_on}", highlight=False, markup=False)
    for remark in bench.data.remarks:
        console.print(remark, highlight=False, markup=False)
    if bench.data.skipped:
        names = ", ".join(bench.data.skipped)
        console.print(f"{len(bench.data.skipped)} image(s) could not be read and are left out: {names}", markup=False)
