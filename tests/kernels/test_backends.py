"""Integer back ends: liars are rejected, and each that proves itself is exact."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from radhard.errors import BackendError
from radhard.kernels.backends import BACKENDS, Backend, choose, product, proves_itself
from radhard.machine import backend_names
from tests.support.models import images, tiny_program

CPU = torch.device("cpu")


def exact(a: Tensor, b: Tensor) -> Tensor:
    return torch.from_numpy(a.numpy().astype(np.int64) @ b.mT.numpy().astype(np.int64)).to(torch.int32)


def off_by_one_at_the_extreme(a: Tensor, b: Tensor) -> Tensor:
    """Wrong for one pair of operands of 65536."""
    return exact(a, b) - ((a == 127).int() @ (b == 127).int().mT > 0).int()


def saturates_at_int16(a: Tensor, b: Tensor) -> Tensor:
    """As the pairwise additions of some processors without VNNI do."""
    total = exact(a[..., :2], b[..., :2]).clamp(-(2**15), 2**15 - 1)
    return total + exact(a[..., 2:], b[..., 2:])


def float32_without_split(a: Tensor, b: Tensor) -> Tensor:
    return (a.float() @ b.float().mT).to(torch.int32)


def forgets_the_last_column(a: Tensor, b: Tensor) -> Tensor:
    out = exact(a, b)
    if out.shape[2] % 8:
        out[:, :, -1] = 0
    return out


def raises(a: Tensor, b: Tensor) -> Tensor:
    raise RuntimeError(f"not compiled for {a.shape} and {b.shape}")


LIARS = [off_by_one_at_the_extreme, saturates_at_int16, float32_without_split, forgets_the_last_column, raises]
LIARS = [Backend(name=one.__name__, product=one) for one in LIARS]
HONEST = Backend(name="honest", product=exact)


@pytest.mark.parametrize("liar", LIARS, ids=lambda one: one.name)
def test_a_liar_is_rejected(liar: Backend) -> None:
    assert not proves_itself(liar, CPU)
    assert choose("weight", CPU, (liar, HONEST)) is HONEST


def test_only_liars() -> None:
    with pytest.raises(BackendError, match=r"off_by_one_at_the_extreme, saturates_at_int16.*raises") as error:
        choose("attention", CPU, LIARS)
    assert "cpu" in str(error.value)


def test_float64_is_there_when_the_others_are_not() -> None:
    (last,) = [one for one in BACKENDS if one.name == "float64"]
    assert choose("weight", CPU, (*LIARS, last)) is last


def test_the_faster_of_two_is_chosen() -> None:
    def slow(a: Tensor, b: Tensor) -> Tensor:
        for _ in range(4):
            exact(a, b)
        return exact(a, b)

    assert choose("attention", CPU, (Backend(name="slow", product=slow), HONEST)) is HONEST


SHAPES = [
    (1, 1, 1, 1), (2, 3, 1, 4), (1, 1, 7, 9), (5, 2, 9, 1), (1, 197, 768, 11), (3, 13, 63, 29),
    (1, 5, 514, 3), (1, 5, 515, 3), (1, 5, 1024, 3), (1, 5, 1025, 3), (2, 1, 40, 1), (1, 3, 2049, 17), (2, 7, 3072, 5),
]  # fmt: skip


@pytest.mark.parametrize("backend", [one for one in BACKENDS if proves_itself(one, CPU)], ids=lambda one: one.name)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_proven_back_ends_equal_int64(backend: Backend, shape: tuple[int, int, int, int]) -> None:
    g, m, k, n = shape
    for draw in (uniform, extremes, highest):
        a, b = draw((g, m, k), 1), draw((g, n, k), 2)
        for left in (a, (a.to(torch.int16) + 128).to(torch.uint8), torch.full_like(a, 255, dtype=torch.uint8)):
            assert torch.equal(backend.product(left, b).to(torch.int64), exact(left, b).to(torch.int64))


def wrong_for_unsigned(a: Tensor, b: Tensor) -> Tensor:
    """Exact but where a word above 127 meets -128."""
    return exact(a, b) - ((a.int() > 254).int() @ (b == -128).int().mT > 0).int()


def takes_int8_alone(a: Tensor, b: Tensor) -> Tensor:
    return exact(a.view(torch.int8), b)


@pytest.mark.parametrize("liar", [wrong_for_unsigned, takes_int8_alone])
def test_a_liar_about_unsigned_words_is_rejected(liar: Callable) -> None:
    assert not proves_itself(Backend(name="liar", product=liar), CPU)


def uniform(shape: tuple[int, ...], seed: int) -> Tensor:
    return torch.randint(-128, 128, shape, dtype=torch.int8, generator=torch.Generator().manual_seed(seed))


def extremes(shape: tuple[int, ...], seed: int) -> Tensor:
    return torch.where(uniform(shape, seed) < 0, -128, 127).to(torch.int8)


def highest(shape: tuple[int, ...], seed: int) -> Tensor:
    del seed
    return torch.full(shape, -128, dtype=torch.int8)


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x.mT.contiguous().mT,
        lambda x: x[:, ::2],
        lambda x: x[..., 1::2],
        lambda x: x.flatten(1).unfold(1, 5, 1)[:, :9],
    ],
    ids=["transposed", "every other row", "every other column", "overlapping rows"],
)
@pytest.mark.parametrize("groups", [1, 3])
def test_products_of_views(view: Callable[[Tensor], Tensor], groups: int) -> None:
    """torch._int_mm gives wrong results on overlapping rows, without an error."""
    a, b = view(uniform((groups, 12, 10), 3)), view(uniform((groups, 12, 10), 4))
    assert torch.equal(product(a, b).to(torch.int64), exact(a, b).to(torch.int64))
    unsigned = view(uniform((groups, 12, 10), 3).view(torch.uint8))
    assert torch.equal(product(unsigned, b).to(torch.int64), exact(unsigned, b).to(torch.int64))


def test_the_chosen_are_recorded_with_the_program() -> None:
    names = {one.name for one in BACKENDS}
    for recipe in ("int8", "int8-float"):
        chosen = tiny_program(recipe).backends
        assert chosen.keys() == {"weight", "attention", "convolution"}
        assert {chosen["weight"], chosen["attention"]} <= names
        assert chosen == backend_names(CPU)
    assert tiny_program("float").backends == {}
    assert images(1).shape == (1, *tiny_program("int8").input_shape)
