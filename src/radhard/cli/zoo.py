"""`radhard models`: lists the shipped models and the other sources of models."""

from typing import Annotated

import typer

from radhard.cli.options import OutputOptions
from radhard.cli.signature import taken


def models(ctx: typer.Context, output: Annotated[OutputOptions, taken(only=("json_", "wide"))]) -> None:
    """List the shipped models with their accuracies, and the forms of other model names."""
    from radhard.cli.notes import show, show_json
    from radhard.report.record import Envelope
    from radhard.report.zoo import form_records, forms_table, shipped, shipped_record, zoo_table

    found = shipped()
    if output.json_:
        show_json(
            Envelope(
                command=ctx.meta["command"],
                settings={},
                models=[shipped_record(each) for each in found],
                beside={"names": form_records()},
            )
        )
    else:
        show([zoo_table(found), forms_table()], options=output)
