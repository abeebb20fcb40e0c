"""`radhard models`: the models that are shipped, and where other names come from."""

import json
from typing import Annotated

import typer

from radhard.cli.options import OutputOptions
from radhard.cli.signature import taken
from radhard.version import VERSION


def models(ctx: typer.Context, output: Annotated[OutputOptions, taken(only=("json_",))]) -> None:
    """List the models that are shipped, with their accuracies, and say where other names of models come from."""
    from radhard.cli.notes import output as results
    from radhard.report.zoo import form_records, forms_table, shipped, shipped_record, zoo_table

    found = shipped()
    if output.json_:
        record = {"radhard": VERSION, "command": ctx.meta["command"], "models": [shipped_record(one) for one in found]}
        typer.echo(json.dumps({**record, "names": form_records()}, allow_nan=False))
        return
    console = results()
    console.print(zoo_table(found))
    console.print(forms_table())
