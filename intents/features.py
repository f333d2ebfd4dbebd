"""Texts -> the features that the ranking model weighs: stems, n-grams, syllables, jamo and concepts, each a 64-bit number.

Scripts differ in what carries meaning: Latin words in stems, their neighbours and their parts; Han and kana in runs of 1 to
3 and in unordered pairs; Hangul in syllables across (unreliable) spaces, their pairs, and jamo, which survive typing slips.
Word segmentation of Japanese and Chinese hurts here, and `\\w+` tokens are dead for them. Blocks keep their own scale: each is
brought to unit length before it is weighed.

All characters of some texts lie in one array, so that one step makes a run longer everywhere at once: a library of millions of
features costs little more than the reading of its words.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import blake2b
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from intents import scope

Numbers = npt.NDArray[Any]
Hashes = npt.NDArray[np.uint64]
Find = Callable[[str], list[str]]

BLOCKS = (
    "word", "pair", "next", "skip", "char", "cross", "cjk", "cjk3", "cjkpair", "edge", "syllable", "sylpair", "spaced", "start",
    "jamo", "concept",
)  # fmt: skip
_WIDTH = len(BLOCKS)
(
    _WORD, _PAIR, _NEXT, _SKIP, _CHAR, _CROSS, _CJK, _CJK3, _CJKPAIR, _EDGE, _SYLLABLE, _SYLPAIR, _SPACED, _START,
    _JAMO, _CONCEPT,
) = range(_WIDTH)  # fmt: skip

LATIN_WORD = re.compile(r"[a-z\u00e0-\u024f]+(?:'[a-z]+)?|\d+(?:[.,]\d+)?")
_HAN_AND_KANA = re.compile(r"[\u3005\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+")
_HANGUL = re.compile(r"[\u3131-\u318e\uac00-\ud7a3]+")
_SYMBOL = re.compile(r"[\u2190-\u2bff\U0001f000-\U0001faff]")
_SUFFIXES = ("ings", "ing", "edly", "ed", "ies", "es", "ly", "s")
_L = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_V = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_T = ["", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"]

PAIRED = 40  # distinct characters of a message that are paired with others
PAIRS, PAIRS_EACH = (
    48,
    3,
)  # of a message's characters, the nearest ones: so many, or so many for each character of a long message
NEAR = 4  # words between which a pair is made
AT_ONCE = (
    256  # texts in one array; no more, for a row's number has eight bits where features are put in order
)

_ODD = 0x9E3779B97F4A7C15  # 2^64 divided by the golden ratio, as in splitmix64
_GOLDEN, _HALF, _UPPER = np.uint64(_ODD), np.uint64(31), np.uint64(59)
_TOLD, _BLOCK = (
    np.uint64(2 * _WIDTH - 1),
    np.uint64(_WIDTH - 1),
)  # bits of a hash: the number of blocks is a power of two
_LONGEST = 4  # characters of a run
_POWERS = np.cumprod(np.full(_LONGEST, _ODD, np.uint64), dtype=np.uint64)


@dataclass(frozen=True, slots=True)
class Reading:
    """The features of some texts, one after the other: their hashes, and how many each text has."""

    hashes: Hashes
    sizes: Numbers

    @property
    def rows(self) -> int:
        """How many texts."""
        return len(self.sizes)

    @property
    def cells(self) -> Numbers:
        """For each hash the cell it stands in: row x number of blocks + block."""
        cells = blocks_of(self.hashes)
        if self.rows > 1:
            cells += np.repeat(np.arange(0, self.rows * _WIDTH, _WIDTH), self.sizes)
        return cells

    @staticmethod
    def joined(parts: Sequence["Reading"]) -> "Reading":
        """One after the other."""
        hashes, sizes = [part.hashes for part in parts], [part.sizes for part in parts]
        return Reading(np.concatenate([NO_HASHES, *hashes]), np.concatenate([NO_NUMBERS, *sizes]))


NO_HASHES, NO_NUMBERS = np.zeros(0, np.uint64), np.zeros(0, np.int64)


def _no_concepts(_text: str) -> list[str]:
    return []


def read(texts: Sequence[str], find: Find = _no_concepts) -> Reading:
    """The features of folded texts, what is denied apart from what is asserted.

    `find` names the concepts in a text (see intents.lexicon). Slips are mended before (see intents.spelling).
    """
    parts = [_read(texts[start : start + AT_ONCE], find) for start in range(0, len(texts), AT_ONCE)]
    return parts[0] if len(parts) == 1 else Reading.joined(parts)


def blocks_of(hashes: Hashes) -> Numbers:
    """The number of the block that each feature belongs to."""
    return (hashes & _BLOCK).view(np.int64)


def words(text: str) -> list[str]:
    """The Latin words and numbers of folded text."""
    return LATIN_WORD.findall(text)


def stem(word: str) -> str:
    """A light English stem: enough to join swell, swells, swelling; never shorter than three letters."""
    word = word.replace("'", "")
    if word.endswith(_SUFFIXES):
        for suffix in _SUFFIXES:
            if word.endswith(suffix) and len(word) - len(suffix) >= 3:
                word = word[: -len(suffix)]
                break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "sl":
        word = word[:-1]
    return (
        word[:-1] + "i"
        if word.endswith("y") and len(word) > 3
        else word.rstrip("e")
        if len(word) > 4
        else word
    )


@lru_cache(20_000)
def jamo(text: str) -> str:
    """Hangul syllables taken apart into their letters; everything else unchanged."""
    out: list[str] = []
    for c in text:
        code = ord(c) - 0xAC00
        if 0 <= code < 11172:
            out += _L[code // 588], _V[code % 588 // 28], _T[code % 28]
        else:
            out.append(c)
    return "".join(out)


# --- some texts at once. A speaker is a text's asserted half (even) or its denied one (odd); a cell is speaker x blocks + block.

_Found = tuple[Hashes, Numbers]  # hashes, the cell of each
_Said = list[tuple[int, list[str]]]  # speaker, what it says: never empty


def _read(texts: Sequence[str], find: Find) -> Reading:
    halves: list[tuple[int, str]] = []
    for row, text in enumerate(texts):
        asserted, denied = scope.split(text)
        halves += [(2 * row, asserted), (2 * row + 1, denied)] if denied else [(2 * row, asserted)]
    hashes, cells = zip(*_found(halves, find), strict=True)
    return _sorted(np.concatenate(hashes), np.concatenate(cells), len(texts))


def _found(halves: Sequence[tuple[int, str]], find: Find) -> Iterator[_Found]:
    others = [half for half in halves if not half[1].isascii()]

    def said(pattern: re.Pattern[str], by: Sequence[tuple[int, str]] = others) -> _Said:
        return [(speaker, found) for speaker, text in by if (found := pattern.findall(text))]

    names = [(_CONCEPT, [(speaker, find(text)) for speaker, text in halves]), (_WORD, said(_SYMBOL))]
    if latin := said(LATIN_WORD, halves):
        yield from _stems(latin)
        yield _letters(latin)
    if han := said(_HAN_AND_KANA):
        runs = _unspaced(han)
        yield from (_characters(runs), _paired(runs, _CJKPAIR))
        names.append((_EDGE, [(speaker, _edges(run)) for speaker, run in runs]))
    if hangul := said(_HANGUL):
        runs = _unspaced(hangul)
        yield from (_syllables(runs), _paired(runs, _SYLPAIR), _jamo(hangul))
        # The first two syllables are the stem of a word without its particles.
        names += [(_SPACED, hangul), (_START, [(who, [word[:2] for word in found]) for who, found in hangul])]
    yield _names(names)


def _sorted(sums: Hashes, cells: Numbers, rows: int) -> Reading:
    """Each feature of a text once: 59 bits of what it is, and in the last five its block and whether it is denied."""
    told = cells.view(np.uint64) & _TOLD
    hashes = (sums ^ sums >> _HALF ^ told << _UPPER) * _GOLDEN & ~_TOLD | told
    if rows == 1:
        hashes.sort()
        hashes = hashes[_changes(hashes)]
        return Reading(hashes, np.array([len(hashes)]))
    order = np.argsort(hashes >> np.uint64(8) | (cells // (2 * _WIDTH) << 56).view(np.uint64))
    hashes, row = hashes[order], cells[order] // (2 * _WIDTH)
    first = _changes(hashes) | _changes(row)
    return Reading(hashes[first], np.bincount(row[first], minlength=rows))


def _changes(numbers: Numbers) -> Numbers:
    """Where a number is not the one before it."""
    changed = np.ones(len(numbers), bool)
    np.not_equal(numbers[1:], numbers[:-1], changed[1:])
    return changed


def _names(said: Sequence[tuple[int, _Said]]) -> _Found:
    """Features that are told by their whole name."""
    numbers = [_number(name) for _, of_block in said for _, names in of_block for name in names]
    cells = [who * _WIDTH + block for block, of_block in said for who, names in of_block for _ in names]
    return np.array(numbers, np.uint64), np.array(cells, np.int64)


def _stems(said: _Said) -> Iterator[_Found]:
    """Stems, those that stand near each other in any order, and those that follow each other."""
    stems = np.array([_number_of_stem(word) for _, found in said for word in found], np.uint64)
    counts = [len(found) for _, found in said]
    homes = _homes(said, counts)
    yield stems, homes + _WORD
    firsts, seconds, turns, blocks = _numbered_on([_neighbours(count) for count in counts], counts)
    yield stems[firsts] + stems[seconds] * _TURNS[turns], homes[firsts] + blocks


def _paired(said: Sequence[tuple[int, str]], block: int) -> _Found:
    """Distinct characters of a text that stand near each other two by two, in any order."""
    distinct = ["".join(dict.fromkeys(run))[:PAIRED] for _, run in said]
    codes = _codes("".join(distinct))
    codes *= codes * _POWERS[2] + _POWERS[1]  # so that two of them tell their sum
    counts = [len(run) for run in distinct]
    firsts, seconds = _numbered_on([_near_each_other(count) for count in counts], counts)
    return codes[firsts] + codes[seconds], _homes(said, counts)[firsts] + block


def _letters(said: _Said) -> _Found:
    """Runs of letters with the edges of their word, and across words: a lost or stray space costs few of these."""
    lines = [f" {' '.join(found)} " for _, found in said]
    lengths = [len(line) for line in lines]
    # A word goes with the space before it and reaches to the one after it; a number has no letters, the last space begins nothing.
    of_words = [
        _countdown(len(word) + 1, 1 if word[:1].isalpha() else -len(word) - 1)
        for _, found in said
        for word in [*found, ""]
    ]
    left = np.concatenate(of_words)
    left = np.array([left, left, left, _left(lengths)]).T
    return _LETTERS.found("".join(lines), left, _homes(said, lengths))


def _characters(said: Sequence[tuple[int, str]]) -> _Found:
    return _CHARACTERS.found(*_in_one(said))


def _syllables(said: Sequence[tuple[int, str]]) -> _Found:
    return _SYLLABLES.found(*_in_one(said))


def _jamo(said: _Said) -> _Found:
    """Runs of letters with the edges of their word."""
    return _JAMOS.found(*_in_one([(who, f"<{jamo(word)}>") for who, found in said for word in found]))


def _edges(run: str) -> list[str]:
    return [*(f"^{run[:n]}" for n in (1, 2, 3)), *(f"{run[-n:]}$" for n in (1, 2, 3))]


class _Runs:
    """Runs of some sizes, each size for a block, as columns."""

    def __init__(self, *sizes: tuple[int, int]) -> None:
        self._sizes = np.array([size for size, _ in sizes])
        self._blocks = np.array([block for _, block in sizes])
        self._longest = int(self._sizes.max())
        places = np.arange(self._longest)[:, None]
        self._weights = np.where(places < self._sizes, _POWERS[places], 0).astype(np.uint64)

    def found(self, text: str, left: Numbers, homes: Numbers) -> _Found:
        """The runs that begin at each place of `text` and are no longer than what is `left` (a row a place, one or all columns)."""
        codes = _codes(text + "\0" * self._longest)
        windows: Hashes = np.ndarray((len(text), self._longest), np.uint64, codes, 0, codes.strides * 2)
        fitting = np.flatnonzero(left >= self._sizes)
        cells = homes[:, None] + self._blocks
        return (windows @ self._weights).ravel()[fitting], cells.ravel()[fitting]


_LETTERS = _Runs((2, _CHAR), (3, _CHAR), (4, _CHAR), (4, _CROSS))
_CHARACTERS = _Runs((1, _CJK), (2, _CJK), (3, _CJK3))
_SYLLABLES = _Runs((1, _SYLLABLE), (2, _SYLLABLE))
_JAMOS = _Runs((3, _JAMO), (4, _JAMO))


def _unspaced(said: _Said) -> list[tuple[int, str]]:
    return [(speaker, "".join(found)) for speaker, found in said]


def _in_one(said: Sequence[tuple[int, str]]) -> tuple[str, Numbers, Numbers]:
    """(all in one text, at each place what is left of its piece as a column, the first cell of who says it)."""
    lengths = [len(run) for _, run in said]
    return "".join([run for _, run in said]), _left(lengths)[:, None], _homes(said, lengths)


def _left(lengths: Sequence[int]) -> Numbers:
    """Of pieces in a row, at each place how much is left of its piece."""
    return np.concatenate([_countdown(length) for length in lengths])


@lru_cache(1_000)
def _countdown(length: int, beyond: int = 0) -> Numbers:
    return np.arange(length + beyond, beyond, -1)


def _homes(said: Sequence[tuple[int, Any]], counts: Sequence[int]) -> Numbers:
    """The first cell of each speaker, so many times."""
    return np.repeat(np.array([speaker * _WIDTH for speaker, _ in said], np.int64), counts)


def _codes(text: str) -> Hashes:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)


@lru_cache(100_000)
def _number(name: str) -> int:
    """The same in every process, which Python's own hash is not."""
    return int.from_bytes(blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


@lru_cache(20_000)
def _number_of_stem(word: str) -> int:
    return _number(stem(word))


_TURNS = np.array([1, _ODD, _ODD * _ODD % 2**64], np.uint64)  # in any order, the next, the next but one


@cache
def _neighbours(count: int) -> Numbers:
    """(place of a word, place of another, its turn, block) for each relation between `count` words, as rows."""
    near = [(i, j, 0, _PAIR) for i in range(count) for j in range(i + 1, min(count, i + 1 + NEAR))]
    follow = [(i, i + 1, 1, _NEXT) for i in range(count - 1)]
    skip = [(i, i + 2, 2, _SKIP) for i in range(count - 2)]
    return np.array([*near, *follow, *skip], np.int64).reshape(-1, 4).T.copy()


@cache
def _near_each_other(count: int) -> Numbers:
    """The places of `count` characters two by two, as rows: what stands far apart in a long message says little together."""
    nearest = sorted(combinations(range(count), 2), key=lambda pair: pair[1] - pair[0])
    return np.array(nearest[: max(PAIRS, PAIRS_EACH * count)], np.int64).reshape(-1, 2).T.copy()


def _numbered_on(tables: Sequence[Numbers], counts: Sequence[int]) -> Numbers:
    """Tables beside each other, the places in their first two rows counted from one to the next."""
    if len(tables) == 1:
        return tables[0]
    joined = np.concatenate(tables, 1)
    joined[:2] += np.repeat(np.cumsum(counts) - counts, [table.shape[1] for table in tables])
    return joined
