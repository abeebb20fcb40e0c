"""Altered files of every kind that a command reads, each given to it in a process with bounds of time and memory.

`python -m tests.support.fuzz FOLDER --seed S --count N [--only KIND]` prints a line for each file that ends otherwise
than it may: with exit code 2 and one line that says what is wrong with the file, or with exit code 0 and a result.
"""

import argparse
import os
import random
import re
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from typer.testing import CliRunner

from radhard import strict_json
from radhard.cli.commands import app
from radhard.program.quantization.calibration import digest_of_images

SECONDS = 60
GIGABYTES = 4

TINY = """
import torch
from torch import nn


def make():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 7 * 7, 10))
"""
PICTURES = ("png", "jpg", "bmp", "tif", "webp")
SHAPE = ("--input-shape", "1,28,28", "--mean", "0.5", "--std", "0.5")
SMALL = ("--ber", "1e-4", "--images", "4", "--trials", "1", "--json")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Files of one kind: `file` as it should be, and the command that reads it.

    `exact`: the file says by itself whether it is whole, so that a result is the right one or there is none.
    """

    name: str
    file: Path
    command: tuple[str, ...]
    exact: bool = False


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended: `code` (None: killed after SECONDS), its two outputs, its time."""

    code: int | None
    out: str
    err: str
    seconds: float


# --- files as they should be ---


def corpus(folder: Path) -> list[Kind]:
    """One good file of every kind, made by the commands themselves where they make such files."""
    from PIL import Image
    from safetensors.torch import save_file

    (folder / "tiny.py").write_text(TINY)
    model = f"{folder}/tiny.py:make"
    plain = (model, *SHAPE)

    def path(name: str) -> Path:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        return folder / name

    def make(*arguments: str) -> None:
        ended = run(arguments, folder=folder)
        assert ended.code == 0, (arguments, ended)

    for suffix in ("csv", "parquet"):
        make("trace", *plain, "--ber", "1e-4", "--images", "4", "--out", str(path(f"trace.{suffix}")))
    make(
        "plan", *plain, "--ber", "1e-4", "--images", "8", "--max-overhead", "300", "--max-loss", "50", "--out",
        str(path("plan.json")),
    )  # fmt: skip
    make("sweep", *plain, *SMALL, "--store", str(path("store.db")))
    module = _made(folder / "tiny.py")
    weights = {name: values.contiguous() for name, values in module.state_dict().items()}
    save_file(weights, path("weights.safetensors"))
    torch.save(weights, path("weights.pth"))
    torch.save(weights, path("legacy.pth"), _use_new_zipfile_serialization=False)
    batch = torch.export.Dim("batch")
    torch.export.save(
        torch.export.export(module, (torch.zeros(2, 1, 28, 28),), dynamic_shapes=({0: batch},)), path("model.pt2")
    )
    noise = np.random.default_rng(0)
    for suffix in PICTURES:
        for place in range(24):
            pixels = noise.integers(0, 256, (28, 28), dtype=np.uint8)
            Image.fromarray(pixels).save(path(f"images-{suffix}/{place % 10}/{place}.{suffix}"))
    picture = {suffix: folder / f"images-{suffix}" / "0" / f"0.{suffix}" for suffix in PICTURES}
    many = {"images": noise.integers(0, 256, (40, 28, 28), dtype=np.uint8), "labels": noise.integers(0, 10, 40)}
    np.savez(path("arrays/data.npz"), **many)

    def kind(name: str, file: Path, *command: str, exact: bool = False) -> Kind:
        return Kind(name=name, file=file, command=command, exact=exact)

    sweep, plan, store = ("sweep", *plain, *SMALL), folder / "plan.json", folder / "store.db"
    tables = [folder / f"trace.{suffix}" for suffix in ("csv", "parquet")]
    weights_of = [folder / name for name in ("weights.safetensors", "weights.pth", "legacy.pth")]
    archive = folder / "model.pt2"
    found = [
        *(kind(f"trace {file.suffix}", file, "replay", *plain, "--json", "--trace", str(file)) for file in tables),
        kind("plan evaluated", plan, "evaluate", *plain, "--plan", str(plan), "--images", "4", "--json"),
        kind("plan hardened", plan, "harden", *plain, "--plan", str(plan), "--out", str(folder / "hardened.pt2")),
        kind("store", store, *sweep, "--store", str(store), exact=True),
        kind("store merged", store, "merge", str(folder / "merged.db"), str(store)),
        *(kind(f"checkpoint {file.name}", file, *sweep, "--checkpoint", str(file)) for file in weights_of),
        kind("archive", archive, "sweep", str(archive), "--mean", "0.5", "--std", "0.5", *SMALL),
        kind("source", folder / "tiny.py", *sweep),
        *(kind(f"image {s}", picture[s], *sweep, "--data", str(folder / f"images-{s}")) for s in picture),
    ]
    return [kind for kind in (*found, *_optional(folder, plain)) if _works(kind, folder)]


def _optional(folder: Path, plain: tuple[str, ...]) -> list[Kind]:
    """Kinds of data that a folder of images is not."""
    rows = "".join(f"{place % 10}/{place}.png,{place % 10}\n" for place in range(24))
    flat = folder / "flat"
    flat.mkdir(exist_ok=True)
    for file in (folder / "images-png").glob("*/*.png"):
        (flat / file.name).write_bytes(file.read_bytes())
    (flat / "labels.csv").write_text("file,label\n" + re.sub(r"^\d/", "", rows, flags=re.M))
    return [
        Kind(name="labels", file=flat / "labels.csv", command=("sweep", *plain, *SMALL, "--data", str(flat))),
        Kind(
            name="arrays", file=folder / "arrays/data.npz",
            command=("sweep", *plain, *SMALL, "--data", str(folder / "arrays/data.npz")),
        ),
    ]  # fmt: skip


def _works(kind: Kind, folder: Path) -> bool:
    ended = run(kind.command, folder=folder)
    _clean(folder)
    if ended.code != 0:
        _say(f"not tried: {kind.name}: {ended.err.strip()[-300:]}")
    return ended.code == 0


def _made(file: Path) -> torch.nn.Module:
    scope: dict[str, Any] = {}
    exec(compile(file.read_text(), file, "exec"), scope)  # the text above
    module: torch.nn.Module = scope["make"]()
    return module.eval()


# --- alterations ---

HOSTILE = (
    b"NaN", b"-1", b"1e400", b"9" * 23, b"-" + b"9" * 400, b"", b"null", b"true", b'""', b"[]", b"{}", b"0.5",
    b"2147483648", b"18446744073709551615", b"\xff\xfe", b"\x00", b"\n", b"../../x", b"a" * 5000, b"\x1b[31m",
    b"'", b'"', b",,", b"1" * 17,
)  # fmt: skip


def altered(raw: bytes, chance: random.Random) -> bytes:
    """The bytes of a file with one or more of these things done to them."""
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        raw = chance.choice(_DONE)(raw, chance) if raw else chance.randbytes(50)
    return raw


def _bits(raw: bytes, chance: random.Random) -> bytes:
    found = bytearray(raw)
    for _ in range(chance.choice([1, 1, 2, 8, 64])):
        found[chance.randrange(len(found))] ^= 1 << chance.randrange(8)
    return bytes(found)


def _bytes(raw: bytes, chance: random.Random) -> bytes:
    found = bytearray(raw)
    for _ in range(chance.choice([1, 2, 4, 16])):
        found[chance.randrange(len(found))] = chance.choice([0, 255, 127, 128, chance.randrange(256)])
    return bytes(found)


def _cut(raw: bytes, chance: random.Random) -> bytes:
    return raw[: chance.choice([0, 1, len(raw) // 2, len(raw) - 1, chance.randrange(len(raw))])]


def _removed(raw: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(raw))
    return raw[:start] + raw[start + chance.choice([1, 4, 64, 1024]) :]


def _twice(raw: bytes, chance: random.Random) -> bytes:
    start, size = chance.randrange(len(raw)), chance.choice([1, 16, 256, 4096])
    return raw[: start + size] + raw[start:]


def _zeroed(raw: bytes, chance: random.Random) -> bytes:
    start, size = chance.randrange(len(raw)), chance.choice([4, 64, 512, 4096])
    return raw[:start] + bytes(len(raw[start : start + size])) + raw[start + size :]


def _token(raw: bytes, chance: random.Random) -> bytes:
    """A number or a word of a text replaced by something hostile."""
    places = [match.span() for match in re.finditer(rb"-?\d+(?:\.\d+)?(?:e-?\d+)?|[A-Za-z_.]{2,}", raw[:200_000])]
    if not places:
        return raw + chance.choice(HOSTILE)
    start, stop = chance.choice(places)
    return raw[:start] + chance.choice(HOSTILE) + raw[stop:]


def _swapped(raw: bytes, chance: random.Random) -> bytes:
    """Two tokens exchanged."""
    places = [match.span() for match in re.finditer(rb"[A-Za-z0-9_.+-]+", raw[:200_000])]
    if len(places) < 2:
        return raw[::-1]
    (a, b), (c, d) = sorted(chance.sample(places, 2))
    return raw[:a] + raw[c:d] + raw[b:c] + raw[a:b] + raw[d:]


def _line(raw: bytes, chance: random.Random) -> bytes:
    lines = raw.split(b"\n")
    lines.insert(chance.randrange(len(lines) + 1), chance.choice([*lines, *HOSTILE]))
    return b"\n".join(lines)


def _encoded(raw: bytes, chance: random.Random) -> bytes:
    return chance.choice(
        [b"\xef\xbb\xbf" + raw, raw.replace(b"\n", b"\r\n"), b"\xff\xfe" + raw, raw * 2, raw + bytes(4096)]
    )


_DONE: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _bits, _bytes, _cut, _removed, _twice, _zeroed, _token, _token, _token, _swapped, _line, _encoded,
)  # fmt: skip


# --- running ---


def run(command: Sequence[str], *, folder: Path) -> Ended:
    """A command of the line in a process of its own, forked off with all of radhard in it."""
    outputs = [folder / "stdout", folder / "stderr"]
    began = time.monotonic()
    if (child := os.fork()) == 0:
        _in_child(command, outputs)
    status = None
    while time.monotonic() - began < SECONDS:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.005)
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        status = None
    texts = [file.read_text(errors="replace") if file.exists() else "" for file in outputs]
    code = None if status is None else os.waitstatus_to_exitcode(status)
    return Ended(code=code, out=texts[0], err=texts[1], seconds=time.monotonic() - began)


def _in_child(command: Sequence[str], outputs: Sequence[Path]) -> None:
    code = 99
    try:
        for number, file in enumerate(outputs, start=1):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (used + (GIGABYTES << 30),) * 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        from radhard.cli import main

        sys.argv = ["radhard", *command]
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 98
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def fault_of(ended: Ended, *, right: Ended, exact: bool) -> str | None:
    """What is wrong with how a command ended on an altered file; None if nothing is."""
    if ended.code is None:
        return f"not at its end after {SECONDS} s"
    said = [line for line in ended.err.splitlines() if line.startswith("radhard: ")]
    if ended.code == 2:
        if len(said) != 1 or ended.err.splitlines()[-1] != said[0]:
            return "its error is not one line, the last"
        if "bug of radhard" in said[0]:
            return "an unforeseen exception"
        return "it names nothing" if len(said[0]) < 30 else None
    if ended.code != 0:
        return f"exit code {ended.code}"
    if exact and ended.out != right.out:
        return "another result than that of the whole file, in silence"
    try:
        if ended.out.startswith("{"):
            strict_json.loads(ended.out)
    except ValueError as error:
        return f"its result is no JSON: {error!r}"
    return None


def _clean(folder: Path) -> None:
    for pattern in ("merged.db*", "hardened.pt2", "store.db-*"):
        for file in folder.glob(pattern):
            file.unlink()


def main() -> None:
    """Alter files and print what ends otherwise than it may."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    _warm()
    kinds = [kind for kind in corpus(given.folder) if given.only in kind.name]
    _remember()
    for kind in kinds:
        CliRunner().invoke(app, kind.command)
        _clean(given.folder)
    right = {kind.name: run(kind.command, folder=given.folder) for kind in kinds}
    counts, began = {0: 0, 2: 0}, time.monotonic()
    for number in range(given.count):
        kind = kinds[(number + given.seed) % len(kinds)]
        whole = kind.file.read_bytes()
        chance = random.Random(f"{kind.name} {given.seed} {number}")
        raw = altered(whole, chance)
        try:
            kind.file.write_bytes(raw)
            ended = run(kind.command, folder=given.folder)
        finally:
            kind.file.write_bytes(whole)
            _clean(given.folder)
        counts[ended.code or 0] = counts.get(ended.code or 0, 0) + 1
        if fault := fault_of(ended, right=right[kind.name], exact=kind.exact):
            kept = given.folder / "failing" / f"{given.seed}-{number}{kind.file.suffix}"
            kept.parent.mkdir(exist_ok=True)
            kept.write_bytes(raw)
            _say(f"FAILED {kind.name} {kept.name}: {fault}: {ended.err.strip()[-600:]}")
    _say(f"tried {given.count} of {len(kinds)} kinds in {time.monotonic() - began:.0f} s: {counts}")


def _remember() -> None:
    """Let children find the programs of models and images that are not altered: they take longest to make."""
    from radhard.campaign import build

    known: dict[tuple[object, ...], Any] = {}

    def remembered(make: Callable[..., Any], key: Callable[..., tuple[object, ...]]) -> Callable[..., Any]:
        def found(*given: Any, **how: Any) -> Any:
            if (place := (key(*given), repr(how))) not in known:
                known[place] = make(*given, **how)
            return known[place]

        return found

    def of_module(module: Any, batch: torch.Tensor) -> tuple[object, ...]:
        state = module.state_dict if isinstance(module, torch.export.ExportedProgram) else module.state_dict()
        weights = "".join(f"{name} {values.tolist()}" for name, values in state.items())
        return str(getattr(module, "graph_module", module)), weights, batch.shape

    def of_program(program: Any, batches: Any = ()) -> tuple[object, ...]:
        return program.digest, digest_of_images(batches)

    build.capture = remembered(build.capture, of_module)
    build.quantize = remembered(build.quantize, of_program)


def _say(text: str) -> None:
    sys.stdout.write(text.replace("\n", " ") + "\n")
    sys.stdout.flush()


def _warm() -> None:
    """Import and compile, once for all children, what commands need."""
    from tests.support.models import images, tiny_program

    program = tiny_program("int8")
    from radhard.faults import Faults, Faulty
    from radhard.machine import Clean
    from radhard.program import run as run_program

    run_program(program, images(2), Faulty(Clean(), Faults(ber=1e-3)))


if __name__ == "__main__":
    main()
