"""Philox-4x32-10 in Python integers, written from the paper: keys first, then rounds of 32-bit lanes."""


def philox(counter: tuple[int, int, int, int], key: tuple[int, int]) -> tuple[int, int, int, int]:
    word = 2**32
    schedule = [((key[0] + i * 0x9E3779B9) % word, (key[1] + i * 0xBB67AE85) % word) for i in range(10)]
    left_0, right_0, left_1, right_1 = counter
    for round_key in schedule:
        high_0, low_0 = divmod(0xD2511F53 * left_0, word)
        high_1, low_1 = divmod(0xCD9E8D57 * left_1, word)
        left_0, right_0, left_1, right_1 = (
            high_1 ^ right_0 ^ round_key[0],
            low_1,
            high_0 ^ right_1 ^ round_key[1],
            low_0,
        )
    return left_0, right_0, left_1, right_1
