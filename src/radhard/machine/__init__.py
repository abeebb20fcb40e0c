"""The one place where arithmetic happens: the machine protocol, fault-free machines, exact integer products."""

from radhard.kernels.convolution import backend_names
from radhard.kernels.grid import LATER, SYMMETRIC, UNSIGNED, Grid
from radhard.kernels.write import WriteBack, saturate
from radhard.machine.ambient import undisturbed
from radhard.machine.arithmetic import (
    KINDS,
    SPECIALS,
    Arithmetic,
    Kind,
    Plain,
    Rows,
    Special,
    apply_special,
)
from radhard.machine.clean import Clean, GraphCapturable, Machine, together
from radhard.machine.cost import Cost, CostStep, read_cost
from radhard.machine.counting import Counting
from radhard.machine.gemm import Gemm, MatrixProduct
from radhard.machine.matrices import Matrices, Shape
from radhard.machine.operator import NoteNonFinite, Operator, UnitInput, Units, elements, rows
from radhard.machine.primitives import Add, Elementwise, Load, Mul, Sum, tensors
from radhard.machine.recording import Recording, applied
from radhard.machine.site import CHECK, MARKED, Part, Site, Source, least_sure
from radhard.machine.wrapping import Wrapping

__all__ = [
    "CHECK",
    "KINDS",
    "LATER",
    "MARKED",
    "SPECIALS",
    "SYMMETRIC",
    "UNSIGNED",
    "Add",
    "Arithmetic",
    "Clean",
    "Cost",
    "CostStep",
    "Counting",
    "Elementwise",
    "Gemm",
    "GraphCapturable",
    "Grid",
    "Kind",
    "Load",
    "Machine",
    "Matrices",
    "MatrixProduct",
    "Mul",
    "NoteNonFinite",
    "Operator",
    "Part",
    "Plain",
    "Recording",
    "Rows",
    "Shape",
    "Site",
    "Source",
    "Special",
    "Sum",
    "UnitInput",
    "Units",
    "Wrapping",
    "WriteBack",
    "applied",
    "apply_special",
    "backend_names",
    "elements",
    "least_sure",
    "read_cost",
    "rows",
    "saturate",
    "tensors",
    "together",
    "undisturbed",
]
