"""What soft errors do to a vision model, and how to harden it.

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
    from radhard.deploy import Alarm, Hardened
    from radhard.deploy.harden import harden
    from radhard.faults import EVERYWHERE, Faults, Faulty, Flips, Where, read_trace, replay, write_trace
    from radhard.faults.sample import draw as trace
    from radhard.machine import Clean, Counting, Machine, Operator, Site
    from radhard.models.load import LoadedModel, load
    from radhard.program.capture.capture import capture
    from radhard.program.program import Program, RunResult, run
    from radhard.program.quantization.quantize import quantize
    from radhard.protection import Plan, Protection, read_plan
    from radhard.words import BFloat16, Float16, Float32, Int, Words

_HOME = {
    "radhard.deploy": ("Alarm", "Hardened", "harden"),
    "radhard.faults": ("EVERYWHERE", "Faults", "Faulty", "Flips", "Where", "read_trace", "replay", "write_trace"),
    "radhard.machine": ("Clean", "Counting", "Machine", "Operator", "Site"),
    "radhard.models.load": ("LoadedModel", "load"),
    "radhard.protection": ("Plan", "Protection", "read_plan"),
    "radhard.program": ("Program", "RunResult", "capture", "quantize", "run"),
    "radhard.words": ("BFloat16", "Float16", "Float32", "Int", "Words"),
}

__all__ = [
    "EVERYWHERE",
    "Alarm",
    "BFloat16",
    "Clean",
    "Counting",
    "Faults",
    "Faulty",
    "Flips",
    "Float16",
    "Float32",
    "Hardened",
    "Int",
    "LoadedModel",
    "Machine",
    "Operator",
    "Plan",
    "Program",
    "Protection",
    "RunResult",
    "Site",
    "Where",
    "Words",
    "capture",
    "harden",
    "load",
    "quantize",
    "read_plan",
    "read_trace",
    "replay",
    "run",
    "trace",
    "write_trace",
]


repair_on_import()


def __getattr__(name: str) -> Any:
    if name == "trace":  # the verb for a user; inside, drawing is what it does
        return import_module("radhard.faults").draw
    for home, names in _HOME.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module 'radhard' has no attribute {name!r}")
