"""The kernels for GPUs, in Triton: imported only where Triton is installed.

Each computes, bit for bit, what a loop of `radhard.ops.compiled` or a torch operation computes on the CPU, and proves
itself on its device before its first use. Triton's interpreter (TRITON_INTERPRET=1) runs them on the CPU, which is how
they are tested where there is no GPU.
"""

from radhard.ops.cuda.chains import flip_chains, reads_words
from radhard.ops.cuda.checked import written_checked
from radhard.ops.cuda.convolve import convolved
from radhard.ops.cuda.draw import ROOMS, drawn
from radhard.ops.cuda.passes import look_up, normalise, pair, softmax, sum_rows, write_numbers
from radhard.ops.cuda.products import written
from radhard.ops.cuda.proof import proven
from radhard.ops.cuda.running import Masks, running_products, running_sums
from radhard.ops.cuda.struck import Read, Write
from radhard.ops.cuda.struck_elements import hit_elements
from radhard.ops.cuda.struck_rows import LONGEST, hit_rows

__all__ = [
    "LONGEST",
    "ROOMS",
    "Masks",
    "Read",
    "Write",
    "convolved",
    "drawn",
    "flip_chains",
    "hit_elements",
    "hit_rows",
    "look_up",
    "normalise",
    "pair",
    "proven",
    "reads_words",
    "running_products",
    "running_sums",
    "softmax",
    "sum_rows",
    "write_numbers",
    "written",
    "written_checked",
]
