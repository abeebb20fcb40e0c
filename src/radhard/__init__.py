"""What soft errors do to a vision model, and how to harden it.

    found = rh.vulnerability(model, (images, labels), by="layer")   # where it hurts: any nn.Module, any images
    found.to_pandas(), found.plot("factors.png")

    program = rh.quantize(rh.capture(model, example), batches)      # any nn.Module -> int8 program
    faults = rh.Faults(ber=1e-8, seed=0)                            # which bits flip
    result = rh.run(program, images, rh.Faulty(rh.Clean(), faults))  # logits under faults

The names are imported when they are first used, so that `radhard --help` does not wait for torch. After
`import radhard` a torchvision that does not find its operators is repaired when anybody first imports it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from radhard.models.vision import repair_on_import

if TYPE_CHECKING:
    from radhard.analysis.raw_rate import fit_per_megabit
    from radhard.deploy import Alarm, Hardened
    from radhard.deploy.harden import harden
    from radhard.faults import EVERYWHERE, Faults, Faulty, Flips, Where, read_trace, write_trace
    from radhard.hardware import (
        MemoryUpsets,
        Npu,
        OutputUpsets,
        RegisterUpsets,
        read_cell_shapes,
        read_npu,
    )
    from radhard.machine import Clean, Counting, Machine, Operator, Site
    from radhard.models.load import LoadedModel, load
    from radhard.program.capture.capture import capture
    from radhard.program.program import Program, RunResult, run
    from radhard.program.quantization.quantize import quantize
    from radhard.protection import Plan, Protection, read_plan
    from radhard.studies.avf import AvfResult, avf
    from radhard.studies.block_sizes import ModelBlocks, block_sizes
    from radhard.studies.blocks import BlocksResult, blocks
    from radhard.studies.comparison import Compared, compare
    from radhard.studies.evaluation import Evaluated, evaluate
    from radhard.studies.fit import FitResult, fit
    from radhard.studies.image_export import export
    from radhard.studies.inspection import InspectionResult, inspect
    from radhard.studies.options import CompareOptions, DataOptions, FaultOptions, ModelOptions, PlanOptions, RunOptions
    from radhard.studies.planning import Planned, plan
    from radhard.studies.progress import JobSkipped, Measuring, Note, Preparing
    from radhard.studies.replay import ReplayResult, replay
    from radhard.studies.reporting import write_report
    from radhard.studies.reproduction.paper_figures import ReproduceOptions
    from radhard.studies.reproduction.reproduce import Reproduction, reproduce
    from radhard.studies.sample_size import SampleSizes, sample_size
    from radhard.studies.study.study import StudyResult, study
    from radhard.studies.study_file.study import Study
    from radhard.studies.sweep import SweepResult, sweep
    from radhard.studies.trace import Trace, UpsetTrace, trace
    from radhard.studies.vulnerability import VulnerabilityResult, vulnerability
    from radhard.words import BFloat16, Float16, Float32, Int, Words

_HOME = {
    "radhard.analysis.raw_rate": ("fit_per_megabit",),
    "radhard.deploy": ("Alarm", "Hardened"),
    "radhard.deploy.harden": ("harden",),
    "radhard.faults": (
        "EVERYWHERE",
        "Faults",
        "Faulty",
        "Flips",
        "Where",
        "read_trace",
        "write_trace",
    ),
    "radhard.hardware": (
        "DeadMultipliers",
        "MemoryUpsets",
        "Npu",
        "OutputUpsets",
        "RegisterUpsets",
        "StuckBits",
        "TimingErrors",
        "read_cell_shapes",
        "read_npu",
    ),
    "radhard.machine": ("Clean", "Counting", "Machine", "Operator", "Site"),
    "radhard.models.load": ("LoadedModel", "load"),
    "radhard.program.capture.capture": ("capture",),
    "radhard.program.program": ("Program", "RunResult", "run"),
    "radhard.program.quantization.quantize": ("quantize",),
    "radhard.protection": ("Plan", "Protection", "read_plan"),
    "radhard.studies.block_sizes": ("ModelBlocks", "block_sizes"),
    "radhard.studies.avf": ("AvfResult", "avf"),
    "radhard.studies.blocks": ("BlocksResult", "blocks"),
    "radhard.studies.comparison": ("Compared", "compare"),
    "radhard.studies.evaluation": ("Evaluated", "evaluate"),
    "radhard.studies.fit": ("FitResult", "fit"),
    "radhard.studies.image_export": ("export",),
    "radhard.studies.inspection": ("InspectionResult", "inspect"),
    "radhard.studies.options": (
        "CompareOptions",
        "DataOptions",
        "FaultOptions",
        "ModelOptions",
        "PlanOptions",
        "RunOptions",
    ),
    "radhard.studies.planning": ("Planned", "plan"),
    "radhard.studies.progress": ("JobSkipped", "Measuring", "Note", "Preparing"),
    "radhard.studies.replay": ("ReplayResult", "replay"),
    "radhard.studies.reporting": ("write_report",),
    "radhard.studies.reproduction.paper_figures": ("ReproduceOptions",),
    "radhard.studies.reproduction.reproduce": ("Reproduction", "reproduce"),
    "radhard.studies.sample_size": ("SampleSizes", "sample_size"),
    "radhard.studies.study.study": ("StudyResult", "study"),
    "radhard.studies.study_file.study": ("Study",),
    "radhard.studies.sweep": ("SweepResult", "sweep"),
    "radhard.studies.trace": ("Trace", "UpsetTrace", "trace"),
    "radhard.studies.vulnerability": ("VulnerabilityResult", "vulnerability"),
    "radhard.words": ("BFloat16", "Float16", "Float32", "Int", "Words"),
}
"""Where each public name is."""

__all__ = [
    "EVERYWHERE",
    "Alarm",
    "AvfResult",
    "BFloat16",
    "BlocksResult",
    "Clean",
    "CompareOptions",
    "Compared",
    "Counting",
    "DataOptions",
    "DeadMultipliers",
    "Evaluated",
    "FaultOptions",
    "Faults",
    "Faulty",
    "FitResult",
    "Flips",
    "Float16",
    "Float32",
    "Hardened",
    "InspectionResult",
    "Int",
    "JobSkipped",
    "LoadedModel",
    "Machine",
    "Measuring",
    "MemoryUpsets",
    "ModelBlocks",
    "ModelOptions",
    "Note",
    "Npu",
    "Operator",
    "OutputUpsets",
    "Plan",
    "PlanOptions",
    "Planned",
    "Preparing",
    "Program",
    "Protection",
    "RegisterUpsets",
    "ReplayResult",
    "ReproduceOptions",
    "Reproduction",
    "RunOptions",
    "RunResult",
    "SampleSizes",
    "Site",
    "StuckBits",
    "Study",
    "StudyResult",
    "SweepResult",
    "TimingErrors",
    "Trace",
    "UpsetTrace",
    "VulnerabilityResult",
    "Where",
    "Words",
    "avf",
    "block_sizes",
    "blocks",
    "capture",
    "compare",
    "evaluate",
    "export",
    "fit",
    "fit_per_megabit",
    "harden",
    "inspect",
    "load",
    "plan",
    "quantize",
    "read_cell_shapes",
    "read_npu",
    "read_plan",
    "read_trace",
    "replay",
    "reproduce",
    "run",
    "sample_size",
    "study",
    "sweep",
    "trace",
    "vulnerability",
    "write_report",
    "write_trace",
]


repair_on_import()


def __getattr__(name: str) -> Any:
    for home, names in _HOME.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module 'radhard' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
