"""What results were measured with: images, trials, seed, recipe, words, and how wide their intervals are."""

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.claims.data import Row, listed, models, plan, points
from benchmarks.claims.options import paragraph

SHARED = ("recipe", "data", "images", "trials", "seed", "words")
_DATA = {"fashion-mnist/test": "Fashion-MNIST's test images"}


def curves() -> str:
    """Of the curves: what is exposed, and how well accuracies are known."""
    found = [{**model, "trials": point["trials"]} for model in models("zoo-sweep") for point in model["points"]]
    known = [point for model in models("zoo-sweep") for point in model["points"]]
    return paragraph(f"{described(found)} {widest(known)}")


def factors() -> str:
    """Of the studies of layers, blocks, modules and patches, which are alike but for what is exposed."""
    losses = {name: _losses(name) for name in ("zoo-layer", "zoo-blocks", "zoo-module", "zoo-patch", "zoo-operations")}
    parts = shared([losses[name] for name in ("zoo-layer", "zoo-blocks", "zoo-module")], name="losses")
    patches = shared([losses[name] for name in ("zoo-patch", "zoo-operations")], name="losses of patches")
    told = described([point for name in losses for point in points(name)], kinds=False)
    return paragraph(
        "The accuracy with a component perfectly protected minus that with none, under the same faults everywhere else, at the "
        f"bit error rates that cost {listed(parts)} percentage points of clean accuracy (patches: {listed(patches)}). Intervals "
        "are paired, of 95 %, and clustered by image; the figures also have those that hold for all components of a model at "
        f"once (Bonferroni). {told}"
    )


def _losses(name: str) -> list[str]:
    """The percentage points at which a study measures."""
    return [f"{100 * loss:g}" for loss in sorted({point["operating_point"]["loss"] for point in points(name)})]


def configurations(name: str) -> str:
    """Of plans evaluated, or schemes compared."""
    found = models(name)
    rates = sorted({one["ber"] for model in found for one in model["configurations"] if one["ber"]})
    at = f"Bit error rate{'s' * (len(rates) > 1)} {listed([f'{rate:g}' for rate in rates])}."
    return paragraph(f"{described(found)} {at} {widest([one for model in found for one in model['configurations']])}")


def frontier() -> str:
    """Of the two orders of products."""
    found = [plan(name) for name in ("vit-algorithm1", "vit-gain")]
    steps = [step for one in found for step in one["frontier"]]
    (n,), (rate,) = {step["n"] for step in steps}, {one["ber"] for one in found}
    text = (
        f"`{found[0]['model']}`, recipe `{found[0]['recipe']}`, at {rate:g}, seed {found[0]['seed']}, on {n:,} images"
    )
    return paragraph(f"{text} that choose. {widest(steps)}")


def described(found: Sequence[Row], *, kinds: bool = True) -> str:
    """Settings that all records share, in sentences. ValueError if they differ in one."""
    of = {name: shared([row[name] for row in found], name=name) for name in SHARED}
    trials = f"{of['trials']} trial{'s' * (of['trials'] > 1)}"
    exposed = ""
    if kinds:
        names = {"add": "additions", "mul": "multiplications"}
        told = listed([names[kind] for kind in sorted(shared([row["kinds"] for row in found], name="kinds"))])
        exposed = f"; all {told} are exposed"
    return (
        f"Recipe `{of['recipe']}`, products {of['words']['product']}, accumulators {of['words']['accumulator']}"
        f"{exposed}. {of['images']:,} of {_DATA[of['data']]}, {trials}, seed {of['seed']}."
    )


def shared(values: Iterable[Any], *, name: str) -> Any:
    """The one value of all. ValueError if there are several."""
    first, *others = values
    if any(other != first for other in others):
        raise ValueError(f"{name}: the records have {[first, *others]}, and one is told for all")
    return first


def widest(known: Iterable[Row]) -> str:
    """How far intervals of accuracies reach, in a sentence."""
    half = max((one["high"] - one["low"]) / 2 for one in known if one.get("n") and one.get("accuracy") is not None)
    return f"Intervals of accuracies (95 %) reach {100 * half:.1f} points to either side at most."
