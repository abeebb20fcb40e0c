"""The kernels for GPUs, in Triton: imported only where Triton is installed.

Each computes, bit for bit, what a loop of `radhard.ops.compiled` or a torch operation computes on the CPU, and proves
itself on its device before its first use. Triton's interpreter (TRITON_INTERPRET=1) runs them on the CPU, which is how
they are tested where there is no GPU.
"""

from radhard.ops.cuda.checked import written_checked

__all__ = ["written_checked"]
