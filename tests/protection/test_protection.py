"""One table of all schemes, and what must hold for each of them."""

import pytest
import torch
from torch import Tensor

from radhard.errors import InputError
from radhard.faults import Faults, Faulty, Where
from radhard.machine import CHECK, Clean, Counting, Site, WriteBack
from radhard.operators import Gelu, Linear
from radhard.protection import (
    Account,
    Block,
    Exact,
    HuangAbraham,
    IntensityGuided,
    LbAbft,
    Operations,
    Protected,
    Ranges,
    Scheme,
    Shape,
    StandardAbft,
    Tmr,
)
from radhard.protection.schemes.row_check import RowCheckAbft
from tests.support.protections import ABFT, ALL, BATCH, CASES, CLEAN_TABLE, FLOAT, TABLE, Case, here, int8s, int32s

# what a scheme without faults does not do
EVENTS = (
    "alarms",
    "flagged",
    "repaired",
    "recomputed",
    "excluded",
    "false_alarms",
    "inconsistent",
    "uncorrected",
    "corrupted",
)


def protected(machine: object, scheme: Scheme, **options: str) -> Protected:
    return Protected(machine, {"here": scheme}, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("case", "scheme"), CLEAN_TABLE)
def test_without_faults_nothing_changes_and_nothing_is_found(case: str, scheme: str) -> None:
    chosen = CASES[case]
    machine = protected(Clean(), ALL[scheme])
    got, want = machine.apply(chosen.operator, chosen.inputs, chosen.site), chosen.clean()
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    assert torch.equal(got, want)
    account = machine.accounts["here"]
    assert account.checks > 0
    assert {name: getattr(account, name) for name in EVENTS} == dict.fromkeys(EVENTS, 0)


@pytest.mark.parametrize(("case", "scheme"), TABLE)
@pytest.mark.parametrize("checks", ["exposed", "immune"])
def test_an_image_does_not_depend_on_its_batch(case: str, scheme: str, checks: str) -> None:
    """Faults everywhere, in the checks too, at a rate at which most images raise an alarm."""
    chosen = CASES[case]
    ids = torch.tensor([5, 0, 17, 3])
    faults = Faults(ber=2e-4, kinds=frozenset({"mul", "add", "load", "scale"}), seed=3)
    together = protected(Faulty(Clean(), faults), ALL[scheme], checks=checks)
    together.begin(chosen.costs, ids)
    whole = together.apply(chosen.operator, chosen.inputs, chosen.site)
    total, parts = Account(), []
    for image in range(BATCH):
        alone = protected(Faulty(Clean(), faults), ALL[scheme], checks=checks)
        alone.begin(chosen.costs, ids[image : image + 1])
        parts.append(alone.apply(chosen.operator, chosen.part(image), chosen.site))
        total = total + alone.accounts["here"]
    axis, blocks = chosen.site.batch_axis, chosen.site.blocks
    assert axis is not None
    joined = torch.cat([part.unflatten(axis, (blocks, 1, -1)) for part in parts], axis + 1).flatten(axis, axis + 2)
    assert torch.equal(whole, joined) or torch.equal(whole.isnan(), joined.isnan())
    assert torch.equal(whole.nan_to_num(), joined.nan_to_num())
    assert together.accounts["here"] == total


@pytest.mark.parametrize(
    ("case", "scheme"),
    [
        *((case, scheme) for case in ("linear", "attention", "convolution in groups") for scheme in ABFT),
        *((case, scheme) for case in ("float linear", "float attention") for scheme in FLOAT),
    ],
)
def test_the_account_is_what_was_counted(case: str, scheme: str) -> None:
    """With faults, so that recovery is in it; `Counting` stands between the scheme and the faults."""
    chosen = CASES[case]
    counted = Applied(Faulty(Clean(), Faults(ber=1e-4, seed=1)))
    machine = protected(counted, ALL[scheme])
    machine.begin(chosen.costs, torch.arange(BATCH))
    machine.apply(chosen.operator, chosen.inputs, chosen.site)
    account = machine.accounts["here"]
    assert account.alarms
    executed = account.executed + account.hidden
    assert executed.mul == pytest.approx(counted.executed["mul"])
    assert executed.add == pytest.approx(counted.executed["add"])


class Applied(Counting):
    """Adds up what is executed at sites of checks, application by application."""

    def __init__(self, inner: Faulty) -> None:
        super().__init__(inner)
        self.executed = {"mul": 0, "add": 0}

    def apply(self, operator, inputs, site):  # type: ignore[no-untyped-def]
        out = super().apply(operator, inputs, site)
        if CHECK in site.name:
            for kind in ("mul", "add"):
                self.executed[kind] += self.costs[site].operations(kind)  # type: ignore[arg-type]
        return out


@pytest.mark.parametrize("seed", range(40))
def test_exact_is_what_is_executed_without_faults(seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)

    def size() -> int:
        return int(torch.randint(1, 11, (1,), generator=draw))

    shape = Shape(m=size(), k=size(), n=size(), bias=seed % 2 == 1)
    block = Block(m=size(), k=size(), n=size())
    inputs = (
        int8s(1, shape.m, shape.k, seed=seed),
        int8s(shape.n, shape.k, seed=seed + 1),
        int32s(shape.n) if shape.bias else None,
    )
    counting = Counting()
    machine = protected(counting, LbAbft(block=block))
    machine.apply(Linear(), inputs, here())
    want = Exact()(shape, block, ber=0.0).total
    executed = {
        kind: sum(cost.operations(kind) for site, cost in counting.costs.items() if CHECK in site.name)
        for kind in ("mul", "add")
    }
    assert executed == {"mul": want.mul, "add": want.add}
    assert machine.accounts["here"].executed == want
    own = next(cost for site, cost in counting.costs.items() if site.name == "here")
    assert own.operations("mul") == shape.volume
    assert own.operations("add") == shape.m * shape.n * (shape.terms - 1)


@pytest.mark.parametrize("seed", range(12))
def test_exact_of_an_attention_product(seed: int) -> None:
    m, k, n = 3 + seed % 5, 2 + seed % 7, 4 + seed % 3
    block = Block(m=2 + seed % 3, k=1 + seed % 4, n=3)
    case = CASES["attention"]
    machine = protected(Clean(), LbAbft(block=block))
    machine.apply(case.operator, (int8s(1, 2, m, k), int8s(1, 2, k, n, seed=1)), here())
    want = Exact()(Shape(m=m, k=k, n=n, stored=False), block, ber=0.0).total
    assert machine.accounts["here"].executed == want.times(2)  # heads


@pytest.mark.parametrize("place", [(0, 0, 0), (6, 4, 10), (3, 2, 5)])
def test_exact_is_what_is_executed_after_one_fault(place: tuple[int, int, int]) -> None:
    """At BER 1 every block is faulty: of the recovery of one block the model says what one flip costs."""
    from tests.support.flips import flips_at

    m, k, n = 7, 11, 5
    i, j, t = place
    shape, block = Shape(m=m, k=k, n=n, bias=True), Block(m=3, k=4, n=2)
    inputs = (int8s(1, m, k), int8s(n, k, seed=1), int32s(n))
    flips = flips_at("here", [("mul", (i * n + j) * k + t, 9)])
    machine = protected(Faulty(Clean(), flips), LbAbft(block=block))
    machine.apply(Linear(), inputs, here())
    account = machine.accounts["here"]
    assert (account.alarms, account.flagged, account.repaired) == (1, 1, 1)
    detection = Exact()(shape, block, ber=1.0).detection
    first, last, height, width = t < 4, t >= 8, min(3, m - i // 3 * 3), min(2, n - j // 2 * 2)
    depth = (3 if last else 4) + last
    recovery = Operations(
        mul=(height + width) * depth,
        add=(0 if first else height * width)
        + height * (width - 1 + depth - 1 + 1)
        + width * (height - 1 + depth - 1 + 1)
        + 3
        + height * width
        - 1,
        cmp=height + width + 2,
    )
    assert account.executed == detection + recovery


@pytest.mark.parametrize("scheme", ["standard", "full checksums", "tmr", "tmr, bit by bit", "ranges"])
def test_what_the_other_schemes_execute(scheme: str) -> None:
    m, k, n = 7, 11, 5
    machine = protected(Clean(), ALL[scheme])
    machine.apply(Linear(), (int8s(1, m, k), int8s(n, k, seed=1), None), here())
    want = {
        "standard": Operations(mul=k, add=m * n - 1 + (m - 1) * k + k - 1, cmp=1),
        "full checksums": Operations(
            mul=(m + n + 1) * k,
            add=(m - 1) * k + (m + n + 1) * (k - 1) + (m + 1) * (n - 1) + (n + 1) * (m - 1),
            cmp=m + n + 2,
        ),
        "tmr": Operations(mul=2 * m * n * k, add=2 * m * n * (k - 1), cmp=m * n),
        "tmr, bit by bit": Operations(mul=2 * m * n * k, add=2 * m * n * (k - 1), cmp=4 * m * n),
        "ranges": Operations(cmp=2 * m * n),
    }
    assert machine.accounts["here"].executed == want[scheme]


def test_hidden_detection_is_counted_apart() -> None:
    case = CASES["linear"]
    executed = {}
    for name, scheme in (
        ("standard", StandardAbft()),
        ("ideal", IntensityGuided()),
        ("idle", IntensityGuided(hides="measured", operations_per_byte=1e9)),
        ("busy", IntensityGuided(hides="measured", operations_per_byte=0.1)),
        ("part", IntensityGuided(hides="measured", operations_per_byte=6.5, batch=BATCH)),
        ("alone", IntensityGuided(hides="measured", operations_per_byte=6.5)),
    ):
        machine = protected(Clean(), scheme)
        machine.apply(case.operator, case.inputs, case.site)
        executed[name] = (machine.accounts["here"].executed, machine.accounts["here"].hidden)
    whole = executed["standard"][0]
    assert executed["ideal"] == executed["idle"] == (Operations(), whole)
    assert executed["busy"] == (whole, Operations())
    m, k, n = 7, 11, 5
    idle = 6.5 * (BATCH * m * k + k * n + BATCH * m * n) - 2 * BATCH * m * n * k
    assert 0 < idle < whole.arithmetic
    each = 2 * BATCH  # whole operations of each image
    assert executed["part"][1].arithmetic == pytest.approx(idle, abs=each)
    alone = min(idle + 6.5 * (BATCH - 1) * k * n, whole.arithmetic)
    assert executed["alone"][1].arithmetic == pytest.approx(alone, abs=each)


# --- which faults hit what ---


def test_checks_are_selected_with_their_site() -> None:
    case = CASES["linear"]

    def hit(where: Where) -> bool:
        inner = Hit(Faulty(Clean(), Faults(ber=0.01, where=where)))
        machine = protected(inner, StandardAbft())
        machine.begin({**case.costs, Site(name="there", layer="other"): case.costs[case.site]}, torch.arange(BATCH))
        machine.apply(case.operator, case.inputs, case.site)
        return inner.hit

    assert hit(Where())
    assert hit(Where(sites=("here",)))
    assert hit(Where(layers=("l",)))
    assert not hit(Where(sites=("there",)))
    assert not hit(Where(layers=("other",)))
    assert not hit(~Where(sites=("here",)))


class Hit(Counting):
    """Whether a check came out otherwise than it does without faults."""

    def __init__(self, inner: Faulty) -> None:
        super().__init__(inner)
        self.hit = False

    def apply(self, operator, inputs, site):  # type: ignore[no-untyped-def]
        out = self.inner.apply(operator, inputs, site)
        if CHECK in site.name:
            self.hit |= not torch.equal(out, Clean().apply(operator, inputs, site))
        return out


def test_immune_checks_are_not_hit() -> None:
    case = CASES["attention"]
    for checks, expected in (("exposed", True), ("immune", False)):
        inner = Hit(Faulty(Clean(), Faults(ber=0.01)))
        machine = protected(inner, LbAbft(block=Block(m=3, k=2, n=4)), checks=checks)
        machine.begin(case.costs, torch.arange(BATCH))
        machine.apply(case.operator, case.inputs, case.site)
        assert inner.hit == expected


# --- what is wrong is told ---


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: LbAbft(block=Block(m=1, k=1, n=1), policy="all"), "policy='all' is not known; choose from leave"),
        (lambda: LbAbft(block=Block(m=1, k=1, n=1), repair="some"), "choose from all, visible"),
        (lambda: LbAbft(block=Block(m=1, k=1, n=1), retries=-1), "retries=-1"),
        (lambda: Tmr(vote="best"), "choose from word, bitwise"),
        (lambda: Ranges(low=1.0, high=0.0), "the lower one first"),
        (lambda: Ranges(low=0.0, high=float("inf")), "two finite bounds"),
        (lambda: Ranges(low=0.0, high=1.0, outside="nan"), "choose from zero, clamp"),
        (lambda: IntensityGuided(hides="measured"), "needs the number of the device"),
        (lambda: IntensityGuided(operations_per_byte=2.0), "the ideal one takes none"),
        (lambda: IntensityGuided(batch=0), "batch=0: give a whole number from 1 on"),
        (lambda: IntensityGuided(hides="none"), "choose from ideal, measured"),
    ],
)
def test_bad_options(make, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=says):
        make()


@pytest.mark.parametrize("scheme", ABFT)
def test_what_has_no_exact_checksum_is_refused(scheme: str) -> None:
    machine = protected(Clean(), ABFT[scheme])
    with pytest.raises(InputError, match="'here': 'gelu' is no matrix product; protect it by ranges or by TMR"):
        machine.apply(Gelu(), (torch.zeros(2, 3),), here())
    with pytest.raises(InputError, match=r"'here': linear computes in torch\.float32; .* quantise the program"):
        machine.apply(Linear(), (torch.zeros(2, 3, 4), torch.zeros(5, 4), None), here())
    attention = CASES["attention"]
    with pytest.raises(InputError, match="rows or columns of one product"):
        machine.apply(attention.operator, attention.inputs, here(axis=2))


def test_a_plan_for_another_program_is_refused() -> None:
    machine = Protected(Clean(), {"nowhere": HuangAbraham()})
    with pytest.raises(InputError, match="'nowhere', which is none of the program's 1 sites"):
        machine.begin(CASES["linear"].costs, torch.arange(1))


def test_other_sites_are_left_alone() -> None:
    case = CASES["linear"]
    machine = Protected(Clean(), {"there": StandardAbft()})
    assert torch.equal(machine.apply(case.operator, case.inputs, case.site), case.clean())
    assert machine.accounts == {}


# --- many shapes ---


def drawn(seed: int) -> tuple[Case, Scheme]:
    """A product of drawn sizes and words, among them the extreme ones, and a drawn scheme."""
    draw = torch.Generator().manual_seed(seed)

    def number(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (1,), generator=draw))

    def words(*shape: int) -> Tensor:
        low, high = ((-128, 127), (-128, -128), (127, 127), (-128, -127))[number(0, 3) if number(0, 9) == 0 else 0]
        return torch.randint(low, high + 1, shape, dtype=torch.int8, generator=draw)

    m, k, n = number(1, 24), number(1, 40), number(1, 24)
    block = Block(m=number(1, 24), k=number(1, 40), n=number(1, 24))
    schemes: list[Scheme] = [*ABFT.values(), LbAbft(block=block), LbAbft(block=block, policy="row")]
    out = WriteBack(multiplier=scale(n, draw), dtype=(torch.int8, torch.float32)[number(0, 1)])
    bias = torch.randint(-(2**31), 2**31, (n,), generator=draw).int() if number(0, 1) else None
    a, b = words(2, m, k), words(n, k)
    operator = Linear(write_back=(None, out)[number(0, 1)])
    scheme = schemes[number(0, len(schemes) - 1)]
    if bias is not None and getattr(scheme, "width", 32) == 64:
        bias //= 2  # sums of 64 bits suppose that no sound accumulator wraps
    return Case(operator=operator, inputs=(a, b, bias), site=here()), scheme


def scale(n: int, draw: torch.Generator) -> Tensor:
    return torch.rand(n, generator=draw) * 1e-3 + 1e-6


def check_drawn(seeds: range) -> None:
    for seed in seeds:
        case, scheme = drawn(seed)
        machine = protected(Clean(), scheme)
        assert torch.equal(machine.apply(case.operator, case.inputs, case.site), case.clean()), (seed, scheme)
        account = machine.accounts["here"]
        checks = 2 * (case.inputs[0].shape[1] if isinstance(scheme, RowCheckAbft) else 1)  # rows, or whole products
        assert (account.checks, account.alarms, account.corrupted) == (checks, 0, 0), (seed, scheme)


def test_no_false_alarm_over_drawn_products() -> None:
    check_drawn(range(1500))


@pytest.mark.slow
def test_no_false_alarm_over_a_hundred_thousand_products() -> None:
    """Two products an application."""
    check_drawn(range(1500, 51500))
