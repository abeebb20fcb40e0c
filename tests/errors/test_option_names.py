"""An option in a message: as the command line writes it there, by its argument's name in Python."""

import pickle

import pytest

import radhard as rh
from radhard.cli.commands import message_of
from radhard.errors import InputError, as_option, in_python


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("--max-loss -1: give percent from 0 on", "max_loss -1: give percent from 0 on"),
        ("fewer images at a time (--batch, --most-flips)", "fewer images at a time (batch, most_flips)"),
        ("--except of nothing", "except_ of nothing"),
        ("make one with `radhard plan --out FILE` (--plan)", "make one with `radhard plan --out FILE` (plan)"),
        (
            "/a--b/--c.csv cannot be read -- and --5 is no option",
            "/a--b/--c.csv cannot be read -- and --5 is no option",
        ),
    ],
)
def test_python_reads_names(written: str, read: str) -> None:
    assert in_python(written) == read
    error = pickle.loads(pickle.dumps(InputError(written)))
    assert (str(error), message_of(error)) == (read, written)


def test_one_error_of_a_verb_is_spelled_for_its_reader() -> None:
    with pytest.raises(InputError, match=r"^except_ without layer, module, operator or site") as caught:
        rh.sweep("fashion-vit", faults=rh.FaultOptions(except_=True))
    assert message_of(caught.value).startswith("--except without --layer, --module, --operator or --site ")


def test_as_option() -> None:
    assert [as_option(name) for name in ("max_loss", "except_", "ber")] == ["--max-loss", "--except", "--ber"]
