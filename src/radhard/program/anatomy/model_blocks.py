"""The blocks of a model, from module names or, where these fail, from the residual stream.

Names are wrong where one block holds several attentions one after another that repeat, where numbered modules are parts
of what is one branch of the stream, and where an attention with a residual addition stands in no block, as in a module
that is called `head`. There the graph decides, and the layer's source is "disputed" where a name said otherwise.
"""

import itertools
from collections.abc import Mapping, Sequence

from torch.fx import Node

from radhard.machine import Source
from radhard.program.anatomy.flow import PRODUCTS, Flow
from radhard.program.anatomy.layers import HEAD, STEM, Layer, Stack, layers, named_as_end, named_blocks
from radhard.program.anatomy.stream import StreamUnit, grouped, signature


def layers_of(flow: Flow, stacks: Mapping[Node, Stack], units: Sequence[StreamUnit]) -> dict[Node, Layer]:
    """The layer of every operation in `stacks`, in the order they run."""
    nodes = list(stacks)
    named, how = named_blocks(list(stacks.values()))
    blocks: dict[Node, str] = {node: block for node, block in zip(nodes, named, strict=True) if block}
    sources: dict[str, Source] = dict.fromkeys(blocks.values(), "name")
    own = [unit for unit in units if unit.nodes & stacks.keys()]
    wrong = _cut_wrong(flow, blocks, own, how=how)
    strays = wrong or _strays(flow, blocks, own, stacks)
    if strays:
        inside = {node for unit in strays for node in unit.nodes}
        inner = {block for node, block in blocks.items() if node in inside}
        blocks = {node: block for node, block in blocks.items() if block not in inner}
        paths = [_path(stacks, unit.ends[-1]) if unit.ends else "" for unit in strays]
        for name, group in _names(flow, grouped(flow, strays, paths), stacks).items():
            members = {node for unit in group for node in unit.nodes if node in stacks}
            lied = bool(wrong) or (how != "none" and any(named_as_end(stacks[node]) for node in members))
            sources[name] = "disputed" if lied else "graph"
            within = {node for node, stack in stacks.items() if _under(stack, name)}
            blocks |= dict.fromkeys(members | within, name)
        blocks |= _norms_after(flow, strays, blocks)
    found = layers(
        list(stacks.values()),
        [blocks.get(node) for node in nodes],
        sources=sources,
        holding=[flow.operator.get(node, "") in PRODUCTS for node in nodes],
    )
    return dict(zip(nodes, found, strict=True))


def _cut_wrong(flow: Flow, blocks: Mapping[Node, str], units: Sequence[StreamUnit], *, how: str) -> list[StreamUnit]:
    """The units that names put into blocks in which they cannot be; none where names tell no block."""
    if how == "none":
        return []
    held = [{blocks[node] for node in unit.branch if node in blocks} for unit in units]
    inside = [unit for unit, names in zip(units, held, strict=True) if names]
    if how == "number" and any(len(names) > 1 for names in held):
        return inside
    attending = [names for unit, names in zip(units, held, strict=True) if unit.attends]
    if len(set(blocks.values())) == 1 and sum(map(bool, attending)) > 1 and _repeat(flow, inside):
        return inside
    return inside if _halves(blocks, inside) else []


def _repeat(flow: Flow, units: Sequence[StreamUnit]) -> bool:
    """Whether units with attention are alike and stand one after another in one stream."""
    attending = [unit for unit in units if unit.attends and unit.ends]
    chained = all(flow.depends(b.ends[-1], a.ends[-1]) for a, b in itertools.pairwise(attending))
    return chained and len({signature(flow, unit) for unit in attending}) == 1


def _halves(blocks: Mapping[Node, str], units: Sequence[StreamUnit]) -> bool:
    """Whether the blocks are halves of such: each holds one unit, an attention first, an MLP next."""
    names = [{blocks[node] for node in unit.nodes if node in blocks} for unit in units]
    alone = all(len(each) == 1 for each in names) and len(set.union(*names) if names else ()) == len(names)
    attends = [unit.attends for unit in units]
    first = attends.index(True) if True in attends else len(attends)
    pairs = attends[first:]
    return alone and len(pairs) > 1 and len(pairs) % 2 == 0 and all(pairs[0::2]) and not any(pairs[1::2])


def _strays(
    flow: Flow, blocks: Mapping[Node, str], units: Sequence[StreamUnit], stacks: Mapping[Node, Stack]
) -> list[StreamUnit]:
    """The units outside of all blocks that are blocks or parts of such: all of them where there is no block."""
    if not blocks:
        return list(units)
    held = [flow.number[node] for node in blocks if node in flow.number]
    known = {signature(flow, unit) for unit in units if any(node in blocks for node in unit.branch)}
    found: list[StreamUnit] = []
    for unit in units:
        if not unit.ends or any(node in blocks for node in unit.branch):
            continue
        place = flow.number[unit.ends[-1]]
        between = min(held) < place < max(held) and bool(_common(stacks, set(unit.branch & stacks.keys())))
        follows = any(each.attends for each in found) and place > flow.number[found[-1].ends[-1]]
        if not between and (unit.attends or follows or (place > max(held) and signature(flow, unit) in known)):
            found.append(unit)
    return found


def _names(
    flow: Flow, groups: Sequence[Sequence[StreamUnit]], stacks: Mapping[Node, Stack]
) -> dict[str, Sequence[StreamUnit]]:
    """The name of each group: of the module that holds its products and no other's, or block.0, block.1 ..."""
    members = [{node for unit in group for node in unit.nodes if node in stacks} for group in groups]
    branches = [{node for unit in group for node in unit.branch if node in stacks} for group in groups]
    products = {node for node in stacks if flow.operator.get(node, "") in PRODUCTS}
    found: dict[str, Sequence[StreamUnit]] = {}
    taken = {path for stack in stacks.values() for path, _ in stack}
    plain = "block" if not any(f"{path}.".startswith("block.") for path in taken) else "residual_block"
    for number, group in enumerate(groups):
        choices = (_common(stacks, members[number]), _common(stacks, branches[number]))
        others = products - members[number]
        fitting = (
            name
            for name in choices
            if name not in ("", STEM.name, HEAD.name) and not any(_under(stacks[node], name) for node in others)
        )
        name = next(fitting, f"{plain}.{number}")
        found[name if name not in found else f"{plain}.{number}"] = group
    return found


def _common(stacks: Mapping[Node, Stack], nodes: set[Node]) -> str:
    """The path of the innermost module around all of them."""
    paths = [_path(stacks, node).split(".") for node in nodes]
    common: list[str] = []
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1:
            break
        common.append(parts[0])
    return ".".join(common)


def _path(stacks: Mapping[Node, Stack], node: Node) -> str:
    stack = stacks.get(node, ())
    return stack[-1][0] if stack else ""


def _under(stack: Stack, name: str) -> bool:
    return bool(stack) and f"{stack[-1][0]}.".startswith(f"{name}.")


def _norms_after(flow: Flow, units: Sequence[StreamUnit], blocks: Mapping[Node, str]) -> dict[Node, str]:
    """The norms that follow the additions of post-norm blocks, of the last one too."""
    following: dict[Node, str] = {}
    last = None
    for unit in units:
        if unit.ends:
            users = flow.after(unit.ends[-1])
            if len(users) == 1 and flow.normalises(users[0]):
                following[users[0]] = blocks[unit.ends[-1]]
                last = unit
    post = len(following) > 1 and last is units[-1]
    return following if post else {}
