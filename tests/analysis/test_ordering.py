"""The order in which products are protected, by hand."""

from radhard.analysis.ordering import ordered
from tests.support.choosing import candidate, names


def test_algorithm_1_goes_layer_by_layer_and_within_each_by_factor() -> None:
    found = ordered(
        [
            candidate("a1", "a", 0.9, of_layer=0.1),
            candidate("b1", "b", 0.01, of_layer=0.5),
            candidate("b2", "b", 0.3, of_layer=0.5),
            candidate("c1", "c", 0.2, of_layer=0.2),
            candidate("b3", "b", 0.01, of_layer=0.5),
            candidate("a2", "a", 0.95, of_layer=0.1),
        ],
        "algorithm1",
    )
    assert names(found) == "b2 b1 b3 c1 a2 a1"


def test_equal_layers_stay_together_and_as_in_the_program() -> None:
    layers = [f"blocks.{k}" for k in (0, 2, 10, 11)]
    found = ordered(
        [candidate(f"{layer}.{x}", layer, factor) for layer in layers for x, factor in (("q", 0.1), ("p", 0.2))],
        "algorithm1",
    )
    assert [c.layer for c in found] == [layer for layer in layers for _ in "qp"]
    assert [c.site[-1] for c in found] == list("pqpqpqpq")


def test_gain_is_accuracy_for_each_operation_and_sure_ones_come_first() -> None:
    found = ordered(
        [
            candidate("unsure", "a", 0.5, operations=1e3),
            candidate("dear", "a", 0.4, low=0.2, operations=1e6),
            candidate("cheap", "b", 0.1, low=0.05, operations=1e4),
            candidate("nothing", "b", 0.0, operations=1e4),
            candidate("unsure too", "b", 0.5, operations=1e4),
            candidate("harm", "b", -0.1, operations=1e4),
        ],
        "gain",
    )
    assert names(found) == "cheap dear unsure unsure too nothing harm"
