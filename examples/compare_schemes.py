"""Schemes against each other under the same faults: accuracy and executed overhead of each."""

import torch

import radhard as rh

torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 32), torch.nn.ReLU(), torch.nn.Linear(32, 5)).eval()
images = torch.randn(200, 3, 4, 4)
labels = model(images).argmax(1)

chosen = rh.CompareOptions(schemes=("lb-abft:policy=leave", "row-check", "tmr"))
run = rh.RunOptions(images=40, trials=1)
compared = rh.compare(model, (images, labels), ber=3e-5, compare_options=chosen, run=run)
print(compared)
for row in compared.rows():
    print(f"{row['configuration']} at {row['ber']:g}: {row['accuracy']:.1%}")
