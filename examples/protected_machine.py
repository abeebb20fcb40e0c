"""A protected machine by hand: machines are nested, and the faults under protection are the same faults."""

import torch

import radhard as rh
from radhard.protection import Block, LbAbft, Protected, Tmr

torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(32, 64), torch.nn.GELU(), torch.nn.Linear(64, 10)).eval()
images = torch.randn(100, 32)
program = rh.quantize(rh.capture(model, images), [images])

faulty = rh.Faulty(rh.Clean(), rh.Faults(ber=1e-5, seed=0))
abft = LbAbft(block=Block(m=16, k=16, n=16))
protected = Protected(faulty, {"0": abft, "1": Tmr(), "2": abft})
clean, bare, safe = (rh.run(program, images, machine).logits for machine in (rh.Clean(), faulty, protected))
for name, logits in (("unprotected", bare), ("protected", safe)):
    print(f"{name}: {(logits.argmax(1) != clean.argmax(1)).float().mean():.1%} of the answers changed")
for site, account in protected.accounts.items():
    print(f"{site}: {account.alarms} alarms, {account.uncorrected} blocks or words uncorrected")
assert (safe != clean).sum() < (bare != clean).sum()
