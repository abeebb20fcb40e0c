"""Samples flips on a device: products and running sums of one image at one site, as sorted keys.

What is drawn is what `radhard.faults.sampler` draws on the host, draw by draw; only, all draws of a stream are made at
once. Two things are not the host's to the last bit: the logarithm, and the order in which exponentials are added. So
the sums are compared with the threshold with a margin that covers both; an image for which one lies within it is
marked, and its flips are not to be used. Marked are also images of more draws than there is room for.

The positions are the first entries of a shuffle. Where no two draws of a stream swap with the same partner, the entry
is the partner. Where two do, which is rare, the later one finds what the earlier one has put there.

A flip is one number, as `radhard.faults.device.keys` has it: unit << 27 | what is hit in it << 6 | bit, the unit that
of the batch. The largest is no flip.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.language.random import philox_impl

from radhard.kernels.cuda.launch import on

ROOMS = {32: 1, 64: 2, 128: 2, 256: 4, 512: 8, 1024: 16, 2048: 16, 8192: 32}
"""How many draws of a stream a kernel has room for, and its warps."""

_REGISTERS = 64  # enough for a sort; with more, no two programs of the larger rooms are at work at a time

HEADER, OF_KIND, OF_STEP = 5, 3, 3
"""Columns of a site. First: its key; how many units of an image lie side by side, and of a batch; the bits of the
threshold; what a place within a unit counts in a key. Then of products, and of sums: their bits an image, bits a word,
the number of their kind. Of each of their steps: its first operation, operations a unit, what it adds to a key; 2^62,
1, 0 of one that is not there."""

_NONE = tl.constexpr((1 << 63) - 1)
_HEADER, _OF_KIND, _OF_STEP = tl.constexpr(HEADER), tl.constexpr(OF_KIND), tl.constexpr(OF_STEP)


@triton.jit  # type: ignore[untyped-decorator]
def _ascending(x, size: tl.constexpr):  # type: ignore[no-untyped-def]
    """x [size] int64 -> the same, ascending: Batcher's bitonic sort, as a loop, which compiles soon."""
    place = tl.arange(0, size)
    run = 2
    while run <= size:
        apart = run // 2
        while apart > 0:
            other = tl.gather(x, place ^ apart, 0)
            low = ((place & apart) == 0) == ((place & run) == 0)
            x = tl.where((other < x) == low, other, x)
            apart = apart // 2
        run = run * 2
    return x


@triton.jit  # type: ignore[untyped-decorator]
def _find(partner, here, entry, room: tl.constexpr):  # type: ignore[no-untyped-def]
    """Where the draws of `here` are, which of them was the last before draw `entry` to swap with its place; or -1."""
    place = tl.arange(0, 2)[:, None] * room + tl.arange(0, room)[None, :]
    earlier = here & (place < entry) & (place // room == entry // room) & (partner == entry % room)
    return tl.max(tl.max(tl.where(earlier, place, -1), 1), 0)


@triton.jit(do_not_specialize=["streams", "images", "steps"])  # type: ignore[untyped-decorator]
def _draw(streams, header, keys, counts, unsure, images, steps, room: tl.constexpr):  # type: ignore[no-untyped-def]
    """Program (slot, site): the flips of the image in this slot of the batch at this site, both kinds."""
    slot, site = tl.program_id(0).to(tl.int64), tl.program_id(1).to(tl.int64)
    kind = tl.arange(0, 2)[:, None]
    draw = tl.arange(0, room)[None, :]
    place = kind * room + draw
    entry = streams + site * (_HEADER + 2 * (_OF_KIND + _OF_STEP * steps))
    mine, whole, scale = tl.load(entry + 1), tl.load(entry + 2), tl.load(entry + 4)
    threshold = tl.load(entry + 3).to(tl.float64, bitcast=True)
    of_kind = entry + _HEADER + kind * (_OF_KIND + _OF_STEP * steps)
    population, width, number = tl.load(of_kind), tl.load(of_kind + 1), tl.load(of_kind + 2)
    image = tl.load(header + 2 + slot)

    zero = tl.zeros([2, room], tl.int64)
    w0, w1, w2, w3 = philox_impl(
        (zero + (image & 0xFFFFFFFF)).to(tl.uint32),
        (zero + tl.load(entry)).to(tl.uint32),
        (zero + draw).to(tl.uint32),
        (zero + (number << 29 | image >> 32)).to(tl.uint32),
        tl.load(header).to(tl.uint32),
        tl.load(header + 1).to(tl.uint32),
    )
    uniform = ((w1.to(tl.uint64) << 32 | w0.to(tl.uint64)) >> 11) + 1
    left = population - draw
    there = left > 0
    left = tl.where(there, left, 1)
    step = -tl.log(uniform.to(tl.float64) * 1.1102230246251565e-16) / left.to(tl.float64)  # 2^-53
    total = tl.cumsum(tl.where(there, step, float("inf")), 1)
    here = there & (total <= threshold)
    # either sum of j + 1 terms, each within 4 units in the last place, is off by (j + 5) 2^-53 of it at most
    margin = (draw + 8).to(tl.float64) * 4.440892098500626e-16 * threshold  # 2^-51
    doubtful = there & (tl.abs(total - threshold) <= margin)
    doubtful |= here & (draw == room - 1) & (left > 1)
    partner = draw + ((w3.to(tl.uint64) << 32 | w2.to(tl.uint64)) % left.to(tl.uint64)).to(tl.int64)

    position = partner
    flat = tl.arange(0, 2 * room)
    ordered = tl.zeros([2 * room], tl.int64)
    equal = flat < 0
    wrong = tl.sum(tl.sum(doubtful.to(tl.int32), 1), 0)
    again = 2
    while again > 0:
        index = position // width
        first, per_unit, base = zero, zero + 1, zero
        of_step = of_kind + _OF_KIND
        for _ in range(steps):
            begun = index >= tl.load(of_step)
            first = tl.where(begun, tl.load(of_step), first)
            per_unit = tl.where(begun, tl.load(of_step + 1), per_unit)
            base = tl.where(begun, tl.load(of_step + 2), base)
            of_step += _OF_STEP
        index = index - first
        unit = index // per_unit
        within = base + index % per_unit * scale
        unit = unit // mine * whole + slot * mine + unit % mine
        key = tl.where(here, unit << 27 | within << 6 | position % width, _NONE)
        ordered = _ascending(tl.reshape(key, [2 * room]), 2 * room)
        after = tl.gather(ordered, tl.minimum(flat + 1, 2 * room - 1), 0)
        equal = (after == ordered) & (flat < 2 * room - 1) & (ordered != _NONE)
        repeated = tl.min(tl.where(equal, ordered, _NONE), 0)
        again = tl.where(repeated == _NONE, 0, again - 1)
        while repeated != _NONE:
            both = key == repeated
            entry_of = tl.min(tl.min(tl.where(both, place, 2 * room), 1), 0)
            later = tl.max(tl.max(tl.where(both, place, -1), 1), 0)
            # a third one, or one that is there after all has been put in order, is for the host
            wrong += tl.where((again == 0) | (tl.sum(tl.sum(both.to(tl.int32), 1), 0) > 2), 1, 0)
            found = entry_of
            while found >= 0:
                entry_of = found
                found = _find(partner, here, found, room)
            position = tl.where(place == later, entry_of % room, position)
            repeated = tl.min(tl.where(equal & (ordered > repeated), ordered, _NONE), 0)
    row = site * images + slot
    tl.store(keys + row * 2 * room + flat, ordered)
    tl.store(counts + row, tl.sum(tl.sum(here.to(tl.int32), 1), 0).to(tl.int64))
    tl.store(unsure + row, (wrong > 0).to(tl.int8))


def drawn(streams: Tensor, header: Tensor, *, room: int) -> tuple[Tensor, Tensor, Tensor]:
    """`streams` [S, C] int64, columns as HEADER has it, `header` [2 + B] int64: the words of the key, the images.

    `room` is one of ROOMS. -> keys [S, B, 2 room] int64, ascending, those of no flip last; flips [S, B] int64; whether
    they are unsure [S, B] int8.
    """
    sites, images = len(streams), len(header) - 2
    steps = ((streams.shape[1] - HEADER) // 2 - OF_KIND) // OF_STEP
    keys = torch.empty(sites, images, 2 * room, dtype=torch.int64, device=streams.device)
    counts = torch.empty(sites, images, dtype=torch.int64, device=streams.device)
    unsure = torch.empty(sites, images, dtype=torch.int8, device=streams.device)
    with on(streams):
        _draw[(images, sites)](
            streams,
            header,
            keys,
            counts,
            unsure,
            images,
            steps,
            room=room,
            num_warps=ROOMS[room],
            maxnreg=_REGISTERS,
        )
    return keys, counts, unsure
