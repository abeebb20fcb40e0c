"""The reference of the command line, from the parser: every command, its arguments and its options."""

import os
from collections import Counter
from collections.abc import Iterable
from itertools import groupby
from typing import Any

Row = tuple[str, str, str, str]
"""Panel, names, default, help."""

SHARED = 4
"""An option of so many commands, with one help and one default, is explained once for all of them."""


def cell(text: str) -> str:
    """Text for a cell of a table: on one line, with no bar and no mark-up of its own."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")


def default(option: Any) -> str:
    """The default as it would be typed; nothing where the help says what an absent option means."""
    value = option.default
    if value is None or value is False or value == () or not option.show_default:
        return ""
    return f"`{','.join(map(str, value)) if isinstance(value, list | tuple) else value}`"


def row(parameter: Any) -> Row:
    """One argument or option."""
    if parameter.param_type_name == "argument":
        name = parameter.metavar or parameter.name.upper()
        return "Arguments", f"`{name}`", default(parameter), parameter.help or ""
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    panel = parameter.rich_help_panel or "Options"
    return panel, names + (" (repeatable)" if parameter.multiple else ""), default(parameter), parameter.help or ""


def table(rows: Iterable[Row]) -> list[str]:
    """Options with their defaults and meanings."""
    lines = [f"| {names} | {shown} | {cell(said)} |" for _, names, shown, said in rows]
    return ["| option | default | what |", "|---|---|---|", *lines, ""]


def names_of(rows: Iterable[Row]) -> str:
    """The options of one panel that are explained elsewhere."""
    return ", ".join(names.replace(" (repeatable)", "") for _, names, _, _ in rows)


def usage(name: str, command: Any) -> str:
    """The command as it is typed."""
    arguments = (each for each in command.params if each.param_type_name == "argument")
    written = (each.metavar or each.name.upper() if each.required else f"[{each.metavar}]" for each in arguments)
    return f"    radhard {' '.join((name, *written))} [OPTIONS]"


def by_panel(rows: Iterable[Row]) -> list[tuple[str, list[Row]]]:
    """Rows by their panel, in the parser's order."""
    return [(panel, list(group)) for panel, group in groupby(rows, key=lambda each: each[0])]


def written() -> str:
    """The whole reference."""
    os.environ["COLUMNS"] = "120"
    import typer

    from radhard.cli.commands import app

    commands = typer.main.get_group(app).commands
    rows = {name: [row(each) for each in command.params] for name, command in commands.items()}
    uses = Counter(each for own in rows.values() for each in own)
    shared = dict.fromkeys(each for own in rows.values() for each in own if uses[each] >= SHARED)
    parts: list[str] = []
    for heading, group in groupby(commands.items(), key=lambda each: each[1].rich_help_panel):
        parts += [f"## {heading}", ""]
        for name, command in group:
            parts += [f"### radhard {name}", "", (command.help or "").strip(), "", usage(name, command), ""]
            own = [each for each in rows[name] if each not in shared]
            if own:
                parts += table(own)
            common = by_panel(each for each in rows[name] if each in shared)
            if common:
                parts += ["And [options that commands share](#options-that-commands-share):", ""]
                parts += [f"- {panel}: {names_of(inside)}" for panel, inside in common]
                parts += [""]
    parts += ["## Options that commands share", ""]
    order = list(dict.fromkeys(panel for panel, *_ in shared))
    for panel in order:
        parts += [f"### {panel}", "", *table(each for each in shared if each[0] == panel)]
    return "\n".join(parts).strip()
