"""Methods: read from their text, and the block that they choose, against a search by brute force."""

import itertools
from typing import Any

import pytest

from radhard.errors import InputError
from radhard.protection import (
    Block,
    Exact,
    ExactRows,
    HuangAbraham,
    IntensityGuided,
    LbAbft,
    Method,
    Printed,
    RowAbft,
    Shape,
    StandardAbft,
    Tmr,
    Volume,
    read_method,
)
from radhard.protection.planning.method import best_block
from radhard.words import Words

WORDS = Words()
SHAPES = [
    Shape(m=5, k=7, n=3),
    Shape(m=12, k=4, n=9, bias=True),
    Shape(m=6, k=10, n=6, stored=False),
    Shape(m=1, k=9, n=4, bias=True),
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("none", {"scheme": "none"}),
        ("row-abft", {"scheme": "row-abft"}),
        ("row-abft:retries=0", {"scheme": "row-abft", "retries": 0}),
        *((f"row-abft:width={x}", {"scheme": "row-abft", "width": x}) for x in (32, 64)),
        ("float-abft:deviations=5:width=64", {"scheme": "float-abft", "deviations": 5.0, "width": 64}),
        ("float-abft:width=none", {"scheme": "float-abft", "width": None}),
        *((f"lb-abft:policy={x}", {"scheme": "lb-abft", "policy": x}) for x in ("leave", "intersect", "row", "block")),
        *((f"lb-abft:blocks={x}", {"scheme": "lb-abft", "blocks": x}) for x in ("cube", "box", "sheet")),
        *((f"lb-abft:cost={x}", {"scheme": "lb-abft", "cost": x}) for x in ("exact", "volume", "printed")),
        *((f"lb-abft:repair={x}", {"scheme": "lb-abft", "repair": x}) for x in ("all", "visible")),
        ("lb-abft:retries=3", {"scheme": "lb-abft", "retries": 3}),
        ("lb-abft:flips=0.25", {"scheme": "lb-abft", "flips": 0.25}),
        *((f"tmr:vote={x}", {"scheme": "tmr", "vote": x}) for x in ("word", "bitwise")),
        ("intensity-measured:intensity=12.5", {"scheme": "intensity-measured", "intensity": 12.5}),
        ("intensity-measured:batch=8", {"scheme": "intensity-measured", "batch": 8}),
        ("intensity-ideal", {"scheme": "intensity-ideal"}),
        ("standard-abft", {"scheme": "standard-abft"}),
        ("huang-abraham", {"scheme": "huang-abraham"}),
        *((f"none:ranges={x}", {"scheme": "none", "ranges": x}) for x in ("none", "observed", "paper")),
        *((f"none:outside={x}", {"scheme": "none", "outside": x}) for x in ("zero", "clamp")),
        ("none:margin=0", {"scheme": "none", "margin": 0.0}),
        *((f"tmr:checks={x}", {"scheme": "tmr", "checks": x}) for x in ("exposed", "immune")),
        (
            "lb-abft:policy=leave:ranges=paper:retries=0:flips=1e2:margin=0.5",
            {"scheme": "lb-abft", "policy": "leave", "ranges": "paper", "retries": 0, "flips": 100.0, "margin": 0.5},
        ),
    ],
)
def test_every_option_is_read(text: str, expected: dict[str, Any]) -> None:
    method = read_method(text)
    assert method == Method.of(**expected)
    assert method.title == text
    for name, value in expected.items():
        found = method.as_dict()[name]
        assert found == value
        assert type(found) is type(value)
    assert method.as_dict() == {**Method.of(**expected).as_dict(), "name": text}
    assert Method.from_dict(method.as_dict(), place="here") == method


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "scheme '' is not known; it is one of none, .*lb-abft, .*tmr"),
        ("better", "scheme 'better' is not known"),
        ("lb", "scheme 'lb' is not known; it is one of none, .*lb-abft"),
        ("LB-ABFT", "not known"),
        ("tmr:vote", "'vote' is no option=value; options are vote, ranges"),
        ("tmr:", "'' is no option=value"),
        ("tmr:votes=word", "tmr has no option 'votes'; it has vote, ranges, outside, margin, checks"),
        ("tmr:scheme=none", "tmr has no option 'scheme'"),
        ("tmr:name=x", "tmr has no option 'name'"),
        ("tmr:policy=leave:blocks=box", "tmr has no option 'policy'; it has vote, ranges, outside, margin, checks"),
        ("row-abft:flips=2", "row-abft has no option 'flips'; it has retries, width, blocks, cost, ranges"),
        ("standard-abft:retries=1", "standard-abft has no option 'retries'; it has ranges"),
        ("none:policy=row", "none has no option 'policy'; it has ranges"),
        ("intensity-ideal:intensity=3", "intensity-ideal has no option 'intensity'"),
        ("intensity-measured:hides=ideal", "intensity-measured has no option 'hides'; it has intensity, batch, "),
        ("tmr:vote=word:vote=word", "vote is given twice"),
        ("tmr:vote=loud", "vote='loud' is not known; choose from word, bitwise"),
        ("lb-abft:blocks=", "blocks='' is not known; choose from cube, box, sheet"),
        ("lb-abft:policy=pray", "policy='pray' is not known; choose from leave, intersect, row, block"),
        ("lb-abft:retries=many", "retries='many'"),
        ("lb-abft:retries=1.5", "retries='1.5' is no whole number"),
        ("lb-abft:retries=-1", "retries=-1: .*from 0 on"),
        ("lb-abft:flips=nan", "flips=nan: .*finite"),
        ("lb-abft:flips=inf", "flips=inf: .*finite"),
        ("lb-abft:margin=-0.1", "margin=-0.1: .*from 0 on"),
        ("intensity-measured:batch=0", "batch=0"),
    ],
)
def test_what_is_wrong_is_named_with_what_it_can_be(text: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        read_method(text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("lb-abft:policy=row:retries=2:repair=visible", LbAbft),
        ("row-abft:retries=2", RowAbft),
        ("standard-abft", StandardAbft),
        ("huang-abraham", HuangAbraham),
        ("intensity-ideal", IntensityGuided),
        ("intensity-measured:intensity=17", IntensityGuided),
        ("tmr:vote=word", Tmr),
    ],
)
def test_the_options_reach_the_scheme(text: str, kind: type) -> None:
    scheme = read_method(text).scheme_of(SHAPES[0], ber=1e-6, words=WORDS)
    assert type(scheme) is kind
    if isinstance(scheme, LbAbft):
        assert (scheme.policy, scheme.retries, scheme.repair) == ("row", 2, "visible")
    elif isinstance(scheme, RowAbft):
        assert scheme.retries == 2
    elif isinstance(scheme, Tmr):
        assert scheme.vote == "word"
    elif isinstance(scheme, IntensityGuided):
        assert scheme.operations_per_byte == (17.0 if "measured" in text else None)


def test_no_scheme() -> None:
    assert read_method("none").scheme_of(SHAPES[0], ber=1e-6, words=WORDS) is None


def sizes(whole: int) -> list[int]:
    """1, 2, 3, 4, 6, 8, 12 ... below `whole`, and `whole`."""
    powers = {2**e for e in range(9)} | {3 * 2**e for e in range(8)} | {1}
    return sorted({size for size in powers if size < whole} | {whole})


def cheapest(shape: Shape, model: Any, candidates: list[Block], *, ber: float, most: float) -> tuple[float, set[Block]]:
    """The least cost of a candidate that expects few enough flips, and all that cost so little."""
    costs = {}
    for block in candidates:
        found = model(shape, block, ber=ber)
        if found.flips <= most:
            total = found.detection.mul + found.detection.add + found.recovery.mul + found.recovery.add
            costs[block] = total
    least = min(costs.values())
    clipped = {
        Block(m=min(b.m, shape.m), k=min(b.k, shape.k), n=min(b.n, shape.n)) for b, c in costs.items() if c == least
    }
    return least, clipped


@pytest.mark.parametrize("ber", [0.0, 1e-7, 1e-4, 3e-3])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(
    ("text", "model", "box", "most"),
    [
        ("lb-abft", Exact(words=WORDS, retries=1), False, 1.0),
        ("lb-abft:retries=0:flips=0.5", Exact(words=WORDS, retries=0), False, 0.5),
        ("lb-abft:blocks=box:flips=2", Exact(words=WORDS, retries=1), True, 2.0),
        ("lb-abft:blocks=sheet:flips=2", Exact(words=WORDS, retries=1), False, 2.0),
        ("lb-abft:cost=volume", Volume(bits=48), False, 1.0),
        ("lb-abft:cost=printed:flips=1e9", Printed(), False, 1e9),
        ("row-abft", ExactRows(words=WORDS, retries=1), True, float("inf")),
        ("row-abft:blocks=cube:retries=0", ExactRows(words=WORDS, retries=0), False, float("inf")),
    ],
)  # fmt: skip
def test_the_block_is_the_cheapest_of_all(
    text: str, model: Any, box: bool, most: float, shape: Shape, ber: float
) -> None:
    axes = [sizes(x) for x in (shape.m, shape.k, shape.n)]
    if "sheet" in text:
        candidates = [Block(m=m, k=shape.k, n=n) for m, n in itertools.product(axes[0], axes[2])]
    elif box:
        candidates = [Block(m=m, k=k, n=n) for m, k, n in itertools.product(*axes)]
    else:
        candidates = [Block(m=b, k=b, n=b) for b in range(1, max(shape.m, shape.k, shape.n) + 1)]
    _, best = cheapest(shape, model, candidates, ber=ber, most=most)
    assert best_block(read_method(text), shape, ber=ber, words=WORDS) in best


def test_a_limit_of_flips_is_kept_and_can_be_too_low() -> None:
    shape = Shape(m=16, k=16, n=16)
    free = best_block(read_method("lb-abft:flips=1e9"), shape, ber=2e-3, words=WORDS)
    tight = best_block(read_method("lb-abft:flips=2"), shape, ber=2e-3, words=WORDS)
    assert free != tight
    bits = tight.m * tight.n * tight.k * (16 + 32)
    assert bits * 2e-3 <= 2
    with pytest.raises(InputError, match=r"no block expects at most 0\.01 flips"):
        best_block(read_method("lb-abft:flips=0.01"), shape, ber=2e-3, words=WORDS)


def test_the_words_of_the_run_decide_too() -> None:
    """Names do not: two methods of other names are one."""
    one, other = read_method("row-abft:retries=1"), read_method("row-abft")
    assert one == other
    assert hash(one) == hash(other)
    assert one.title != other.title
