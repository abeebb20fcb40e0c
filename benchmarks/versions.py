"""Two versions of this project in turns: what is computed stays bit for bit, and nothing becomes slower.

git worktree add ../before COMMIT
python -m benchmarks.versions --before ../before            # writes benchmarks/VERSIONS.md

Each version runs in a process of its own, on one thread. Case by case the two take turns, so that they share the
machine's moods; processor time leaves out what the machine gave to others.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.turns import Ratio, Times, ratio

MODELS = ("fashion-vit", "fashion-resnet18")
RECIPE = "int8-symmetric"  # that of all versions: what is called int8 has become another
TARGET = 1.02
_HERE = Path(__file__).resolve()


class Version:
    """The worker process of the version whose sources are below `tree`."""

    def __init__(self, tree: Path, model: str) -> None:
        path = os.pathsep.join([str(tree.resolve() / "src"), str(_HERE.parents[1])])  # its radhard, these benchmarks
        variables = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-P", str(_HERE), "--worker", model]
        self._process = subprocess.Popen(
            command, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tree
        )
        self.cases: list[str] = self._answer()

    def time(self, case: str) -> tuple[float, float, str]:
        """Wall seconds and processor seconds of one run of `case`, and the digest of what it computed."""
        assert self._process.stdin is not None
        self._process.stdin.write(case + "\n")
        self._process.stdin.flush()
        wall, used, digest = self._answer()
        return wall, used, digest

    def close(self) -> None:
        """The worker ends."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"a worker ended with exit status {self._process.wait()}")
        return json.loads(line)


def cases(model: str) -> dict[str, Callable[[], torch.Tensor]]:
    """Of a model of the zoo: what runs, by name. Only what both versions have is used."""
    import radhard as rh
    from radhard.machine import Clean
    from radhard.protection import Block, RowAbft

    torch.set_num_threads(1)
    loaded = rh.load(model, seed=0)
    noise = torch.randn(64, *loaded.input_shape, generator=torch.Generator().manual_seed(1))
    program = rh.quantize(rh.capture(loaded.module, noise[:2], name=model), [noise], recipe=RECIPE)
    named = [site.name for site in program.sites if site.operator in ("linear", "conv2d", "matmul")]
    float_program = rh.capture(loaded.module, noise[:2], name=model)
    faulty = {ber: rh.Faulty(Clean(), rh.Faults(ber=ber, seed=2)) for ber in (1e-8, 1e-6)}
    rows = RowAbft(block=Block(m=16, k=64, n=64))
    hardened = {
        "nothing": rh.harden(program, rh.Protection.of({})),
        "all products": rh.harden(program, rh.Protection.of(dict.fromkeys(named, deployable() or rows))),
    }
    images = {1: noise[:1], 8: noise[:8]}
    found: dict[str, Callable[[], torch.Tensor]] = {}
    for batch, x in images.items():
        found[f"float program, batch {batch}"] = lambda x=x: rh.run(float_program, x, Clean()).logits
        found[f"int8 program, batch {batch}"] = lambda x=x: rh.run(program, x, Clean()).logits
        for ber, machine in faulty.items():
            found[f"faults at {ber:.0e}, batch {batch}"] = lambda x=x, m=machine: rh.run(program, x, m).logits
        for what, module in hardened.items():
            found[f"deployed, {what} checked, batch {batch}"] = lambda x=x, m=module: m(x)
    protection = rh.Protection.of(dict.fromkeys(named, rows))
    found["row-abft on the machine, batch 8"] = lambda: rh.run(program, noise[:8], protection.on(faulty[1e-6])).logits
    return found


def deployable() -> object | None:
    """The scheme that is deployed as a check of rows; None in a version in which every scheme was."""
    try:
        from radhard.protection.schemes.row_check import RowCheckAbft
    except ImportError:
        return None
    return RowCheckAbft()


def work(model: str) -> None:
    """A worker: names its cases, then runs those that it reads, one a line."""
    known = cases(model)
    print(json.dumps(list(known)), flush=True)
    with torch.no_grad():
        for line in sys.stdin:
            case = known[line.strip()]
            start, used = time.perf_counter(), time.process_time()
            out = case()
            used, wall = time.process_time() - used, time.perf_counter() - start
            digest = hashlib.sha256(out.contiguous().numpy().tobytes()).hexdigest()
            print(json.dumps([wall, used, digest]), flush=True)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One case in one pair of processes: milliseconds of the best run before and after, `ratio`, equal bits or not."""

    rounds: int
    before: float
    after: float
    ratio: Ratio
    same: bool


def measure(case: str, versions: dict[str, Version], *, seconds: float) -> Pair:
    """Both versions in turns for about `seconds`; one round is not counted."""
    first = {name: version.time(case) for name, version in versions.items()}
    rounds = int(min(400, max(5, seconds / sum(wall for wall, _, _ in first.values()))))
    wall: dict[str, list[float]] = {name: [] for name in versions}
    used: dict[str, list[float]] = {name: [] for name in versions}
    same = True
    for turn in range(rounds):
        digests = set()
        for name in list(versions)[:: 1 if turn % 2 else -1]:
            of_wall, of_processor, digest = versions[name].time(case)
            wall[name].append(of_wall)
            used[name].append(of_processor)
            digests.add(digest)
        same &= len(digests) == 1
    times = {name: Times(wall=np.array(wall[name]), cpu=np.array(used[name])) for name in versions}
    return Pair(
        rounds=rounds,
        before=times["before"].cpu.min() * 1e3,
        after=times["after"].cpu.min() * 1e3,
        ratio=ratio(times["after"], times["before"]),
        same=same,
    )


def compare(before: Path, after: Path, *, model: str, seconds: float, processes: int) -> list[str]:
    """Rows of the table of one model: each case in so many pairs of processes, about `seconds` in all."""
    found: dict[str, list[Pair]] = {}
    for _ in range(processes):
        versions = {"before": Version(before, model), "after": Version(after, model)}
        for case in versions["after"].cases:
            pair = measure(case, versions, seconds=seconds / processes)
            found.setdefault(case, []).append(pair)
            print(f"{model}, {case}: {pair.ratio}", flush=True)
        for version in versions.values():
            version.close()
    return [row(model, case, pairs) for case, pairs in found.items()]


def row(model: str, case: str, pairs: Sequence[Pair]) -> str:
    """A row of the table; `slower` where both ratios of processor times are above the target in the middle pair."""
    by_time = [min(pair.ratio.cpu, pair.ratio.median) for pair in pairs]
    middle = Ratio(
        wall=float(np.median([pair.ratio.wall for pair in pairs])),
        cpu=float(np.median([pair.ratio.cpu for pair in pairs])),
        median=float(np.median([pair.ratio.median for pair in pairs])),
    )
    mark = " slower" if np.median(by_time) > TARGET else ""
    before, after = min(pair.before for pair in pairs), min(pair.after for pair in pairs)
    return (
        f"| `{model}` | {case} | {sum(pair.rounds for pair in pairs)} | {before:.3f} | {after:.3f} | {middle}{mark} "
        f"| {min(by_time):.3f} to {max(by_time):.3f} | {'yes' if all(pair.same for pair in pairs) else 'no'} |"
    )


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worker", metavar="MODEL", help="what this program starts itself")
    parser.add_argument("--before", type=Path, help="a checkout of the version to compare with")
    parser.add_argument("--after", type=Path, default=_HERE.parents[1])
    parser.add_argument("--model", action="append", choices=[*MODELS, "vit_base_patch16_224"])
    parser.add_argument("--seconds", type=float, default=20.0, help="of each case, in all pairs of processes")
    parser.add_argument("--processes", type=int, default=3, help="pairs of processes, one after the other")
    parser.add_argument("--out", type=Path, default=_HERE.with_name("VERSIONS.md"))
    chosen = parser.parse_args()
    if chosen.worker:
        work(chosen.worker)
        return
    if chosen.before is None:
        parser.error("give --before: a checkout of the version to compare with")
    from benchmarks.deployed import machine

    rows = [
        line
        for model in chosen.model or MODELS
        for line in compare(
            chosen.before, chosen.after, model=model, seconds=chosen.seconds, processes=chosen.processes
        )
    ]
    commits = [
        subprocess.run(
            ["git", "describe", "--always", "--dirty"], cwd=tree, capture_output=True, text=True, check=True
        ).stdout.strip()
        for tree in (chosen.before, chosen.after)
    ]
    slower = [" ".join(line.split("|")[1:3]).strip() for line in rows if " slower " in line]
    lines = [
        "# Two versions in turns",
        "",
        f"`python -m benchmarks.versions --before {chosen.before}`: {commits[0]} before, {commits[1]} after, on "
        f"{machine()}, one thread each, load {os.getloadavg()[0]:.1f}. Milliseconds are best processor times of a run. "
        "Each ratio, after to before, is given three times: of best wall-clock times / of best processor times / the "
        "median of the ratios of processor times round by round. How a process lies in memory moves its times by some "
        f"per cent, so each ratio is the middle one of {chosen.processes} pairs of processes, and `pairs` is the range "
        "of the smaller of the two ratios of processor times. A case counts as slower where the middle one of these is "
        f"above {TARGET}. `same` says that both compute the same bits in every round.",
        "",
        "| model | case | rounds | before, ms | after, ms | ratio | pairs | same |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
        "",
        f"Slower: {'; '.join(slower)}." if slower else "No case is slower.",
        "",
    ]
    chosen.out.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
