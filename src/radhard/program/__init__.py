"""Programs: an exported model as steps over a machine, in float or int8, with each row attributed to its image."""

from radhard.program.anatomy.overrides import NONE, AnatomyPatterns, Overrides, read_overrides, template
from radhard.program.capture.capture import capture
from radhard.program.device_graph import DeviceGraph
from radhard.program.input_sites import image_words, token_grid
from radhard.program.lowering.moves import register_move
from radhard.program.node import NodeAccount
from radhard.program.program import Apply, Move, Program, Recipe, Ref, RunResult, identities, run
from radhard.program.quantization.calibration import Calibration, read_calibration, write_calibration
from radhard.program.quantization.quantize import RECIPES, quantize
from radhard.program.quantization.quantizer import IntegerRecipe
from radhard.program.rerun import KeptRun, Rerun, Resuming, arithmetic, rerun, run_and_keep

__all__ = [
    "NONE",
    "RECIPES",
    "AnatomyPatterns",
    "Apply",
    "Calibration",
    "DeviceGraph",
    "IntegerRecipe",
    "KeptRun",
    "Move",
    "NodeAccount",
    "Overrides",
    "Program",
    "Recipe",
    "Ref",
    "Rerun",
    "Resuming",
    "RunResult",
    "arithmetic",
    "capture",
    "identities",
    "image_words",
    "quantize",
    "read_calibration",
    "read_overrides",
    "register_move",
    "rerun",
    "run",
    "run_and_keep",
    "template",
    "token_grid",
    "write_calibration",
]
