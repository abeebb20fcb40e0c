"""Protection of matrix products and operators: what checks and repairs cost, and the machine that executes them."""

from radhard.protection.blocks import Choice, cubes, optimal_block
from radhard.protection.cost import CostModel, Exact, Overhead, Printed, Volume, closed_form, probability
from radhard.protection.operations import Operations
from radhard.protection.shape import Block, Shape, cube

__all__ = [
    "Block",
    "Choice",
    "CostModel",
    "Exact",
    "Operations",
    "Overhead",
    "Printed",
    "Shape",
    "Volume",
    "closed_form",
    "cube",
    "cubes",
    "optimal_block",
    "probability",
]
