"""The verb `compare`: accuracy, or agreement, and overhead of several schemes under the same faults."""

from collections.abc import Sequence
from dataclasses import dataclass

from radhard.analysis.configurations import Configuration
from radhard.analysis.pairs import Pairing
from radhard.campaign.rates import whole_curve
from radhard.campaign.selection import before_any, check_apart, fingerprints
from radhard.errors import InputError
from radhard.hardware import FaultModel
from radhard.protection import Method, read_method
from radhard.report.configurations.record import ComparedRecord, compared_record, setting_of
from radhard.studies.baselines import Baselines, Needed
from radhard.studies.configurations import ConfigurationsResult, check_whole, measure
from radhard.studies.data import Data
from radhard.studies.fault_amount import counts_of, rates_of, told_of, upset_of
from radhard.studies.model import Model
from radhard.studies.options import ONE_TRIAL, CompareOptions, DataOptions, FaultOptions, ModelOptions, RunOptions
from radhard.studies.ordering import Ordering, reporting
from radhard.studies.percent import share
from radhard.studies.progress import Note, Report
from radhard.studies.request import Request, SetUp
from radhard.studies.under_test import images_taken


@dataclass(frozen=True, kw_only=True, repr=False)
class Compared(ConfigurationsResult):
    """Schemes on one model, each paired with the `reference`.

    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 4)).eval()
    >>> images = torch.randn(160, 3, 2, 2, generator=torch.Generator().manual_seed(0))  # as the model takes them
    >>> labels = model(images).argmax(1)
    >>> run, schemes = rh.RunOptions(images=40, trials=1), rh.CompareOptions(schemes=("row-check", "tmr"))
    >>> rh.compare(model, (images, labels), ber=1e-5, compare_options=schemes, run=run)
    <Compared: Sequential...>
    """

    reference: str

    @property
    def headline(self) -> str:
        """`fashion-vit: 8 schemes at 5 rates, on 1,000 images; 3 of 35 pairs are worse than lb-abft`."""
        pairs, outcomes, on = self.evaluation.pairs, self.evaluation.outcomes, self.evaluation.on
        amounts = {one.configuration.amount for one in outcomes if one.configuration.amount > 0}
        setting = setting_of(self.evaluation)
        unit = "numbers of flips an inference" if setting.flips else "rates"
        under = f"at {len(amounts)} {unit}"
        if setting.fault_model is not None:
            under = f"with {setting.rate} of {setting.fault_model.title}"
        names = {one.configuration for one in pairs} | {self.reference}
        counts = {kind: sum(one.relation == kind for one in pairs) for kind in ("better", "worse", "equivalent")}
        told = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        return (
            f"{self.evaluation.model_under_test.model}: {len(names)} schemes {under} on "
            f"{on.images:,} images; of {len(pairs)} pairs with {self.reference} {told}"
        )

    def to_dict(self) -> ComparedRecord:
        """The record of the model in `radhard compare --json`."""
        return compared_record(self.evaluation)


def compare(
    model: Model,
    data: Data | None = None,
    *,
    ber: float | Sequence[float] | None = None,
    flips: int | Sequence[int] | None = None,
    fault_model: str | FaultModel | None = None,
    compare_options: CompareOptions | None = None,
    model_options: ModelOptions | None = None,
    data_options: DataOptions | None = None,
    faults: FaultOptions | None = None,
    run: RunOptions | None = None,
    progress: Report | None = None,
) -> Compared:
    """Measure the schemes of `compare_options` on the products of a model, all under the same faults, equally far.

    `extent` "all": each on all products; "needed": on those of the most vulnerable layers, until surely no more than
    `max_loss` percentage points are lost on `select` images, of which none evaluates. Each scheme is paired with the
    `reference`, by its title (default: the first); two are equivalent within `margin` percentage points. Without `ber`,
    `flips` (numbers an inference) and `fault_model` (one upset an inference, such as of `RegisterUpsets()`), the rates
    are those of the model's whole curve. Of images without labels all points are of agreement: the share of answers
    that are those without faults. Errors are those of `under_test`, and InputError for schemes or numbers that
    cannot be meant.

    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 4)).eval()
    >>> images = torch.randn(160, 3, 2, 2, generator=torch.Generator().manual_seed(0))  # as the model takes them
    >>> labels = model(images).argmax(1)
    >>> run, schemes = rh.RunOptions(images=40, trials=1), rh.CompareOptions(schemes=("row-check", "tmr"))
    >>> found = rh.compare(model, (images, labels), ber=1e-5, compare_options=schemes, run=run)
    >>> {"row-check", "tmr"} < {row["configuration"] for row in found.rows()}
    True
    """
    run = run or ONE_TRIAL
    request = Request.of(
        model, data, model_options=model_options, data_options=data_options, faults=faults, run=run, progress=progress
    )
    options, report = compare_options or CompareOptions(), request.report
    check_whole(run)
    lost = share(options.max_loss, option="--max-loss")
    methods = _methods(options.schemes)
    pairing = _pairing(methods, options)
    upset = upset_of(fault_model, faults=request.faults, ber=ber, flips=flips)
    counts = None if flips is None else counts_of(flips, ber=ber)
    rates = None if ber is None else rates_of(ber)
    if upset is not None and options.extent == "needed":
        raise InputError(
            "--extent needed with --faults: layers are chosen by what flips of operations at a rate do; protect all "
            "products, --extent all"
        )
    with request.resources() as resources:
        here = request.set_up(resources, images=run.images)
        needed, images = None, images_taken(here.model_under_test, run.images, progress=report)
        if options.extent == "needed":
            selecting = request.set_up(resources, images=options.select, part="select")
            ordering = _choosing(selecting, select=options.select)
            images = _apart(here, ordering, images=images)
            needed = Needed(choosing=ordering, loss=lost)
        baselines = Baselines(
            protectable=here.model_under_test.protectable(here.recipe, words=here.faults.words),
            methods=methods,
            weights=options.weights,
            needed=needed,
            rate=None if upset is None else 1 / here.exposed(0.0).bits,  # one bit of all operations an inference
        )
        wanted = None
        if upset is not None:
            settings = [here.upset(upset)]
        elif counts is None:
            wanted = rates or whole_curve(here.exposed(0.0).bits, recipe=here.recipe, points=5)
            settings = [here.at(rate) for rate in wanted if rate > 0]
        else:
            settings = [here.counted(count) for count in counts]
        configurations: list[Configuration] = []
        for setting in settings:
            under = baselines.configurations(setting)
            configurations += under if configurations else (*baselines.clean(under), *under)
        found = measure(here, configurations, images=images, weights=options.weights, pairing=pairing)
        result = Compared(evaluation=found, reference=pairing.reference, skipped=request.skipped)
        program = here.model_under_test.programs[here.recipe]
        asked = {"ber": wanted, "flips": counts, **told_of(upset), **vars(options)}
        return request.kept(result, resources, verb="compare", program=program, **asked)


def _methods(schemes: Sequence[str | Method]) -> tuple[Method, ...]:
    """The methods. InputError for none, for two of one title, and for a text that is none."""
    given = [schemes] if isinstance(schemes, str) else list(schemes)
    titles = [one.strip() if isinstance(one, str) else one.title for one in given]
    if not titles or len(set(titles)) != len(titles):
        raise InputError(f"--schemes {', '.join(titles)!r}: name one scheme or more, each once")
    return tuple(read_method(one.strip()) if isinstance(one, str) else one for one in given)


def _pairing(methods: Sequence[Method], options: CompareOptions) -> Pairing:
    titles, margin = [method.title for method in methods], options.margin
    name = titles[0] if options.reference is None else options.reference.strip()
    if name not in titles:
        raise InputError(f"--reference {name}: it is none of --schemes; choose from {', '.join(titles)}")
    within = share(margin, option="--margin")
    if not 0 < within < 1:
        raise InputError(f"--margin {margin:g}: give percentage points above 0 and below 100, such as 2")
    return Pairing(reference=name, margin=within)


def _choosing(apart: SetUp, *, select: int | None) -> Ordering:
    """How layers are chosen, on the first `select` images of a part that does not evaluate."""
    model_under_test = apart.model_under_test
    count = images_taken(
        model_under_test, select, default=min(300, max(1, len(model_under_test.data) // 4)), progress=apart.report
    )
    return Ordering(
        model_under_test=model_under_test,
        plain=apart.exposed(0.0),
        images=count,
        trials=apart.run.trials,
        store=apart.store,
        executor=apart.executor,
        follow=reporting(model_under_test.model, apart.report),
    )


def _apart(here: SetUp, ordering: Ordering, *, images: int) -> int:
    """How many images evaluate, none of which chooses layers: as many as asked for, else those before the first."""
    data, chosen = here.model_under_test.data, ordering.model_under_test.data
    if here.run.images is None:
        images = before_any(data, seen=[fingerprints(chosen, images=ordering.images)], most=images)
        text = f"the first {images:,} of them evaluate: the next one chooses layers (--images, --select)"
        here.report(Note(model=here.model_under_test.model, line=text))
    check_apart(data, images=images, chosen=chosen, select=ordering.images)
    return images
