"""Tables of schemes: options, cost, deployed form, and verdicts under faults of one product.

Every value is asked of the registry or found by running the scheme, so that a new scheme has its row by being there.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from radhard.analysis.verdict import Verdict, judge
from radhard.errors import InputError
from radhard.hardware import AccumulatorUpset, Area, FaultyArray, HardwareFault, Replaced, StuckProduct
from radhard.machine import Clean, Shape, Site
from radhard.operators import Linear
from radhard.protection.forms import Form, NoForm
from radhard.protection.planning.method import NONE, Method, entry_named, methods, own_options
from radhard.protection.protected import Protected, Scheme
from radhard.words import Words

COSTED = Shape(m=197, k=768, n=3072, bias=True, stored=True)
"""The product that costs are of: the first linear layer of an MLP of ViT-B."""
BERS = (1e-9, 1e-8, 1e-7)
TRIED = Shape(m=32, k=48, n=40, bias=True, stored=True)
"""The product that is hit."""
FAULTS: Mapping[str, HardwareFault] = {
    "one word": AccumulatorUpset(area=Area(row=3, column=5), term=20, mask=1 << 20),
    "words of a row": Replaced(area=Area(row=3, column=5, width=4), term=20, seed=1),
    "words of a column": Replaced(area=Area(row=3, column=5, height=4), term=20, seed=1),
    "a tile of words": Replaced(area=Area(row=3, column=5, height=4, width=4), term=20, seed=1),
    "two that cancel": AccumulatorUpset(area=Area(row=3, column=5, width=2), term=20, mask=1 << 31),
    "stuck multiplier": StuckProduct(row=3, column=5, mask=1 << 13, level=1),
}
"""What hits the product: bits of running sums, running sums replaced at random, or a cell with a stuck bit."""


@dataclass(frozen=True, kw_only=True)
class SchemeRow:
    """One scheme as it is written; `costs`: a rate -> operations over the product's own, None where no model is known.

    `verdicts`: a fault -> what became of the product, None where the scheme takes no product of int8 words.
    """

    name: str
    about: str
    takes: str
    costs: Mapping[float, float | None]
    verdicts: Mapping[str, Verdict | None]
    deployed: str


def scheme_rows() -> tuple[SchemeRow, ...]:
    """All schemes that a command can name, in the order of the registry."""
    return tuple(_row(name) for name in methods() if name != NONE)


def _row(name: str) -> SchemeRow:
    entry, _ = entry_named(name)
    return SchemeRow(
        name=name,
        about=entry.about,
        takes=entry.takes,
        costs={ber: _cost(name, ber=ber) for ber in BERS},
        verdicts=dict(zip(FAULTS, _verdicts(name), strict=True)),
        deployed=_called(_scheme(name, COSTED, ber=BERS[0]).deployed),
    )


def _called(form: Form) -> str:
    """`BlockCheck(...)` -> `block check`; of none the reason."""
    if isinstance(form, NoForm):
        return f"no: {form.reason}"
    return re.sub("(?<=.)([A-Z])", r" \1", type(form).__name__).lower()


def _scheme(name: str, shape: Shape, *, ber: float) -> Scheme:
    found = Method.of(name).scheme_of(shape, ber=ber, words=Words())
    if found is None:
        raise InputError(f"{name} is no scheme; it protects nothing")
    return found


def _cost(name: str, *, ber: float) -> float | None:
    expected = _scheme(name, COSTED, ber=ber).expected(COSTED, ber=ber, words=Words())
    own = COSTED.m * COSTED.n * (COSTED.k + COSTED.terms - 1)
    return None if expected is None else expected.total.arithmetic / own


def _verdicts(name: str) -> list[Verdict | None]:
    """Of each fault. Checksums of the weight are made in a run without a fault."""
    if entry_named(name)[0].takes == "float products":
        return [None] * len(FAULTS)
    inputs, site = _inputs(), Site(name="product", operator="linear", batch_axis=0)
    machine = Protected(Clean(), {site.name: _scheme(name, TRIED, ber=1e-6)})
    operator, found = Linear(), list[Verdict | None]()
    clean = machine.apply(operator, inputs, site)
    for fault in FAULTS.values():
        bare = FaultyArray(Clean(), fault).apply(operator, inputs, site)
        machine.inner = FaultyArray(Clean(), fault)
        out = machine.apply(operator, inputs, site)
        changed, alarms = bool((bare != clean).any()), machine.accounts[site.name].alarms
        found.append(judge(clean=clean, bare=bare, out=out, changed=changed, alarms=alarms).verdict)
    return found


def _inputs() -> tuple[Tensor, Tensor, Tensor]:
    """Words of one image [1, m, k] and of a weight [n, k] int8, and a bias [n] int32."""
    draw = np.random.default_rng(0)
    x, w = (draw.integers(-40, 41, shape, dtype=np.int8) for shape in ((1, TRIED.m, TRIED.k), (TRIED.n, TRIED.k)))
    return torch.from_numpy(x), torch.from_numpy(w), torch.from_numpy(draw.integers(-99, 99, TRIED.n, dtype=np.int32))


def scheme_table(rows: tuple[SchemeRow, ...]) -> str:
    """Rows -> two tables in Markdown: what schemes are and cost, and what becomes of faults."""
    heads = [
        "scheme",
        "what it does",
        "takes",
        *(f"cost at {ber:.0e}".replace("e-0", "e-") for ber in BERS),
        "deployed",
    ]
    costs = [
        [f"`{row.name}`", row.about, row.takes, *(_percent(row.costs[ber]) for ber in BERS), row.deployed]
        for row in rows
    ]
    verdicts = [[f"`{row.name}`", *(row.verdicts[fault] or "-" for fault in FAULTS)] for row in rows]
    return f"{_table(heads, costs)}\n\n{_table(['scheme', *FAULTS], verdicts)}"


def option_table(names: tuple[str, ...]) -> str:
    """The options of schemes, as they are written: values, the default in bold, and what they are for."""
    cells = []
    for name in names:
        for option in own_options(name):
            values = ", ".join(f"**{v}**" if v == option.default else str(v) for v in option.choices)
            cells.append(
                [f"`{name}`", f"`{option.name}`", values or f"{option.kind}: **{option.default}**", option.help]
            )
    return _table(["scheme", "option", "values", "what for"], cells)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2g} %" if share < 1 else f"{100 * share:.0f} %"


def _table(heads: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (heads, ["---"] * len(heads), *rows))
