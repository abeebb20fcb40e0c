"""Protection of matrix products and operators: schemes, their costs, and the machine that runs them."""

from radhard.machine import Shape
from radhard.protection.abft.account import Account
from radhard.protection.calibrating import Calibrating
from radhard.protection.cost.blocks import PricedBlock, cubes, optimal_block
from radhard.protection.cost.models import CostModel, Exact, Overhead, Printed, Volume, closed_form, probability
from radhard.protection.cost.operations import Operations
from radhard.protection.cost.row_cost import ExactRows, boxes
from radhard.protection.cost.shape import Block, cube
from radhard.protection.planning.bounds import Limits, observed_limits
from radhard.protection.planning.grounds import ChosenOn
from radhard.protection.planning.method import Method, ranges_of, read_method
from radhard.protection.planning.plan import Plan, read_plan, write_plan
from radhard.protection.planning.products import Product, Products, Protectable, products_of
from radhard.protection.planning.protection import Protection
from radhard.protection.protected import Protected, Scheme
from radhard.protection.residual import Residual
from radhard.protection.schemes.float_abft import FloatAbft
from radhard.protection.schemes.huang_abraham import HuangAbraham
from radhard.protection.schemes.intensity_guided import IntensityGuided
from radhard.protection.schemes.lb_abft import LbAbft
from radhard.protection.schemes.ranges import SOFTMAX, Ranges, observed_range, paper_range
from radhard.protection.schemes.registry import SCHEMES, scheme_dict, scheme_from, scheme_name
from radhard.protection.schemes.row_abft import RowAbft
from radhard.protection.schemes.standard_abft import StandardAbft
from radhard.protection.schemes.tmr import Tmr

__all__ = [
    "SCHEMES",
    "SOFTMAX",
    "Account",
    "Block",
    "Calibrating",
    "ChosenOn",
    "CostModel",
    "Exact",
    "ExactRows",
    "FloatAbft",
    "HuangAbraham",
    "IntensityGuided",
    "LbAbft",
    "Limits",
    "Method",
    "Operations",
    "Overhead",
    "Plan",
    "PricedBlock",
    "Printed",
    "Product",
    "Products",
    "Protectable",
    "Protected",
    "Protection",
    "Ranges",
    "Residual",
    "RowAbft",
    "Scheme",
    "Shape",
    "StandardAbft",
    "Tmr",
    "Volume",
    "boxes",
    "closed_form",
    "cube",
    "cubes",
    "observed_limits",
    "observed_range",
    "optimal_block",
    "paper_range",
    "probability",
    "products_of",
    "ranges_of",
    "read_method",
    "read_plan",
    "scheme_dict",
    "scheme_from",
    "scheme_name",
    "write_plan",
]
