"""FlipTimes of one stream in plain Python: a real shuffle of the population, one draw after the other."""

import math

from tests.reference.philox import philox


class Deck:
    """Cards 0, 1, 2 ... `size` - 1: a list when it fits, else only the cards that left their place."""

    def __init__(self, size: int) -> None:
        self.cards = list(range(size)) if size <= 10**5 else {}

    def __getitem__(self, place: int) -> int:
        return self.cards[place] if isinstance(self.cards, list) else self.cards.get(place, place)

    def swap(self, a: int, b: int) -> None:
        self.cards[a], self.cards[b] = self[b], self[a]


def flip_times(
    seed: int, trial: int, image: int, site: int, kind: int, population: int, rate: float
) -> list[tuple[int, float]]:
    """Position and time of each flip of one stream, in order of time."""
    first, second, _, _ = philox((seed % 2**32, seed // 2**32, trial, 0), (0x5EED, 0))
    found: list[tuple[int, float]] = []
    if rate == 0:
        return found
    deck = Deck(population)
    terms = []
    for draw in range(population):
        packed = kind * 2**29 + (draw // 2**32) * 2**21 + image // 2**32
        words = philox((image % 2**32, site, draw % 2**32, packed), (first, second))
        uniform = ((words[0] + words[1] * 2**32) // 2**11 + 1) / 2**53
        terms.append(-math.log(uniform) / (population - draw))
        exponent = math.fsum(terms)
        if rate < 1 and exponent > -math.log1p(-rate):
            break
        deck.swap(draw, draw + (words[2] + words[3] * 2**32) % (population - draw))
        found.append((deck[draw], -math.expm1(-exponent)))
    return found
