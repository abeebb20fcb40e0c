"""The layers of a model: transformer or residual blocks, the parts between them, the stem and the head.

By names, a block is the outermost enclosing module whose class is named like one (Block, BasicBlock, ViTLayer,
InvertedResidual, DenseLayer ...) and is no stage. Where a model has no such class, the numbered children of `blocks`,
`layers`, `stages`, `features` and the like are its blocks. Where neither is, the blocks of the residual stream are
found in the graph (`radhard.program.anatomy.model_blocks`), and so are those that names overlook or cut wrong. What
runs before the first block is the layer `stem`, what runs after the last one the layer `head`, whatever their names.

Between two blocks, a module that holds none (patch merging, downsampling, a stage's normalisation) is a layer of its
own, named by its path: `layers.1.downsample`. Operations that a stage or the model itself does there belong to the
layer before.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from radhard.machine import Source

Stack = Sequence[tuple[str, str]]  # enclosing modules (path, class), outermost first

_BLOCK = re.compile(
    r"(block\w*|(?<!conv)layer|(?<=\w)residual|bottleneck|bottle2neck|mbconv|separableconv|convbnact|fire|inception\w?)$"
)
_STAGE = re.compile(r"stage|denseblock|^basiclayer$|v2encoderlayer$|^maxvitblock$")
_END = re.compile(r"stem|embed|head|classifier")  # blocks in there are parts of the stem or the head
_NUMBERED = re.compile(r"^(?:.*\.)?(?:blocks|layers|layer|stages|features|h)\.\d+(?:\.(?:blocks|layers|layer)\.\d+)?")
_STEM_NAME = re.compile(r"embed|stem|norm_pre|conv1$|conv_proj")
_HEAD_NAME = re.compile(r"(^|\.)(head|heads|classifier|fc|fc_norm|norm|layernorm)(\.|$)")


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer, by its path where it is a block or stands between two; `source` says what found it."""

    name: str
    kind: Literal["stem", "block", "between", "head"]
    source: Source = "name"


STEM = Layer(name="stem", kind="stem")
HEAD = Layer(name="head", kind="head")


def named_blocks(stacks: Sequence[Stack]) -> tuple[list[str | None], Literal["class", "number", "none"]]:
    """Enclosing modules of every operation -> the block that names say it is in, and what of names says so."""
    blocks = [_by_class(stack) for stack in stacks]
    if any(blocks):
        return blocks, "class"
    blocks = [_by_number(stack) for stack in stacks]
    return blocks, "number" if any(blocks) else "none"


def named_as_end(stack: Stack) -> bool:
    """Whether a module around an operation is named as parts of a stem or of a head are."""
    return any(_END.search(f"{path.rsplit('.', 1)[-1]}:{short(kind)}".lower()) for path, kind in stack if path)


def layers(
    stacks: Sequence[Stack],
    blocks: Sequence[str | None],
    *,
    sources: Mapping[str, Source],
    holding: Sequence[bool],
) -> list[Layer]:
    """Enclosing modules of every operation, in the order they run, and its block -> the layer of each.

    `sources`: what found each block. `holding`: which operations are products; next to blocks that the graph found, a
    module that holds none is no layer of its own.
    """
    if not any(blocks):
        return _by_name(stacks)
    held = [number for number, block in enumerate(blocks) if block]
    by_graph = any(source != "name" for source in sources.values())
    between = _between(stacks, blocks)
    solid = {name for name, holds in zip(between, holding, strict=True) if holds or not by_graph}
    ends = [
        replace(end, source="name" if sources[blocks[place] or ""] == "name" else "graph")
        for end, place in ((STEM, held[0]), (HEAD, held[-1]))
    ]
    found: list[Layer] = []
    for number, block in enumerate(blocks):
        if block:
            found.append(Layer(name=block, kind="block", source=sources[block]))
        elif number < held[0]:
            found.append(ends[0])
        elif number > held[-1]:
            found.append(ends[1])
        else:
            own = between[number]
            found.append(Layer(name=own, kind="between") if own in solid and own else found[-1])
    return found


def _between(stacks: Sequence[Stack], blocks: Sequence[str | None]) -> list[str | None]:
    """Of every operation outside of blocks, the outermost module around it that holds no block, if there is one.

    A list whose modules run with blocks between them (PVT's `patch_embeddings`) is no module: each of its own is.
    """
    above = {block[:end] for block in set(blocks) if block for end in _ends(block)}
    outer: list[str | None] = []
    runs: defaultdict[str | None, set[int]] = defaultdict(set)
    last = 0
    for number, (stack, block) in enumerate(zip(stacks, blocks, strict=True)):
        last = number if block else last
        path = _path(stack)
        outer.append(None if block else next((path[:end] for end in _ends(path) if path[:end] not in above), None))
        runs[outer[-1]].add(last)
    return [
        _called(stack, within=name) if name and len(runs[name]) > 1 else name
        for name, stack in zip(outer, stacks, strict=True)
    ]


def _called(stack: Stack, *, within: str) -> str:
    """The outermost module at or in the path `within` that the model calls: a list is never called."""
    return next((path for path, _ in stack if f"{path}.".startswith(f"{within}.")), within)


def _by_class(stack: Stack) -> str | None:
    """The path of the outermost module that is a block by its class; None where there is none."""
    for path, kind in stack:
        name = short(kind)
        if path and _END.search(f"{path.rsplit('.', 1)[-1]}:{name}".lower()):
            return None
        if path and _BLOCK.search(name.lower()) and not _STAGE.search(name.lower()):
            return path
    return None


def _by_number(stack: Stack) -> str | None:
    path = _path(stack)
    numbered = None if _END.search(path) else _NUMBERED.match(path)
    return numbered.group(0) if numbered else None


def _by_name(stacks: Sequence[Stack]) -> list[Layer]:
    """The layers of a model without blocks: modules that hold others, a guess unless they are named stem or head."""
    found: list[Layer] = []
    for stack in stacks:
        path = _path(stack)
        if _STEM_NAME.search(path):
            found.append(STEM)
        elif _HEAD_NAME.search(path):
            found.append(HEAD)
        elif path:
            found.append(Layer(name=path.rpartition(".")[0] or path, kind="block", source="guess"))
        else:
            end = HEAD if found else STEM
            found.append(replace(end, source="guess"))
    return found


def short(kind: str) -> str:
    """The name of a class without its module: "timm.layers.mlp.Mlp" -> "Mlp"."""
    return kind.rsplit(".", 1)[-1].strip("'>")


def _path(stack: Stack) -> str:
    return stack[-1][0] if stack else ""


def _ends(path: str) -> list[int]:
    """Where the paths end of a module and of those that enclose it, the model itself apart."""
    if not path:
        return []
    return [*(place for place, sign in enumerate(path) if sign == "."), len(path)]
