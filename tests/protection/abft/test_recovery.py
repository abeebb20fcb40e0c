"""Detection and repair against a brute-force reference: known words flipped, every outcome worked out by hand."""

import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from radhard.errors import InputError
from radhard.faults import Faulty, Flips
from radhard.machine import Clean, Operator, WriteBack
from radhard.operators import Gelu, Identity, Linear, Softmax
from radhard.protection import (
    Account,
    Block,
    Calibrating,
    HuangAbraham,
    IntensityGuided,
    LbAbft,
    Protected,
    Ranges,
    RowAbft,
    Scheme,
    StandardAbft,
    Tmr,
    observed_range,
    paper_range,
)
from tests.support.flips import Fault, flips_at, flips_of
from tests.support.protections import here, int8s, int32s

M, K, N = 9, 10, 8
INPUTS = (int8s(1, M, K, seed=2), int8s(N, K, seed=3), int32s(N))
CLEAN = Clean().apply(Linear(), INPUTS, here())
BLOCK = Block(m=4, k=4, n=3)
ONE_SLAB = Block(m=4, k=K, n=3)


def at(i: int, j: int, t: int, bit: int) -> Fault:
    """A flip of the product A[i, t] B[t, j]: it changes C[i, j] by plus or minus 2^bit."""
    return ("mul", (i * N + j) * K + t, bit)


def delta(fault: Fault) -> int:
    """What a flipped product changes, by hand."""
    output, t = divmod(fault[1], K)
    i, j = divmod(output, N)
    word = int(INPUTS[0][0, i, t]) * int(INPUTS[1][j, t])
    flipped = word ^ (1 << fault[2]) if fault[2] < 15 else word - 2**15 if word >= 0 else word + 2**15
    return flipped - word


def run(
    scheme: Scheme, faults: list[Fault] | Flips, *, operator: Operator | None = None, inputs: tuple | None = None
) -> tuple[Tensor, Account]:
    flips = faults if isinstance(faults, Flips) else flips_at("here", faults)
    machine = Protected(Faulty(Clean(), flips), {"here": scheme})
    out = machine.apply(operator or Linear(), inputs or INPUTS, here())
    return out, machine.accounts["here"]


def events(account: Account) -> dict[str, int]:
    names = (
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
    return {name: getattr(account, name) for name in names if getattr(account, name)}


SINGLE = {
    "standard": StandardAbft(),
    "full checksums": HuangAbraham(),
    "intensity-guided": IntensityGuided(),
    "lb-abft": LbAbft(block=BLOCK),
    "lb-abft, one slab": LbAbft(block=ONE_SLAB),
    "lb-abft as in the paper": LbAbft(block=BLOCK, policy="leave", retries=0),
    "row abft": RowAbft(block=BLOCK),
    "row abft, one slab": RowAbft(block=ONE_SLAB, retries=0),
}


@pytest.mark.parametrize("scheme", SINGLE)
@pytest.mark.parametrize("place", [(0, 0, 0), (8, 7, 9), (3, 2, 4), (4, 3, 3), (8, 0, 8), (5, 5, 7)])
def test_one_word_is_put_right(scheme: str, place: tuple[int, int, int]) -> None:
    i, j, t = place
    sums = K  # additions of a chain with a bias
    for fault in (
        *(at(i, j, t, bit) for bit in (0, 7, 15)),
        *(("add", (i * N + j) * sums + t, bit) for bit in (0, 20, 31)),
    ):
        hit = Faulty(Clean(), flips_at("here", [fault])).apply(Linear(), INPUTS, here())
        assert (hit != CLEAN).sum() == 1
        out, account = run(SINGLE[scheme], [fault])
        assert torch.equal(out, CLEAN)
        assert events(account) == {"alarms": 1, "flagged": 1, "repaired": 1}


def signs(*words: tuple[int, int]) -> list[Fault]:
    """A flip of the sign bit of the last running sum of each word: off by 2^31 each."""
    return [("add", (i * N + j) * K + K - 1, 31) for i, j in words]


@pytest.mark.parametrize("scheme", [LbAbft(block=BLOCK), RowAbft(block=BLOCK)], ids=["lb-abft", "row abft"])
def test_two_signs_escape_sums_of_32_bits_and_not_those_of_64(scheme: LbAbft | RowAbft) -> None:
    """Twice 2^31 is 0 in 32 bits; in 64, two words that are off by 2^31 one way do not cancel."""
    up = [(i, j) for i in range(M) for j in range(N) if CLEAN[0, i, j] >= 0]
    same_block = [(i, j) for i, j in up if (i // BLOCK.m, j // BLOCK.n) == (up[0][0] // BLOCK.m, up[0][1] // BLOCK.n)]
    assert len(same_block) >= 2
    for places in (same_block[:2], [up[0], up[-1]]):
        faults = signs(*places)
        hit = Faulty(Clean(), flips_at("here", faults)).apply(Linear(), INPUTS, here())
        assert (hit != CLEAN).sum() == 2
        blind, account = run(scheme, faults)
        assert torch.equal(blind, hit)
        assert not account.alarms
        out, account = run(replace(scheme, width=64), faults)
        assert torch.equal(out, CLEAN)
        assert account.alarms == 1
        assert account.uncorrected == account.inconsistent == 0


@pytest.mark.parametrize("kind", [LbAbft, RowAbft])
def test_another_width_is_refused(kind: type[LbAbft] | type[RowAbft]) -> None:
    with pytest.raises(InputError, match="width=16"):
        kind(block=BLOCK, width=16)  # type: ignore[arg-type]


def flagged_by_hand(faults: list[Fault], block: Block) -> set[tuple[int, int, int]]:
    """Blocks whose deltas do not add up to 0, if those of the whole product do not."""
    found: dict[tuple[int, int, int], int] = {}
    for fault in faults:
        output, t = divmod(fault[1], K)
        i, j = divmod(output, N)
        key = (i // block.m, t // block.k, j // block.n)
        found[key] = found.get(key, 0) + delta(fault)
    return {key for key, total in found.items() if total} if sum(found.values()) else set()


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("block", [BLOCK, ONE_SLAB], ids=str)
def test_what_is_flagged_and_what_is_left(seed: int, block: Block) -> None:
    """A handful of flipped products, often in one block; the outcome of each policy from rows and columns by hand."""
    draw = torch.Generator().manual_seed(seed)

    def number(high: int) -> int:
        return int(torch.randint(0, high, (1,), generator=draw))

    faults = sorted({at(number(M), number(N), number(K), 13 + number(3)) for _ in range(2 + number(5))})
    flagged = flagged_by_hand(faults, block)
    right = {}  # of each policy: the words that must be right, of the faulty ones
    for policy in ("leave", "intersect", "row", "block"):
        healed = []
        for key in flagged:
            inside = [f for f in faults if _key(f, block) == key]
            rows, columns = {}, {}
            for f in inside:
                i, j = divmod(f[1] // K, N)
                rows[i] = rows.get(i, 0) + delta(f)
                columns[j] = columns.get(j, 0) + delta(f)
            wrong_rows = {i for i, total in rows.items() if total}
            wrong_columns = {j for j, total in columns.items() if total}
            single = len(wrong_rows) == len(wrong_columns) == 1
            for f in inside:
                i, j = divmod(f[1] // K, N)
                if not wrong_rows or not wrong_columns:
                    continue
                if single:
                    # what the row is off by is taken from one word: right if all its faults are in it
                    if len({g[1] // K for g in inside}) == 1:
                        healed.append(f)
                elif policy == "intersect":
                    healed += [f] if i in wrong_rows and j in wrong_columns else []
                elif policy == "row":
                    healed += [f] if i in wrong_rows else []
                elif policy == "block":
                    healed.append(f)
        right[policy] = healed
    for policy, healed in right.items():
        out, account = run(LbAbft(block=block, policy=policy, retries=0), faults)
        assert account.flagged == len(flagged)
        want = CLEAN.clone()
        for f in faults:
            if f not in healed:
                i, j = divmod(f[1] // K, N)
                want[0, i, j] += delta(f)
        assert torch.equal(out, want), policy


def _key(fault: Fault, block: Block) -> tuple[int, int, int]:
    output, t = divmod(fault[1], K)
    i, j = divmod(output, N)
    return i // block.m, t // block.k, j // block.n


def test_two_words_of_one_block() -> None:
    faults = [at(0, 0, 0, 12), at(1, 1, 1, 14)]
    assert delta(faults[0]) + delta(faults[1]) != 0
    for policy, expected in (
        ("leave", "uncorrected"),
        ("intersect", "recomputed"),
        ("row", "recomputed"),
        ("block", "recomputed"),
    ):
        out, account = run(LbAbft(block=BLOCK, policy=policy), faults)
        assert events(account) == {"alarms": 1, "flagged": 1, expected: 1}
        assert torch.equal(out, CLEAN) == (policy != "leave")
    words = {"intersect": 4, "row": 2 * 3, "block": 4 * 3}
    plain = run(LbAbft(block=BLOCK, policy="leave"), faults)[1].executed
    for policy, count in words.items():
        executed = run(LbAbft(block=BLOCK, policy=policy), faults)[1].executed
        assert executed.mul - plain.mul == count * 4  # products of the slab
        # sums of these, the difference of each word, that to the output; and the block is summed up once more
        assert executed.add - plain.add == count * (3 + 1 + 1) + (4 * 3 - 1)


def test_one_word_off_in_two_slabs() -> None:
    faults = [at(2, 2, 1, 14), at(2, 2, 9, 13)]
    out, account = run(LbAbft(block=BLOCK), faults)
    assert torch.equal(out, CLEAN)
    assert events(account) == {"alarms": 1, "flagged": 2, "repaired": 2}


def opposite() -> tuple[Fault, Fault, Fault]:
    """Two flips in one block that cancel, in two rows and columns, and a third one elsewhere."""
    pairs = itertools.product(itertools.product(range(4), range(3), range(4)), repeat=2)
    for (i, j, t), (x, y, z) in pairs:
        first, second = at(i, j, t, 14), at(x, y, z, 14)
        if i != x and j != y and delta(first) + delta(second) == 0:
            return first, second, at(8, 7, 9, 3)
    raise AssertionError("no two such products")


def test_two_words_are_not_taken_for_one_between_them() -> None:
    """Equal flips in columns 0 and 2 of a row: their centroid is column 1; the squares of the numbers tell."""
    pairs = ((at(1, 0, t, bit), at(1, 2, u, bit)) for bit in range(15) for t in range(K) for u in range(K))
    faults = next(pair for pair in pairs if delta(pair[0]) == delta(pair[1]))
    out, account = run(RowAbft(block=ONE_SLAB), list(faults))
    assert torch.equal(out, CLEAN)
    assert events(account) == {"alarms": 1, "flagged": 1, "recomputed": 1}


def test_what_cancels_is_not_seen() -> None:
    first, second, third = opposite()
    out, account = run(LbAbft(block=BLOCK), [first, second])
    assert events(account) == {}
    assert (out != CLEAN).sum() == 2
    out, account = run(LbAbft(block=BLOCK), [first, second, third])
    assert events(account) == {"alarms": 1, "flagged": 1, "repaired": 1}
    assert (out != CLEAN).sum() == 2
    out, account = run(HuangAbraham(), [first, second])  # which looks at every row
    assert events(account) == {"alarms": 1, "flagged": 1, "uncorrected": 1}


def test_location_has_64_bits() -> None:
    """Two sums of one row off by 2^31 each: 32 bits see nothing in the row."""
    outs = []
    for j in (0, 1):
        outs.append(("add", (1 * N + j) * K + K - 1, 31))
    signs = {int(CLEAN[0, 1, j]) < 0 for j in (0, 1)}
    out, account = run(LbAbft(block=ONE_SLAB), [*outs, at(2, 2, 3, 5)])
    assert account.flagged == 1
    if len(signs) == 1:  # both off by the same: 2^32
        assert torch.equal(out, CLEAN)


# --- the checks themselves are hit ---


@pytest.mark.parametrize(
    ("check", "index"),  # sums of the last slab are those that the whole is made of
    [("tiles", 2 * 2 * 3 * 3), ("tiles/columns", 2 * 9 * 2 * 2), ("total", 1), ("encode_a", 1), ("encode_a/all", 1),
     ("wanted", 1)],
)  # fmt: skip
def test_a_check_that_is_hit_touches_nothing(check: str, index: int) -> None:
    kind = "mul" if check == "wanted" else "add"
    flips = flips_of([(0, f"here/check/{check}", kind, index, 12)])
    for scheme in (LbAbft(block=BLOCK), LbAbft(block=BLOCK, policy="block")):
        out, account = run(scheme, flips)
        assert account.alarms == 1, check
        assert torch.equal(out, CLEAN)
        assert account.repaired == account.recomputed == account.uncorrected == account.corrupted == 0


def test_a_repair_that_is_hit_is_done_again() -> None:
    fault = at(1, 1, 1, 13)
    rows = [(0, "here", *fault)]
    for check, kind, index in (
        ("4x4x3/rows/wanted", "mul", 9),  # another row of the first block seems off: two rows, one column
        ("4x4x3/correct", "add", 1 * 3 + 1),
    ):
        flips = flips_of([*rows, (0, f"here/check/{check}", kind, index, 9)])
        out, account = run(LbAbft(block=BLOCK, policy="intersect"), flips)
        assert torch.equal(out, CLEAN), check
        assert account.repaired + account.recomputed == 1
        assert account.uncorrected == 0
    flips = flips_of([*rows, (0, "here/check/4x4x3/correct", "add", 1 * 3 + 1, 9)])
    out, account = run(LbAbft(block=BLOCK, retries=0), flips)
    assert abs(int((out - CLEAN).sum())) == 2**9


def test_a_row_and_a_column_that_do_not_agree_are_no_single_error() -> None:
    fault = at(1, 1, 1, 13)
    flips = flips_of([(0, "here", *fault), (0, "here/check/4x4x3/rows/wanted", "mul", 5, 9)])
    out, account = run(LbAbft(block=BLOCK, policy="leave", retries=0), flips)
    assert events(account) == {"alarms": 1, "flagged": 1, "uncorrected": 1}
    assert int((out - CLEAN)[0, 1, 1]) == delta(fault)


# --- stored sums ---


def stale_machine(scheme: Scheme, flips: Flips | None = None) -> Protected:
    machine = Protected(Faulty(Clean(), flips or flips_at("nowhere/check/", [])), {"here": scheme})
    machine.apply(Linear(), INPUTS, here())
    assert machine.accounts["here"].alarms == 0 or flips is not None
    return machine


@pytest.mark.parametrize("scheme", ["standard", "lb-abft", "full checksums", "lb-abft, one slab", "row abft"])
@pytest.mark.parametrize("which", ["blocks", "all"])
def test_corrupted_stored_sums_are_recognised_every_time(scheme: str, which: str) -> None:
    machine = stale_machine(SINGLE[scheme])
    sums = getattr(machine.stored["here"].sums, which)
    sums.view(-1)[3] ^= 1 << 4
    for seed in range(3):
        inputs = (int8s(1, M, K, seed=20 + seed), *INPUTS[1:])
        inputs[0][:, :, 3] = 5  # the column that the corrupted sum meets
        out = machine.apply(Linear(), inputs, here())
        account = machine.accounts["here"]
        assert torch.equal(out, Clean().apply(Linear(), inputs, here()))
        assert account.repaired == account.recomputed == 0
        # sums over blocks are read after an alarm only; then they are compared with those over all
        assert account.alarms == (which == "all")
        assert account.corrupted == account.alarms


@pytest.mark.parametrize("policy", ["intersect", "block"])
def test_with_corrupted_sums_a_real_error_is_still_repaired_from_the_factors(policy: str) -> None:
    fault = at(1, 1, 1, 13)
    machine = stale_machine(LbAbft(block=BLOCK, policy=policy, retries=0), flips_at("here", [fault]))
    machine.stored["here"].sums.blocks[0, 0, 2] += 16
    out = machine.apply(Linear(), INPUTS, here())
    assert torch.equal(out, CLEAN)
    assert machine.accounts["here"].corrupted >= 1


@pytest.mark.parametrize("policy", ["leave", "intersect", "row", "block"])
def test_a_corrupted_weight_is_recognised(policy: str) -> None:
    weight = INPUTS[1].clone()
    machine = Protected(Clean(), {"here": LbAbft(block=BLOCK, policy=policy)})
    machine.apply(Linear(), (INPUTS[0], weight, INPUTS[2]), here())
    weight[4, 4] ^= 64
    inputs = (INPUTS[0], weight, INPUTS[2])
    out = machine.apply(Linear(), inputs, here())
    assert torch.equal(out, Clean().apply(Linear(), inputs, here()))  # what the weight is now: nothing is "repaired"
    account = machine.accounts["here"]
    assert account.corrupted >= 1
    assert account.inconsistent == account.flagged == 3  # the rows alone of the three blocks that meet the word
    assert account.uncorrected == account.recomputed == account.repaired == 0
    again = machine.apply(Linear(), (INPUTS[0], weight.clone(), INPUTS[2]), here())  # another weight has its own sums
    assert torch.equal(again, out)
    assert machine.accounts["here"].alarms == 0


def test_rows_see_through_a_corrupted_weight() -> None:
    """Its sums are of the weight as it was: the output is put right, in every row, as if it were still that."""
    weight = INPUTS[1].clone()
    machine = Protected(Clean(), {"here": RowAbft(block=ONE_SLAB)})
    machine.apply(Linear(), (INPUTS[0], weight, INPUTS[2]), here())
    weight[4, 4] ^= 64
    out = machine.apply(Linear(), (INPUTS[0], weight, INPUTS[2]), here())
    assert torch.equal(out, CLEAN)
    assert machine.accounts["here"].repaired == machine.accounts["here"].flagged == 3


# --- what is seen ---


def test_only_what_is_seen_is_repaired() -> None:
    operator = Linear(write_back=WriteBack(multiplier=torch.tensor([2.0**-8]), dtype=torch.int8))
    clean = Clean().apply(operator, INPUTS, here())
    for bit, spared in ((6, True), (7, False), (12, False)):  # half a step is 2^7
        fault = at(5, 5, 5, bit)
        out, account = run(LbAbft(block=BLOCK, repair="visible"), [fault], operator=operator)
        assert events(account) == {"alarms": 1, "flagged": 1, **({"excluded": 1} if spared else {"repaired": 1})}
        assert int((out.int() - clean.int()).abs().max()) <= (1 if spared else 0)
        cheaper = account.executed.arithmetic
        whole = run(LbAbft(block=BLOCK), [fault], operator=operator)[1].executed.arithmetic
        assert (cheaper < whole) == spared
    assert run(LbAbft(block=BLOCK, repair="visible"), [at(5, 5, 5, 0)])[1].repaired == 1  # accumulators are all seen


# --- three copies ---


def test_votes() -> None:
    word = (3 * N + 2) * K + K - 1  # the last sum of output (3, 2)
    other = (4 * N + 2) * K + K - 1
    cases = {
        # copies that are hit, bits -> right after a word vote, after a bitwise vote
        "one": ([("here", word, 5)], True, True),
        "two, in two bits": ([("here", word, 5), ("here/check/copy2", word, 9)], False, True),
        "two, in one bit": ([("here", word, 5), ("here/check/copy3", word, 5)], False, False),
        "two, in two words": ([("here", word, 5), ("here/check/copy2", other, 5)], True, True),
        "three": ([("here", word, 5), ("here/check/copy2", word, 6), ("here/check/copy3", word, 7)], False, True),
    }
    for hits, by_word, by_bit in cases.values():
        flips = flips_of([(0, site, "add", index, bit) for site, index, bit in hits])
        for vote, right in (("word", by_word), ("bitwise", by_bit)):
            out, account = run(Tmr(vote=vote), flips)
            assert torch.equal(out, CLEAN) == right
            assert account.flagged == len({index for _, index, _ in hits})
    undecided = run(Tmr(), flips_of([(0, s, "add", i, b) for s, i, b in cases["two, in two bits"][0]]))[1]
    assert (undecided.uncorrected, undecided.repaired) == (1, 0)


def test_the_voter_can_be_hit() -> None:
    out, account = run(Tmr(), flips_of([(0, "here/check/vote", "load", 7, 3)]))
    changed = (out != CLEAN).nonzero()
    assert changed.tolist() == [[0, 0, 7]]
    assert account.flagged == 0


# --- ranges ---


@pytest.mark.parametrize("outside", ["zero", "clamp"])
def test_ranges_by_hand(outside: str) -> None:
    x = torch.tensor([[-3.0, -1.0, 0.0, 1.0, 2.0, float("nan"), float("inf"), -float("inf")]])
    scheme = Ranges(low=-1.0, high=1.5, outside=outside)  # type: ignore[arg-type]
    got, account = run(scheme, [], operator=Identity(), inputs=(x,))
    want = {"zero": [0.0, -1.0, 0.0, 1.0, 0, 0, 0, 0], "clamp": [-1.0, -1.0, 0.0, 1.0, 1.5, 0.0, 1.5, -1.0]}
    assert got.tolist() == [want[outside]]
    assert account.flagged == 5
    positive = Ranges(low=0.5, high=1.5, outside=outside)  # type: ignore[arg-type]
    nan = run(positive, [], operator=Identity(), inputs=(torch.tensor([[float("nan")]]),))[0]
    assert nan.tolist() == [[0.0 if outside == "zero" else 0.5]]


def test_ranges_of_accumulators() -> None:
    operator = Linear(write_back=WriteBack(multiplier=torch.tensor([1e-4]), dtype=torch.float32))
    fault = ("add", K - 1, 30)
    low, high = int(CLEAN.min()), int(CLEAN.max())
    beyond = high if int(CLEAN[0, 0, 0]) >= 0 else low
    clean = Clean().apply(operator, INPUTS, here())
    for outside, want in (("zero", 0.0), ("clamp", None)):
        scheme = observed_range(low, high, outside=outside)  # type: ignore[arg-type]
        out, account = run(scheme, [fault], operator=operator)
        assert account.flagged == 1
        assert torch.equal(out.view(-1)[1:], clean.view(-1)[1:])
        assert float(out.view(-1)[0]) == (want if want is not None else pytest.approx(beyond * 1e-4))


def test_ranges_as_printed_and_as_observed() -> None:
    paper = paper_range(-0.17, 4.0)
    assert (paper.low, paper.high) == (pytest.approx(-0.1734), pytest.approx(3.92))
    wide = observed_range(-1.0, 3.0, margin=0.1)
    assert (wide.low, wide.high) == (pytest.approx(-1.4), pytest.approx(3.4))


def test_calibration_observes_before_write_back() -> None:
    from tests.support.protections import CASES

    machine = Calibrating()
    for name in ("gelu between words", "linear", "softmax"):
        case = CASES[name]
        site = here() if name == "linear" else case.site
        machine.ranges.clear()
        out = machine.apply(case.operator, case.inputs, site)
        assert torch.equal(out, case.clean())
        low, high = machine.ranges["here"]
        protected = Protected(Clean(), {"here": observed_range(low, high)})
        assert torch.equal(protected.apply(case.operator, case.inputs, site), out)
        assert protected.accounts["here"].flagged == 0
        narrow = Protected(Clean(), {"here": observed_range(low, high, margin=-1e-3)})
        narrow.apply(case.operator, case.inputs, site)
        assert narrow.accounts["here"].flagged >= 2
    machine.ranges.clear()
    machine.apply(Gelu(), (torch.tensor([[-1.0, 2.0]]),), here())
    machine.apply(Gelu(), (torch.tensor([[3.0, 0.0]]),), here())
    assert machine.ranges["here"] == (pytest.approx(-0.158655, abs=1e-5), pytest.approx(2.99595, abs=1e-5))


def test_a_softmax_that_is_hit_is_set_to_zero() -> None:
    x = torch.zeros(1, 4)
    fault = ("mul", 2, 30)  # the exponent of one of the four quarters: far beyond 1
    out, account = run(Ranges(low=0.0, high=1.0), [fault], operator=Softmax(), inputs=(x,))
    assert out.tolist() == [[0.25, 0.25, 0.0, 0.25]]
    assert account.flagged == 1
