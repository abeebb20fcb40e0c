"""What the timed parts run, run once by a process of its own while the tests run: its kernels are compiled then.

python -m benchmarks.gpu.warm PROGRAM     # a program that `prepare` has written

Triton keeps what it compiles on the disk. Which block sizes are the fastest is found by each process anew, so that the
timed one finds it on a device that nobody else uses.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.gpu.installed import ROOT, install

install()

import torch  # noqa: E402

from benchmarks.gpu.clean import BATCHES, images_of  # noqa: E402
from benchmarks.gpu.faulty import RATES  # noqa: E402
from benchmarks.gpu.kept import kept  # noqa: E402
from radhard.faults import Faults, Faulty  # noqa: E402
from radhard.machine import Clean  # noqa: E402
from radhard.program import run  # noqa: E402


def begin(program: Path) -> "subprocess.Popen[bytes]":
    """Start the process."""
    command = [sys.executable, "-m", "benchmarks.gpu.warm", str(program)]
    with program.with_suffix(".warm.log").open("wb") as log:
        return subprocess.Popen(command, cwd=ROOT, env=os.environ, stdout=log, stderr=log, start_new_session=True)


def main() -> None:
    """Run the program, clean and under faults, in each size of batch."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program", type=Path)
    device = torch.device("cuda", 0)
    program = kept(parser.parse_args().program).to(device)
    for batch in BATCHES:
        images = images_of(program, batch, device)
        run(program, images, Clean())
        for ber in RATES:
            run(program, images, Faulty(Clean(), Faults(ber=ber)))


if __name__ == "__main__":
    main()
