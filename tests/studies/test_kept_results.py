"""Results of the verbs in the store that the user names: the record of --json, once, and only of whole results."""

from functools import cache
from pathlib import Path

import pytest
import torch

import radhard as rh
from radhard.campaign.results import KeptResult, results
from radhard.campaign.store import Store
from radhard.errors import IncompleteError
from tests.cli.test_store_commands import run

MODEL = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 4)).eval()


@cache
def data() -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.randn(160, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    return images, MODEL(images).argmax(1)


def held(path: Path) -> tuple[KeptResult, ...]:
    with Store(path, mode="read") as store:
        return results(store)


def test_each_verb_keeps_what_its_command_prints(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    options = rh.RunOptions(trials=1, images=40, store=path)
    within = rh.PlanOptions(scheme="tmr", max_loss=20, max_overhead=250)
    schemes = rh.CompareOptions(schemes=("row-check", "tmr"))
    planned = rh.plan(MODEL, data(), ber=1e-5, plan_options=within, run=options)
    found = {
        "sweep": rh.sweep(MODEL, data(), ber=1e-3, run=options),
        "vulnerability": rh.vulnerability(MODEL, data(), by="bit", ber=1e-3, run=options),
        "plan": planned,
        "compare": rh.compare(MODEL, data(), ber=1e-3, compare_options=schemes, run=options),
        "evaluate": rh.evaluate(MODEL, data(), plan=planned.plan, run=rh.RunOptions(images=20, trials=1, store=path)),
    }
    by_verb = {one.verb: one for one in held(path)}
    assert set(by_verb) == {*found, "inspect"}
    for verb, result in found.items():
        assert by_verb[verb].record == result.to_dict()
        assert by_verb[verb].model == "Sequential"
        assert by_verb[verb].settings["data"] == "<tuple in memory>"
        assert by_verb[verb].settings["images"] == (20 if verb == "evaluate" else 40)
        assert "store" not in by_verb[verb].settings
    assert by_verb["vulnerability"].settings["by"] == "bit"
    assert by_verb["inspect"].record["rows"][0]["op"] == "aten.linear.default"
    rh.sweep(MODEL, data(), ber=1e-3, run=rh.RunOptions(trials=1, images=40, store=path, workers=1))
    assert [one.verb for one in held(path)].count("sweep") == 1


def test_a_part_of_the_work_has_no_result(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    for part in (1, 2):
        shard = rh.RunOptions(trials=2, images=20, chunk=10, store=path, shard=(part, 2))
        try:
            rh.sweep(MODEL, data(), ber=1e-3, run=shard)
        except IncompleteError:
            assert part == 1
    assert held(path) == ()
    rh.sweep(MODEL, data(), ber=1e-3, run=rh.RunOptions(trials=2, images=20, chunk=10, store=path))
    assert [one.verb for one in held(path)] == ["sweep", "inspect"]


@pytest.mark.parametrize("name", ["run.db", "a run.db"])
def test_a_command_keeps_its_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    code, _, told = run("sweep", "fashion-vit", "--ber", "1e-6", "--images", "2", "--trials", "1", "--store", path)
    assert code == 0, told
    kept = next(one for one in held(path) if one.verb == "sweep")
    quoted = f"'{path}'" if " " in name else str(path)
    assert kept.command == f"radhard sweep fashion-vit --ber 1e-6 --images 2 --trials 1 --store {quoted}"
    code, table, _ = run("store", path)
    assert (code, "from Python" in table, "sweep fashion-vit" in table) == (0, True, True)
