"""`radhard harden`: writes the hardened model of a plan to a file."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from radhard.cli import files, options
from radhard.cli.spelling import OUTPUT, PROTECTION
from radhard.studies.options import DataOptions, ModelOptions


def harden(
    ctx: typer.Context,
    model: options.ModelArgument,
    plan: Annotated[
        Path,
        typer.Option(help="the plan's file, which `radhard plan` made for this model", rich_help_panel=PROTECTION),
    ],
    model_options: ModelOptions,
    data_options: DataOptions,
    data: options.DataOption = "fashion-mnist",
    policy: Annotated[
        Literal["raise", "warn", "recompute"],
        typer.Option(help="reaction to uncorrectable words", rich_help_panel=PROTECTION),
    ] = "raise",
    out: Annotated[Path, typer.Option(help="the hardened model's file", rich_help_panel=OUTPUT)] = Path("hardened.pt2"),
) -> None:
    """Write the hardened model of a plan as a .pt2 file: normalised images in, logits out, checks and repairs inside.

    It loads with `torch.export.load` after `import torch, radhard.kernels`. Model, weights and data must be those of
    the plan, since they determine its scales. The recipe is that of the plan.
    """
    written = files.to_write(ctx, out=out, suffixes=(".pt2",))

    from radhard import deploy
    from radhard.cli.live import of_each, waiting
    from radhard.cli.notes import notes, show
    from radhard.protection import read_plan
    from radhard.studies.evaluation import plans_recipe
    from radhard.studies.under_test import under_test

    chosen, console = read_plan(plan), notes()
    recipe = plans_recipe([chosen], model_options, model=model)
    (model_under_test,) = of_each(
        {model: replace(model_options, recipe=recipe)},
        lambda name, own, report: under_test(
            name,
            data,
            model_options=own,
            data_options=data_options,
            plans={f"plan {plan}": chosen},
            progress=report,
        ),
        console=console,
    )
    program = model_under_test.programs[recipe]
    chosen.check(program)
    with waiting("exporting", console=console):
        hardened = deploy.harden(program, chosen, policy=policy)
        written.end(out=lambda file: deploy.save_hardened(hardened, file))
    shape = ", ".join(map(str, program.input_shape))
    show(
        [
            f"{out} holds {model} ({recipe}), {len(chosen.protection.sites)} sites protected. It takes images [B, "
            f"{shape}] float32, (pixel / 255 - mean) / std with mean {list(model_under_test.mean)} and std "
            f"{list(model_under_test.std)}:",
            "    import torch, radhard.kernels",
            f"    model = torch.export.load({str(out)!r}).module()",
        ]
    )
