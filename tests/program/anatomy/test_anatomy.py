"""The layer and the module of every site of hand-written models, stated by hand.

A row states the blocks, each by its layer and its sites with the category of each, after "?" where it must be marked.
`{}` is the number of the block in a name. Loads must stand where the product stands that reads them.
"""

import importlib.util
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest
from torch import nn

from radhard.program import Program, capture, quantize
from radhard.program.anatomy import anatomy
from tests.support import handwritten as written
from tests.support import handwritten_more as more
from tests.support.architectures import BY_NAME
from tests.support.handwritten import Trunk
from tests.support.models import images, seeded

STEM = "cut Embed"
HEAD = "last NLF, mean NLF, out Head"
MLP = "b NLF, up FF-LF, gelu NLF, down FF-LF, add#2 Residual"
SCORES = "matmul MHA-LF, softmax NLF, matmul#2 MHA-LF"
SCALED = "matmul MHA-LF, mul MHA-LF, softmax NLF, matmul#2 MHA-LF"
QKV = "a NLF, three MHA-LF"
AROUND = "back MHA-LF, add Residual"


@dataclass(frozen=True, kw_only=True)
class Row:
    """How a model is built, and its sites: of the stem, of each block (layer, sites), and of the head."""

    build: Callable[[], nn.Module]
    blocks: tuple[tuple[str, str], ...]
    stem: str = STEM
    head: str = HEAD


def trunk(kind: Callable[[], nn.Module], *sites: str) -> Row:
    """Two blocks `pieces.0` and `pieces.1` with these sites."""
    inside = ", ".join(f"pieces.{{}}.{site}" for part in sites for site in part.split(", "))
    return Row(build=lambda: Trunk(kind), blocks=(("pieces.0", inside), ("pieces.1", inside)))


ATTEND = "{0} MHA-LF, {1}matmul{2} MHA-LF, {1}softmax{3} NLF, {1}matmul{4} MHA-LF"
ENCODER = ("self_attn.linear MHA-LF, self_attn.mul MHA-LF, self_attn.matmul MHA-LF, self_attn.softmax NLF, "
           "self_attn.matmul#2 MHA-LF, self_attn.linear#2 MHA-LF, add Residual")  # fmt: skip
NORM = ("mean{0} NLF, add{1} NLF, mul{2} NLF, mean{3} NLF, add{4} NLF, rsqrt{5} NLF, mul{6} NLF")  # fmt: skip


def number(k: int) -> str:
    """The sign of the k-th of sites that share a name."""
    return "" if k == 1 else f"#{k}"


def functional(block: int) -> str:
    """The sites of a block of `Functional`: by their numbers, as nothing else tells them apart."""
    means, adds, muls, products, halves = 4 * block, 8 * block, 4 * block, 6 * block + 1, 2 * block

    def norm(k: int) -> str:
        first = 2 * k + means
        add = adds + (1, 6)[k]
        return NORM.format(
            number(first + 1), number(add), number(muls + 2 * k + 1), number(first + 2), number(add + 1),
            number(halves + k + 1), number(muls + 2 * k + 2),
        )  # fmt: skip

    exp = number(block + 1)
    return ", ".join((
        norm(0),
        f"matmul{number(products + 1)} MHA-LF, add{number(adds + 3)} MHA-LF, matmul{number(products + 2)} MHA-LF",
        f"add{number(adds + 4)} MHA-LF, exp{exp} NLF, sum{exp} NLF, div{exp} NLF",
        f"matmul{number(products + 3)} MHA-LF, matmul{number(products + 4)} MHA-LF, add{number(adds + 5)} Residual",
        norm(1),
        f"matmul{number(products + 5)} FF-LF, matmul{number(products + 6)} FF-LF, add{number(adds + 8)} Residual",
    ))  # fmt: skip


def one_level(block: int) -> str:
    """The sites of a block of `OneLevel`."""
    n, w, second = 2 * block, 4 * block, number(block + 1)
    return (
        f"n{n + 1} NLF, w{w + 1} MHA-LF, matmul{number(n + 1)} MHA-LF, mul{second} MHA-LF, softmax{second} NLF, "
        f"matmul{number(n + 2)} MHA-LF, w{w + 2} MHA-LF, add{number(n + 1)} Residual, n{n + 2} NLF, w{w + 3} FF-LF, "
        f"gelu{second} NLF, w{w + 4} FF-LF, add{number(n + 2)} Residual"
    )


def one_level_post_norm(block: int) -> str:
    """The same with norms after the additions, and no scale."""
    n, w, second = 2 * block, 4 * block, number(block + 1)
    return (
        f"w{w + 1} MHA-LF, matmul{number(n + 1)} MHA-LF, softmax{second} NLF, matmul{number(n + 2)} MHA-LF, "
        f"w{w + 2} MHA-LF, add{number(n + 1)} Residual, n{n + 1} NLF, w{w + 3} FF-LF, gelu{second} NLF, "
        f"w{w + 4} FF-LF, add{number(n + 2)} Residual, n{n + 2} NLF"
    )


def parts(prefix: str, attend: str, mlp: str, adds: tuple[str, str], norms: tuple[str, str]) -> str:
    """A block made of modules: `prefix` of all, the attention's path with l1 and l2, the MLP's with its first index."""
    mlp_path, first = mlp.rsplit(".", 1)
    at = int(first)
    return ", ".join((
        f"{prefix}{norms[0]} NLF, {prefix}{attend}.l1 MHA-LF, {prefix}{attend}.matmul MHA-LF",
        f"{prefix}{attend}.softmax NLF, {prefix}{attend}.matmul#2 MHA-LF, {prefix}{attend}.l2 MHA-LF",
        f"{adds[0]} Residual, {prefix}{norms[1]} NLF, {prefix}{mlp_path}.{at} FF-LF, {prefix}{mlp_path}.{at + 1} NLF",
        f"{prefix}{mlp_path}.{at + 2} FF-LF, {adds[1]} Residual",
    ))  # fmt: skip


def marked(text: str, *, layer: bool = False, of: str = "") -> str:
    """Sites whose names hold `of`, marked: their module, or with `layer` their layer."""
    sign = "!" if layer else "?"
    return ", ".join(f"{site}{sign}" if of in site else site for site in text.split(", "))


def nested(k: int) -> str:
    return parts(f"1.{k}.", "0.inner.1", "1.inner.1", (f"1.{k}.0.add", f"1.{k}.1.add"), ("0.inner.0", "1.inner.0"))


def wrapped(k: int) -> str:
    at = f"2.layers.{k}."
    return parts(at, "0.inner.1", "1.inner.1", (f"{at}0.add", f"{at}1.add"), ("0.inner.0", "1.inner.0"))


def flat(k: int) -> str:
    """Names say that each numbered part is a layer, which the graph contradicts."""
    at = 4 * k
    adds = (f"add{number(2 * k + 1)}", f"add{number(2 * k + 2)}")
    text = parts("layers.", str(at + 1), f"{at + 3}.1", adds, (str(at), str(at + 2)))
    return marked(text, layer=True)


def liar(prefix: str) -> str:
    return parts(prefix, "fc", "attn.1", (f"{prefix}add", f"{prefix}add#2"), ("norm1", "norm2"))


ROWS: Mapping[str, Row] = {
    "attention in the block's forward, qkv by chunk": trunk(written.Piece, QKV, SCALED, AROUND, MLP),
    "separate q, k, v, q scaled": trunk(
        written.Separate,
        "a NLF, wq MHA-LF, wk MHA-LF, wv MHA-LF, mul MHA-LF", SCORES, "wo MHA-LF, add Residual", MLP,
    ),
    "qkv by reshape and unbind, q divided": trunk(written.Unbound, QKV, "mul MHA-LF", SCORES, AROUND, MLP),
    "qkv by split, no scale": trunk(written.Cut, QKV, SCORES, AROUND, MLP),
    "einsum": trunk(written.Einsum, QKV, SCALED, AROUND, MLP),
    "scaled_dot_product_attention": trunk(written.Fused, QKV, "mul MHA-LF", SCORES, AROUND, MLP),
    "a single head": trunk(written.SingleHead, QKV, SCALED, AROUND, MLP),
    "a bias and a mask": trunk(
        written.Biased,
        QKV, "matmul MHA-LF, mul MHA-LF, add MHA-LF, softmax NLF, matmul#2 MHA-LF, back MHA-LF, add#2 Residual",
        MLP.replace("add#2", "add#3"),
    ),
    "talking heads": trunk(
        written.TalkingHeads,
        QKV, "matmul MHA-LF, pre MHA-LF, softmax NLF, post MHA-LF, matmul#2 MHA-LF", AROUND, MLP,
    ),
    "re-attention by einsum": trunk(
        more.EinsumOfHeads, QKV, SCORES, "matmul#3 MHA-LF", AROUND, MLP
    ),
    "cross attention of one query": trunk(
        written.CrossAttention, "a NLF, tell MHA-LF, ask MHA-LF", SCORES, AROUND, MLP
    ),
    "convolutions before projections": trunk(
        written.Shrunken,
        "a NLF, near MHA-LF, ask MHA-LF, shrink MHA-LF, c NLF, tell MHA-LF", SCORES, AROUND, MLP,
    ),
    "1 x 1 convolutions": trunk(
        written.Convolutional,
        QKV, SCORES, AROUND, "b NLF, up FF-LF, near Conv, down FF-LF, add#2 Residual",
    ),
    "post-norm": trunk(
        written.PostNorm,
        "three MHA-LF", SCALED, AROUND, "a NLF, up FF-LF, down FF-LF, add#2 Residual, b NLF",
    ),
    "attention and MLP in parallel, layer scale": trunk(
        written.Parallel,
        QKV, SCALED, "back MHA-LF, mul#2 Residual, add Residual",
        "b NLF, up FF-LF, silu NLF, down FF-LF, mul#3 Residual, add#2 Residual",
    ),
    "SwiGLU of two halves, norms and rotation of q and k": trunk(
        written.Gated,
        QKV, "c NLF, mul MHA-LF, mul#2 MHA-LF, add MHA-LF, d NLF, mul#3 MHA-LF, mul#4 MHA-LF, add#2 MHA-LF", SCORES,
        "back MHA-LF, add#3 Residual, b NLF, up FF-LF, sigmoid NLF, mul#5 NLF, mul#6 FF-LF, down FF-LF, add#4 Residual",
    ),
    "SwiGLU of two layers": trunk(
        more.TwoGates,
        QKV, SCALED, AROUND,
        "b NLF, gate FF-LF, silu NLF, up FF-LF, mul#2 FF-LF, down FF-LF, add#2 Residual",
    ),
    "GELU written out": trunk(
        more.WrittenGelu,
        QKV, SCALED, AROUND,
        "b NLF, up FF-LF, mul#2 NLF, mul#3 NLF, erf NLF, add#2 NLF, mul#4 NLF, down FF-LF, add#3 Residual",
    ),
    "a norm written out": trunk(
        more.WrittenNorm,
        "mean NLF, add NLF, power NLF, mean#2 NLF, add#2 NLF, add#3 NLF, sqrt NLF, div NLF, mul NLF, add#4 NLF",
        "three MHA-LF, matmul MHA-LF, mul#2 MHA-LF, softmax NLF, matmul#2 MHA-LF, back MHA-LF, add#5 Residual",
        MLP.replace("add#2", "add#6"),
    ),
    "scores capped, and a sink": trunk(
        more.Sunk,
        QKV, "matmul MHA-LF, tanh NLF, mul MHA-LF, softmax NLF, matmul#2 MHA-LF", AROUND, MLP,
    ),
    "scores of positions": trunk(
        more.Relative,
        QKV, "matmul MHA-LF, matmul#2 MHA-LF, add MHA-LF, softmax NLF, matmul#3 MHA-LF, back MHA-LF, add#2 Residual",
        MLP.replace("add#2", "add#3"),
    ),
    "a residual network": Row(
        build=more.convolutional,
        stem="0 Embed",
        blocks=(
            ("1.0", "1.0.c1 Conv, 1.0.c2 Conv, 1.0.add Residual"),
            ("1.1", "1.1.short Conv, 1.1.c1 Conv, 1.1.c2 Conv, 1.1.add Residual"),
            ("1.2", "1.2.c1 Conv, 1.2.c2 Conv, 1.2.add Residual"),
        ),
        head="2 NLF, 4 Head",
    ),
    "lists of parts": Row(
        build=more.ListsOfParts,
        blocks=tuple(
            (f"block.{k}", f"norms.{k} NLF, looks.{k}.l1 MHA-LF, looks.{k}.matmul MHA-LF, looks.{k}.softmax NLF, "
             f"looks.{k}.matmul#2 MHA-LF, looks.{k}.l2 MHA-LF, add{number(2 * k + 1)} Residual, nets.{k}.0 NLF, "
             f"nets.{k}.1 FF-LF, nets.{k}.2 NLF, nets.{k}.3 FF-LF, add{number(2 * k + 2)} Residual")
            for k in (0, 1)
        ),
        head="mean NLF, out Head",
    ),
    "a mixer": trunk(
        written.Mixer,
        "a NLF, of_tokens.0 FF-LF, of_tokens.1 NLF, of_tokens.2 FF-LF, add Residual",
        "b NLF, of_channels.0 FF-LF, of_channels.1 NLF, of_channels.2 FF-LF, add#2 Residual",
    ),
    "linear attention": trunk(
        written.LinearAttention,
        "a NLF, three FC?, matmul MHA-LF?, matmul#2 MHA-LF?, back FC?, add Residual", MLP,
    ),
    "linear attention by name": trunk(
        more.LinearByName,
        "norm1 NLF, attn.qkv MHA-LF?, attn.matmul MHA-LF?, attn.matmul#2 MHA-LF?, attn.proj MHA-LF?, add Residual",
    ),
    "nn.MultiheadAttention": trunk(
        written.Multihead,
        "a NLF, look.linear MHA-LF, look.mul MHA-LF, look.matmul MHA-LF, look.softmax NLF, look.matmul#2 MHA-LF",
        "look.linear#2 MHA-LF, add Residual", MLP,
    ),
    "nn.TransformerEncoderLayer": Row(
        build=lambda: written.encoder_layers(first=True),
        stem="0 Embed",
        blocks=tuple(
            (str(k), ", ".join(f"{k}.{site}" for site in (
                f"norm1 NLF, {ENCODER}, norm2 NLF, linear1 FF-LF, linear2 FF-LF, add#2 Residual"
            ).split(", ")))
            for k in (2, 3)
        ),
        head="4 NLF, 5 Head",
    ),
    "nn.TransformerEncoderLayer, post-norm": Row(
        build=lambda: written.encoder_layers(first=False),
        stem="0 Embed",
        blocks=tuple(
            (str(k), ", ".join(f"{k}.{site}" for site in (
                f"{ENCODER}, norm1 NLF, linear1 FF-LF, linear2 FF-LF, add#2 Residual, norm2 NLF"
            ).split(", ")))
            for k in (2, 3)
        ),
        head="4 NLF, 5 Head",
    ),
    "products elementwise": trunk(
        more.Elementwise,
        QKV, "mul MHA-LF, sum NLF, softmax NLF, mul#2 MHA-LF, sum#2 NLF", AROUND, MLP,
    ),
    "no projections": trunk(more.Unprojected, "a NLF", SCALED, "add Residual", MLP),
    "keys shared by heads": trunk(
        more.SharedKeys, "a NLF, tell MHA-LF, ask MHA-LF, mul MHA-LF", SCORES, AROUND, MLP
    ),
    "windows": trunk(more.Windows, QKV, SCORES, AROUND, MLP),
    "a gate, a norm and a convolution within": trunk(
        more.Within,
        QKV, "near MHA-LF", SCORES, "add MHA-LF, c NLF, gate MHA-LF, sigmoid NLF, mul MHA-LF",
        "back MHA-LF, add#2 Residual", MLP.replace("add#2", "add#3"),
    ),
    "log-softmax": trunk(
        more.LogSoftmax,
        QKV, "matmul MHA-LF, add MHA-LF, exp NLF, sum NLF, log NLF, add#2 MHA-LF, exp#2 NLF, matmul#2 MHA-LF",
        "back MHA-LF, add#3 Residual", MLP.replace("add#2", "add#4"),
    ),
    "one projection for all": trunk(
        more.OneProjection, "a NLF, three MHA-LF?", SCORES, "gelu NLF, back MHA-LF?, add Residual"
    ),
    "one projection, two ends": trunk(
        more.TwoProjections,
        "a NLF, three MHA-LF?", SCORES, "back MHA-LF, add Residual, gelu NLF, down FF-LF, add#2 Residual",
    ),
    "half MLPs before and after": trunk(
        more.Macaron,
        "c NLF, up0 FF-LF, silu NLF, down0 FF-LF, mul Residual, add Residual",
        QKV, "matmul MHA-LF, mul#2 MHA-LF, softmax NLF, matmul#2 MHA-LF",
        "back MHA-LF, add#2 Residual, b NLF, up FF-LF, silu#2 NLF, down FF-LF, mul#3 Residual, add#3 Residual",
    ),
    "attention of tokens and of channels": trunk(
        more.Twice,
        QKV, SCALED, AROUND,
        "c NLF, three2 MHA-LF, matmul#3 MHA-LF, softmax#2 NLF, matmul#4 MHA-LF, back2 MHA-LF, add#2 Residual",
        MLP.replace("add#2", "add#3"),
    ),
    "squeeze-and-excitation": trunk(
        more.Excited,
        "c1 Conv, c2 Conv, mean NLF, r FC, e FC, sigmoid NLF, mul FC, add Residual",
    ),
    "one level": Row(
        build=written.OneLevel,
        blocks=(("block.0", one_level(0)), ("block.1", one_level(1))),
        head="n5 NLF, mean NLF, out Head",
    ),
    "one level, post-norm": Row(
        build=more.OneLevelPostNorm,
        blocks=(("block.0", one_level_post_norm(0)), ("block.1", one_level_post_norm(1))),
        head="mean NLF, out Head",
    ),
    "no modules": Row(
        build=written.Functional,
        stem="matmul Embed",
        blocks=(("block.0", functional(0)), ("block.1", functional(1))),
        head="mean#9 NLF, matmul#14 Head",
    ),
    "sequences of sequences": Row(
        build=written.nested,
        stem="0.0 Embed",
        blocks=(("1.0", nested(0)), ("1.1", nested(1))),
        head="2.0 NLF, 2.1 NLF, 2.2 Head",
    ),
    "parts in wrappers": Row(
        build=written.wrapped,
        stem="0 Embed",
        blocks=(("2.layers.0", wrapped(0)), ("2.layers.1", wrapped(1))),
        head="3 NLF, 4 NLF, 5 Head",
    ),
    "numbers that are parts": Row(
        build=written.Flat,
        blocks=(("block.0", flat(0)), ("block.1", flat(1))),
        head="mean NLF, out Head",
    ),
    "fc is the attention, attn the MLP": Row(
        build=lambda: Trunk(written.Liar),
        blocks=tuple(
            (f"pieces.{k}", re.sub(r"(attn\.[13] FF-LF)", r"\1?", liar(f"pieces.{k}."))) for k in (0, 1)
        ),
    ),
    "head is a block, block the head": Row(
        build=written.HeadIsABlock,
        stem="stem Embed",
        blocks=(
            ("blocks.0", re.sub(r"(attn\.[13] FF-LF)", r"\1?", liar("blocks.0."))),
            ("residual_block.0", marked(liar("head."), layer=True)),
        ),
        head="mean NLF, block Head",
    ),
    "learned queries at the end": Row(
        build=more.Pooled,
        blocks=(
            *trunk(written.Piece, QKV, SCALED, AROUND, MLP).blocks,
            ("block.2", "tell MHA-LF, matmul MHA-LF, softmax NLF, matmul#2 MHA-LF, back MHA-LF"),
        ),
        head="mean NLF, out Head",
    ),
    "a layer around all blocks": Row(
        build=more.trunk_called_layer,
        stem="0.cut Embed",
        blocks=tuple(
            (f"0.pieces.{k}", marked(", ".join(f"0.pieces.{k}.{site}" for part in (
                "three MHA-LF", SCALED, AROUND, "a NLF, up FF-LF, down FF-LF, add#2 Residual, b NLF"
            ) for site in part.split(", ")), layer=True))
            for k in (0, 1)
        ),
        head="0.last NLF, 0.mean NLF, 0.out Head",
    ),
}  # fmt: skip


def stated(row: Row) -> dict[str, tuple[str, str]]:
    """Site -> (layer, module), each with ? where it must be marked."""
    layers = [("stem", row.stem), *row.blocks, ("head", row.head)]
    found = {}
    for count, (layer, sites) in enumerate(layers, start=-1):
        for text in sites.replace("{}", str(count)).split(", "):
            name, module = text.split()
            found[name] = (f"{layer} ?" if "!" in module else layer, module.replace("!", "").replace("?", " ?"))
    return found


def found_in(program: Program) -> dict[str, tuple[str, str]]:
    return {
        site.name: (
            site.layer + " ?" * (site.layer_source in ("guess", "disputed")),
            site.module + " ?" * (site.module_source in ("guess", "disputed")),
        )
        for site in program.sites
        if site.operator != "load"
    }


FAST = 15  # rows of those that most people write; the others run in the nightly target
EVERY = [
    pytest.param(name, marks=[] if k < FAST or "level" in name or "head" in name else [pytest.mark.slow])
    for k, name in enumerate(ROWS)
]


@pytest.mark.parametrize("name", EVERY)
def test_every_site_stands_where_it_was_stated_to(name: str) -> None:
    row = ROWS[name]
    program = capture(seeded(row.build()), images(2))
    assert found_in(program) == stated(row)
    loads_stand_beside_their_products(program)


def loads_stand_beside_their_products(program: Program) -> None:
    waiting: list[tuple[str, str]] = []
    for site in program.sites:
        if site.operator == "load":
            waiting.append((site.layer, site.module))
        else:
            assert set(waiting) <= {(site.layer, site.module)}
            waiting = []


def test_einops_writes_no_other_attention() -> None:
    if importlib.util.find_spec("einops") is None:
        pytest.skip("einops is not installed, and nothing depends on it")
    row = trunk(more.Rearranged, QKV, SCALED, AROUND, MLP)
    assert found_in(capture(seeded(row.build()), images(2))) == stated(row)


@pytest.mark.parametrize("recipe", ["int8", "int8-symmetric", "int8-float"])
def test_quantised_sites_stand_where_the_float_ones_do(recipe: str) -> None:
    original = capture(seeded(Trunk(written.Liar)), images(2))
    places = {site.name: (site.layer, site.module, site.layer_source, site.module_source) for site in original.sites}
    program = quantize(original, [images(8)], recipe=recipe)  # type: ignore[arg-type]
    found = {site.name: (site.layer, site.module, site.layer_source, site.module_source) for site in program.sites}
    assert {name: place for name, place in found.items() if name in places} == places
    assert {found[name][1] for name in found if name.endswith("fc.matmul.quantize")} <= {"MHA-LF"}


@pytest.mark.parametrize(
    "name",
    [
        "timm:vit_base_patch16_224",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in (
                "timm:swin_tiny_patch4_window7_224",
                "own:deepvit",
                "timm:cait_xxs24_224",
                "timm:pvt_v2_b0",
                "timm:convnext_atto",
                "timm:beit_base_patch16_224",
                "hf:ViT",
                "timm:mobilenetv3_small_050",
            )
        ),
    ],
)
def test_the_graph_alone_says_what_names_say(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two derivations of a known family's categories; only that a merging of patches is one is told by its name."""
    row = BY_NAME[name]
    model = row.build()
    by_names = {site.name: site.module for site in capture(model, row.images(1)).sites}
    monkeypatch.setattr(anatomy, "_named", lambda *_: None)
    by_graph = {site.name: site.module for site in capture(model, row.images(1)).sites}
    assert {name: by_graph[name] for name, module in by_names.items() if module != by_graph[name]} == {
        name: "FC" if "reduction" in name else "Conv"
        for name in by_names
        if re.search(r"(layers|stages)\.\d\.downsample\.(reduction|proj)", name) and by_names[name] == "Embed"
    }
