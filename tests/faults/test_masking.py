"""Masked bits as a clean run counts them: those of every single flip of small models, run one by one."""

import numpy as np
import pytest
import torch
from torch import nn

import radhard as rh
from radhard.faults import Flips
from radhard.faults.masking import masked_bits
from radhard.machine import KINDS, Clean, Recording
from radhard.program import capture, quantize, run
from radhard.words import Words


class Attends(nn.Module):
    """A convolution, a product of activations, a linear layer: few bits of each."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(2, 2, 2, stride=2, groups=2), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.conv(x)).flatten(2)
        return self.head((y @ y.mT).flatten(1))


def enumerated(program: rh.Program, images: torch.Tensor, site: rh.Site, kind: str, width: int) -> list[int]:
    """Of each image: how many flips at the site leave the word that it writes as it is."""
    operations = program.costs[site].operations(kind)
    index, bit = np.divmod(np.arange(operations * width, dtype=np.int64), width)
    ids = torch.arange(len(index))
    flips = Flips(
        sites=(site.name,), image=ids.numpy(), site=0 * index, kind=0 * index + KINDS.index(kind), index=index, bit=bit
    )
    found = []
    for image in images:
        every = image.expand(len(index), *image.shape)
        clean, faulty = Recording(Clean()), Recording(rh.Faulty(Clean(), flips))
        run(program, every, clean, ids=ids)
        run(program, every, faulty, ids=ids)
        found.append(int((site.per_image(clean.outputs[site] != faulty.outputs[site]) == 0).sum()))
    return found


@pytest.mark.parametrize("recipe", ["int8", "int8-symmetric", "int8-float"])
def test_what_is_counted_is_what_every_flip_gives(recipe: str) -> None:
    torch.manual_seed(3)
    images = torch.randn(3, 2, 4, 4)
    program = quantize(capture(Attends().eval(), images), [images], recipe=recipe)
    found = masked_bits(program, images, ids=torch.arange(3), words=Words()).of
    assert {site.operator for site, _ in found} == {"conv2d", "matmul", "linear"}
    for (site, kind), counts in found.items():
        width = {"mul": 16, "add": 32}[kind]
        assert counts.tolist() == enumerated(program, images, site, kind, width)
    masked = sum(int(counts.sum()) for counts in found.values())
    assert masked > 100 if recipe != "int8-float" else masked == 0  # every float32 that is written shows these
