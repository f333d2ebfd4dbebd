"""What a slip of the finger costs: how unlikely it is that a known word was typed so, as minus the natural log of a probability."""

SWAPPED = 4.0  # two letters in each other's place
LOST = 4.0
DOUBLED = 4.0
BESIDE = 5.0  # a key beside the right one, instead of it or with it
OTHER = 6.0  # any other letter, too much or wrong
SECOND = 10.0  # two slips in one word
SPACE = 3.0  # a space lost, astray, or typed one letter early or late
SPACE_HIT = 5.0  # a letter typed instead of a space

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def _beside() -> frozenset[str]:
    """Both orders of any two letters whose keys touch."""
    at = {c: (2 * x + y, y) for y, row in enumerate(_ROWS) for x, c in enumerate(row)}  # in half keys
    return frozenset(
        a + b
        for a, (x, y) in at.items()
        for b, (other_x, other_y) in at.items()
        if a != b and abs(x - other_x) <= 2 - abs(y - other_y) and abs(y - other_y) <= 1
    )


BESIDE_KEYS = _beside()


def cost(typed: str, word: str) -> float:
    """What it costs that `word` was typed as `typed`, one edit (or one swap of neighbours) away."""
    if len(word) > len(typed):
        return LOST
    at = next((i for i, (a, b) in enumerate(zip(typed, word, strict=False)) if a != b), len(word))
    letter = typed[at]
    if len(word) < len(typed):
        around = typed[max(0, at - 1) : at] + typed[at + 1 : at + 2]
        if letter in around:
            return DOUBLED
        return BESIDE if any(letter + other in BESIDE_KEYS for other in around) else OTHER
    if typed[at:] == word[at + 1 : at + 2] + word[at] + word[at + 2 :]:
        return SWAPPED
    return BESIDE if letter + word[at] in BESIDE_KEYS else OTHER
