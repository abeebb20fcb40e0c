"""Schemes, protections and plans as files: JSON loses nothing, and what is wrong is told with its place."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from radhard.errors import InputError
from radhard.protection import (
    SCHEMES,
    Block,
    ChosenOn,
    HuangAbraham,
    IntensityGuided,
    LbAbft,
    Plan,
    Protection,
    Ranges,
    RowAbft,
    Scheme,
    StandardAbft,
    Tmr,
    read_method,
    read_plan,
    scheme_dict,
    scheme_from,
    scheme_name,
    write_plan,
)
from radhard.protection.planning.grounds import Goal
from tests.support.models import tiny_program
from tests.support.plans import plan as measured_plan
from tests.support.protections import ALL

EVERY: dict[str, Scheme] = {
    **ALL,
    "lb-abft with every option": LbAbft(block=Block(m=2, k=3, n=4), policy="block", retries=7, repair="visible"),
    "row abft with every option": RowAbft(block=Block(m=5, k=6, n=7), retries=0),
    "a range of long numbers": Ranges(low=-1 / 3, high=1e-310, outside="clamp"),
}
SITES: dict[str, Scheme] = {
    "blocks.0.attn.qkv": LbAbft(block=Block(m=2, k=3, n=4)),
    "blocks.0.mlp.fc1": RowAbft(block=Block(m=2, k=3, n=4)),
    "blocks.0.mlp.act": Ranges(low=-0.5, high=3.25),
    "blocks.0.attn.softmax": Tmr(vote="bitwise"),
    "head": StandardAbft(),
}
DROP = object()
MEASURED = measured_plan()


def plan(**changes: Any) -> Plan:
    program = tiny_program("int8")
    values: dict[str, Any] = {
        "model": "tiny", "program": program.digest, "recipe": "int8", "ber": 1e-7,
        "protection": Protection.of(SITES, checks="immune"), "method": read_method("lb-abft:flips=0.5"),
        "strategy": "gain", "limits": Goal(loss=0.02, overhead=0.1), "bound": "accuracy", "seed": 7,
        "words": {"product": "int16"}, "expected": MEASURED.expected,
        "chosen_on": ChosenOn(fingerprints=("1f-00c0ffee",), images=1),
        "order": MEASURED.order, "frontier": MEASURED.frontier, "judged": MEASURED.judged,
    }  # fmt: skip
    return Plan(**{**values, **changes})


@pytest.mark.parametrize("name", EVERY)
def test_a_scheme_goes_through_json(name: str) -> None:
    scheme = EVERY[name]
    text = json.dumps(scheme_dict(scheme), allow_nan=False)
    again = scheme_from(json.loads(text), place="here")
    assert again == scheme
    assert type(again) is type(scheme)
    assert SCHEMES[json.loads(text)["scheme"]] is type(scheme)


def test_every_scheme_that_a_file_can_name_is_in_the_table_above() -> None:
    assert {type(scheme) for scheme in EVERY.values()} == set(SCHEMES.values())


def test_a_scheme_without_a_name() -> None:
    @dataclass(frozen=True)
    class Mine(StandardAbft):
        pass

    with pytest.raises(InputError, match="Mine is none of the schemes"):
        scheme_name(Mine())


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "scheme 'None' is not known; it is one of .*lb-abft"),
        ({"scheme": "magic"}, "'magic' is not known"),
        ({"scheme": ["tmr"]}, "not known"),
        ({"scheme": "tmr", "vot": "word"}, "no option 'vot'; it has vote"),
        ({"scheme": "standard-abft", "retries": 1}, "no option 'retries'; it has none"),
        ({"scheme": "tmr", "vote": "loud"}, "vote='loud' is not known; choose from word, bitwise"),
        ({"scheme": "tmr", "vote": None}, "vote"),
        ({"scheme": "tmr", "vote": ["word"]}, "vote"),
        ({"scheme": "lb-abft"}, "block"),
        ({"scheme": "row-abft", "block": [1, 2]}, "not three whole numbers"),
        ({"scheme": "row-abft", "block": [1, 2, 3, 4]}, "not three whole numbers"),
        ({"scheme": "row-abft", "block": [1, 2.0, 3]}, "not three whole numbers"),
        ({"scheme": "row-abft", "block": [1, True, 3]}, "not three whole numbers"),
        ({"scheme": "row-abft", "block": "123"}, "not three whole numbers"),
        ({"scheme": "row-abft", "block": [0, 2, 3]}, "not three whole numbers .* from 1 on"),
        ({"scheme": "row-abft", "block": [1, 2, 3], "retries": -1}, "retries=-1"),
        ({"scheme": "row-abft", "block": [1, 2, 3], "retries": 1.5}, "retries"),
        ({"scheme": "row-abft", "block": [1, 2, 3], "retries": True}, "retries"),
        ({"scheme": "row-abft", "block": [1, 2, 3], "retries": "1"}, "retries"),
        ({"scheme": "row-abft", "block": [1, 2, 3], "retries": None}, "retries"),
        ({"scheme": "lb-abft", "block": [1, 2, 3], "retries": 0.0}, "retries"),
        ({"scheme": "lb-abft", "block": [1, 2, 3], "policy": "pray"}, "policy='pray'"),
        ({"scheme": "lb-abft", "block": [1, 2, 3], "repair": 3}, "repair"),
        ({"scheme": "ranges", "low": 1.0}, "high"),
        ({"scheme": "ranges", "low": 1.0, "high": 0.0}, "lower one first"),
        ({"scheme": "ranges", "low": "0", "high": 1.0}, "low"),
        ({"scheme": "ranges", "low": False, "high": True}, "low"),
        ({"scheme": "ranges", "low": float("nan"), "high": 1.0}, "finite"),
        ({"scheme": "ranges", "low": 0.0, "high": float("inf")}, "finite"),
        ({"scheme": "ranges", "low": 0.0, "high": 1.0, "outside": "one"}, "outside='one'"),
        ({"scheme": "intensity-guided", "hides": "measured"}, "needs"),
        ({"scheme": "intensity-guided", "hides": "measured", "operations_per_byte": "400"}, "operations_per_byte"),
        ({"scheme": "intensity-guided", "hides": "measured", "operations_per_byte": -1.0}, "operations_per_byte"),
        ({"scheme": "intensity-guided", "hides": "measured", "operations_per_byte": float("nan")}, "operations_per_b"),
    ],
)  # fmt: skip
def test_a_malformed_scheme_is_told_with_its_place(values: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told) as caught:
        scheme_from(values, place="plan x.json, site 'head'")
    assert str(caught.value).startswith("plan x.json, site 'head': ")


# --- protections ---


def test_a_protection_is_a_value_whatever_the_order_of_its_sites() -> None:
    one = Protection.of(SITES)
    other = Protection.of(dict(reversed(SITES.items())))
    assert one == other
    assert hash(one) == hash(other)
    assert list(one.as_dict()["sites"]) == sorted(SITES)
    assert one.schemes == SITES
    assert Protection.from_dict(json.loads(json.dumps(one.as_dict())), place="here") == one
    assert Protection.of(SITES, checks="immune") != one
    with pytest.raises(InputError, match="'a' has two schemes"):
        Protection(sites=(("a", Tmr()), ("b", Tmr()), ("a", StandardAbft())))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "'sites' is no mapping"),
        ({"sites": []}, "'sites' is no mapping"),
        ({"sites": {"head": "tmr"}}, "site 'head': 'tmr' is no scheme"),
        ({"sites": {"head": {"scheme": "tnr"}}}, "site 'head': scheme 'tnr'"),
        ({"sites": {}, "checks": "hidden"}, "checks='hidden' is not known; choose from exposed, immune"),
        ({"sites": {}, "checks": ["immune"]}, "checks"),
        ({"sites": {}, "chekcs": "immune"}, "chekcs"),
    ],
)
def test_a_malformed_protection_is_told_with_its_place(values: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told) as caught:
        Protection.from_dict(values, place="plan x.json")
    assert str(caught.value).startswith("plan x.json")


# --- plans ---


def test_a_plan_goes_through_its_file(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    write_plan(plan(), path)
    again = read_plan(path)
    assert again == plan()
    assert again.protection.checks == "immune"
    again.check(tiny_program("int8"))
    path.write_text(path.read_text().replace('"order"', '"order" '))  # as an editor might
    assert read_plan(path) == plan()


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[3] / "results" / "plans").glob("*.json")))
def test_plans_of_before_are_written_again_as_they_were(path: Path, tmp_path: Path) -> None:
    """But for what format 1 lacked, and for options of the method that its scheme ignored."""
    before = json.loads(path.read_text())
    read = read_plan(path)
    write_plan(read, tmp_path / "again.json")
    assert read_plan(tmp_path / "again.json") == read
    after = json.loads((tmp_path / "again.json").read_text())
    new = {"radhard_plan": 2, "verdict": "", "judged": {}, "calibration": None}
    old_method, method = before.pop("method"), after.pop("method")
    assert after == {**before, **new}
    assert method == {**{k: v for k, v in old_method.items() if k in method}, "blocks": "cube", "width": 32}
    assert list(after["expected"]) == list(before["expected"])


def edited(tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    path = tmp_path / "plan.json"
    write_plan(plan(), path)
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))
    return path


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        *((name, DROP, f"'{name}' is None, not a") for name in (
            "model", "program", "recipe", "ber", "protection", "method", "strategy", "limits", "bound", "seed", "words",
            "expected", "chosen_on", "order", "frontier",
        )),
        ("model", 3, "'model' is 3, not a str"),
        ("program", None, "'program' is None"),
        ("ber", "1e-7", "'ber' is '1e-7', not a number"),
        ("ber", True, "'ber' is True"),
        ("ber", -1e-9, "ber"),
        ("ber", 1.5, "ber"),
        ("ber", float("nan"), "ber"),
        ("seed", 1.0, "'seed' is 1.0, not a int"),
        ("seed", False, "'seed' is False"),
        ("method", [], "'method' is"),
        ("limits", "0.02", "'limits' is"),
        ("order", {}, "'order' is"),
        ("order", ["head"], "order"),
        ("frontier", [1], "frontier"),
        ("protection", {"sites": {"head": {"scheme": "row-abft", "block": [0, 1, 1]}}}, "site 'head': .*block .*1 on"),
        ("protection", {"sites": {}, "checks": "hidden"}, "checks='hidden'"),
        ("chosen_on", {"fingerprints": "1f-00c0ffee"}, "fingerprints"),
        ("chosen_on", {"fingerprints": [31]}, "fingerprints"),
        ("chosen_on", {"fingerprints": ["zz"]}, "fingerprints"),
        ("chosen_on", {"images": 0}, "'chosen_on', 'images' is 0; it is at least 1"),
        ("limits", {"loss": 2}, "'limits', 'loss' is 2; it is at most 1"),
        ("limits", {"los": 0.1}, "'limits': 'los' is none of its fields, loss, overhead, level"),
        ("strategy", "luck", "'strategy' is 'luck'; it is one of '', 'algorithm1', 'gain'"),
        ("method", {"scheme": "tmr", "luck": 1}, "'method': tmr has no option 'luck'"),
        ("method", {"scheme": "prayer"}, "'method': scheme 'prayer' is not known"),
        ("order", [{"site": "head"}], "'order' 0: 'layer' is missing"),
        ("frontier", [{"site": "head"}], "'frontier' 0: 'site' is none of its fields"),
        ("expected", {"accuracy": "high"}, "'expected': 'condition' is missing"),
        ("words", {"product": 16}, "'words', 'product' is 16, not a string"),
        ("extra", 1, "'extra' is no field of a plan"),
        ("radhard_plan", 3, "is no plan of format 2"),
        ("radhard_plan", DROP, "is no plan of format 2"),
    ],
)  # fmt: skip
def test_a_malformed_plan_is_told_with_its_file(tmp_path: Path, name: str, value: Any, told: str) -> None:
    def change(values: dict[str, Any]) -> None:
        values[name] = value
        if value is DROP:
            del values[name]

    with pytest.raises(InputError, match=told) as caught:
        read_plan(edited(tmp_path, change))
    assert str(caught.value).startswith(f"plan {tmp_path / 'plan.json'}")


def test_what_is_no_plan_at_all(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"plan .*none\.json cannot be read: No such file"):
        read_plan(tmp_path / "none.json")
    for content in (b"", b"{", b"\xff\xfe\x00", b"[" * 100_000):
        (tmp_path / "x.json").write_bytes(content)
        with pytest.raises(InputError, match=r"plan .*x\.json is no JSON"):
            read_plan(tmp_path / "x.json")
    for content in ("[]", "3", "null", "{}"):
        (tmp_path / "x.json").write_text(content)
        with pytest.raises(InputError, match=r"plan .*x\.json is no plan of format 2"):
            read_plan(tmp_path / "x.json")


def test_a_site_that_a_file_names_twice_is_told(tmp_path: Path) -> None:
    """JSON's readers take the last of two silently; a plan with half of its sites gone is another plan."""
    path = tmp_path / "plan.json"
    write_plan(plan(), path)
    text = path.read_text()
    path.write_text(text.replace('"head": {', '"head": {"scheme": "tmr"},\n"head": {', 1))
    assert json.loads(path.read_text()) == json.loads(text)
    with pytest.raises(InputError, match="'head' is given twice"):
        read_plan(path)


def test_a_plan_of_another_program_is_refused() -> None:
    program, other = tiny_program("int8"), tiny_program("int8-float")
    assert program.digest != other.digest
    plan().check(program)
    with pytest.raises(InputError, match=f"program {program.digest[:12]} of tiny .*this is {other.digest[:12]} of"):
        plan().check(other)
    with pytest.raises(InputError, match="the plan is for the program"):
        plan(program=program.digest[:-1] + "x").check(program)


def test_a_site_that_the_program_lacks_is_refused() -> None:
    there = plan(protection=Protection.of({"head": StandardAbft(), "blocks.9.mlp": HuangAbraham()}))
    with pytest.raises(InputError, match=r"protects 'blocks\.9\.mlp', which is none of the program's"):
        there.check(tiny_program("int8"))


def test_intensity_by_a_number_of_the_device_goes_through_json() -> None:
    scheme = IntensityGuided(hides="measured", operations_per_byte=203.7)
    assert scheme_from(json.loads(json.dumps(scheme_dict(scheme))), place="x") == scheme
