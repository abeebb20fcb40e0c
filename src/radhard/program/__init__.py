"""Programs: any exported model as steps over a machine, in float or int8, its rows attributed to images."""

from radhard.program.anatomy import Anatomy
from radhard.program.calibration import Calibration, read_calibration, write_calibration
from radhard.program.capture import capture
from radhard.program.intake import image_words, token_grid
from radhard.program.moves import register_move
from radhard.program.program import Account, Apply, Move, Program, Recipe, Ref, RunResult, identities, run
from radhard.program.quantize import RECIPES, quantize
from radhard.program.quantizer import IntegerRecipe
from radhard.program.registry import Lowered, register
from radhard.program.rerun import KeptRun, Rerun, arithmetic, rerun, run_and_keep

__all__ = [
    "RECIPES",
    "Account",
    "Anatomy",
    "Apply",
    "Calibration",
    "IntegerRecipe",
    "KeptRun",
    "Lowered",
    "Move",
    "Program",
    "Recipe",
    "Ref",
    "Rerun",
    "RunResult",
    "arithmetic",
    "capture",
    "identities",
    "image_words",
    "quantize",
    "read_calibration",
    "register",
    "register_move",
    "rerun",
    "run",
    "run_and_keep",
    "token_grid",
    "write_calibration",
]
