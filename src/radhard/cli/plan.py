"""`radhard plan`: which products and operators of a model to protect, and how, within limits."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from radhard.cli import options, outputs, parse
from radhard.errors import InputError
from radhard.version import VERSION

if TYPE_CHECKING:
    from radhard.campaign.bench import Bench


def plan(
    ctx: typer.Context,
    model: options.Model,
    ber: Annotated[str, typer.Option(help="the bit error rate that the model must stand, such as 1e-8")],
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
    scheme: Annotated[
        str, typer.Option(help="how: a scheme and its options behind colons, such as lb-abft:policy=leave:ranges=none")
    ] = "row-abft",
    max_loss: Annotated[float, typer.Option(help="percentage points of clean accuracy that may be lost")] = 2.0,
    max_overhead: Annotated[
        float, typer.Option(help="operations of protection, in percent of the model's, by --weights")
    ] = 2.0,
    strategy: Annotated[
        Literal["algorithm1", "gain"],
        typer.Option(help="order: layers, then products by vulnerability (Algorithm 1), or by gain an operation"),
    ] = "algorithm1",
    grain: Annotated[
        Literal["site", "layer"], typer.Option(help="protect one product more at a time, or a layer's")
    ] = "site",
    frontier: Annotated[
        Literal["whole", "needed"], typer.Option(help="measure all steps, or until a limit is passed")
    ] = "whole",
    images: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="how many images choose the plan; none evaluates it. Default: 500, or a quarter of fewer than 2,000",
        ),
    ] = None,
    judge: Annotated[
        int | None,
        typer.Option(min=1, help="how many further images judge whether it meets the target; default: as many"),
    ] = None,
    level: Annotated[
        float, typer.Option(help="confidence of a target called met: of one-sided limits, in percent")
    ] = 95.0,
    trials: Annotated[int, typer.Option(min=1, help="how often each image is run")] = 1,
    recipe: options.Recipe = "int8",
    kinds: options.Kinds = options.DEFAULT_KINDS,
    layer: options.Layers = None,
    module: options.Modules = None,
    operator: options.Operators = None,
    site: options.Sites = None,
    except_: options.Except = False,
    seed: options.Seed = 0,
    words: options.WordsText = options.DEFAULT_WORDS,
    weights: options.WeightsText = options.DEFAULT_WEIGHTS,
    batch: options.Batch = 100,
    device: options.Device = "cpu",
    chunk: options.Chunk = 100,
    store: Annotated[Path | None, typer.Option(help="keep outcomes in this file, and go on from it")] = None,
    out: Annotated[Path, typer.Option(help="the plan's file")] = Path("plan.json"),
    beside: Annotated[list[Path] | None, typer.Option(help="draw this plan's frontier too; repeatable")] = None,
    csv: Annotated[Path | None, typer.Option(help="write the frontier to this .csv file")] = None,
    plot: Annotated[Path | None, typer.Option(help="draw accuracy over overhead into this .png or .svg file")] = None,
    json_: options.Json = False,
) -> None:
    """Choose a protection by Algorithm 1 (or by gain an operation) that keeps the accuracy within an overhead.

    Some images choose, others judge: the target is met if the upper limit of the loss on these is within it, not met
    if the lower one is beyond it; else they cannot tell, and how many would is said. Targets that cannot be met end
    with the most protected plan within the overhead, and say which limit was in the way.
    """
    rate = parse.rate(ber)
    if rate == 0:
        raise InputError("--ber 0: nothing flips, and nothing needs protection; give a rate above 0")
    lost, most = parse.percent(max_loss, option="--max-loss"), parse.percent(max_overhead, option="--max-overhead")
    each, sure = parse.weights(weights), parse.percent(level, option="--level")
    if not 50 < level < 99.9:
        raise InputError(f"--level {level:g}: give the confidence in percent, above 50 and below 99.9, such as 95")
    others = parse.files(list(beside or []), option="--beside", suffix=".json")
    written = outputs.opened(ctx, out=(".json",))

    from radhard.analysis.choosing import Chooser, Limits
    from radhard.analysis.noninferiority import images_needed
    from radhard.analysis.ordering import Ordering
    from radhard.analysis.overhead import Weights
    from radhard.campaign.bench import faulty_setting, shared
    from radhard.campaign.executor import InProcess
    from radhard.cli.bench import opened, prepared, source_of
    from radhard.cli.live import Course, following
    from radhard.cli.notes import notes, output
    from radhard.cli.selection import selection, words_of
    from radhard.machine.device import device_name
    from radhard.models.data.splits import check_labelled
    from radhard.protection import read_method, read_plan, write_plan
    from radhard.report.frontier import frontier_data, write_frontier
    from radhard.report.frontier_figure import draw_frontier
    from radhard.report.plan import plan_summary, plan_table
    from radhard.studies.planning import Planner, plan_of

    method, chosen, exposed = read_method(scheme), selection(ctx.params), words_of(words)
    drawn = [read_plan(path) for path in others]
    for path, other in zip(others, drawn, strict=True):
        try:
            frontier_data([other])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"--beside {path}: its frontier is damaged ({error!r}); make the plan again") from error
    console = notes()
    limits = Limits(loss=lost, overhead=most, level=sure)
    source = source_of(ctx.params, part="select")
    with opened(store) as kept:
        asked = None if images is None else images + (judge or images)
        whole = prepared(source, model, checkpoint=checkpoint, recipe=recipe, images=asked, console=console, store=kept)
        check_labelled(whole.data, doing="plan")
        choosing = images or min(500, max(1, len(whole.data) // 4))
        judging = judge or choosing
        if choosing + judging > len(whole.data):
            raise InputError(
                f"{choosing} images are to choose and {judging} to judge, {whole.data.name} has {len(whole.data)}: ask "
                "for fewer (--images, --judge)"
            )
        console.print(f"{choosing:,} images choose, {judging:,} others judge (--images, --judge)")
        if lost and (least := images_needed(lost, level=sure)) > judging:
            console.print(
                f"{judging} images that judge cannot show that at most {max_loss:g} points are lost, whatever they "
                f"answer: at {level:g} % that takes {least:,.0f} of which no answer differs, and more where some do "
                "(--judge)",
                highlight=False,
                markup=False,
            )
        following_ = following(Course(model=model), console=console)

        def on(bench: "Bench", count: int) -> Ordering:
            return Ordering(
                bench=bench,
                plain=faulty_setting(
                    bench, recipe, ber=rate, kinds=chosen.kinds, where=chosen.where, seed=seed, words=exposed
                ),
                images=count,
                trials=trials,
                store=kept,
                executor=InProcess(bench=bench, batch=batch),
                follow=following_,
            )

        choosers, judges = shared(whole, choosing, judging)
        chooser = Chooser(
            ordering=on(choosers, choosing),
            hardening=whole.hardening(recipe, words=exposed),
            method=method,
            limits=limits,
            weights=Weights(**each),
            strategy=strategy,
            grain=grain,
            frontier=frontier,
            chunk=chunk,
        )
        planner = Planner(chooser=chooser, judging=on(judges, judging))
        found = plan_of(planner, planner.plan())

    def show() -> None:
        if json_:
            made = {"radhard": VERSION, "command": ctx.meta["command"]}
            record = {**made, "device": device_name(whole.device), "plan": found.as_dict()}
            typer.echo(json.dumps(record, allow_nan=False))
            return
        shown = output()
        if found.protection.sites:
            shown.print(plan_table(found))
        for line in plan_summary(found):
            shown.print(line, highlight=False, markup=False, soft_wrap=True)

    written.end(
        show,
        out=lambda file: write_plan(found, file),
        csv=lambda file: write_frontier([found], file),
        plot=lambda file: draw_frontier(frontier_data([found, *drawn]), file),
    )
    if not json_:
        then = f"; `radhard evaluate {model} --plan {out}` measures it on other images" * bool(found.protection.sites)
        line = f"The plan is {out}{then}."
        output().print(line, highlight=False, markup=False, soft_wrap=True)
