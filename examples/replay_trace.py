"""A trace: the faults of a run as a table, edited, and replayed."""

from pathlib import Path

import torch

import radhard as rh
from radhard.faults import replay, trace

torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(32, 64), torch.nn.GELU(), torch.nn.Linear(64, 10)).eval()
images = torch.randn(20, 32)
program = rh.quantize(rh.capture(model, images), [images])
faults = rh.Faults(ber=1e-5, seed=0)

rh.write_trace(trace(program, faults, torch.arange(20)), "faults.csv")
clean = rh.run(program, images).logits
again = replay(program, images, rh.read_trace("faults.csv")).logits
assert torch.equal(again, rh.run(program, images, rh.Faulty(rh.Clean(), faults)).logits)

head, *rows = Path("faults.csv").read_text().splitlines()
first = [row for row in rows if row.split(",")[2] == '"0"']  # trial, image, site, kind, index, bit
Path("first.csv").write_text("\n".join([head, *first]))
only = replay(program, images, rh.read_trace("first.csv")).logits
print(f"{len(rows)} flips, {len(first)} in the first layer; these alone change {(only != clean).sum()} logits")
