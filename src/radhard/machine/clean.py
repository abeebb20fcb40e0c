"""The machine protocol, and `Clean`, the machine without faults."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from radhard.machine.cost import Cost
from radhard.machine.gemm import Gemm
from radhard.machine.operator import Operator
from radhard.machine.primitives import Add, Load, Mul, Sum
from radhard.machine.site import Site


class Machine(ABC):
    """Applies operators at sites. Everything that radhard does to a model is a machine or a stack of them.

    >>> import torch
    >>> import radhard as rh
    >>> isinstance(rh.Faulty(rh.Clean(), rh.Faults(ber=1e-6)), rh.Machine)  # machines are nested
    True
    """

    @abstractmethod
    def apply(self, operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Tensor:
        """The operator's output for `inputs`, on this machine."""

    @abstractmethod
    def begin(self, costs: Mapping[Site, Cost], ids: Tensor) -> None:
        """A run starts: what each site costs for one image, and the identity [B] int64 of each image."""

    @property
    @abstractmethod
    def non_finite(self) -> Tensor:
        """Values [B] int64 of each image that were not finite where they were to be quantised.

        On the device that they were counted on, which nobody waits for before the end of a run.
        """

    def settled(self) -> bool:
        """Whether what was computed since it was asked last may be used; if not, all of it is to be done once more."""
        return True

    @property
    def sparse(self) -> bool:
        """Whether what it computes is what the kernels do, but for units that `strike` writes again."""
        return False

    def strike(self, operator: Operator, *, site: Site, cost: Cost | None) -> None:
        """Interpret the definition on those units of `operator` that faults hit at `site`, and scatter what they yield.

        Only a machine that is `sparse` does so. The operator reads its inputs itself, and keeps what is scattered: the
        output that it scatters into is empty. `cost` is that of one image, with all pieces of a site that executes a
        part of them; None at a site of the run, whose cost the machine knows.
        """
        raise NotImplementedError(f"{type(self).__name__} is not sparse")

    def gemm(self, a: Tensor, b: Tensor, site: str = "gemm") -> Tensor:
        """a [..., m, k], b [..., k, n] -> [..., m, n]; int8 operands give int32 accumulators."""
        return self.apply(Gemm(), (a, b), Site(name=site, operator="matmul"))

    def mul(self, x: Tensor, y: Tensor, site: str = "mul") -> Tensor:
        """x [...], y [...] -> elementwise products, broadcast."""
        return self.apply(Mul(), (x, y), Site(name=site, operator="mul"))

    def add(self, x: Tensor, y: Tensor, site: str = "add") -> Tensor:
        """x [...], y [...] -> elementwise sums, broadcast."""
        return self.apply(Add(), (x, y), Site(name=site, operator="add"))

    def sum(self, x: Tensor, dim: int = -1, site: str = "sum") -> Tensor:
        """x [..., n, ...] float32 -> running sums along `dim`, which stays with size 1."""
        return self.apply(Sum(dims=(dim,)), (x,), Site(name=site, operator="sum"))

    def load(self, x: Tensor, site: str = "load") -> Tensor:
        """x [...] -> the same words, read from memory."""
        return self.apply(Load(), (x,), Site(name=site, operator="load"))


class GraphCapturable(Machine):
    """A machine whose runs on a GPU can be recorded: launched again for other images, nothing done on the host."""

    @abstractmethod
    def recordable(self, costs: Mapping[Site, Cost]) -> bool:
        """Whether a run of these sites, like that which it has just done, launches nothing that is of one run alone."""

    @abstractmethod
    def like(self) -> "GraphCapturable":
        """Another machine like it, that has not begun: a recorded run is that one's."""

    @abstractmethod
    def renew(self, ids: Tensor, other: Machine) -> None:
        """A recorded run is launched again: for images `ids` [B] int64, as `other`, a machine like it, would run."""


def together(one: Tensor, other: Tensor) -> Tensor:
    """Sums of two counts [B] or [1] int64, on a device if one of them is.

    Zeros on the CPU, from before anything was counted, are not carried there: that waits for the device.
    """
    if one.device == other.device:
        return one + other
    host, there = (one, other) if one.is_cpu else (other, one)
    if bool(host.any()):
        return host.to(there.device) + there
    return there.expand(torch.broadcast_shapes(host.shape, there.shape))


class Clean(GraphCapturable):
    """Applies the fused kernels: as fast as PyTorch does it, without a fault.

    >>> import torch
    >>> import radhard as rh
    >>> rh.Clean().gemm(torch.ones(2, 3, dtype=torch.int8), torch.ones(3, 1, dtype=torch.int8)).tolist()
    [[3], [3]]
    """

    def __init__(self) -> None:
        self._batch = 1
        self._noted: Tensor | None = None  # on the device that it was noted on

    def begin(self, costs: Mapping[Site, Cost], ids: Tensor) -> None:
        """Forget what the last run noted."""
        del costs
        self._batch, self._noted = len(ids), None

    def recordable(self, costs: Mapping[Site, Cost]) -> bool:
        """Always: it knows nothing of its images."""
        del costs
        return True

    def like(self) -> "Clean":
        """A clean machine."""
        return Clean()

    def renew(self, ids: Tensor, other: Machine) -> None:
        """Nothing of it differs from run to run."""

    def apply(self, operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Tensor:
        """The operator's kernel."""

        def note(mask: Tensor) -> None:
            counts = site.per_image(mask)
            self._noted = counts if self._noted is None else together(self._noted, counts)

        return operator.kernel(inputs, note)

    @property
    def sparse(self) -> bool:
        """Nothing hits it; a subclass that computes otherwise is not."""
        return type(self).apply is Clean.apply

    def strike(self, operator: Operator, *, site: Site, cost: Cost | None) -> None:
        """Nothing."""

    @property
    def non_finite(self) -> Tensor:
        """Values of each image that were not finite where they were to be quantised, in this run."""
        if self._noted is None:
            return torch.zeros(self._batch, dtype=torch.int64, device="cpu")
        return self._noted.expand(self._batch) if len(self._noted) == 1 else self._noted  # of a site outside any batch
