"""A hardware fault: one multiplier of a 16 x 16 array has bit 14 of its product stuck at 1, for every image."""

import torch

import radhard as rh
from radhard.hardware import FaultyArray, StuckProduct

torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(32, 64), torch.nn.GELU(), torch.nn.Linear(64, 10)).eval()
images = torch.randn(100, 32)
program = rh.quantize(rh.capture(model, images), [images])

fault = StuckProduct(row=0, column=3, mask=1 << 14, level=1, dataflow="output")
clean = rh.run(program, images).logits
hit = rh.run(program, images, FaultyArray(rh.Clean(), fault, sites=["2"])).logits
print("logits that differ:", (clean != hit).any(0).nonzero().flatten().tolist())
assert (clean != hit).any(0).nonzero().flatten().tolist() == [3]  # the column that the cell computes
