"""`radhard compare`: schemes against each other under the same faults, accuracy and overhead of each."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from radhard.cli import options, outputs, parse
from radhard.cli.options import OutputOptions
from radhard.cli.signature import taken
from radhard.cli.spelling import FAULTS, PROTECTION, RUN
from radhard.errors import InputError
from radhard.studies.options import DataOptions, FaultOptions, RunOptions

if TYPE_CHECKING:
    from radhard.analysis.configurations import Configuration, Evaluation
    from radhard.campaign.bench import Bench
    from radhard.campaign.experiment import Setting
    from radhard.cli.live import Course

BASELINES = "lb-abft:policy=leave,lb-abft,standard-abft,huang-abraham,intensity-ideal,intensity-measured,tmr,row-abft"


def compare(
    ctx: typer.Context,
    models: options.Models,
    data_options: DataOptions,
    faults: FaultOptions,
    run: Annotated[
        RunOptions,
        taken(
            but=("shard", "until_width"),
            helps={
                "chunk": "images a unit of work: a killed run loses these; the interval of overhead is of units",
            },
            trials=1,
            batch=100,
            chunk=100,
        ),
    ],
    output: Annotated[
        OutputOptions,
        taken(
            helps={
                "csv": "write one row a scheme and BER to this .csv file",
                "plot": "draw accuracy and overhead into this .png or .svg file",
            }
        ),
    ],
    schemes: Annotated[
        str,
        typer.Option(
            help="schemes with options behind colons, such as lb-abft:policy=leave:checks=immune,tmr",
            rich_help_panel=PROTECTION,
        ),
    ] = BASELINES,
    data: options.Data = "fashion-mnist",
    ber: Annotated[
        str | None,
        typer.Option(
            help="1e-9,1e-8 or 1e-9:1e-5:9; default: each model's whole curve, by its exposed bits",
            rich_help_panel=FAULTS,
        ),
    ] = None,
    extent: Annotated[
        Literal["all", "needed"],
        typer.Option(
            help="each scheme on all products, or on those of the most vulnerable layers, until surely no more than "
            "--max-loss is lost; the same for every scheme",
            rich_help_panel=PROTECTION,
        ),
    ] = "all",
    max_loss: Annotated[
        float, typer.Option(help="percentage points, the target of --extent needed", rich_help_panel=PROTECTION)
    ] = 2.0,
    select: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="images on which --extent needed chooses layers; none evaluates. Default: 300, or a quarter of fewer "
            "than 1,200",
            rich_help_panel=RUN,
        ),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(
            help="the scheme that the others are paired with; default: the first of --schemes",
            rich_help_panel=PROTECTION,
        ),
    ] = None,
    margin: Annotated[
        float,
        typer.Option(
            help="percentage points: two schemes are equivalent if their accuracies surely differ by less",
            rich_help_panel=PROTECTION,
        ),
    ] = 2.0,
    weights: options.Weights = options.DEFAULT_WEIGHTS,
) -> None:
    """Measure schemes on the products of a model, all under the same faults, and as far as each other.

    Each is compared with --reference: the difference of accuracies is paired, its interval holds for all schemes at a
    rate together, and two one-sided tests say whether two are equivalent within --margin.
    Ranges of non-linear operators go with every scheme, unless it says ranges=none. A block is the one that costs least
    at the bit error rate. Checks are those of one image at a time.
    """
    each, where, recipe = models.each, faults.where, models.shared.recipe
    rates = None if ber is None else parse.rates(ber)
    counts, lost = parse.weights(weights), parse.percent(max_loss, option="--max-loss")
    texts = [text.strip() for text in schemes.split(",") if text.strip()]
    if not texts or len(set(texts)) != len(texts):
        raise InputError(f"--schemes {schemes!r}: name one scheme or more, each once")
    other = texts[0] if reference is None else reference.strip()
    if other not in texts:
        raise InputError(f"--reference {other}: it is none of --schemes; choose from {', '.join(texts)}")
    share = parse.percent(margin, option="--margin")
    if not 0 < share < 1:
        raise InputError(f"--margin {margin:g}: give percentage points above 0 and below 100, such as 2")
    written = outputs.opened(ctx, csv=output.csv, plot=output.plot, store=run.store)

    from radhard.analysis.overhead import Weights
    from radhard.analysis.pairs import Pairing
    from radhard.campaign.bench import faulty_setting
    from radhard.campaign.executor import InProcess
    from radhard.campaign.held_out import before_any, check_apart, fingerprints
    from radhard.campaign.rates import whole_curve
    from radhard.cli.bench import counted, of_each, opened, prepared, source_of
    from radhard.cli.conditions import Bed, show
    from radhard.cli.live import following
    from radhard.cli.notes import notes
    from radhard.models.data.splits import check_labelled
    from radhard.protection import read_method
    from radhard.studies.baselines import Baselines, Needed
    from radhard.studies.ordering import Ordering

    methods = [read_method(text) for text in texts]
    pairing = Pairing(reference=methods[texts.index(other)].title, margin=share)
    console, costs = notes(), Weights(**counts)
    with opened(run.store) as kept:
        bed = Bed(trials=run.trials, chunk=run.chunk, batch=run.batch, weights=costs, store=kept, console=console)

        def measured(bench: "Bench", course: "Course") -> "Evaluation":
            def at(rate: float, of: "Bench" = bench) -> "Setting":
                return faulty_setting(
                    of, recipe, ber=rate, kinds=faults.kinds, where=where, seed=faults.seed, words=faults.words
                )

            check_labelled(bench.data, doing="compare")
            needed, taken = None, counted(bench, run.images, default=options.DEFAULT_IMAGES, console=console)
            if extent == "needed":
                apart = prepared(
                    source_of(data, data_options, faults=faults, device=run.device, part="select"),
                    bench.model,
                    each[bench.model],
                    images=select,
                    console=console,
                    store=kept,
                )
                choose = counted(apart, select, default=min(300, max(1, len(apart.data) // 4)), console=console)
                if run.images is None:
                    taken = before_any(bench.data, seen=[fingerprints(apart.data, images=choose)], most=taken)
                    console.print(
                        f"the first {taken:,} of them evaluate: the next one chooses layers (--images, --select)"
                    )
                check_apart(bench.data, images=taken, chosen=apart.data, select=choose)
                choosing = Ordering(
                    bench=apart,
                    plain=at(0.0, apart),
                    images=choose,
                    trials=run.trials,
                    store=kept,
                    executor=InProcess(bench=apart, batch=run.batch),
                    follow=following(course, console=console),
                )
                needed = Needed(choosing=choosing, loss=lost)
            baselines = Baselines(
                hardening=bench.hardening(recipe, words=faults.words),
                methods=tuple(methods),
                weights=costs,
                needed=needed,
            )
            wanted = [rate for rate in rates or whole_curve(at(0.0).bits, recipe=recipe, points=5) if rate > 0]
            configurations: list[Configuration] = []
            for rate in wanted:
                under = baselines.configurations(at(rate))
                configurations += under if configurations else (*baselines.clean(under), *under)
            return bed.measure(bench, configurations, images=taken, course=course, pairing=pairing)

        found = of_each(
            each,
            measured,
            source=source_of(data, data_options, faults=faults, device=run.device),
            images=run.images,
            console=console,
            store=kept,
        )
    show(found, command=ctx.meta["command"], written=written, form="json" if output.json_ else "table")
