"""One flip by hand: bit 31 of a running sum of the last layer, and which logits it changes."""

import numpy as np
import torch

import radhard as rh
from radhard.faults import replay
from radhard.machine import KINDS

torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4)).eval()
images = torch.randn(2, 8)
program = rh.quantize(rh.capture(model, images), [images], recipe="int8-float")

output, t = 3, 5  # the running sum s_5 of output 3; an output has 16 additions, the bias last (docs/traces.md)
row = {"image": 0, "site": 0, "kind": KINDS.index("add"), "index": 16 * output + (t - 1), "bit": 31}
flip = rh.Flips(sites=("2",), **{name: np.array([value]) for name, value in row.items()})
clean, hit = rh.run(program, images).logits, replay(program, images, flip).logits
print("[image, logit] that differ:", (clean != hit).nonzero().tolist())
assert (clean != hit).nonzero().tolist() == [[0, output]]
