"""Programs made by processes of their own while others are measured: capturing and calibrating take half a minute.

python -m benchmarks.gpu.prepare MODEL FILE     # an int8 program; of a model of the zoo its answers on the CPU too
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from benchmarks.gpu.installed import ROOT, install, workplace

install()

import torch  # noqa: E402

from benchmarks.gpu import limits  # noqa: E402
from benchmarks.gpu.answers import IMAGES, Answers, answered, rates_of  # noqa: E402
from benchmarks.gpu.kept import keep, kept  # noqa: E402
from radhard.campaign.build import build, build_program  # noqa: E402
from radhard.models.load import LoadedModel, load  # noqa: E402
from radhard.program import Program  # noqa: E402

RECIPE = "int8"
VIT_B = "vit_base_patch16_224"
FULL = (VIT_B, "swin_tiny_patch4_window7_224", "deepvit_s", "cait_xxs24_224", "resnet18", "resnet50")
ZOO = ("fashion-vit", "fashion-resnet20", "fashion-swin", "fashion-deepvit", "fashion-cait", "fashion-resnet18")
TINY = f"{Path(__file__).with_name('small.py')}:vit"
THREADS = 8
"""Of the process that prepares a large model; one of the zoo has one, for there are many at a time."""

MOST_WAITED = 120
"""Seconds, for a program to be prepared; they do not count as those of the part that waits."""

NEEDED = {"clean": (VIT_B,), "faulty": (VIT_B,), "equality": ZOO}

_programs: dict[tuple[str, torch.device], Program] = {}
_started: dict[str, "subprocess.Popen[bytes]"] = {}


def subject(*, tiny: bool) -> str:
    """The model whose speed is measured."""
    return TINY if tiny else VIT_B


def zoo(*, tiny: bool) -> tuple[str, ...]:
    """The models of the zoo whose answers are compared."""
    return (TINY,) if tiny else ZOO


def start(parts: Sequence[str], *, tiny: bool) -> None:
    """Start a process for each model that the parts need: the part `models` does so itself."""
    for name in dict.fromkeys(model for part in NEEDED if part in parts for model in NEEDED[part]):
        begin(TINY if tiny else name, tiny=tiny)
    if "equality" not in parts:
        begin(TINY, tiny=True)  # the loops for CPUs are compiled meanwhile, and kept in numba's cache


def stop(names: Sequence[str] | None = None) -> None:
    """End those that still run, of these models or of all."""
    for name, process in _started.items():
        if (names is None or name in names) and process.poll() is None:
            process.kill()


def program_of(name: str, *, tiny: bool, device: torch.device) -> Program:
    """The int8 program of a model on a device, kept; waiting for it takes nothing of the part's time."""
    if (name, device) in _programs:
        return _programs[name, device]
    start = time.monotonic()
    program = written(name, tiny=tiny, device=device, most=MOST_WAITED)
    limits.more(time.monotonic() - start)
    _programs[name, device] = program
    return program


def is_written(name: str) -> bool:
    """Whether a program can be had without waiting."""
    return file_of(name).exists()


def written(name: str, *, tiny: bool, device: torch.device, most: float) -> Program:
    """The same, once its process has written it. TimeoutError after `most` seconds."""
    file, process, start = file_of(name), begin(name, tiny=tiny), time.monotonic()
    while not file.exists():
        _check(name, process.poll())
        if time.monotonic() - start > most:
            raise TimeoutError(f"{name} was not prepared in {most:.0f} s")
        time.sleep(0.05)
    program = kept(file)
    return program if device.type == "cpu" else program.to(device)


def expected_of(name: str, *, tiny: bool) -> list[Answers]:
    """What a model of the zoo answers on the CPU, once its process is at its end."""
    process = begin(name, tiny=tiny)
    _check(name, process.wait(timeout=max(1.0, min(limits.left(), 600.0))))
    found: list[Answers] = torch.load(file_of(name).with_suffix(".answers"), weights_only=False)
    return found


@cache
def module_of(name: str) -> LoadedModel:
    """The model that the program was made of."""
    return load(name, seed=0, input_shape=(1, 28, 28) if name == TINY else None)


def file_of(name: str) -> Path:
    """Where the program of a model is written."""
    return workplace() / f"{name.rpartition(':')[2]}.program"


def _check(name: str, code: int | None) -> None:
    if code:
        told = file_of(name).with_suffix(".log").read_text()[-2000:]
        raise RuntimeError(f"preparing {name} failed:\n{told}")


def begin(name: str, *, tiny: bool) -> "subprocess.Popen[bytes]":
    """The process that prepares a model, started unless it was; it computes on the CPU, with the loops for CPUs."""
    if name not in _started:
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": str(THREADS if name in FULL else 1)}
        environment.pop("TRITON_INTERPRET", None)
        command = [sys.executable, "-m", "benchmarks.gpu.prepare", name, str(file_of(name)), *["--tiny"] * tiny]
        with file_of(name).with_suffix(".log").open("wb") as log:
            _started[name] = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log)
    return _started[name]


def main() -> None:
    """Prepare one model."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("file", type=Path)
    parser.add_argument("--tiny", action="store_true")
    chosen = parser.parse_args()
    loaded = module_of(chosen.model)
    if chosen.model not in (*ZOO, TINY):
        keep(build_program(loaded, recipe=RECIPE), chosen.file)
        return
    program = build(loaded, recipe=RECIPE).programs[RECIPE]
    keep(program, chosen.file)
    images = 1 if chosen.tiny else IMAGES
    host = torch.device("cpu")
    found = [answered(program, ber=ber, images=images, device=host) for ber in rates_of(chosen.model, tiny=chosen.tiny)]
    new = chosen.file.with_suffix(".answering")
    torch.save(found, new)
    new.replace(chosen.file.with_suffix(".answers"))


if __name__ == "__main__":
    main()
