"""Patches from the study to the heat map: factors in their cells, and how even they are, beside answers by hand."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from radhard.analysis.uniformity import uniformity
from radhard.analysis.vulnerability import Study, Vulnerability, vulnerability
from radhard.analysis.vulnerability_point import VulnerabilityPoint
from radhard.campaign.components import take_apart
from radhard.campaign.executor import InProcess
from radhard.campaign.experiment import Unit
from radhard.campaign.model_under_test import faulty_setting
from radhard.campaign.patches import LOADS, grid_of, words_of_image
from radhard.campaign.store import Store
from radhard.models.data.mean_image import mean_image
from radhard.report.factors import summary
from radhard.report.heatmap import draw_heatmap
from radhard.report.patches import heatmap_data
from radhard.report.vulnerability_record import vulnerability_record
from radhard.studies.factors import measure_factors
from tests.support.explorations import tiny_under_test

IMAGES, TRIALS = 60, 2


def by_patch(path: Path, *, only: tuple[str, ...] = ()) -> tuple[Vulnerability, Store]:
    model_under_test = tiny_under_test()
    program = model_under_test.programs["int8"]
    whole = faulty_setting(model_under_test, "int8", ber=0.03, kinds=LOADS, where=words_of_image(program), seed=4)
    parts = take_apart(model_under_test, whole, by="patch", grid=grid_of(program), only=only)
    study = Study(parts=parts, images=IMAGES, trials=TRIALS)
    store = Store(path)
    list(measure_factors(study, store, executor=InProcess(model_under_test=model_under_test)))
    return vulnerability(study, store=store), store


def test_the_heat_map_shows_each_factor_in_its_cell(tmp_path: Path) -> None:
    found, store = by_patch(tmp_path / "run.db")
    store.close()
    grid = found.study.parts.grid
    assert grid is not None
    image = mean_image(tiny_under_test().data, images=IMAGES)
    assert image == pytest.approx(tiny_under_test().data.images[:IMAGES, 0].double().mean(0).numpy() / 255)
    data = heatmap_data([VulnerabilityPoint(found=found)], image=image)
    (panel,) = data.panels
    assert panel.factor.shape == grid
    for component in found.components:
        row, column = map(int, component.name.split(","))
        assert panel.factor[row, column] == pytest.approx(100 * component.factor)
        assert panel.high[row, column] == pytest.approx(100 * component.high)
    assert panel.factor.max() > 0
    draw_heatmap(data, tmp_path / "map.svg")
    assert "words of the input image" in (tmp_path / "map.svg").read_text()


def test_evenness_is_of_the_answers_in_the_store(tmp_path: Path) -> None:
    found, store = by_patch(tmp_path / "run.db")

    def right(setting):  # type: ignore[no-untyped-def]
        units = (Unit(setting=setting, trial=trial, start=0, stop=IMAGES) for trial in range(TRIALS))
        return sum(store.outcome(unit).correct.astype(np.int64) for unit in units)

    parts = found.study.parts
    with store:
        answers = np.stack([right(component.protected) for component in parts.components])
        plain = right(parts.whole)
    expected = uniformity(
        answers, whole=plain, trials=np.full(IMAGES, TRIALS, np.int64), seed=parts.whole.seed, grid=parts.grid
    )
    assert found.uniformity == expected
    record = json.loads(json.dumps(vulnerability_record([VulnerabilityPoint(found=found)]), allow_nan=False))
    (at,) = record["points"]
    assert record["grid"] == list(parts.grid or ())
    assert at["evenness"]["equal"] == expected.equal
    assert at["evenness"]["mean"]["rate"] == pytest.approx((answers - plain).mean() / TRIALS)
    assert record["where"]["sites"] == ["patch_embed.load"]
    assert any(
        line.startswith("all patches equally vulnerable: p = ") for line in summary(VulnerabilityPoint(found=found))
    )


def test_some_patches_are_no_grid(tmp_path: Path) -> None:
    found, store = by_patch(tmp_path / "run.db", only=("0,*",))
    store.close()
    assert found.uniformity is not None
    assert (found.uniformity.grid, found.uniformity.centre) == (None, None)
    panel = heatmap_data([VulnerabilityPoint(found=found)], image=np.zeros((8, 8))).panels[0]
    assert np.isfinite(panel.factor[0]).all()
    assert np.isnan(panel.factor[1:]).all()


def test_the_mean_image_of_colours_keeps_its_channels() -> None:
    model_under_test = tiny_under_test()
    coloured = (
        model_under_test.data.images.expand(-1, 3, -1, -1) * torch.tensor([1, 0, 1], dtype=torch.uint8)[:, None, None]
    )
    mean = mean_image(replace(model_under_test.data, images=coloured), images=10)
    assert mean.shape == (8, 8, 3)
    assert not mean[..., 1].any()
    assert mean[..., 0].mean() == pytest.approx(float(model_under_test.data.images[:10].double().mean()) / 255)
