"""What reads users' files, given altered ones by the hundred: it reads, or refuses by an error that names the file."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from radhard.campaign.store import Store
from radhard.errors import RadhardError
from radhard.faults import Flips, read_trace, write_trace
from radhard.models.checkpoints.checkpoint import read_checkpoint
from radhard.models.sources.from_archive import read_program
from radhard.protection import Block, Plan, Protection, Ranges, RowAbft, read_method, read_plan, write_plan
from radhard.protection.planning.grounds import Goal
from tests.support.fuzz import altered


def _trace(path: Path) -> None:
    column, sites = np.arange(40), ("blocks.0.attn.qkv", "head")
    flips = Flips(sites=sites, image=column, site=column % 2, kind=column % 2, index=column * 7, bit=column % 16)
    write_trace(flips, path)


def _plan(path: Path) -> None:
    protection = Protection.of({"head": RowAbft(block=Block(m=2, k=3, n=4)), "act": Ranges(low=-1.0, high=2.0)})
    plan = Plan(
        model="m", program="0" * 64, recipe="int8", ber=1e-8, seed=0, words={"product": "int16"}, strategy="gain",
        bound="",
        method=read_method("row-abft"), limits=Goal(loss=0.02),
        protection=protection,
    )  # fmt: skip
    write_plan(plan, path)


def _weights() -> dict[str, torch.Tensor]:
    return {"a.weight": torch.ones(4, 3), "a.bias": torch.zeros(4), "b.weight": torch.full((2, 4), 0.5)}


def _legacy(path: Path) -> None:
    torch.save(_weights(), path, _use_new_zipfile_serialization=False)


def _archive(path: Path) -> None:
    torch.export.save(torch.export.export(nn.Linear(3, 2).eval(), (torch.zeros(2, 3),)), path)


def _store(path: Path) -> None:
    Store(path).close()


def _rows(path: Path) -> list[object]:
    with Store(path, mode="read") as store:
        return [store.settings(), *store.rows()]


KINDS: dict[str, tuple[Callable[[Path], Any], Callable[[Path], Any]]] = {
    "trace.csv": (_trace, read_trace),
    "trace.parquet": (_trace, read_trace),
    "plan.json": (_plan, read_plan),
    "weights.safetensors": (lambda path: save_file(_weights(), path), read_checkpoint),
    "weights.pth": (lambda path: torch.save(_weights(), path), read_checkpoint),
    "legacy.pth": (_legacy, read_checkpoint),
    "model.pt2": (_archive, read_program),
    "store.db": (_store, _rows),
}


def tried(folder: Path, name: str, *, count: int) -> None:
    make, read = KINDS[name]
    whole = folder / name
    make(whole)
    read(whole)
    raw, found = whole.read_bytes(), {"read": 0, "refused": 0}
    for number in range(count):
        path = folder / f"{number}{whole.suffix}"
        path.write_bytes(altered(raw, random.Random(f"{name} {number}")))
        try:
            read(path)
            found["read"] += 1
        except RadhardError as error:
            text = str(error)
            found["refused"] += 1
            assert str(path) in text or path.name in text, text
        except Exception as error:
            raise AssertionError(f"{path}: {error!r}") from error
        path.unlink()
    assert found["refused"] > count // 5, found
    shutil.rmtree(folder)


@pytest.mark.parametrize("name", KINDS)
def test_altered_files_are_read_or_refused(tmp_path: Path, name: str) -> None:
    tried(tmp_path, name, count=40)


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_many_altered_files_are_read_or_refused(tmp_path: Path, name: str) -> None:
    tried(tmp_path, name, count=1000)
