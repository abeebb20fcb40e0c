"""A memory by the book: cells laid out one by one, textbook SECDED on real data, and a table of shapes by hand."""

from fractions import Fraction

DATA = 64
Cell = tuple[int, int]  # a memory word, and a bit of it


def laid_out(count: int, width: int, *, at_once: int, interleave: int) -> list[list[Cell | None]]:
    """Lines of cells: `count` memory words of `width` cells, `at_once` of them on a line, `interleave` bit by bit."""
    lines: list[list[Cell | None]] = []
    for first in range(0, count, at_once):
        line: list[Cell | None] = []
        for group in range(first, first + at_once, interleave):
            for bit in range(width):
                for word in range(group, group + interleave):
                    line.append((word, bit) if word < count else None)
        lines.append(line)
    return lines


def around(lines: list[list[Cell | None]], origin: Cell, shape: list[tuple[int, int]]) -> list[Cell]:
    """The cells of a shape around one, those outside lost."""
    ((row, column),) = [(r, c) for r, line in enumerate(lines) for c, cell in enumerate(line) if cell == origin]
    found = []
    for dx, dy in shape:
        r, c = row + dy, column + dx
        if 0 <= r < len(lines) and 0 <= c < len(lines[r]):
            cell = lines[r][c]
            if cell is not None:
                found.append(cell)
    return found


def encoded(data: list[int]) -> list[int]:
    """64 data bits -> 72: the data, the check bits of positions 1, 2, 4 ... 64, the parity of all."""
    by_position = dict.fromkeys(range(1, 72), 0)
    free = iter(data)
    for position in range(1, 72):
        if position not in (1, 2, 4, 8, 16, 32, 64):
            by_position[position] = next(free)
    checks = []
    for check in (1, 2, 4, 8, 16, 32, 64):
        parity = 0
        for position, bit in by_position.items():
            if position != check and position & check:
                parity ^= bit
        checks.append(parity)
    return [*data, *checks, (sum(data) + sum(checks)) % 2]


def secded(received: list[int]) -> list[int] | None:
    """72 bits -> the 64 data bits of the codeword at distance 0 or 1; None where there is none: detected."""
    if encoded(received[:DATA]) == received:
        return received[:DATA]
    for place in range(72):
        near = [bit ^ (place == other) for other, bit in enumerate(received)]
        if encoded(near[:DATA]) == near:
            return near[:DATA]
    return None


def read(words: list[int], width: int, flipped: list[Cell], ecc: str) -> dict[int, int] | None:
    """Words of so many bits, stored with a code, cells flipped, and read: the bits that are wrong, by word."""
    per_word = 1 if ecc == "none" else DATA // width
    memory = []
    for first in range(0, len(words), per_word):
        held = [*words[first : first + per_word], *[0] * per_word][:per_word]
        data = [word >> bit & 1 for word in held for bit in range(width)]
        memory.append(
            {"none": data, "parity": [*data, sum(data) % 2], "secded": encoded(data) if per_word > 1 else []}[ecc]
        )
    for word, bit in flipped:
        memory[word][bit] ^= 1
    wrong = {}
    for number, bits in enumerate(memory):
        given: list[int] | None = bits[: per_word * width]
        if ecc == "parity" and sum(bits) % 2:
            return None
        if ecc == "secded" and any(word == number for word, _ in flipped):  # the others are sound
            given = secded(bits)
        if given is None:
            return None
        for place in range(per_word):
            word = sum(bit << low for low, bit in enumerate(given[place * width : (place + 1) * width]))
            at = number * per_word + place
            if at < len(words) and word != words[at]:
                wrong[at] = word ^ words[at]
    return wrong


def shape_of(table: list[tuple[float, object]], number: int) -> object:
    """The entry of (probability, shape) in whose share of [0, 1) the fraction number / 2^64 lies."""
    whole, below = sum(Fraction(p) for p, _ in table), Fraction(0)
    for probability, shape in table:
        if below <= Fraction(number, 2**64) < below + Fraction(probability) / whole:
            return shape
        below += Fraction(probability) / whole
    raise AssertionError(number)
