"""Deployed int8 matrix products that are checked as a whole and, after an alarm, block by block."""

from typing import TypedDict

import torch
from torch import Tensor

from radhard.deploy.applied import Applied
from radhard.deploy.forms.registry import build
from radhard.deploy.products import OPS, ScrubbedProduct, mend, worst
from radhard.deploy.step import Step
from radhard.errors import InputError
from radhard.kernels import store
from radhard.kernels.block_repair import How
from radhard.kernels.blocks import BlockStored, activations_checked, weights_checked
from radhard.kernels.geometry import Geometry
from radhard.kernels.library import OnUncorrectable, no_events
from radhard.kernels.octets import OCTETS
from radhard.kernels.sums import BlockSums, RowVerdict, block_sums, weighted_sums, with_bias
from radhard.kernels.write import WriteBack, unscaled
from radhard.machine import Machine, MatrixProduct, Site
from radhard.machine.matrices import by_image, from_images
from radhard.protection.forms import BlockCheck

_STORED = ("weight", "bias", "columns", "rows", "sums", "weighted")


class _Kept(TypedDict):
    """What checks of either kind of product take."""

    back: WriteBack
    on_uncorrectable: OnUncorrectable
    events: Tensor
    seen: Tensor | None
    sums: Tensor


class BlockProduct(ScrubbedProduct):
    """As `IntegerProduct`, each image's product checked as `form` says; sums of a stored weight are made here.

    Raises InputError where images are rows of one product: no check mixes them.
    """

    def __init__(
        self,
        operator: MatrixProduct,
        weight: Tensor | None,
        bias: Tensor | None,
        form: BlockCheck,
        *,
        site: Site,
        on_uncorrectable: OnUncorrectable,
    ) -> None:
        super().__init__(operator, weight, bias, site=site)
        if operator.name == "conv2d" and site.batch_axis not in (None, 0):
            raise InputError(f"site {site.name!r}: a convolution's images are on axis {site.batch_axis}, not on axis 0")
        block = form.block
        self.how = How(
            m=block.m if block else 0,
            k=block.k if block else 0,
            n=block.n if block else 0,
            recovery=form.recovery,
            retries=form.retries,
            width=form.width,
        )
        self.visible = form.repair == "visible"
        self.on_uncorrectable = on_uncorrectable
        if weight is not None:
            self._store()
        self.register_buffer("events", no_events())

    def _store(self) -> None:
        """Sums of the weight, while it is trusted."""
        parts = zip(self.weight.chunk(self.groups), self.bias.chunk(self.groups), strict=True)
        stored, sums = [], []
        for weight, bias in parts:
            stored.append(store(weight, bias))
            sums.append(self._sums(weight, bias))
        for name in ("weight", "columns", "rows"):
            self.register_buffer(name, torch.cat([getattr(one, name) for one in stored]))
        self.register_buffer("sums", torch.stack([one.blocks for one in sums]))
        weighted = [one.weighted for one in sums if one.weighted is not None]
        none = torch.empty(0, dtype=torch.int64, device=self.bias.device)
        self.register_buffer("weighted", torch.stack(weighted) if weighted else none)

    def _sums(self, weight: Tensor, bias: Tensor) -> BlockSums:
        """Those of one group, as the recovery needs them."""
        make = weighted_sums if self.how.recovery == "weighted" else block_sums
        return make(with_bias(weight, bias), min(self.how.n or len(weight), len(weight)))

    def compute(self, *given: Tensor | None) -> Tensor:
        """-> the operator's output, repaired."""
        how = self.how
        named = ([how.m, how.k, how.n], how.recovery, how.retries, self.visible, how.width)
        kept = (self.grid, self.dtype, self.on_uncorrectable.policy, self.on_uncorrectable.site, self.events)
        if not self.operator.stored:
            products: Tensor = OPS.matmul_blocks_checked.default(*given, self.multiplier, *named, *kept)
            return products
        (x,) = given
        assert x is not None
        filters = self.operator.name == "conv2d"
        a = OPS.patches.default(x, *self.settings) if filters else by_image(x, self.site)
        stored = (getattr(self, name) for name in _STORED)
        out: Tensor = OPS.blocks_checked.default(a, *stored, self.multiplier, self.groups, *named, *kept)
        n = self.shape[0]
        if filters:
            size, stride, padding, dilation, *_ = self.settings
            place = Geometry(size=size, stride=stride, padding=padding, dilation=dilation).out_size(x)
            rows = out.view(x.shape[0], self.groups, place[0] * place[1], n // self.groups)
            return rows.transpose(2, 3).reshape(x.shape[0], n, *place)
        return from_images(out, [*x.shape[:-1], n], self.site)

    def on(self, machine: Machine, *given: Tensor | None) -> Tensor:
        """The machine accumulates and writes; between, products and their blocks are checked."""
        work = self.work(machine, *given)
        x, shape = work.products, work.products.shape
        how = self.how.sized(shape.m, shape.k, shape.n)
        scale = self.multiplier.expand(shape.n * self.groups).contiguous()
        kept = _Kept(
            back=unscaled(scale.device),
            on_uncorrectable=self.on_uncorrectable,
            events=self.events,
            seen=scale if self.visible and self.dtype in OCTETS else None,
            sums=work.accumulators(how.k),
        )
        if self.operator.stored:
            return work.write(weights_checked(x.a, self.stored(), how, **kept))
        return work.write(activations_checked(x.a, x.b.mT, how, **kept))

    def stored(self) -> BlockStored:
        """What is stored, as views of this step's memory."""
        return BlockStored(**{name: getattr(self, name) for name in _STORED})

    def scrub(self) -> RowVerdict:
        """Look through what is stored, and set it right in place -> the worst that was found."""
        if not self.operator.stored:
            return "sound"
        verdicts: list[RowVerdict] = []
        for stored, sums in self.stored().each():
            verdicts.append(mend(stored))
            if verdicts[-1] == "lost":
                continue
            truth = self._sums(stored.own, stored.bias)
            for own, true in ((sums.blocks, truth.blocks), (sums.weighted, truth.weighted)):
                if own is not None and true is not None and not torch.equal(own, true):
                    verdicts.append("sums")
                    own.copy_(true)
        return worst(verdicts)


@build.register
def _(form: BlockCheck, applied: Applied, *, on_uncorrectable: OnUncorrectable) -> Step:
    """The step of a product of words of 8 bits."""
    product = applied.product
    assert product is not None
    return BlockProduct(product, *applied.weights, form, site=applied.site, on_uncorrectable=on_uncorrectable)
