"""`rh.avf`: against the enumeration of every flip, against rates at BER -> 0, and whatever runs it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import radhard as rh
from radhard.errors import InputError
from radhard.faults import Faulty, Flips
from radhard.machine import KINDS, Clean, Recording
from radhard.program import capture, quantize, run
from radhard.report.saved import drawing_of
from tests.support.verbs import network, pictures


def small() -> nn.Module:
    """Two linear layers of few bits."""
    draw = torch.Generator().manual_seed(3)
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 3))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw))
    return model.eval()


def few(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.randn(count, 1, 2, 2, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        return images, small()(images).argmax(1)


def every_effect(program: rh.Program, images: torch.Tensor) -> dict[str, dict[str, list[float]]]:
    """By site, of each exposed bit: the share of the images in which it, flipped alone, has each effect.

    Each bit has a copy of the image of its own, all in one batch.
    """
    clean, found = run(program, images).logits.argmax(1), {}
    for site, cost in program.costs.items():
        widths = [("mul", 16), ("add", 32)]
        bits = [
            (KINDS.index(kind), index, bit)
            for kind, width in widths
            for index in range(cost.operations(kind))
            for bit in range(width)
        ]
        if not bits:
            continue
        kind, index, bit = np.array(bits, dtype=np.int64).T
        ids = torch.arange(len(bits))
        flips = Flips(sites=(site.name,), image=ids.numpy(), site=0 * kind, kind=kind, index=index, bit=bit)
        changed, masked = torch.zeros(len(bits)), torch.zeros(len(bits))
        for image, answer in zip(images, clean, strict=True):
            every = image.expand(len(bits), *image.shape)
            words, recording = Recording(Clean()), Recording(Faulty(Clean(), flips))
            run(program, every, words, ids=ids)
            logits = run(program, every, recording, ids=ids).logits
            changed += logits.argmax(1) != answer
            masked += (recording.outputs[site] == words.outputs[site]).flatten(1).all(1)
        found[site.name] = {name: (x / len(images)).tolist() for name, x in (("sdc", changed), ("masked", masked))}
    return found


def test_estimates_hold_what_the_enumeration_of_every_flip_gives() -> None:
    images, labels = few(40)
    program = quantize(capture(small(), images), [images])
    effects = every_effect(program, images)
    every = {site: shares["sdc"] for site, shares in effects.items()}
    assert sum(map(len, every.values())) > 1000
    truth = {name: float(np.mean(shares)) for name, shares in every.items()}
    assert min(truth.values()) > 0.02
    found = rh.avf(
        program, (images, labels), by="site", run=rh.RunOptions(trials=60, chunk=40), faults=rh.FaultOptions(seed=2)
    )
    rows = {row["component"]: row for row in found.rows()}
    assert rows.keys() == truth.keys()
    for name, row in rows.items():
        assert row["sdc_all_low"] <= truth[name] <= row["sdc_all_high"]
        assert row["sdc_high"] - row["sdc_low"] < 0.1
        assert row["bits"] == len(every[name])
        assert row["counted"] == row["masked"] == pytest.approx(float(np.mean(effects[name]["masked"])), abs=0.01)
        assert row["masked"] + row["benign"] + row["sdc"] + row["due"] == pytest.approx(1.0)
        assert row["sdc5"] == 0.0  # of three classes
        assert row["critical"] <= row["sdc"]
    together = float(np.mean([share for shares in every.values() for share in shares]))
    assert found.avf.sdc.low <= together <= found.avf.sdc.high
    assert found.avf.sdc.width < 0.07


def test_the_slope_of_sdc_at_low_rates_is_bits_times_avf() -> None:
    images = pictures(400)
    found = rh.avf(network(), images, by="layer", run=rh.RunOptions(images=300, trials=20, chunk=300))
    bits = found.avf.study.whole.bits
    ber = 0.1 / bits
    swept = rh.sweep(network(), images, ber=ber, run=rh.RunOptions(images=300, trials=60, chunk=300))
    (row,) = swept.rows()
    slope = {end: 0.1 * getattr(found.avf.sdc, end) for end in ("low", "high")}
    second = 0.1**2  # two flips or more in an image, in which anything may happen
    assert row["changed_low"] - second <= slope["high"]
    assert slope["low"] <= row["changed_high"]
    assert row["changed"] > 0


def test_trials_are_as_many_as_asked_for_and_where_they_help() -> None:
    found = rh.avf(network(), pictures(), by="layer", run=rh.RunOptions(trials=6))
    trials = found.avf.study.trials
    assert sum(trials) == 6 * len(trials)
    assert min(trials) >= 3
    weights = [target.setting.bits for target in found.avf.study.targets]
    assert trials[weights.index(max(weights))] == max(trials)


def test_a_width_ends_a_component_s_trials() -> None:
    run = rh.RunOptions(trials=12, until_width=16)
    found = rh.avf(network(), pictures(), by="layer", run=run)
    trials = found.avf.study.trials
    for one, own in zip(found.avf.components, trials, strict=True):
        assert own == 12 or 100 * one.sdc.width <= 16
    assert min(trials) < 12


def test_a_store_goes_on_and_workers_give_the_same(tmp_path: Path) -> None:
    store, options = tmp_path / "run.db", {"trials": 4, "chunk": 25}
    alone = rh.avf(network(), pictures(), by="layer", run=rh.RunOptions(**options))
    rh.avf(network(), pictures(), by="layer", run=rh.RunOptions(images=25, store=store, **options))
    assert rh.avf(network(), pictures(), by="layer", run=rh.RunOptions(store=store, **options)).rows() == alone.rows()
    shared = rh.avf(network(), pictures(), by="layer", run=rh.RunOptions(workers=2, **options))
    assert shared.rows() == alone.rows()
    assert rh.avf(network(), pictures(), by="layer", run=rh.RunOptions(batch=7, **options)).rows() == alone.rows()
    other = rh.avf(network(), pictures(), by="layer", run=rh.RunOptions(**options), faults=rh.FaultOptions(seed=1))
    assert other.rows() != alone.rows()


def test_images_need_no_labels() -> None:
    images, _ = pictures()
    found = rh.avf(network(), images, by="module", run=rh.RunOptions(trials=2))
    assert found.to_dict()["critical"] is None
    assert found.to_dict()["labelled"] is False
    assert all(row["critical"] is None for row in found.rows())
    assert found.avf.n > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"grid": (2, 2)}, "by layer with grid"),
        ({"run": rh.RunOptions(shard=(1, 2))}, "shard"),
        ({"run": rh.RunOptions(until_width=0.0)}, "until_width 0"),
        ({"component": ("nothing",)}, "nothing"),
        ({"faults": rh.FaultOptions(kinds=frozenset({"special"}))}, "special"),
    ],
)
def test_what_cannot_be_is_refused(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        rh.avf(network(), pictures(), **options)


def test_it_draws_and_tells(tmp_path: Path) -> None:
    found = rh.avf(network(), pictures(), by="layer", run=rh.RunOptions(trials=1))
    found.plot(tmp_path / "avf.png")
    assert (tmp_path / "avf.png").stat().st_size > 10_000
    (tmp_path / "avf.json").write_text(json.dumps({"models": [found.to_dict()]}))
    drawing_of(tmp_path / "avf.json")(tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "avf.png").read_bytes()
    most = max(found.avf.components, key=lambda one: one.sdc.rate)
    assert f"the greatest AVF is {100 * most.sdc.rate:.2f} %" in (tmp_path / "avf.caption.txt").read_text()
    assert repr(found).startswith("<AvfResult: Sequential, int8, by layer: AVF ")
