"""`rh.fit`: its table by hand, plans, and what it refuses."""

import json
from pathlib import Path

import pytest

import radhard as rh
from radhard.errors import InputError
from radhard.hardware import Npu, array_products
from radhard.protection import Protection, RowAbft, cube
from tests.support.verbs import Told, network, pictures

FILE = """
name = "small"
source = "a test"
clock = 1e6
inferences_per_second = 1000

[array]
rows = 4
columns = 4
dataflow = "output"
rate = "flop"

[[buffers]]
name = "weights"
holds = "weights"
bits = 1000000
rate = "sram"
ecc = "parity"
ecc_coverage = 0.75

[rates.flop]
fit_per_mbit = 1e6
source = "a test"

[rates.sram]
fit_per_mbit = 8.0
source = "a test"
"""
RUN = rh.RunOptions(images=20, trials=2)


@pytest.fixture
def npu(tmp_path: Path) -> Npu:
    path = tmp_path / "npu.toml"
    path.write_text(FILE)
    return rh.read_npu(path)


def test_the_table_adds_up(npu: Npu) -> None:
    """16 cells: 128 bits each of a and b, 512 of sums, at 1 FIT a bit; cycles of the two products by hand."""
    told = Told()
    found = rh.fit(network(), pictures(), hardware=npu, target="sil-2", run=RUN, progress=told)
    record = found.to_dict()
    # convolution: 16 rows (4 x 4 places) of 27 terms on 4 columns, 4 tiles of 27 + 2 x 4 + 4 - 2 = 37 cycles;
    # linear: 1 row of 64 terms on 5 columns, 2 tiles of 64 + 10 = 74 cycles
    assert record["cycles"] == 4 * 37 + 2 * 74
    assert record["busy"] == pytest.approx(1000 * 296 / 1e6)
    parts = {part["part"]: part for part in record["parts"]}
    assert [(name, part["raw"]) for name, part in parts.items()] == [
        ("register a", 128), ("register b", 128), ("register sum", 512), ("weights", 8.0),
    ]  # fmt: skip
    useful = 16 * 27 * 4 + 64 * 5  # multiplications, each once in a cell
    assert parts["register a"]["duty"] == pytest.approx(0.296 * useful / (16 * 296))
    assert parts["weights"]["residual"] == {"value": 2.0, "low": 2.0, "high": 2.0}  # AVF 1 is assumed, parity sees 3/4
    assert (parts["weights"]["safe_from"], parts["weights"]["duty_from"]) == ("assumed", "assumed")
    for part in parts.values():
        safe = part["safe"]["rate"]
        assert safe is not None
        left = part["raw"] * part["duty"] * (1 - safe) * (1 - part["coverage"])
        assert part["residual"]["value"] == pytest.approx(left)
        assert part["residual"]["high"] > 0
        assert part["upsets"] in (None, 40)
    assert record["raw"] == pytest.approx(776)
    assert record["residual"]["high"] == pytest.approx(sum(part["residual"]["high"] for part in parts.values()))
    assert record["spfm"]["rate"] == pytest.approx(1 - record["residual"]["value"] / 776)
    assert record["target"]["budget"] == pytest.approx(77.6)
    assert "small" in found.headline
    assert "SIL-2" in repr(found)
    json.dumps(record, allow_nan=False)
    assert [event.done for event in told.events if isinstance(event, rh.Measuring)][-1] == 120
    again = rh.fit(network(), pictures(), hardware=npu, target="sil-2", run=RUN)
    assert again.to_dict() == record


def test_a_plan_leaves_less(npu: Npu) -> None:
    """A plan that protects all products, as it says, finds what upsets of an array do to them."""
    base = rh.fit(network(), pictures(), hardware=npu, run=RUN).to_dict()
    planned = plan_for(RowAbft(block=cube(8)))
    found = rh.fit(network(), pictures(), hardware=npu, plan=planned, run=RUN).to_dict()
    assert found["plan_ber"] == 1e-6
    assert found["plan_fit_per_mbit"] == pytest.approx(1e-6 * 1e6 * 3600 * 1e15)
    for before, after in zip(base["parts"], found["parts"], strict=True):
        assert after["wrong"] == before["wrong"]
        if after["dc_from"] == "measured":
            assert after["silent"] == 0
            assert after["residual"]["value"] == 0 < after["residual"]["high"] <= 1.5 * before["residual"]["high"]
    wrong = [part["wrong"] or 0 for part in found["parts"]]
    assert sum(wrong) > 3


def plan_for(scheme: RowAbft) -> rh.Plan:
    """A plan by hand for `network` in int8, of every product."""
    from radhard.studies.under_test import under_test

    program = under_test(network(), pictures(), images=20).programs["int8"]
    protection = Protection.of(dict.fromkeys(array_products(program.costs), scheme))
    return rh.Plan(model="Sequential", program=program.digest, recipe="int8", ber=1e-6, protection=protection)


def test_images_need_no_labels(npu: Npu) -> None:
    found = rh.fit(network(), pictures()[0], hardware=npu, run=rh.RunOptions(images=5, trials=1))
    assert found.rows()[0]["upsets"] == 5


def test_what_is_wrong_is_named(npu: Npu) -> None:
    model, data = network(), pictures()
    with pytest.raises(InputError, match="target asil-e: choose from"):
        rh.fit(model, data, hardware=npu, target="asil-e")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="workers 2: fit takes"):
        rh.fit(model, data, hardware=npu, run=rh.RunOptions(workers=2))
    with pytest.raises(InputError, match="seed -1"):
        rh.fit(model, data, hardware=npu, seed=-1)
    with pytest.raises(InputError, match=r"give a \.toml file"):
        rh.fit(model, data, hardware="npu")
    other = rh.Plan(model="m", program="0" * 64, recipe="int8", ber=1e-6, protection=Protection())
    with pytest.raises(InputError, match="the plan is for the program 000000000000"):
        rh.fit(model, data, hardware=npu, plan=other)
    faster = rh.read_npu("npu-128")
    with pytest.raises(InputError, match=r"one takes .* give at most"):
        rh.fit(model, data, hardware=type(faster)(**{**vars(faster), "inferences_per_second": 1e9}))
    with pytest.raises(InputError, match="quantise the program"):
        rh.fit(model, data, hardware=npu, model_options=rh.ModelOptions(recipe="float"))
