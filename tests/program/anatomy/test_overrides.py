"""What the user says of the anatomy: it decides, is recorded, and is refused by one line where it cannot be meant."""

import json
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from radhard.campaign.model_under_test import clean_setting, faulty_setting
from radhard.cli.commands import app
from radhard.errors import InputError
from radhard.faults import Where
from radhard.program import NONE, Overrides, Program, capture, quantize, read_overrides, template
from tests.support.explorations import tiny_under_test
from tests.support.models import TinyViT, images, seeded, tiny_program

SAID = {
    "blocks.0.attn.qkv": ("first", "FC"),
    "blocks.0.attn.*": ("first", None),
    "head": (None, "FC"),
    "blocks.0.*": ("second", "Embed"),
}


def places(program: Program) -> dict[str, tuple[str, str]]:
    return {site.name: (site.layer, site.module) for site in program.sites}


def overridden() -> Program:
    return capture(seeded(TinyViT()), images(2), anatomy=SAID)


def test_the_first_pattern_decides_and_leaves_what_it_does_not_say() -> None:
    program = overridden()
    found, plain = places(program), places(tiny_program())
    assert found["blocks.0.attn.qkv"] == ("first", "FC")
    assert found["blocks.0.attn.proj"] == ("first", "MHA-LF")
    assert found["blocks.0.attn.softmax"] == ("first", "NLF")
    assert found["blocks.0.norm1"] == ("second", "Embed")
    assert found["head"] == ("head", "FC")
    changed = [name for name in found if not name.startswith(("blocks.0.", "head"))]
    assert {name: found[name] for name in changed} == {name: plain[name] for name in changed}
    sources = {site.name: (site.layer_source, site.module_source) for site in program.sites}
    assert sources["blocks.0.attn.qkv"] == ("override", "override")
    assert sources["blocks.0.attn.proj"] == ("override", "name")
    assert sources["head"] == ("name", "override")
    assert not any(site.guessed for site in program.sites)


def test_what_serves_a_site_stands_with_it() -> None:
    program = capture(seeded(TinyViT()), images(2), anatomy={"blocks.0.attn.qkv": ("mine", "FC")})
    assert places(program)["blocks.0.attn.qkv.load"] == ("mine", "FC")
    integer = quantize(program, [images(8)], recipe="int8-symmetric")
    of_qkv = [site for site in integer.sites if site.name.startswith("blocks.0.attn.qkv")]
    assert {(site.layer, site.module) for site in of_qkv} == {("mine", "FC")}
    assert integer.overrides == program.overrides == Overrides.of({"blocks.0.attn.qkv": ("mine", "FC")})


def test_an_override_is_no_other_program_but_another_setting() -> None:
    """Faults are drawn from names of sites: the digest stays; which sites a layer is does not."""
    plain = tiny_under_test()
    program = quantize(overridden(), [images(16, seed=2)], recipe="int8")
    assert program.digest == plain.programs["int8"].digest
    from dataclasses import replace

    said = replace(plain, programs={**plain.programs, "int8": program})
    assert clean_setting(plain, "int8").as_dict().keys() == clean_setting(said, "int8").as_dict().keys() - {"anatomy"}
    assert clean_setting(plain, "int8").overrides == NONE
    layer = Where(layers=("blocks.1",))
    settings = [faulty_setting(model_under_test, "int8", ber=1e-6, where=layer) for model_under_test in (plain, said)]
    assert settings[0].bits == settings[1].bits
    assert settings[0].digest != settings[1].digest
    assert settings[1].without_faults().as_dict()["anatomy"] == {
        "blocks.0.attn.qkv": {"layer": "first", "module": "FC"},
        "blocks.0.attn.*": {"layer": "first"},
        "head": {"module": "FC"},
        "blocks.0.*": {"layer": "second", "module": "Embed"},
    }


@pytest.mark.parametrize(
    ("anatomy", "says"),
    [
        ({"blocks.7.*": ("a", None)}, "no site matches 'blocks.7.*'; near it are 'blocks.0."),
        ({"#####": ("a", None)}, "no site matches '#####'; none is like it"),
        ({"head": ("a", "Attention")}, "'head' has the module 'Attention', which is none; did you mean"),
        ({"haed": ("a", None)}, "near it are 'head"),
        ({"head": ("a", "mha-lf")}, "did you mean 'MHA-LF'?"),
        ({"head": (None, None)}, "'head' says neither a layer nor a module"),
        ({"": ("a", None)}, "pattern '' says neither"),
    ],
)
def test_what_cannot_be_meant_is_refused(anatomy: dict[str, tuple[str | None, str | None]], says: str) -> None:
    with pytest.raises(InputError) as caught:
        capture(seeded(TinyViT()), images(1), anatomy=anatomy)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", '{"head": {"layer": "top"}, "blocks.*": {"layer": "b", "module": "FC"}}'),
        ("a.toml", 'head.layer = "top"\n"blocks.*" = {layer = "b", module = "FC"}\n'),
        ("a.toml", '[head]\nlayer = "top"\n["blocks.*"]\nlayer = "b"\nmodule = "FC"\n'),
    ],
)
def test_files(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert read_overrides(path) == Overrides(rows=(("head", "top", ""), ("blocks.*", "b", "FC")))


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.json", b"[]", "holds a list, no table of patterns"),
        ("a.json", b"{", "is no JSON"),
        ("a.json", b'{"head": "Head"}', "'head' is 'Head'; write"),
        ("a.json", b'{"head": {"layer": 3}}', "'head' is {'layer': 3}; write"),
        ("a.json", b'{"head": {"modul": "FC"}}', "'head' has 'modul'; write"),
        ("a.json", b'{"head": {"module": "FF"}}', "did you mean 'FF-LF'?"),
        ("a.json", b'{"head": {}}', "says neither"),
        ("a.json", b'{"head": {"layer": "a"}, "head": {"layer": "b"}}', "'head' is given twice"),
        ("a.json", b"[" * 100_000, "is no JSON"),
        ("a.json", b"\xff\xfe", "is no text in UTF-8"),
        ("a.toml", b"head = ", "is no TOML"),
        ("a.toml", b'blocks.0.attn = {layer = "a"}', "in TOML a pattern with dots stands in quotes"),
        ("missing.json", None, "cannot be read: No such file or directory"),
    ],
)
def test_files_that_cannot_be_meant(tmp_path: Path, name: str, content: bytes | None, says: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_overrides(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_template_overrides_nothing_until_lines_are_opened(tmp_path: Path) -> None:
    program = tiny_program("int8")
    text = template(program.sites)
    assert tomllib.loads(text) == {}
    opened = "\n".join(line.removeprefix("# ") for line in text.splitlines()[1:])
    path = tmp_path / "all.toml"
    path.write_text(opened)
    again = capture(seeded(TinyViT()), images(2), anatomy=read_overrides(path))
    assert places(again) == places(tiny_program())
    assert {source for site in again.sites for source in (site.layer_source, site.module_source)} == {"override"}


MODEL = """
from torch import nn

def plain():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 8), nn.ReLU(), nn.Linear(8, 10))
"""


def inspected(tmp_path: Path, *arguments: str) -> str:
    path = tmp_path / "net.py"
    path.write_text(MODEL)
    shape = ("--input-shape", "1,28,28", "--mean", "0", "--std", "1", "--recipe", "float")
    result = CliRunner().invoke(app, ["inspect", f"{path}:plain", *shape, *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_inspect_marks_what_is_guessed_and_takes_what_is_said(tmp_path: Path) -> None:
    table = inspected(tmp_path)
    assert "1 ?" in table
    assert "FC ?" in table
    assert "? a layer or module is a guess" in table
    said = tmp_path / "said.json"
    said.write_text('{"1": {"layer": "one", "module": "Embed"}, "3": {"layer": "two", "module": "Head"}}')
    table = inspected(tmp_path, "--anatomy", str(said))
    assert "?" not in table
    (record,) = json.loads(inspected(tmp_path, "--anatomy", str(said), "--json"))["models"]
    assert record["anatomy"] == json.loads(said.read_text())
    rows = {row["name"]: row for row in record["rows"]}
    assert (rows["3"]["layer"], rows["3"]["module"]) == ("two", "Head")
    assert (rows["3"]["layer_source"], rows["3"]["module_source"], rows["3"]["guessed"]) == (
        "override",
        "override",
        False,
    )
    (record,) = json.loads(inspected(tmp_path, "--json"))["models"]
    plain = {row["name"]: row for row in record["rows"]}
    assert (plain["3"]["layer_source"], plain["3"]["module_source"], plain["3"]["guessed"]) == ("guess", "guess", True)


def test_inspect_prints_a_template(tmp_path: Path) -> None:
    text = inspected(tmp_path, "--template")
    assert tomllib.loads(text) == {}
    assert '# "3" = { layer = "3", module = "FC" }  # guess, guess ?' in text


@pytest.mark.parametrize("command", ["sweep", "vulnerability", "compare"])
def test_several_models_have_a_file_each(command: str, tmp_path: Path) -> None:
    said = tmp_path / "said.json"
    said.write_text('{"head": {"layer": "top"}}')
    result = CliRunner().invoke(app, [command, "fashion-vit", "fashion-swin", "--anatomy", str(said), "--ber", "1e-7"])
    assert result.exit_code == 2
    assert "names none of the models" in result.stderr
