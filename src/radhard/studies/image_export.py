"""The verb `export`: the outcomes of a store image by image, as a table in a file."""

from pathlib import Path

from radhard.campaign.image_rows import image_rows
from radhard.campaign.store import Store


def export(store: Store | str | Path, file: str | Path) -> int:
    """Write one row an image, trial and setting of `store` to a .parquet or .csv `file` -> how many rows.

    docs/export.md lists the columns. Rows are ordered by setting, trial and image and written in parts, so that the
    memory it takes does not depend on how many there are. A file that is there is replaced once the table is whole.
    StoreError for a store that does not exist, and for a unit that is damaged; InputError for another ending; OSError
    as files raise.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 4)).eval()
    >>> images = torch.randn(40, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    >>> folder = Path(tempfile.mkdtemp())
    >>> run = rh.RunOptions(images=10, trials=2, store=folder / "run.db")
    >>> _ = rh.sweep(model, (images, model(images).argmax(1)), ber=1e-4, run=run)
    >>> rh.export(folder / "run.db", folder / "images.csv")
    40
    """
    from radhard.report.image_table import write_images

    target = Path(file)
    draft = target.with_name(f".{target.stem}.part{target.suffix}")
    try:
        if isinstance(store, Store):
            count = write_images(image_rows(store), draft)
        else:
            with Store(Path(store), mode="read") as opened:
                count = write_images(image_rows(opened), draft)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return count
