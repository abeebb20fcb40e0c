"""Plan, harden, deploy: the plan for a target, the module that checks itself, and the file that is deployed."""

import torch

import radhard as rh

torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 32), torch.nn.ReLU(), torch.nn.Linear(32, 5)).eval()
images = torch.randn(400, 3, 4, 4)
labels = model(images).argmax(1)  # so that the model is right without faults

data, run = (images, labels), rh.RunOptions(images=60)  # 60 images choose the plan, 150 others judge it
within = rh.PlanOptions(scheme="tmr", max_loss=10, max_overhead=250, judge=150)
planned = rh.plan(model, data, ber=3e-5, plan_options=within, run=run)
print(f"{planned.plan.verdict}: {len(planned.plan.protection.schemes)} sites protected")
hardened = rh.harden(model, planned.plan, calibration=[images[:50]], on_alarm=print)
assert (hardened(images).argmax(1) == labels).float().mean() > 0.9

batch = torch.export.Dim("batch")
torch.export.save(torch.export.export(hardened, (images,), dynamic_shapes=({0: batch},)), "hardened.pt2")
