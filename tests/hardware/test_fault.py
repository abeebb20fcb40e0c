"""Faulty hardware against a scalar reference, and what must hold of every class of fault."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from radhard.errors import InputError
from radhard.hardware import (
    FAULT_MODELS,
    AccumulatorUpset,
    Area,
    Array,
    FaultyArray,
    HardwareFault,
    ImageProducts,
    Misread,
    Replaced,
    RowAddressFault,
    StuckProduct,
    StuckSum,
    products_of,
    sample_fault,
)
from radhard.machine import Clean, Gemm, Site, read_cost
from radhard.operators import Conv2d, Gelu, Linear
from radhard.protection.abft.products import matrices
from radhard.protection.abft.stages import Accumulated
from tests.reference.hardware import faulty_sums
from tests.support.protections import BATCH, PRODUCTS, Case, floats, here, int8s, int32s

SMALL = Array(rows=3, columns=2)
BY_HAND: dict[str, HardwareFault] = {
    "stuck sum": StuckSum(row=1, column=0, mask=1 << 9, level=1, array=SMALL),
    "stuck sum, sign": StuckSum(row=2, column=1, mask=1 << 31, level=0, array=SMALL),
    "stuck sum, several bits": StuckSum(row=0, column=1, mask=0b1011 << 4, level=0, array=SMALL),
    "stuck product": StuckProduct(row=1, column=1, mask=1 << 12, level=1, array=SMALL),
    "stuck product, sign": StuckProduct(row=0, column=0, mask=1 << 15, level=1, array=SMALL),
    "stuck product of weights": StuckProduct(row=2, column=1, mask=1 << 6, level=0, array=SMALL, dataflow="weight"),
    "dead multiplier": StuckProduct(row=2, column=0, mask=0xFFFF, level=0, array=SMALL),
    "struck": AccumulatorUpset(area=Area(row=2, column=1, height=2, width=3, image=1), term=3, mask=0b11 << 30),
    "struck, last term": AccumulatorUpset(area=Area(row=0, column=0, image=1), term=4, mask=1),
    "replaced": Replaced(area=Area(row=4, column=0, width=4, image=1), term=2, seed=5),
    "lost": Replaced(area=Area(row=1, column=2, height=3, width=2, image=1), term=4, seed=None),
    "misread a": Misread(operand="a", index=3, term=4, mask=0x80, image=1),
    "misread b": Misread(operand="b", index=2, term=0, mask=0b110, image=1),
    "exchanged": RowAddressFault(first=4, second=1, image=1),
}
M, K, N = 5, 5, 4


def in_group(fault: HardwareFault, group: int) -> HardwareFault:
    """The same strike at another product of the image."""
    if isinstance(fault, AccumulatorUpset | Replaced):
        return replace(fault, area=replace(fault.area, group=group))
    return replace(fault, group=group) if isinstance(fault, Misread | RowAddressFault) else fault


@pytest.mark.parametrize("name", BY_HAND)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("of_x", [torch.int8, torch.uint8])
def test_a_linear_layer_is_faulty_as_the_reference(name: str, bias: bool, of_x: torch.dtype) -> None:
    x, weight, added = int8s(3, M, K, seed=1), int8s(N, K, seed=2), int32s(N) if bias else None
    fault, x = BY_HAND[name], x.view(of_x)
    got = FaultyArray(Clean(), fault).apply(Linear(), (x, weight, added), here())
    given, unsigned = None if added is None else added.tolist(), of_x == torch.uint8
    want = [faulty_sums(x[i].tolist(), weight.T.tolist(), given, fault, image=i, unsigned=unsigned) for i in range(3)]
    assert got.tolist() == [[[sums[-1] for sums in row] for row in image] for image in want]
    clean = Clean().apply(Linear(), (x, weight, added), here())
    wrong = (got != clean).flatten(1).any(1).tolist()
    assert any(wrong) if fault.image is None else wrong == [False, True, False]


@pytest.mark.parametrize("name", BY_HAND)
def test_the_bias_is_a_term_of_its_own(name: str) -> None:
    """The last sum of a chain is that with the bias: a strike can hit it, and what is stuck stays so."""
    if not isinstance(fault := BY_HAND[name], AccumulatorUpset | Replaced | StuckSum):
        return
    fault = fault if isinstance(fault, StuckSum) else replace(fault, term=K)
    x, weight, added = int8s(2, M, K, seed=3), int8s(N, K, seed=4), int32s(N)
    got = FaultyArray(Clean(), fault).apply(Linear(), (x, weight, added), here())
    want = [faulty_sums(x[i].tolist(), weight.T.tolist(), added.tolist(), fault, image=i) for i in range(2)]
    assert got.tolist() == [[[sums[-1] for sums in row] for row in image] for image in want]


@pytest.mark.parametrize("name", BY_HAND)
@pytest.mark.parametrize("group", [0, 2])
def test_an_attention_product_is_faulty_as_the_reference(name: str, group: int) -> None:
    a, b = int8s(2, 3, M, K, seed=5), int8s(2, 3, K, N, seed=6)
    fault = in_group(BY_HAND[name], group)
    got = FaultyArray(Clean(), fault).apply(Gemm(), (a, b), here())
    for image in range(2):
        for head in range(3):
            sums = faulty_sums(a[image, head].tolist(), b[image, head].tolist(), None, fault, group=head, image=image)
            assert got[image, head].tolist() == [[chain[-1] for chain in row] for row in sums]


@pytest.mark.parametrize("name", BY_HAND)
@pytest.mark.parametrize("group", [0, 1])
def test_a_convolution_is_faulty_as_the_reference(name: str, group: int) -> None:
    """Patches by torch's unfold: k is (channel, row, column) of the filter."""
    x, weight, added = int8s(2, 4, 4, 4, seed=7), int8s(8, 2, 2, 2, seed=8), int32s(8)
    fault = in_group(BY_HAND[name], group)
    operator = Conv2d(groups=2, padding=(1, 0, 0, 1))
    got = FaultyArray(Clean(), fault).apply(operator, (x, weight, added), here())
    padded = functional.pad(x.float(), (0, 1, 1, 0))
    for image in range(2):
        for part in range(2):
            patches = functional.unfold(padded[image : image + 1, 2 * part : 2 * part + 2], 2)[0].T.long()
            filters = weight[4 * part : 4 * part + 4].flatten(1).T.long()
            bias = added[4 * part : 4 * part + 4].tolist()
            sums = faulty_sums(patches.tolist(), filters.tolist(), bias, fault, group=part, image=image)
            found = got[image, 4 * part : 4 * part + 4].flatten(1).T
            assert found.tolist() == [[chain[-1] for chain in row] for row in sums]


@pytest.mark.parametrize("name", BY_HAND)
def test_running_sums_are_faulty_as_the_reference(name: str) -> None:
    x, weight, added, fault = int8s(2, M, K, seed=9), int8s(N, K, seed=10), int32s(N), BY_HAND[name]
    inputs, ends = (x, weight, added), (2, 4, 5)
    whole = Accumulated(whole=Linear(), products=matrices(Linear(), inputs, here()), ends=ends)
    got = FaultyArray(Clean(), fault).apply(whole, inputs, here())
    for image in range(2):
        sums = faulty_sums(x[image].tolist(), weight.T.tolist(), added.tolist(), fault, image=image)
        for place, end in enumerate((1, 3, K)):
            assert got[place, image].tolist() == [[chain[end] for chain in row] for row in sums]


def products(case: Case) -> ImageProducts:
    found = products_of(read_cost(case.operator, case.inputs, case.site), case.site)
    assert found is not None
    return found


@pytest.mark.parametrize("case", PRODUCTS)
@pytest.mark.parametrize("model", FAULT_MODELS)
def test_a_hardware_fault_does_not_depend_on_the_batch(case: str, model: str) -> None:
    chosen = PRODUCTS[case]
    fault = sample_fault(model, products(chosen), seed=3)
    ids = torch.tensor([5, 0, 17, 3])
    together = FaultyArray(Clean(), fault)
    together.begin(chosen.costs, ids)
    whole, parts = together.apply(chosen.operator, chosen.inputs, chosen.site), []
    for image in range(BATCH):
        alone = FaultyArray(Clean(), fault)
        alone.begin(chosen.costs, ids[image : image + 1])
        parts.append(alone.apply(chosen.operator, chosen.part(image), chosen.site))
    axis, blocks = chosen.site.batch_axis, chosen.site.blocks
    assert axis is not None
    joined = torch.cat([part.unflatten(axis, (blocks, 1, -1)) for part in parts], axis + 1).flatten(axis, axis + 2)
    assert torch.equal(whole, joined)
    hit = [
        not torch.equal(part, Clean().apply(chosen.operator, chosen.part(i), chosen.site))
        for i, part in enumerate(parts)
    ]
    assert fault.image is None or not any(hit[i] for i in (0, 2, 3))


def test_which_axes_are_rows() -> None:
    """Windows and heads are products of their own; tokens before the batch are the rows of one."""
    found = {name: products(case) for name, case in PRODUCTS.items()}
    sizes = {name: (p.groups, p.m, p.k, p.n, p.terms) for name, p in found.items()}
    assert sizes["linear"] == (1, 7, 11, 5, 12)
    assert sizes["linear left as float"] == (1, 7, 11, 5, 11)
    assert sizes["linear in windows"] == (3, 4, 6, 5, 7)
    assert sizes["linear of tokens before the batch"] == (1, 3, 6, 4, 7)
    assert sizes["linear of tokens folded with the batch"] == (1, 6, 6, 4, 6)
    assert sizes["attention"] == (3, 7, 5, 9, 5)
    assert sizes["attention with heads before the batch"] == (2, 7, 5, 8, 5)
    assert sizes["convolution"] == (1, 18, 36, 6, 37)
    assert sizes["convolution in groups"] == (4, 12, 12, 3, 13)


@pytest.mark.parametrize("model", FAULT_MODELS)
def test_a_fault_model_follows_from_its_seed_and_nearly_always_changes_something(model: str) -> None:
    shape = ImageProducts(groups=2, m=20, k=18, n=19, terms=18)
    drawn = [sample_fault(model, shape, seed=seed) for seed in range(20)]
    assert drawn == [sample_fault(model, shape, seed=seed) for seed in range(20)]
    assert len(set(drawn)) > (6 if model == "tile lost" else 15)  # of eight tiles
    a, b = int8s(1, 2, 20, 18, seed=1), int8s(1, 2, 18, 19, seed=2)
    clean, changed = Clean().apply(Gemm(), (a, b), here()), 0
    for fault in drawn:
        out = FaultyArray(Clean(), fault).apply(Gemm(), (a, b), here())
        sums = [faulty_sums(a[0, g].tolist(), b[0, g].tolist(), None, fault, group=g) for g in range(2)]
        assert out[0].tolist() == [[[chain[-1] for chain in row] for row in group] for group in sums]
        changed += not torch.equal(out, clean)
    assert changed >= 15


def test_a_hardware_fault_is_where_it_is_asked_for() -> None:
    broken = StuckSum(row=0, column=0, mask=1 << 20, level=1, array=Array(rows=1, columns=1))
    strike = AccumulatorUpset(area=Area(row=0, column=0), term=0, mask=1 << 20)
    x, weight = int8s(1, M, K), int8s(N, K, seed=1)
    copy, check = Site(name="here/check/copy2", of="here", batch_axis=0), Site(name="elsewhere", batch_axis=0)

    def hit(machine: FaultyArray, site: Site) -> bool:
        return not torch.equal(machine.apply(Linear(), (x, weight, None), site), clean(x, weight))

    assert hit(FaultyArray(Clean(), broken), here())
    assert hit(FaultyArray(Clean(), broken), copy)
    assert not hit(FaultyArray(Clean(), broken, copies="other units"), copy)
    assert hit(FaultyArray(Clean(), strike), here())
    assert not hit(FaultyArray(Clean(), strike), copy)
    assert not hit(FaultyArray(Clean(), broken, sites={"here"}), check)
    assert hit(FaultyArray(Clean(), broken, sites={"here"}), copy)
    gelu = floats(2, 20)
    assert torch.equal(
        FaultyArray(Clean(), broken).apply(Gelu(), (gelu,), here()), Clean().apply(Gelu(), (gelu,), here())
    )


def clean(x: Tensor, weight: Tensor) -> Tensor:
    return Clean().apply(Linear(), (x, weight, None), here())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Array(rows=0), "rows=0"),
        (lambda: StuckSum(row=16, column=0, mask=1, level=0), "16 x 16 cells"),
        (lambda: StuckSum(row=0, column=0, mask=1, level=2), "level=2"),
        (lambda: StuckSum(row=0, column=0, mask=1 << 32, level=0), "a word of 32"),
        (lambda: StuckProduct(row=0, column=0, mask=1 << 16, level=0), "a word of 16"),
        (lambda: StuckProduct(row=0, column=0, mask=1, level=0, dataflow="row"), "dataflow='row'"),  # type: ignore[arg-type]
        (lambda: Misread(operand="c", index=0, term=0, mask=1), "operand='c'"),  # type: ignore[arg-type]
        (lambda: Misread(operand="a", index=0, term=0, mask=256), "a word of 8"),
        (lambda: sample_fault("rust", ImageProducts(groups=1, m=2, k=2, n=2, terms=2), seed=0), "'rust' is not known"),
        (lambda: sample_fault("rows exchanged", ImageProducts(groups=1, m=1, k=2, n=2, terms=2), seed=0), "one row"),
        (lambda: FaultyArray(Clean(), BY_HAND["stuck sum"], copies="both"), "copies='both'"),  # type: ignore[arg-type]
    ],
)
def test_values_that_mean_nothing_are_refused(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (AccumulatorUpset(area=Area(row=4, column=0, height=2), term=0, mask=1), "row=4, 2 long"),
        (AccumulatorUpset(area=Area(row=0, column=4), term=0, mask=1), "column=4"),
        (AccumulatorUpset(area=Area(row=0, column=0, group=1), term=0, mask=1), "group=1"),
        (AccumulatorUpset(area=Area(row=0, column=0), term=5, mask=1), "term=5"),
        (Misread(operand="a", index=5, term=0, mask=1), "index=5"),
        (Misread(operand="b", index=0, term=5, mask=1), "term=5"),
        (RowAddressFault(first=0, second=5), "second=5"),
        (RowAddressFault(first=2, second=2), "exchanged with itself"),
    ],
)
def test_places_that_a_product_lacks_are_refused(fault: HardwareFault, message: str) -> None:
    with pytest.raises(InputError, match=message):
        FaultyArray(Clean(), fault).apply(Linear(), (int8s(1, M, K), int8s(N, K), None), here())


def test_a_float_product_is_refused() -> None:
    broken = BY_HAND["stuck sum"]
    with pytest.raises(InputError, match=r"site 'here': hardware faults.*computes in floats"):
        FaultyArray(Clean(), broken).apply(Linear(), (floats(1, M, K), floats(N, K), None), here())
    elsewhere = FaultyArray(Clean(), broken, sites={"there"}).apply(
        Linear(), (floats(1, M, K), floats(N, K), None), here()
    )
    assert elsewhere.shape == (1, M, N)


def test_a_site_that_the_run_lacks_is_refused() -> None:
    case = PRODUCTS["linear"]
    with pytest.raises(InputError, match="hardware fault at 'there'"):
        FaultyArray(Clean(), BY_HAND["stuck sum"], sites={"there"}).begin(case.costs, torch.arange(BATCH))
