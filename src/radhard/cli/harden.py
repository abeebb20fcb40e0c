"""`radhard harden`: a plan becomes the model that is deployed, a file."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from radhard.cli import options, outputs


def harden(
    ctx: typer.Context,
    model: options.Model,
    plan: Annotated[Path, typer.Option(help="the plan's file, which `radhard plan` made for this model")],
    data: options.Data = "fashion-mnist",
    data_root: options.DataRoot = None,
    split: options.Split = None,
    samples: options.Samples = None,
    data_seed: options.DataSeed = 0,
    calibration: options.Calibration = None,
    calibration_split: options.CalibrationSplit = None,
    skip_bad: options.SkipBad = False,
    labels: options.Labels = None,
    classes: options.Classes = None,
    scales: options.Scales = None,
    checkpoint: options.Checkpoint = None,
    checkpoint_key: options.CheckpointKey = None,
    pretrained: options.Pretrained = False,
    input_shape: options.InputShape = None,
    mean: options.Mean = None,
    std: options.Std = None,
    resize: options.Resize = None,
    crop_pct: options.CropPct = None,
    interpolation: options.Interpolation = None,
    anatomy: options.Anatomy = None,
    recipe: options.Recipe = "int8",
    policy: Annotated[
        Literal["raise", "warn", "recompute"], typer.Option(help="what is done about words that cannot be repaired")
    ] = "raise",
    out: Annotated[Path, typer.Option(help="the hardened model's file")] = Path("hardened.pt2"),
) -> None:
    """Write the model of a plan as a .pt2 file that checks and repairs itself: normalised images in, logits out.

    It loads with `torch.export.load` after `import torch, radhard.kernels`. Model, weights and data must be those that
    the plan was made for: they decide the scales of its words.
    """
    written = outputs.opened(ctx, out=(".pt2",))

    from radhard import deploy
    from radhard.cli.bench import prepared, source_of
    from radhard.cli.live import waiting
    from radhard.cli.notes import notes, output
    from radhard.protection import read_plan

    chosen = read_plan(plan)
    console = notes()
    bench = prepared(
        source_of(ctx.params),
        model,
        checkpoint=checkpoint,
        recipe=recipe,
        console=console,
        plans={f"plan {plan}": chosen},
    )
    program = bench.programs[recipe]
    chosen.check(program)
    with waiting("exporting", console=console):
        hardened = deploy.harden(program, chosen, policy=policy)
        written.end(out=lambda file: deploy.save_hardened(hardened, file))
    shape = ", ".join(map(str, program.input_shape))
    output().print(
        f"{out} holds {model} ({recipe}), {len(chosen.protection.sites)} sites protected. It takes images [B, {shape}] "
        f"float32, (pixel / 255 - mean) / std with mean {list(bench.mean)} and std {list(bench.std)}:",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    for line in ("import torch, radhard.kernels", f"model = torch.export.load({str(out)!r}).module()"):
        output().print(f"    {line}", highlight=False, markup=False, soft_wrap=True)
