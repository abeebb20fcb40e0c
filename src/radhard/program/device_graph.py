"""CUDA graphs of a program: a run of one batch size, recorded once and launched as a whole.

A program has hundreds of steps. Launching their kernels one by one takes the host longer than a GPU takes to compute
them, unless batches are large. A recording (a CUDA graph) is one launch: the same kernels on the same addresses, with
other images, identities and trials in them.
"""

import warnings

import torch
from torch import Tensor

from radhard.errors import InputError
from radhard.machine import GraphCapturable, Machine, undisturbed
from radhard.program.program import Program, RunResult, identities, run, take_steps


class DeviceGraph:
    """Runs of `program` on batches of `batch` images: the first is recorded as it is done, later ones are launched.

    The machines that it is given are alike, as are those of the trials of one setting. Where a machine cannot be
    recorded, on a CPU and for batches of another size it runs as `run` does. What a recording has computed is valid
    until the next run.
    """

    def __init__(self, program: Program, *, batch: int) -> None:
        if batch < 1:
            raise InputError(f"batch={batch}: a recording is of at least one image")
        self._program, self._batch = program, batch
        self._refused = False
        self._graph: torch.cuda.CUDAGraph | None = None
        self._recorded: GraphCapturable | None = None
        self._images = self._logits = torch.empty(0)

    def run(self, images: Tensor, machine: Machine, *, ids: Tensor | None = None) -> tuple[RunResult, Machine]:
        """As `run` does, and the machine that did it: it tells of the run what `machine` would tell."""
        program = self._program
        if self._graph is None or self._recorded is None or images.shape != self._images.shape:
            result = run(program, images, machine, ids=ids)
            wanted = len(images) == self._batch and images.is_cuda and not self._refused
            if wanted and isinstance(machine, GraphCapturable) and machine.recordable(program.costs):
                self._try(images, machine, identities(ids, len(images)))
            return result, machine
        known = identities(ids, len(images))
        self._images.copy_(images)
        self._recorded.renew(known, machine)
        self._graph.replay()
        if not self._recorded.settled():
            return run(program, images, machine, ids=ids), machine
        counts = self._recorded.non_finite.cpu().expand(len(images)).clone()
        return RunResult(logits=self._logits.clone(), non_finite=counts), self._recorded

    def _try(self, images: Tensor, machine: GraphCapturable, ids: Tensor) -> None:
        """Record, or warn that runs go on as they are: what they compute is the same."""
        try:
            self._record(images, machine, ids)
        except RuntimeError as error:
            self._refused = True
            warnings.warn(
                f"{self._program.name} cannot be recorded as one launch, so its kernels are launched one by one, which "
                f"is slower: {str(error).splitlines()[0]}",
                RuntimeWarning,
                stacklevel=3,
            )

    def _record(self, images: Tensor, machine: GraphCapturable, ids: Tensor) -> None:
        """Record a run like the one that `machine` has just done, which has compiled and kept all that it needs."""
        program, recorded, graph = self._program, machine.like(), torch.cuda.CUDAGraph()
        self._images = images.clone()
        recorded.renew(ids, machine)
        recorded.begin(program.costs, ids)
        with undisturbed(images.device), torch.cuda.device(images.device):
            torch.cuda.synchronize()
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                self._logits = take_steps(program, self._images, recorded)
        self._graph, self._recorded = graph, recorded
