"""Upsets as a table: listed, written, read, edited and replayed; and what such a table cannot say."""

import csv
from pathlib import Path

import pytest
import torch

import radhard as rh
from radhard.campaign.store import Store
from radhard.errors import InputError
from radhard.hardware import CellPlaces, fault_models
from tests.support.verbs import floats, network, pictures

EVERY = [entry.name for entry in fault_models()]
MEMORIES = [
    "memory:what=inputs",
    "memory:cells=pair:line=8:interleave=2",
    "memory:what=activations:cells=triple:line=8:interleave=4",
    "memory:what=inputs:cells=pair:line=8:ecc=secded",
]
ARRAY = "registers:array=4x4"
IMAGES, LABELS = pictures(80)
DATA = floats(IMAGES), LABELS
MODEL = rh.capture(network(), DATA[0][:2], name="small")  # once, not in each verb


def traced(name: str = ARRAY, *, images: int = 30, trial: int = 1) -> rh.UpsetTrace:
    found = rh.trace(MODEL, DATA, fault_model=name, trial=trial, run=rh.RunOptions(images=images))
    assert isinstance(found, rh.UpsetTrace)
    return found


@pytest.mark.parametrize("name", [*EVERY, *MEMORIES])
def test_an_upset_that_is_traced_gives_the_answer_that_a_sweep_stored(name: str, tmp_path: Path) -> None:
    store = tmp_path / "run.db"
    swept = rh.sweep(MODEL, DATA, fault_model=name, run=rh.RunOptions(images=30, trials=2, chunk=30, store=store)).sweep
    found = traced(name)
    rows, ids = found.rows(), found.model_under_test.data.ids[:30].tolist()
    assert [row["image"] for row in rows] == ids
    with Store(store, mode="read") as opened:
        ((_, packed),) = [each for each in opened.rows(setting=swept.setting.digest) if each[0][1] == 1]
    stored = dict(zip(ids, torch.frombuffer(bytearray(packed[0]), dtype=torch.int32).tolist(), strict=True))
    for suffix in ("csv", "parquet"):
        assert found.write(tmp_path / f"upsets.{suffix}") == 30
        replayed = rh.replay(MODEL, DATA, trace=tmp_path / f"upsets.{suffix}")
        assert {row["image"]: row["prediction"] for row in replayed.rows()} == stored
        assert replayed.trial == 1
    again = rh.replay(MODEL, DATA, trace=found, trial=1)
    assert torch.equal(again.logits, replayed.logits)
    (alone,) = rh.replay(MODEL, DATA, trace=rows[:1]).rows()
    assert (alone["flips"], alone["prediction"]) == (1, stored[ids[0]])
    changed = (again.logits != again.replayed.clean).any(1)
    idle = torch.tensor([row["words"] == 0 for row in sorted(rows, key=lambda row: row["image"])])  # type: ignore[arg-type, return-value]
    assert not (changed & idle).any()
    assert changed.any() != name.endswith("ecc=secded")  # one bit of each of two codewords is corrected
    assert f"{int(idle.sum())} of them idle" in repr(found)


def test_a_row_names_the_register_the_cell_the_cycle_and_what_was_wrong() -> None:
    rows = traced().rows()
    assert list(rows[0]) == [
        "fault_model", "trial", "image", "site", "register", "bit", "row", "column", "cycle", "tile_row",
        "tile_column", "group", "words", "effect",
    ]  # fmt: skip
    assert {row["fault_model"] for row in rows} == {"registers:array=4x4:dataflow=output"}
    assert {row["register"] for row in rows} <= {"a", "b", "sum"}
    assert all((row["effect"] == "idle") == (row["words"] == 0) for row in rows)
    assert any("term" in str(row["effect"]) for row in rows)


def test_a_table_by_hand_is_replayed(tmp_path: Path) -> None:
    """An idle register of one image, and the sign of a finished sum of another."""
    rows = traced(images=2).rows()
    sites = traced(images=1).model_under_test.programs["int8"].sites
    site = next(site.name for site in sites if site.operator == "linear")
    common = {"trial": 0, "fault_model": ARRAY, "site": site, "row": 0, "tile_row": 0, "tile_column": 0, "group": 0}
    hand = [
        {**common, "image": rows[0]["image"], "register": "a", "bit": 7, "column": 3, "cycle": 0},
        {**common, "image": rows[1]["image"], "register": "sum", "bit": 31, "column": 0, "cycle": 70},
    ]
    with (tmp_path / "hand.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(hand[0]))
        writer.writeheader()
        writer.writerows(hand)
    found = rh.replay(MODEL, DATA, trace=tmp_path / "hand.csv").replayed
    first = found.images.tolist().index(rows[0]["image"])
    assert torch.equal(found.logits[first], found.clean[first])
    wrong = (found.logits != found.clean)[1 - first]
    assert wrong.tolist() == [True, False, False, False, False]


def test_a_broken_cell_is_in_every_product_that_its_row_names() -> None:
    """Of all, of those that were selected, or as a hand has it; and a row is replayed beside others."""
    name, run = "stuck:of=product:array=2x2", rh.RunOptions(images=12)
    whole = rh.trace(MODEL, DATA, fault_model=name, run=run)
    rows = whole.rows()
    assert list(rows[0]) == [
        "fault_model", "trial", "image", "site", "row", "column", "bit", "level", "words", "effect",
    ]  # fmt: skip
    assert {row["site"] for row in rows} == {"every product"}
    products = list(rh.StuckBits(of="product", array=(2, 2)).places(whole.model_under_test.programs["int8"]).products)
    everywhere = rh.replay(MODEL, DATA, trace=rows).replayed
    by_name = rh.replay(MODEL, DATA, trace=[{**row, "site": "; ".join(products)} for row in rows]).replayed
    assert torch.equal(by_name.logits, everywhere.logits)
    (layer,) = [site.name for site in whole.model_under_test.programs["int8"].sites if site.operator == "linear"]
    chosen = rh.trace(MODEL, DATA, fault_model=name, faults=rh.FaultOptions(operator=("linear",)), run=run)
    assert {row["site"] for row in chosen.rows()} == {layer}
    alone = rh.replay(MODEL, DATA, trace=chosen).replayed
    assert not torch.equal(alone.logits, everywhere.logits)
    mixed = rh.replay(MODEL, DATA, trace=[*rows[:6], *chosen.rows()[6:]]).replayed
    first = {row["image"] for row in rows[:6]}
    for place, image in enumerate(mixed.images.tolist()):
        assert torch.equal(mixed.logits[place], (everywhere if image in first else alone).logits[place])
    swept = rh.sweep(
        MODEL,
        DATA,
        fault_model=name,
        faults=rh.FaultOptions(operator=("linear",)),
        run=rh.RunOptions(images=12, trials=1),
    )
    (point,) = swept.rows()
    answers = (alone.logits.argmax(1) != alone.clean.argmax(1)).float().mean().item()
    assert point["sdc"] == pytest.approx(answers)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"site": "there"}, "row 2: site 'there' has no product on the array; those that have: "),
        ({"bit": 8, "register": "a"}, "row 2: bit 8: register a has 8 bits"),
        ({"bit": "high"}, "row 2: bit 'high' is not a whole number"),
        ({"register": "weight"}, "row 2: register='weight': a cell of an array with dataflow='output' has a, b, sum"),
        ({"row": 4}, r"row 2: cell \(4, "),
        ({"cycle": 10**6}, "row 2: cycle=1000000"),
        ({"tile_row": None}, r"row 2: tile_row \(nothing\) is not a whole number"),
        ({"image": "first"}, "row 2: image 'first' is not a whole number"),
        ({"image": 5}, "image 5 is not one of"),
        ({"fault_model": "registers:array=8x8"}, "several fault models, registers.* and registers"),
        ({"fault_model": ""}, "row 2: there is no fault_model"),
        ({"trial": 3}, "holds trials 1 to 3: say which one to replay"),
    ],
)
def test_a_row_that_is_none_is_refused(change: dict[str, object], message: str) -> None:
    first, second = traced(images=2).rows()
    with pytest.raises(InputError, match=message):
        rh.replay(MODEL, DATA, trace=[first, {**second, **change}])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"site": "there"}, "row 2: site 'there' has no product on the array; those that have: "),
        ({"level": 2}, "row 2: level=2: a bit is stuck at 0 or at 1"),
        ({"bit": 32}, "row 2: bit 32: a word sum has 32 bits"),
        ({"column": 4}, r"row 2: cell \(.*, 4\): the array has 4 x 4 cells"),
        ({"row": None}, r"row 2: row \(nothing\) is not a whole number"),
    ],
)
def test_a_row_of_no_broken_cell_is_refused(change: dict[str, object], message: str) -> None:
    first, second = traced("stuck:array=4x4", images=2).rows()
    with pytest.raises(InputError, match=message):
        rh.replay(MODEL, DATA, trace=[first, {**second, **change}])


def test_an_inference_has_one_upset() -> None:
    (row,) = traced(images=1).rows()
    with pytest.raises(InputError, match=r"row 2: image .* is upset in row 1, too"):
        rh.replay(MODEL, DATA, trace=[row, row])
    with pytest.raises(InputError, match="no upset of trial 4"):
        rh.replay(MODEL, DATA, trace=[row], trial=4)
    with pytest.raises(InputError, match="a table of upsets has no words"):
        rh.replay(MODEL, DATA, trace=[row], words=rh.Words())


def test_a_file_is_a_table(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must end in .csv or .parquet"):
        traced(images=1).write(tmp_path / "upsets.txt")
    (tmp_path / "upsets.parquet").write_bytes(b"PAR1 no table")
    with pytest.raises(InputError, match="not a readable parquet table"):
        rh.replay(MODEL, DATA, trace=tmp_path / "upsets.parquet")


def test_a_row_of_a_memory_names_the_cell_and_the_shape_and_is_edited() -> None:
    """Two bits of a weight become three of three words of its line, and then none that anybody has."""
    name = "memory:cells=pair-word:interleave=4"
    (row,) = traced(name, images=1).rows()
    assert row["fault_model"] == name.replace(":cells", ":what=weights:cells")
    assert list(row)[3:9] == ["site", "word", "bit", "shape", "words", "effect"]
    assert row["shape"] == "0,0 1,0"
    edited = {**row, "site": "0", "word": 0, "bit": 7, "shape": "0,0 1,0 2,0 99999,0"}
    (found,) = rh.replay(MODEL, DATA, trace=[edited]).rows()
    model = rh.MemoryUpsets(interleave=4, cells=rh.read_cell_shapes("pair-word"))
    places = model.places(traced(name, images=1).model_under_test.programs["int8"])
    assert isinstance(places, CellPlaces)
    upset = places.upset("0", edited, image=0)
    assert dict(upset.masks) == {0: 128, 1: 128, 2: 128}
    assert places.told("0", upset) == (
        "bit 7 of word [0, 0, 0, 0], bit 7 of word [0, 0, 0, 1], bit 7 of word [0, 0, 0, 2]"
    )
    assert found["flips"] == 1
    for change, message in (
        ({"shape": ""}, "row 1: shape '' is none; write cells dx,dy behind blanks, such as 0,0 0,1"),
        ({"shape": "0,0 1"}, "row 1: shape '0,0 1' is none"),
        ({"shape": "0,0 0,0"}, "row 1: shape '0,0 0,0' is none"),
        ({"shape": "0,0 x,1"}, "row 1: shape '0,0 x,1' is none"),
        ({"word": 108}, "row 1: word 108: the memory has 108 words of 8 cells; words are counted from 0 to 107"),
        ({"bit": 8}, "row 1: bit 8: the memory has 108 words of 8 cells; bits are counted from 0 to 7"),
        ({"site": "1"}, "row 1: site '1' has no such word; those that have: "),
    ):
        with pytest.raises(InputError, match=message):
            rh.replay(MODEL, DATA, trace=[{**edited, **change}])
