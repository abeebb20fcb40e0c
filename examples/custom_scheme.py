"""A scheme of one's own: an operator runs twice, and words that differ are taken from a third run."""

import torch

import radhard as rh
from radhard.kernels.events import Events
from radhard.protection import Protected


class ThirdRun:
    """A scheme is what protects one application of an operator."""

    def protect(self, application, checks):
        """The repaired result of `application`; what `checks` execute is counted, and can be hit."""
        first, second = application.compute(), checks.copy(2)  # copies have faults of their own
        differ = first != second
        checks.count(cmp=first.numel())
        checks.note(Events(checks=first.numel(), flagged=int(differ.sum())))
        return torch.where(differ, checks.copy(3), first)


torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(32, 64), torch.nn.GELU(), torch.nn.Linear(64, 10)).eval()
images = torch.randn(100, 32)
program = rh.quantize(rh.capture(model, images), [images])
faulty = rh.Faulty(rh.Clean(), rh.Faults(ber=1e-5, seed=0))
protected = Protected(faulty, {site.name: ThirdRun() for site in program.sites})
clean, bare, safe = (rh.run(program, images, machine).logits for machine in (rh.Clean(), faulty, protected))
print(f"wrong logits: {(bare != clean).sum()} unprotected, {(safe != clean).sum()} protected")
assert (safe != clean).sum() < (bare != clean).sum()
