"""What `results/README.md` says of the block sizes of LB-ABFT: products, widths and numbers of trials."""

import json

from benchmarks.claims.data import RESULTS, Row, listed
from benchmarks.claims.judged import PRODUCTS
from benchmarks.claims.options import paragraph
from radhard.studies.simulation import OUTPUT_DEVIATION
from radhard.words import Words

_HEADS = {"qk": "QK^T", "av": "AV"}  # products of one head


def products() -> str:
    """The products that `make results-products` prices, and the words of their bits."""
    sizes = {name: " x ".join(map(str, shape)) for name, shape in PRODUCTS.items()}
    image = listed([f"`{name}` {size}" for name, size in sizes.items() if name not in _HEADS])
    head = listed([f"{written} {sizes[name]}" for name, written in _HEADS.items()])
    words = Words()
    return paragraph(
        f"Products are those of one image of ViT-B: {image}, and of one head {head}. "
        f"Words: products of {words.product.bits} bits, accumulators of {words.accumulator.bits}, all exposed. The models are "
        "`printed` (Algorithm 2 to the letter), `volume` (what its text means, multiplications alone) and `exact` (all that is "
        "executed). Figs. 8 and 14 take the cube that costs least among those in which at most one flip is expected."
    )


def simulated() -> str:
    """Trials of each size and policy."""
    points: list[Row] = json.loads((RESULTS / "block-sizes.json").read_text())["points"]
    (n,) = {point["n"] for point in points}
    return paragraph(
        f"`Protected(Faulty(Clean()))` on drawn int8 words (uniform, seeds 0 to {n - 1}, the same faults for every size and "
        f"policy), checks exposed to faults; n = {n} products a point, Student's 95 % intervals over products. The output is "
        f"written back to int8, with saturation, at a scale that gives it a deviation of {OUTPUT_DEVIATION} steps, and the "
        f"error is that of these words; of a point at 0 no word of the {n} products was wrong, which bounds nothing better "
        f"than some one in {n} products. `leave` is the paper's policy (a block with several faulty words stays as it is), "
        "`intersect` ours."
    )
