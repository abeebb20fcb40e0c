"""`radhard cache`: the programs that are kept, and removing them."""

from typing import Annotated

import typer

from radhard.cli.spelling import OUTPUT


def cache(
    limit: Annotated[
        str | None,
        typer.Option(
            help="remove what was not used for longest until the programs take no more than so many bytes, such as 5G",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="remove everything", rich_help_panel=OUTPUT)] = False,
) -> None:
    """List the programs that are kept, so that no model is captured, calibrated and quantised twice; or remove them.

    They are in the folder that RADHARD_CACHE names, and take up to RADHARD_CACHE_LIMIT bytes (docs/cache.md).
    """
    from radhard.campaign.cache.folder import VARIABLE, Folder, folder_named, limit_named, read_bytes
    from radhard.cli.notes import show
    from radhard.report.cache import cache_table, size

    path = folder_named()
    if path is None:
        show([f"no programs are kept: {VARIABLE} is none"])
        return
    folder = Folder(path)
    if clear:
        show([f"{path}: {size(folder.clear())} removed"])
        return
    if limit is not None:
        removed = folder.trim(read_bytes(limit, of="--limit"))
        show([f"{path}: {len(removed)} programs removed, {size(sum(each.bytes for each in removed))}"])
    programs = folder.programs()
    if not programs:
        show([f"{path} holds no programs"])
        return
    total = size(sum(each.bytes for each in programs))
    show([cache_table(programs, title=str(path)), f"{total} of {size(limit_named())}"])
