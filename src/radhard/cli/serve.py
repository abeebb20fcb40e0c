"""`radhard serve`: the report of a store, live while a campaign fills it."""

from pathlib import Path
from typing import Annotated

import typer

from radhard.cli.spelling import OUTPUT


def serve(
    file: Annotated[Path, typer.Argument(help="the store to watch; it is not changed")],
    port: Annotated[
        int,
        typer.Option(min=0, max=65535, help="port on loopback; 0: any that is free", rich_help_panel=OUTPUT),
    ] = 8760,
) -> None:
    """Show a store's report in a browser, live: units done, accuracy so far with its interval, results as they come.

    The page is served on this machine's loopback address alone, and only reads. Ctrl-C ends it. From another machine:
    ssh -L 8760:127.0.0.1:8760 HOST. Needs the extra `report`: pip install 'radhard[report]'.
    """
    from radhard.cli.notes import notes, show
    from radhard.studies.serving import LOOPBACK, serving

    with serving(file, port=port) as server:
        show([f"{file} is served at http://{LOOPBACK}:{server.server_address[1]}/ (Ctrl-C ends it)"])
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            notes().print("stopped")
