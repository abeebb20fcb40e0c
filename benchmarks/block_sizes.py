"""Fig. 7 of Xue et al. by simulation, `python -m benchmarks.block_sizes`: what LB-ABFT costs and leaves by block size.

Two products of ViT-B on drawn int8 words, one image each. Every size and policy meets the same faults, the checks are
exposed to faults too, and the output is written back to int8 with a scale that gives it a deviation of 32 steps.
"""

import json
from pathlib import Path

from radhard.protection import Shape
from radhard.report.block_sizes import block_sizes_data, draw_block_sizes, simulated_record
from radhard.studies.simulation import simulate_sizes

RESULTS = Path(__file__).parent.parent / "results"
GEMMS = {
    "proj of ViT-B, 197 x 768 x 768": Shape(m=197, k=768, n=768, bias=True),
    "fc1 of ViT-B, 197 x 768 x 3072": Shape(m=197, k=768, n=3072, bias=True),
}
RATES = (1e-9, 1e-8, 1e-7)
PRODUCTS = 20


def main() -> None:
    points = [
        point
        for gemm, shape in GEMMS.items()
        for ber in RATES
        for point in simulate_sizes(gemm, shape, ber=ber, products=PRODUCTS)
    ]
    record = {"command": "python -m benchmarks.block_sizes", "points": [simulated_record(point) for point in points]}
    (RESULTS / "block-sizes.json").write_text(json.dumps(record, indent=1) + "\n")
    draw_block_sizes(block_sizes_data(points), RESULTS / "block-sizes.png")


if __name__ == "__main__":
    main()
