"""The FMEDA of an accelerator that runs a model: its registers with what upsets of them did, and its buffers.

The duty of a register is that of its array (`register_duties`, in closed form) times the share of time in which the
array works. Its AVF is P(SDC or NaN | an upset in a useful cycle). The AVF of a buffer of activations
without a code is that of one bit of the words that sites write. That of other buffers is assumed to be 1: an upset of a
stored weight stays for all inferences that follow, and what a code misses are upsets of several bits.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from radhard.analysis.fmeda import NO_PLAN, Fmeda, FmedaPart, simultaneous_z
from radhard.analysis.intervals import clustered
from radhard.campaign.single_upsets import Struck, UpsetOutcomes
from radhard.hardware import ImageProducts, Npu, register_duties
from radhard.hardware.npu import Buffer
from radhard.hardware.register_duty import RegisterDuty

NOT_MODELLED = (
    "permanent faults: their raw rates come on top, and what they do is another measurement",
    "upsets of more than one bit, and transients in combinational logic",
    "control: the array's sequencer and valid bits, instruction fetch, address generators, DMA",
    "clocks, resets, supply",
    "DRAM, buses and caches that the hardware file does not list",
    "units beside the array: those of softmax, GELU, LayerNorm, of write-backs and of checks",
    "latent faults: the LFM needs faults of the checks themselves",
)
"""What an FMEDA of this kind leaves out: an analysis of the whole chip adds it."""


def fmeda_of(
    npu: Npu, products: Iterable[ImageProducts], outcomes: Mapping[Struck, UpsetOutcomes], *, busy: float
) -> Fmeda:
    """The parts of `npu`, which works a share `busy` of the time, with what upsets of its registers did to a model."""
    duties = register_duties(npu.array.systolic, products)
    z = simultaneous_z(sum(1 + (one.silent is not None) for one in outcomes.values()))
    registers = (_register(npu, duty, outcomes[duty.register], busy=busy, z=z) for duty in duties)
    return Fmeda(parts=(*registers, *(_buffer(npu, buffer, outcomes, z=z) for buffer in npu.buffers)))


def struck_of(npu: Npu) -> tuple[Struck, ...]:
    """What of an accelerator is measured: its registers, and stored activations where it has a buffer of them."""
    stored: tuple[Struck, ...] = ("activations",) if any(map(_is_measured, npu.buffers)) else ()
    return (*npu.array.systolic.registers, *stored)


def _is_measured(buffer: Buffer) -> bool:
    return buffer.holds == "activations" and buffer.ecc == "none"


def cycles_of(npu: Npu, products: Iterable[ImageProducts]) -> int:
    """Cycles that the array takes for the products of one image."""
    array = npu.array.systolic
    return sum(array.cell_cycles(product) // array.cells for product in products)


def _register(npu: Npu, duty: RegisterDuty, outcomes: UpsetOutcomes, *, busy: float, z: float) -> FmedaPart:
    bare = FmedaPart(
        name=f"register {duty.register}",
        bits=npu.array.systolic.cells * duty.bits,
        fit_per_mbit=npu.rates[npu.array.rate].fit_per_mbit,
        duty=busy * duty.duty,
        duty_from="exact",
    )
    return _measured(bare, outcomes, z=z)


def _buffer(npu: Npu, buffer: Buffer, outcomes: Mapping[Struck, UpsetOutcomes], *, z: float) -> FmedaPart:
    bare = FmedaPart(
        name=buffer.name,
        bits=buffer.bits,
        fit_per_mbit=npu.rates[buffer.rate].fit_per_mbit,
        duty=1.0 if buffer.duty is None else buffer.duty,
        duty_from="assumed" if buffer.duty is None else "stated",
        coverage=0.0 if buffer.ecc_coverage is None else buffer.ecc_coverage,
    )
    return _measured(bare, outcomes["activations"], z=z) if _is_measured(buffer) else bare


def _measured(part: FmedaPart, outcomes: UpsetOutcomes, *, z: float) -> FmedaPart:
    """The part with its AVF and the DC of the plan."""
    silent, wrong = outcomes.silent, outcomes.wrong
    return replace(
        part,
        avf=clustered(wrong, trials=outcomes.upsets, z=z),
        avf_from="measured",
        dc=NO_PLAN if silent is None else clustered(wrong - silent, trials=wrong, z=z),
        dc_from="none" if silent is None else "measured",
        upsets=int(np.sum(outcomes.upsets)),
        wrong=int(np.sum(wrong)),
        silent=None if silent is None else int(np.sum(silent)),
    )
