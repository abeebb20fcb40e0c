"""The ledger of events: what a call of a deployed module counts of them."""

from dataclasses import fields

import pytest
import torch

from radhard.kernels.events import EVENTS, Events
from radhard.kernels.library import no_events, note
from radhard.kernels.sums import store
from radhard.kernels.votes import voted
from tests.support.protections import int8s, int32s, scales

OPS = torch.ops.radhard
ORDER = ("checks", "alarms", "flagged", "repaired", "false_alarms", "corrupted", "uncorrected")


def test_the_order_of_counters_is_that_of_saved_models() -> None:
    assert EVENTS == ORDER
    assert set(EVENTS) <= {field.name for field in fields(Events)}


def test_every_flagged_part_is_counted_once() -> None:
    parts = ("repaired", "recomputed", "false_alarms", "inconsistent", "uncorrected")
    for name in parts:
        counted = dict(zip(EVENTS, Events(checks=9, alarms=3, flagged=5, **{name: 5}).counted, strict=True))
        assert (counted["checks"], counted["flagged"]) == (9, 5)
        assert counted["repaired"] + counted["false_alarms"] + counted["uncorrected"] == 5, name
        assert counted["alarms"] == 1


def test_events_add_up() -> None:
    one = Events(checks=3, alarms=1, flagged=2, repaired=2)
    assert one + one == Events(checks=6, alarms=2, flagged=4, repaired=4)
    with pytest.raises(TypeError):
        Events(left=1)  # type: ignore[call-arg]


def test_a_call_counts_an_alarm_once_and_checks_always() -> None:
    events = no_events()
    note(events, Events(checks=4))
    note(events, Events(checks=4, alarms=3, flagged=3, recomputed=2, corrupted=2, inconsistent=1))
    assert events.tolist() == [8, 1, 3, 2, 0, 1, 1]


def test_groups_of_a_convolution_are_one_call() -> None:
    """Each group has a changed word of the weight: one alarm, whichever groups have one."""
    x, weight, bias, scale = int8s(2, 4, 5, 5), int8s(6, 8, seed=1), int32s(6), scales(6)
    shape = ([2, 2], [1, 1], [0, 0, 0, 0], [1, 1], 2, 0)
    stored = [store(w, b) for w, b in zip(weight.chunk(2), bias.chunk(2), strict=True)]
    wide, columns, rows = (torch.cat([getattr(one, name) for one in stored]) for name in ("weight", "columns", "rows"))
    expected = OPS.conv2d(x, weight, bias, scale, *shape, [0, -128, 127], torch.int8)
    for half in wide.chunk(2):
        half[1, 3] ^= 64
    events = no_events()
    how = ([0, -128, 127], torch.int8, "raise", "here", events)
    assert torch.equal(OPS.conv2d_checked(x, wide, bias, columns, rows, scale, *shape, *how), expected)
    told = dict(zip(EVENTS, events.tolist(), strict=True))
    assert told["checks"] == 2 * 2 * 16
    assert (told["alarms"], told["corrupted"], told["uncorrected"]) == (1, 1, 0)
    assert told["flagged"] == told["repaired"] > 0


@pytest.mark.parametrize("by", ["word", "bitwise"])
def test_words_of_three_values_are_uncorrected_whichever_the_vote(by: str) -> None:
    a = torch.tensor([0b001, 7, 5, 3], dtype=torch.int8)
    b, c = torch.tensor([0b010, 7, 7, 3], dtype=torch.int8), torch.tensor([0b100, 7, 7, 1], dtype=torch.int8)
    found = voted(a, b, c, by=by)
    assert found.words.tolist() == [1 if by == "word" else 0, 7, 7, 3]
    assert found.events(alarms=1) == Events(checks=4, alarms=1, flagged=3, repaired=2, uncorrected=1)
