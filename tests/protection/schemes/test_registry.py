"""The registry: what a file says of its scheme is what every part of the project takes from it."""

from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Annotated, Literal

import pytest

import radhard.protection.schemes
from radhard.errors import InputError
from radhard.json_record import Above, Least
from radhard.machine import Shape
from radhard.protection import SCHEMES, Block, scheme_dict, scheme_from
from radhard.protection.forms import Form, NoForm
from radhard.protection.planning.method import COMMON, Method, entry_named, methods, own_options
from radhard.protection.schemes.options import Option, check_options, options_of
from radhard.protection.schemes.registry import entries, scheme
from radhard.words import Words
from tests.support.protections import ALL

FOLDER = Path(radhard.protection.schemes.__file__).parent


def test_every_file_of_a_scheme_is_registered() -> None:
    files = {path.stem for path in FOLDER.glob("*.py")} - {"__init__", "registry", "options"}
    assert {kind.__module__.rsplit(".", 1)[1] for kind in SCHEMES.values()} == files
    assert len(SCHEMES) == len(files)
    assert list(SCHEMES) == sorted(SCHEMES)


@pytest.mark.parametrize("name", ALL)
def test_every_scheme_states_its_form(name: str) -> None:
    form = ALL[name].deployed
    assert isinstance(form, Form)
    if isinstance(form, NoForm):
        assert len(form.reason.split()) > 5
        assert not form.reason.endswith(".")


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.name)
def test_options_are_the_fields_and_say_what_they_are_for(entry) -> None:  # type: ignore[no-untyped-def]
    assert [option.name for option in entry.options] == [field.name for field in fields(entry.kind)]
    assert [option.default for option in entry.options] == [field.default for field in fields(entry.kind)]
    assert all(option.help for option in entry.options if option.kind != "block")
    assert entry.about.endswith(".")


@pytest.mark.parametrize("name", methods())
def test_an_option_that_a_method_lacks_is_refused(name: str) -> None:
    own = {option.name for option in own_options(name)}
    every = {option.name for other in methods() for option in own_options(other)} | {"block", "hides", "luck"}
    assert every - own
    for option in sorted(every - own):
        with pytest.raises(InputError, match=f"^{name} has no option '{option}'; it has "):
            Method.of(name, **{option: 1})
    assert not own & {option.name for option in COMMON}


@pytest.mark.parametrize("name", [name for name in methods() if name != "none"])
def test_a_method_makes_its_scheme(name: str) -> None:
    entry, _ = entry_named(name)
    made = Method.of(name).scheme_of(Shape(m=8, k=8, n=8), ber=1e-9, words=Words())
    assert type(made) is entry.kind
    assert made is not None
    assert scheme_from(scheme_dict(made), place="here") == made


def test_two_schemes_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two schemes are called 'tmr': Tmr and Other"):

        @scheme("tmr", about="Another.")
        @dataclass(frozen=True, kw_only=True)
        class Other:
            pass

    assert SCHEMES["tmr"].__name__ == "Tmr"


@dataclass(frozen=True, kw_only=True)
class Every:
    """One field of every kind."""

    block: Block
    how: Annotated[Literal["fast", "well"], "How it is done."] = "well"
    bits: Literal[32, 64] = 32
    times: Annotated[int, Least(1)] = 1
    share: Annotated[float, Above(0)] = 0.5
    most: Annotated[int | None, Least(2)] = None

    def __post_init__(self) -> None:
        check_options(self)


OF = {option.name: option for option in options_of(Every)}


def test_options_are_read_from_the_fields() -> None:
    assert OF["block"] == Option(name="block", kind="block", default=MISSING)
    assert OF["block"].required
    how = Option(name="how", kind="choice", choices=("fast", "well"), default="well", help="How it is done.")
    assert OF["how"] == how
    assert OF["bits"].choices == (32, 64)
    assert (OF["most"].optional, OF["most"].bound, OF["times"].optional) == (True, Least(2), False)
    assert OF["most"].schema() == {"type": ["integer", "null"], "minimum": 2, "default": None}
    assert OF["share"].schema() == {"type": "number", "exclusiveMinimum": 0, "default": 0.5}

    @dataclass
    class Wrong:
        names: list[str]

    with pytest.raises(TypeError, match="option 'names' is list"):
        options_of(Wrong)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("how", "fast", "fast"), ("bits", "64", 64), ("times", "3", 3), ("share", "1e-3", 1e-3),
        ("most", "none", None), ("most", "all", None), ("most", "2", 2),
    ],
)  # fmt: skip
def test_a_text_is_a_value(name: str, text: str, value: object) -> None:
    assert OF[name].from_text(text) == value
    assert OF[name].from_json(value) == value


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("how", "badly", "how='badly' is not known; choose from fast, well"),
        ("bits", "16", "bits='16' is not known; choose from 32, 64"),
        ("times", "0", "times=0: give a whole number from 1 on"),
        ("times", "none", "times='none' is no whole number; give one"),
        ("share", "0", "share=0.0: give a number above 0"),
        ("share", "inf", "share=inf: give a finite number"),
        ("most", "1", "most=1: give a whole number from 2 on"),
    ],
)
def test_a_text_that_is_none_is_told(name: str, text: str, told: str) -> None:
    with pytest.raises(InputError, match=f"^{told}"):
        OF[name].from_text(text)


def test_a_value_that_is_none_is_told() -> None:
    block = Block(m=1, k=1, n=1)
    for given, told in (
        ({"how": "badly"}, "how='badly'"),
        ({"bits": True}, "bits=True"),
        ({"times": 1.0}, "times=1.0"),
    ):
        with pytest.raises(InputError, match=told):
            Every(block=block, **given)  # type: ignore[arg-type]
