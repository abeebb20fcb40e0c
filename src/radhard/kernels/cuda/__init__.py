"""Triton kernels for NVIDIA GPUs. Imported only where Triton is installed.

Each computes, bit for bit, what a loop of `radhard.kernels.compiled` or a torch operation computes on the CPU, and
proves itself on its device before its first use. Triton's interpreter (TRITON_INTERPRET=1) runs them on the CPU, which
is how they are tested where there is no GPU.
"""

from radhard.kernels.cuda.chains import flip_chains, reads_words
from radhard.kernels.cuda.checked import written_checked
from radhard.kernels.cuda.convolve import convolved
from radhard.kernels.cuda.draw import ROOMS, drawn
from radhard.kernels.cuda.passes import look_up, normalise, pair, softmax, sum_rows, write_numbers
from radhard.kernels.cuda.products import written
from radhard.kernels.cuda.proof import proven
from radhard.kernels.cuda.running import Masks, running_products, running_sums
from radhard.kernels.cuda.struck import Read, Write
from radhard.kernels.cuda.struck_elements import hit_elements
from radhard.kernels.cuda.struck_rows import LONGEST, hit_rows

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
