"""The commands, as a user calls them; the model is captured and calibrated once for all of them."""

import csv
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from radhard.campaign import build as building
from radhard.campaign.model_under_test import ModelUnderTest
from radhard.cli import demo, parse
from radhard.cli.commands import app
from radhard.errors import InputError
from radhard.faults import Faults, Faulty
from radhard.machine import Clean
from radhard.models.data.splits import DataChoice
from radhard.models.load import LoadedModel
from radhard.program import Program, run
from radhard.words import Int, Words
from tests.support.envelopes import envelope_of
from tests.support.models_under_test import fashion_under_test

POINT = {
    "ber", "trials", "n", "accuracy", "low", "high", "relative", "relative_low", "relative_high", "changed",
    "changed_low", "changed_high", "flips_an_inference",
    *(f"{rate}{end}" for rate in ("sdc", "critical", "due") for end in ("", "_low", "_high")),
    "non_finite", "flips_expected", "flips", "ended",
}  # fmt: skip
SMALL = ("--images", "12", "--trials", "2", "--ber", "1e-7,4e-7")


@pytest.fixture
def ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands find the programs that this process has built already."""

    def build(
        loaded: LoadedModel,
        *,
        recipe: str | None,
        data: object = None,
        whole: object = None,
        images: int = 1,
        progress: object = None,
        known: object = None,
        device: object = None,
        cache: object = None,
    ) -> ModelUnderTest:
        del known, progress, cache
        assert whole is None
        assert str(device) == "cpu"
        assert loaded.name == "fashion-vit"
        assert data in (None, DataChoice())
        assert images <= 10_000
        return fashion_under_test(recipe or "int8")

    def build_program(loaded: LoadedModel, *, recipe: str | None, cache: object = None) -> Program:
        del cache
        assert loaded.name == "fashion-vit"
        return fashion_under_test("int8").programs[recipe or "int8"]

    monkeypatch.setattr(building, "build", build)
    monkeypatch.setattr(building, "build_program", build_program)


def call(*arguments: object) -> str:
    """Standard output of a command that succeeds; JSON is valid by the command's schema."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    if "--json" in arguments:
        envelope_of(str(arguments[0]), result.stdout)
    return result.stdout


def refused(*arguments: object) -> str:
    """The message of a command that refuses: exit code 2, last on stderr, nothing on stdout; before it only notes."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    *_notes, message = result.stderr.splitlines()
    assert message.startswith("radhard: ")
    return message


def record_of(*arguments: object) -> Any:
    """The record of the one model that a command prints."""
    (record,) = json.loads(call(*arguments))["models"]
    return record


def swept(*arguments: object) -> dict[str, Any]:
    (record,) = json.loads(call("sweep", "fashion-vit", "--json", *arguments))["models"]
    assert isinstance(record, dict)
    return record


# --- help ---


def test_help_is_fast_and_names_every_command() -> None:
    script = (
        "import sys\nfrom radhard.cli import main\nsys.argv = ['radhard', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\nassert 'torch' not in sys.modules\n"
        "import os\nassert os.environ['OMP_WAIT_POLICY']\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    for command in ("demo", "inspect", "sweep", "vulnerability", "trace", "replay", "merge", "train"):
        assert command in done.stdout
        assert "--help" in call(command, "--help")


# --- sweep ---


@pytest.mark.usefixtures("ready")
def test_sweep_gives_what_plain_runs_give() -> None:
    record = swept(*SMALL, "--seed", 5)
    model_under_test = fashion_under_test("int8")
    program = model_under_test.programs["int8"]
    ids = torch.arange(12)
    labels = model_under_test.data.labels[:12]
    assert record["model"] == "fashion-vit"
    assert record["recipe"] == "int8"
    assert record["seed"] == 5
    assert record["words"] == {"product": "int16", "accumulator": "int32"}
    assert record["back_end"] == program.backends
    for recipe in ("float", "int8"):
        answers = run(model_under_test.programs[recipe], model_under_test.images(ids), Clean(), ids=ids).logits.argmax(
            1
        )
        assert record["clean"][recipe] == pytest.approx(float((answers == labels).float().mean()))
    clean = run(program, model_under_test.images(ids), Clean(), ids=ids).logits.argmax(1)
    assert [point["ber"] for point in record["points"]] == [1e-7, 4e-7]
    for point in record["points"]:
        assert set(point) == POINT
        right = changed = flips = 0
        for trial in range(2):
            machine = Faulty(Clean(), Faults(ber=point["ber"], seed=5, trial=trial))
            answers = run(program, model_under_test.images(ids), machine, ids=ids).logits.argmax(1)
            right += int((answers == labels).sum())
            changed += int((answers != clean).sum())
            assert machine.flips is not None
            flips += len(machine.flips)
        assert (point["n"], point["trials"]) == (24, 2)
        assert point["accuracy"] == pytest.approx(right / 24)
        assert point["relative"] == pytest.approx(point["accuracy"] / record["clean"]["int8"])
        assert point["relative_low"] <= point["relative"] <= point["relative_high"]
        assert point["changed"] == pytest.approx(changed / 24)
        assert point["flips"] == pytest.approx(flips / 24)
        assert point["flips_expected"] == pytest.approx(point["flips"], rel=0.2)
        assert point["low"] <= point["accuracy"] <= point["high"]


@pytest.mark.usefixtures("ready")
def test_sweep_writes_table_csv_and_figures(tmp_path: Path) -> None:
    text = call("sweep", "fashion-vit", *SMALL, "--csv", tmp_path / "a.csv", "--plot", tmp_path / "a.svg")
    for part in ("float", "int8", "1e-07", "4e-07", "95 % interval", "SDC", "(DUE)", "non-finite", "expected"):
        assert part in text
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["model"] for row in rows} == {"fashion-vit"}
    assert [float(row["accuracy"]) for row in rows] == [p["accuracy"] for p in swept(*SMALL)["points"]]
    assert "</svg>" in (tmp_path / "a.svg").read_text()


@pytest.mark.usefixtures("ready")
def test_shards_merge_into_the_whole_sweep(tmp_path: Path) -> None:
    small = (*SMALL, "--chunk", 5)
    whole = swept(*small, "--store", tmp_path / "whole.db")
    for k in (1, 2, 3):
        part = swept(*small, "--store", tmp_path / f"{k}.db", "--shard", f"{k}/3")
        assert {point["ended"] for point in part["points"]} == {"incomplete"}
    said = call("merge", tmp_path / "m.db", *(tmp_path / f"{k}.db" for k in (1, 2, 3)))
    assert "4 settings" in said
    assert swept(*small, "--store", tmp_path / "m.db") == whole


@pytest.mark.usefixtures("ready")
def test_what_is_asked_for_changes_the_numbers(tmp_path: Path) -> None:
    """Each in the same store: none is taken for another."""
    store = ("--store", tmp_path / "run.db", *SMALL)
    plain = swept(*store)
    others = [
        swept(*store, *options)
        for options in (
            ("--seed", 1),
            ("--kinds", "mul"),
            ("--layer", "blocks.0"),
            ("--layer", "blocks.0", "--except"),
            ("--words", "product=int16[0:8],accumulator=int32"),
            ("--recipe", "float"),
        )
    ]
    flips = [one["points"][1]["flips"] for one in (plain, *others)]
    assert len(set(flips)) == len(flips)
    assert others[4]["words"]["product"] == "int16[0:8]"
    assert others[5]["recipe"] == "float"
    inside, outside = (others[k]["points"][1]["flips"] for k in (2, 3))
    assert inside + outside == pytest.approx(plain["points"][1]["flips"])  # the same flips, each in one of them
    assert swept(*store) == plain


@pytest.mark.usefixtures("ready")
def test_a_sweep_stops_where_it_is_narrow_enough() -> None:
    record = swept("--images", 40, "--ber", "1e-9", "--trials", 9, "--until-width", 50)
    assert [(p["trials"], p["ended"]) for p in record["points"]] == [(1, "width 50 points")]


@pytest.mark.usefixtures("ready")
def test_demo_draws_its_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "IMAGES", 3)
    monkeypatch.setattr(demo, "TRIALS", 1)
    assert "radhard-demo.png" in call("demo")
    assert (tmp_path / "radhard-demo.png").read_bytes().startswith(b"\x89PNG")


# --- inspect ---


@pytest.mark.usefixtures("ready")
def test_inspect_adds_up() -> None:
    program = fashion_under_test("int8").programs["int8"]
    whole = record_of("inspect", "fashion-vit", "--json")
    assert len(whole["rows"]) == len(program.sites)
    for by in ("site", "layer", "module", "operator"):
        record = record_of("inspect", "fashion-vit", "--json", "--by", by)
        assert record["total"] == whole["total"]
        assert sum(row["exposed_bits"] for row in record["rows"]) == record["total"]["exposed_bits"]
        for kind, total in record["total"]["operations"].items():
            assert sum(row["operations"][kind] for row in record["rows"]) == total
    # By hand: embedding, 6 blocks of 50 tokens, 96 wide, 3 heads, MLP of 192, and the head.
    block = 50 * 96 * 3 * 96 + 2 * 50 * 50 * 96 + 50 * 96 * 96 + 2 * 50 * 96 * 192
    assert whole["macs"] == 49 * 96 * 16 + 6 * block + 96 * 10
    table = call("inspect", "fashion-vit")
    for part in ("blocks.3.attn.qkv", "MHA-LF", "total", f"{whole['total']['exposed_bits']:,}"):
        assert part in table
    few = record_of("inspect", "fashion-vit", "--json", "--module", "NLF", "--kinds", "add")
    assert 0 < few["total"]["exposed_bits"] < whole["total"]["exposed_bits"]


@pytest.mark.slow
def test_inspect_vit_b_16_has_the_published_number_of_multiply_accumulates() -> None:
    record = record_of("inspect", "vit_base_patch16_224", "--json", "--by", "module")
    assert record["macs"] == pytest.approx(17.58e9, rel=0.005)
    assert record["weights"].startswith("random")


# --- trace and replay ---


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_trace_replays_to_the_same_logits(tmp_path: Path, suffix: str) -> None:
    path, out = tmp_path / f"faults.{suffix}", tmp_path / "out.safetensors"
    options = ("--seed", 4, "--trial", 3, "--images", 9)
    said = call("trace", "fashion-vit", "--ber", "1e-7", *options, "--out", path)
    record = record_of("replay", "fashion-vit", "--trace", path, "--logits", out, "--json")
    model_under_test = fashion_under_test("int8")
    ids = torch.arange(9)
    machine = Faulty(Clean(), Faults(ber=1e-7, seed=4, trial=3))
    expected = run(model_under_test.programs["int8"], model_under_test.images(ids), machine, ids=ids).logits
    clean = run(model_under_test.programs["int8"], model_under_test.images(ids), Clean(), ids=ids).logits
    found = load_file(out)
    assert torch.equal(found["image"], ids)
    assert torch.equal(found["logits"], expected)
    assert torch.equal(found["clean"], clean)
    assert not torch.equal(expected, clean)
    assert machine.flips is not None
    assert f"{len(machine.flips):,} flips" in said
    assert [image["prediction"] for image in record["images"]] == expected.argmax(1).tolist()
    assert sum(image["flips"] for image in record["images"]) == len(machine.flips)


@pytest.mark.usefixtures("ready")
def test_a_trace_can_be_written_by_hand(tmp_path: Path) -> None:
    path, out = tmp_path / "hand.csv", tmp_path / "out.safetensors"
    path.write_text("trial,image,site,kind,index,bit\n0,17,blocks.2.attn.proj,add,40,30\n")
    text = call("replay", "fashion-vit", "--trace", path, "--logits", out)
    assert "17" in text
    found = load_file(out)
    assert found["image"].tolist() == [17]
    assert not torch.equal(found["logits"], found["clean"])


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("0,0,blocks.2.attn.pro,add,0,0", ("row 2", "'blocks.2.attn.pro'", "blocks.2.attn.proj")),
        ("0,10000,blocks.2.attn.proj,add,0,0", ("row 2", "image 10000", "10000 images")),
        ("0,0,blocks.2.attn.proj,add,999999999,0", ("row 2", "index 999999999")),
        ("0,0,blocks.2.attn.proj,add,0,32", ("row 2", "bit 32", "0 to 31")),
        ("0,0,blocks.2.attn.proj,sub,0,0", ("row 2", "'sub'", "mul, add")),
        ("0,0,blocks.2.attn.proj,add,1,0", ("twice",)),
    ],
)
def test_a_trace_that_does_not_fit_is_told(tmp_path: Path, row: str, says: Sequence[str]) -> None:
    path = tmp_path / "hand.csv"
    path.write_text(f"trial,image,site,kind,index,bit\n0,0,blocks.2.attn.proj,add,1,0\n{row}\n")
    message = refused("replay", "fashion-vit", "--trace", path)
    for part in says:
        assert part in message


@pytest.mark.usefixtures("ready")
def test_an_empty_trace_and_none_at_all(tmp_path: Path) -> None:
    path = tmp_path / "hand.csv"
    path.write_text("trial,image,site,kind,index,bit\n")
    assert "nothing to replay" in refused("replay", "fashion-vit", "--trace", path)
    assert "no such file" in refused("replay", "fashion-vit", "--trace", tmp_path / "none.csv")


# --- bad input ---


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--ber", "2"), ("--ber", "2 is not in [0, 1]", "probability")),
        (("--ber", "one"), ("--ber", "'one' is not a number", "1e-9:1e-5:9")),
        (("--ber", "1e-9:1e-8"), ("--ber 1e-9:1e-8", "three parts")),
        (("--kinds", "div"), ("--kinds", "'div'", "mul, add, load, special")),
        (("--kinds", ","), ("--kinds", "nothing")),
        (("--words", "product=int99"), ("99", "2 to 64 bits")),
        (("--words", "sum=int16"), ("'sum'", "'product' and 'accumulator'")),
        (("--layer", "block.1"), ("layer pattern 'block.1'", "near ones: blocks.1")),
        (("--site", "head", "--layer", "blocks.0"), ("leaves none", "widen")),
        (("--except",), ("--except", "excludes every site")),
        (("--shard", "4/3"), ("--shard 4/3", "i/n")),
        (("--until-width", "0"), ("--until-width 0", "percentage points")),
        (("--shard", "1/2", "--until-width", "10"), ("shard 1/2", "leave one of the two out")),
        (("--plot", "curve.gif"), ("--plot curve.gif", ".png, .svg or .pdf")),
        (("--csv", "curve.txt"), ("--csv curve.txt", ".csv")),
        (("--csv", "nowhere/curve.csv"), ("nowhere", "does not exist")),
        (("--seed", "-1"), ("seed", "-1", "2**64")),
    ],
)
def test_sweep_tells_what_is_wrong(options: Sequence[str], says: Sequence[str]) -> None:
    message = refused("sweep", "fashion-vit", "--images", "1", "--trials", "1", *options)
    for part in says:
        assert part in message


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("fashion-vti",), ("'fashion-vti'", "fashion-vit")),
        (("fashion-vit", "--recipe", "int4"), ("'int4'", "int8, int8-symmetric")),
        (("fashion-vit", "--data", "imagenet"), ("'imagenet'", "fashion-mnist")),
        (("fashion-vit", "--images", "10001"), ("10001", "has 10000")),
        (("fashion-vit", "--checkpoint", "none.safetensors"), ("none.safetensors", "not a file")),
        (("fashion-vit", "--checkpoint", "fashion-vit=none.safetensors"), ("none.safetensors", "not a file")),
    ],
)
def test_sweep_tells_what_it_does_not_know(options: Sequence[str], says: Sequence[str]) -> None:
    message = refused("sweep", *options)
    for part in says:
        assert part in message


def test_a_model_for_other_images_is_told() -> None:
    message = refused("sweep", "test_vit", "--images", "1")
    assert "(3, 160, 160)" in message
    assert "(1, 28, 28)" in message


@pytest.mark.usefixtures("ready")
def test_a_store_that_is_none_is_told(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    path.write_text("no store, " * 1000)
    assert "run.db is not an SQLite file of radhard" in refused("sweep", "fashion-vit", *SMALL, "--store", path)
    assert path.read_text() == "no store, " * 1000
    assert "x.db does not exist" in refused("merge", tmp_path / "out.db", tmp_path / "x.db")


def test_trace_needs_a_table_file() -> None:
    assert ".parquet or .csv" in refused("trace", "fashion-vit", "--ber", "1e-9", "--out", "faults.xlsx")


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize("before", [True, False])
def test_debug_shows_where_it_was_raised(*, before: bool) -> None:
    arguments = ["sweep", "fashion-vit", "--ber", "2"]
    arguments.insert(0 if before else len(arguments), "--debug")
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, InputError)
    assert result.exit_code == 1


def test_words_of_the_option_are_those_of_the_library() -> None:
    assert parse.words("product=int16[0:8],accumulator=int32") == Words(product=Int(16, 8), accumulator=Int(32))
