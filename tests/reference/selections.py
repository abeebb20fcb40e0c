"""Which flips a selection keeps, flip by flip: the site, the kind, the word, the bit and the patch, all by hand.

The operations of the tiny vision transformer are numbered as DESIGN section 6 says: steps of one kind in the order of
the text, within a step unit by unit, within a unit position by position.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from radhard.faults import Where
from radhard.machine import Site
from tests.reference.patches import Grid, patch_at, tiny_vit_place


@dataclass(frozen=True, kw_only=True)
class Flip:
    """A flip at a site; `bit` is "kind:word:bit"; `patch` of the unit that is hit."""

    site: Site
    patch: str
    bit: str


def keeps(where: Where, flip: Flip) -> bool:
    """Whether `where` selects the flip."""
    asked = (
        (where.layers, flip.site.layer),
        (where.modules, flip.site.module),
        (where.operators, flip.site.operator),
        (where.sites, flip.site.name),
        (where.patches, flip.patch),
        (where.bits, flip.bit),
    )
    for patterns, value in asked:
        if len(patterns) > 0 and True not in [fnmatchcase(value, pattern) for pattern in patterns]:
            return False
    return True not in [keeps(other, flip) for other in where.protected]


def units_of(site: Site) -> int:
    """Units of one image of a site of the tiny vision transformer."""
    name = site.name.split(".", 2)[2] if site.name.startswith("blocks.") else site.name
    sizes = {
        "patch_embed.quantize": 64, "patch_embed.load": 64, "patch_embed": 256, "dequantize": 256, "norm": 17,
        "norm1": 17, "norm2": 17, "attn.qkv": 17 * 48, "attn.matmul": 2 * 17 * 17, "attn.softmax": 2 * 17,
        "attn.matmul.load#3": 2 * 17 * 17, "mlp.fc1": 17 * 32, "mlp.act": 17 * 32, "mlp.fc2.load": 17 * 32,
        "head.quantize": 16, "head.load": 16, "head": 5, "dequantize#2": 5,
    }  # fmt: skip
    return sizes.get(name, 17 * 16)


def steps_of(site: Site, kind: str) -> list[int]:
    """Operations of `kind` (mul, add or load) in one unit of each step of a site of the tiny vision transformer."""
    length = {"patch_embed": 4, "fc2": 32, "matmul": 8, "matmul#2": 17}.get(site.name.rsplit(".", 1)[-1], 16)
    chain = {"mul": [length], "add": [length - 1 if site.operator == "matmul" else length]}
    row = {"mul": [1, 16, 1, 16, 16], "add": [15, 16, 15, 1, 16]}  # mean, x - mean, squares, their mean, scale, shift
    return {
        "load": {"load": [1]},
        "conv2d": chain,
        "linear": chain,
        "matmul": chain,
        "layer_norm": row,
        "softmax": {"mul": [17], "add": [17, 16]},
        "gelu": {"mul": [1, 1, 1], "add": [1]},
        "add": {"add": [1]},
        "mul": {"mul": [1]},
    }.get(site.operator, {}).get(kind, [])


def word_of(site: Site, kind: str, *, recipe: str) -> str:
    """The format of the words of a kind."""
    if recipe == "float":
        return "float32"
    if kind == "load":
        unsigned = ("attn.matmul.load#3", "mlp.fc2.load")  # of the softmax, as V's factor; of GELU, with a zero point
        return "uint8" if site.name.endswith(unsigned) else "int8"
    return {"mul": "int16", "add": "int32"}[kind] if site.operator in ("conv2d", "linear", "matmul") else "float32"


def flip_at(site: Site, kind: str, index: int, bit: int, *, recipe: str, grid: Grid) -> Flip:
    """The flip of a bit of operation `index` of a kind."""
    for size in steps_of(site, kind):
        if index < size * units_of(site):
            unit = index // size
            break
        index -= size * units_of(site)
    else:
        raise AssertionError(f"{site.name} has no such {kind}")
    patch = patch_at(tiny_vit_place(site.name, unit), grid)
    return Flip(site=site, patch=patch, bit=f"{kind}:{word_of(site, kind, recipe=recipe)}:{bit}")
