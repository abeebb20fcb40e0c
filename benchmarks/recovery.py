"""Detection and recovery of standard ABFT and LB-ABFT, by expected operations: `python -m benchmarks.recovery`.

On the matrix products of the zoo's ViT, in the blocks that cost least, by the exact model (a stand-in for the times of
the paper's Fig. 13). Writes results/vit-recovery.json: the shares of both parts in a scheme's multiplications and
additions.
"""

import json

from benchmarks.batching import SCHEMES
from benchmarks.claims.data import RESULTS
from radhard.campaign.build import build
from radhard.models.data.splits import DataChoice
from radhard.models.load import load
from radhard.protection import Operations, products_of

MODEL, RECIPE = "fashion-vit", "int8-symmetric"
RATES = (5e-7, 2e-6, 5e-6, 1e-5)


def main() -> None:
    """Count and write."""
    model_under_test = build(load(MODEL), recipe=RECIPE, data=DataChoice())
    products = products_of(model_under_test.programs[RECIPE]).found
    points = []
    for ber in RATES:
        for name in ("standard-abft", "lb-abft"):
            detection = recovery = Operations()
            for product in products.values():
                spent = SCHEMES[name](product.shape, ber=ber)
                detection += spent.detection.times(product.count)
                recovery += spent.recovery.times(product.count)
            both = detection.arithmetic + recovery.arithmetic
            points.append(
                {
                    "scheme": name,
                    "ber": ber,
                    "detection": detection.arithmetic / both,
                    "recovery": recovery.arithmetic / both,
                }
            )
    found = {"command": "python -m benchmarks.recovery", "model": MODEL, "recipe": RECIPE, "points": points}
    (RESULTS / "vit-recovery.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
