"""A study's file: what is written is read, and each mistake names the file, the key, the value and the fix."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch

import radhard as rh
from radhard.analysis.overhead import Weights
from radhard.errors import InputError
from radhard.program import Overrides
from radhard.studies.study_file.study import LEFT_OUT, TABLES, Study
from radhard.words import Int
from tests.support.verbs import folder, network, pictures

FULL = Study(
    model="net <script>.py",
    data='a "folder"\nof images',
    model_options=rh.ModelOptions(
        checkpoint=Path("/weights/é.pt"), checkpoint_key="ema", pretrained=True, recipe="int8-symmetric",
        scales=(Path("/one.json"), Path("/two.json")), input_shape=(3, 32, 48), mean=(0.5, 0.25, 1.0), std=(0.1,),
        resize=(32, 48), crop_pct=0.875, interpolation="bicubic",
        anatomy=Overrides.of({"a.*": ("layer 'x'", None), "b": (None, "FF-LF")}), program_digest="ab12",
    ),
    data_options=rh.DataOptions(
        data_root=Path("/root"), split="test", samples=7, data_seed=3, calibration="other", calibration_split="train",
        skip_bad=True, labels="none", classes=Path("/classes.txt"), data_digest="cd34",
    ),
    faults=rh.FaultOptions(
        kinds=frozenset({"load", "mul"}), layer=("a", "b"), module=("c",), operator=("d",), site=("e",), except_=True,
        seed=2**63, words=rh.Words(product=Int(8), accumulator=Int(24, 16)),
    ),
    run=rh.RunOptions(
        images=9, trials=2, until_width=0.5, batch=3, device="cuda:1", chunk=4, store=Path("/s.db"), journal="rollback",
        workers=2, cluster="local:3",
    ),
    plan_options=rh.PlanOptions(
        scheme="lb-abft:policy=leave", max_loss=3.0, max_overhead=4.0, level=90.0, strategy="gain", grain="layer",
        frontier="needed", judge=5, weights=Weights(cmp=0.0),
    ),
    compare_options=rh.CompareOptions(
        schemes=("tmr", "row-abft"), extent="needed", max_loss=1.0, select=8, reference="tmr", margin=0.5
    ),
)  # fmt: skip


def test_the_full_study_states_every_field() -> None:
    """Else the round trip below would say nothing of a field."""
    for table, group in TABLES.items():
        options = getattr(FULL, table if table in ("faults", "run") else f"{table}_options")
        for each in fields(group):
            if each.name not in LEFT_OUT:
                assert getattr(options, each.name) != getattr(group(), each.name) or each.name == "weights", each.name


@pytest.mark.parametrize("study", [FULL, Study(), Study(model="fashion-vit"), Study(data=None)])
def test_what_is_written_is_read(study: Study, tmp_path: Path) -> None:
    study.write(tmp_path / "study.toml")
    read = Study.read(tmp_path / "study.toml")
    if study.data is None:
        study = replace(study, data=read.data)
    assert read == study


def test_paths_are_from_the_folder_of_the_file_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "study"
    home.mkdir()
    outside = tmp_path / "weights.pt"
    for file in (outside, home / "run.db", home / "net.py"):
        file.touch()
    monkeypatch.chdir(tmp_path)
    study = Study(
        model="study/net.py:make",
        data="study",
        model_options=rh.ModelOptions(checkpoint=Path("weights.pt")),
        run=rh.RunOptions(store=Path("study/run.db")),
    )
    study.write(home / "study.toml")
    text = (home / "study.toml").read_text()
    assert 'store = "run.db"' in text
    assert f'checkpoint = "{outside}"' in text
    moved = tmp_path / "moved"
    home.rename(moved)
    read = Study.read(moved / "study.toml")
    assert read.run.store == moved / "run.db"
    assert read.model == f"{moved / 'net.py'}:make"
    assert read.model_options.checkpoint == outside


WRONG = {
    "radhard = 3": ["radhard is 3", "text in quotes"],
    "model = 'x'": ["model = 'x' stands outside the tables"],
    "[modle]\n": ["'modle'", "did you mean 'model'?"],
    "[model]\nchekpoint = 'a'": ["[model]", "'chekpoint'", "did you mean 'checkpoint'?"],
    "[model]\nprogram_digest = 'a'": ["[model]", "'program_digest'"],
    "[model]\ncheckpoint = 3": ["[model] checkpoint is 3", "text in quotes"],
    "[model]\ncrop_pct = 'x'": ["[model] crop_pct is 'x'", "write a number"],
    "[model]\npretrained = 1": ["[model] pretrained is 1", "true or false"],
    "[model]\ninput_shape = [3, 4]": ["[model] input_shape is [3, 4]", "[channels, height, width]"],
    "[model]\nresize = -1": ["[model] resize is -1", "248"],
    "[model]\nanatomy = { x = 3 }": ["[model] anatomy", "'x' is 3"],
    "[data]\nsamples = 0": ["[data] samples is 0", "at least 1"],
    "[faults]\nkinds = ['mull']": ["[faults] kinds is ['mull']", "'mul'"],
    "[faults]\nwords = { product = 'int99' }": ["[faults] words"],
    "[run]\nimages = 1.5": ["[run] images is 1.5", "whole number"],
    "[run]\njournal = 'w'": ["[run] journal is 'w'", "'wal', 'rollback'"],
    "[run]\nshard = '1/2'": ["[run]", "'shard'"],
    "[plan]\nstrategy = 'x'": ["[plan] strategy is 'x'", "'algorithm1', 'gain'"],
    "[plan]\nweights = { div = 1 }": ["[plan] weights", "'div'"],
    "[digests]\nprogramme = 'x'": ["[digests]", "'programme'", "did you mean 'program'?"],
    "x": ["no TOML"],
}


@pytest.mark.parametrize("text", WRONG)
def test_mistakes(text: str, tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text(text)
    with pytest.raises(InputError) as told:
        Study.read(file)
    assert str(file) in str(told.value)
    for part in WRONG[text]:
        assert part in told.value.on_command_line


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be read.*check the path"):
        Study.read(tmp_path / "study.toml")


def test_what_lives_in_memory_is_refused(tmp_path: Path) -> None:
    options: dict[str, Any] = {"data_options": rh.DataOptions(calibration=torch.zeros(3, 3, 8, 8))}
    with pytest.raises(InputError, match="in memory"):
        Study(**options).write(tmp_path / "study.toml")


def test_another_digest_is_refused(tmp_path: Path) -> None:
    images, labels = pictures(40)
    data = folder(tmp_path / "images", images, labels)
    options: dict[str, Any] = {"run": rh.RunOptions(images=8, trials=1), "ber": 1e-3}
    shape = {"input_shape": (3, 8, 8), "mean": (0.5,) * 3, "std": (0.25,) * 3}
    found = rh.sweep(network(), str(data), model_options=rh.ModelOptions(**shape), **options)  # type: ignore[arg-type]
    program, held = found.sweep.settings[0].program, found.sweep.settings[0].data_digest
    right = rh.ModelOptions(**shape, program_digest=program[:20])  # type: ignore[arg-type]
    rh.sweep(network(), str(data), model_options=right, data_options=rh.DataOptions(data_digest=held), **options)
    wrong = replace(right, program_digest="0" * 64)
    with pytest.raises(InputError, match=f"program_digest 0{{64}}: .* is now {program}; .*take the digest out"):
        rh.sweep(network(), str(data), model_options=wrong, **options)
    next(data.glob("*/*.png")).unlink()
    with pytest.raises(InputError, match=f"data_digest {held}: .* is now .*; images were added, removed"):
        rh.sweep(network(), str(data), model_options=replace(right, program_digest=None),
                 data_options=rh.DataOptions(data_digest=held), **options)  # fmt: skip
