"""The innermost loop of a matrix product on the CPU: a tile of 6 rows by 16 columns, its sums in registers.

Factors are words of 16 bits that stand in pairs along k: one instruction (`vpmaddwd`) multiplies eight pairs and adds
both products of each in int32. That is exact for 8-bit words, and sums wrap like any int32: no width of a product and
no value of its words makes another result. numba has no name for the instruction, so the loop is written in LLVM's.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils, config
from numba.core.extending import intrinsic

ROWS, COLUMNS = 6, 16  # twelve registers of sums, two of columns, one of a row: of the sixteen that AVX2 has
_LANES = 8
_WORD = ir.IntType(32)
_SUMS = ir.VectorType(_WORD, _LANES)
_PAIRS = ir.VectorType(ir.IntType(16), 2 * _LANES)


def available() -> bool:
    """Whether the processor that numba compiles for has the instruction.

    It is this one, unless NUMBA_CPU_NAME or NUMBA_CPU_FEATURES say less, as where machines share compiled code.
    """
    if config.CPU_FEATURES is not None:
        return "+avx2" in config.CPU_FEATURES.split(",")
    return bool(binding.get_host_cpu_features().get("avx2", False))


def _tile_of(vectors: int) -> Any:
    """The loop over tiles of 6 rows and `vectors` times 8 columns: (a, b, b_step, pairs, c, c_step).

    It adds to sums c, from row to row `c_step` bytes, the products of a [pairs, 6] and b [pairs, columns]. All are
    addresses; elements of a and b are pairs of int16, and `b_step` bytes lie from one pair to the next.
    """

    @intrinsic
    def tile(typing_context, a, b, b_step, pairs, c, c_step):  # type: ignore[no-untyped-def]  # noqa: ARG001
        return types.void(*[types.intp] * 6), _loop(vectors)

    return tile


def _loop(vectors: int) -> Callable[..., Any]:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        del signature
        a, b, b_step, pairs, c, c_step = arguments
        size, address = pairs.type, _SUMS.as_pointer()

        def number(value: int) -> Any:
            return ir.Constant(size, value)

        def at(place: Any, kind: Any) -> Any:
            return builder.inttoptr(place, kind)

        multiply_add = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_SUMS, [_PAIRS, _PAIRS]), "llvm.x86.avx2.pmadd.wd"
        )
        places = [
            builder.add(builder.add(c, builder.mul(c_step, number(row))), number(32 * vector))
            for row in range(ROWS)
            for vector in range(vectors)
        ]
        before = [builder.load(at(place, address), align=4) for place in places]
        entry, loop, done = builder.basic_block, *(builder.append_basic_block(name) for name in ("pairs", "done"))
        builder.branch(loop)

        builder.position_at_end(loop)
        moving = [(size, number(0)), (size, a), (size, b), *((_SUMS, value) for value in before)]
        phis = [builder.phi(kind) for kind, _ in moving]
        for phi, (_, value) in zip(phis, moving, strict=True):
            phi.add_incoming(value, entry)
        pair, left, right, *sums = phis
        columns = [
            builder.bitcast(builder.load(at(builder.add(right, number(32 * vector)), address), align=4), _PAIRS)
            for vector in range(vectors)
        ]
        after = []
        for row in range(ROWS):
            word = builder.load(at(builder.add(left, number(4 * row)), _WORD.as_pointer()), align=4)
            one = builder.insert_element(ir.Constant(_SUMS, ir.Undefined), word, ir.Constant(_WORD, 0))
            alike = builder.shuffle_vector(
                one, ir.Constant(_SUMS, ir.Undefined), ir.Constant(ir.VectorType(_WORD, _LANES), [0] * _LANES)
            )
            factor = builder.bitcast(alike, _PAIRS)
            for vector, column in enumerate(columns):
                after.append(builder.add(sums[row * vectors + vector], builder.call(multiply_add, [factor, column])))
        following = [builder.add(pair, number(1)), builder.add(left, number(4 * ROWS)), builder.add(right, b_step)]
        for phi, value in zip(phis, [*following, *after], strict=True):
            phi.add_incoming(value, loop)
        builder.cbranch(builder.icmp_signed("<", following[0], pairs), loop, done)

        builder.position_at_end(done)
        for place, value in zip(places, after, strict=True):
            builder.store(value, at(place, address), align=4)
        return context.get_dummy_value()

    return generate


wide_tile = _tile_of(2)
narrow_tile = _tile_of(1)


def _interleave(typing_context, source, one, other, target):  # type: ignore[no-untyped-def]  # noqa: ARG001
    signed, octets = source.dtype.signed, ir.VectorType(ir.IntType(8), 16)
    wide = ir.VectorType(ir.IntType(16), 32)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        del signature
        array, first, second, place = arguments
        data = context.make_array(source)(context, builder, array).data
        parts = [
            builder.load(builder.bitcast(builder.gep(data, [start]), octets.as_pointer()), align=1)
            for start in (first, second)
        ]
        order = [lane // 2 + 16 * (lane % 2) for lane in range(32)]
        mixed = builder.shuffle_vector(*parts, ir.Constant(ir.VectorType(_WORD, 32), order))
        words = builder.sext(mixed, wide) if signed else builder.zext(mixed, wide)
        builder.store(words, builder.inttoptr(place, wide.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(source, types.intp, types.intp, types.intp), generate


interleave: Any = intrinsic(_interleave)
"""(source, one, other, target): words source[one : one + 16] and source[other : other + 16] of 8 bits become 16 pairs
of int16 at the address `target`."""
