"""What the timed parts need, compiled and on the device while the tests run."""

import torch

from benchmarks.gpu import limits, prepare
from benchmarks.gpu.clean import BATCHES, images_of
from benchmarks.gpu.faulty import RATES
from radhard.faults import Faults, Faulty
from radhard.machine import Clean
from radhard.program import run

SECONDS = 15
"""That this may take."""


def once(device: torch.device, *, tiny: bool) -> None:
    """Load the model whose speed is measured and run it once, clean and faulty; if that fails, its part will tell."""
    name = prepare.subject(tiny=tiny)
    if tiny or not prepare.is_written(name) or limits.left() < SECONDS:
        return
    try:
        prepare.module_of(name)
        program = prepare.program_of(name, tiny=tiny, device=device)
        images = images_of(program, BATCHES[0], device)
        run(program, images, Clean())
        for ber in RATES[:2]:
            run(program, images, Faulty(Clean(), Faults(ber=ber)))
    except RuntimeError as error:
        print(f"warming up: {error}", flush=True)
