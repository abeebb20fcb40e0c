"""The other models of the paper at full size, random weights: clean against bfloat16, and faulty over clean."""

from collections.abc import Iterator

import torch

from benchmarks.gpu import limits, prepare
from benchmarks.gpu.clean import all_cases, floats, images_of
from benchmarks.gpu.faulty import recorded
from benchmarks.gpu.journal import Record
from benchmarks.gpu.rounds import timed

BATCH = 64
RATES = (1e-8, 1e-7)


def measure(device: torch.device, *, tiny: bool) -> Iterator[Record]:
    """Each model at one batch size."""
    names = () if tiny else prepare.FULL[1:]
    for name in names:
        prepare.begin(name, tiny=tiny)
    for name in names:
        program = prepare.program_of(name, tiny=tiny, device=device)
        images = images_of(program, BATCH, device)
        cases = all_cases(program, floats(prepare.module_of(name).module, device), images)
        cases = {case: cases[case] for case in ("int8", "bfloat16")}
        rates = {f"{ber:.0e}": recorded(program, images, ber=ber) for ber in RATES}
        for base, others in (("bfloat16", cases), ("int8", rates)):
            both = {"int8": cases["int8"], **others}
            times = timed(both, base=base, device=device, seconds=min(2.0, limits.left() / 6))
            yield {"model": name, "batch": BATCH, "base": base, "cases": times}
