"""Accuracy of a module of one's own over the bit error rate, from tensors: a table, a figure, a store that resumes."""

import torch

import radhard as rh

torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 32), torch.nn.ReLU(), torch.nn.Linear(32, 5)).eval()
images = torch.randn(100, 3, 4, 4)
labels = model(images).argmax(1)  # so that the model is right without faults

result = rh.sweep(model, (images, labels), ber=[1e-6, 1e-5, 1e-4], run=rh.RunOptions(trials=2, store="run.db"))
print(result)
result.plot("sweep.png")
again = rh.sweep(model, (images, labels), ber=[1e-6, 1e-5, 1e-4], run=rh.RunOptions(trials=2, store="run.db"))
assert again.rows() == result.rows()  # from the store, without a run
