"""A model from a file: exported by torch with a dynamic batch, loaded by its path, and run under faults."""

import torch
from torch import nn

import radhard as rh
from radhard.faults import trace

torch.manual_seed(0)
model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10)).eval()
images = torch.randn(16, 3, 16, 16)
exported = torch.export.export(model, (images,), dynamic_shapes=({0: torch.export.Dim("batch")},))
torch.export.save(exported, "model.pt2")

loaded = rh.load("model.pt2")  # each part of the file is checked before torch reads it
program = rh.quantize(rh.capture(loaded.module, images), [images])
faults = rh.Faults(ber=1e-6, seed=0)
hit = rh.run(program, images, rh.Faulty(rh.Clean(), faults)).logits
differ = (hit != rh.run(program, images).logits).any(1).sum()
print(f"{loaded.classes} classes; {len(trace(program, faults, torch.arange(16)))} flips change {differ} of 16 images")
