"""Repair of mistyped Latin text, as a noisy channel: of all that could have been typed so, what people are likeliest to say.

How likely words are, and one after another, is counted in the library; how likely a slip is stands in intents.slips. So "i
cna tell" becomes "can" and "panful" becomes "painful", and a space that was lost, astray or a letter late is put right with
the words beside it ("th eneedle"). The text is mended before anything reads it: a negation or a lay word counts however it is typed.
"""

import copy
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from rapidfuzz import process
from rapidfuzz.distance import OSA

from intents.features import LATIN_WORD, stem, words
from intents.slips import SECOND, SPACE, SPACE_HIT, cost

LARGE = 20_000  # words in all from which a rare word may itself be a slip
LONGEST = 20  # letters of a word that is looked at
FAR = 6  # letters from which a word may have two slips
HALF = 4  # letters from which one half of two words run together may have a slip
MOST = 60  # words of a message that are doubted: more are no slips, and cost time
SENTENCE, SENSELESS = 3, 14.0  # so many words that cost so much each are another language, not slips
GAPS = frozenset(" .,;:!?'-/")  # what may stand astray between two words, or in one
BEAM = 4  # ways to read the beginning that are kept
LIKELIEST = 8  # readings of one word that are kept
FOLLOWS = 0.6  # weight of the word before against that of the word alone
UNKNOWN = 13.0  # surprise at a word that nobody is known to use
BY_LETTER = 1.5  # and at each letter of it: near a short one stands many a word
INFLECTED = 0.5  # how often a form is taken to stand in the library that stands there hardly or never, when its stem does

Changes = tuple[tuple[str, str], ...]  # what was typed, what it became
Reading = tuple[tuple[str, ...], float]  # the words meant, and what the slips in them cost


@dataclass(frozen=True, slots=True)
class Usage:
    """How often the library uses each word, and each two ("after the") that it uses together more than once."""

    words: Mapping[str, int]
    pairs: Mapping[str, int]

    @staticmethod
    def of(lines: Iterable[str]) -> "Usage":
        """Counted in folded lines."""
        split = [words(line) for line in lines]
        counted = Counter(word for line in split for word in line)
        pairs = Counter(f"{a} {b}" for line in split for a, b in pairwise(["", *line]))
        return Usage(dict(counted), {pair: n for pair, n in pairs.items() if n > 1})


class Speller:
    """Mends slips by what is usual; the words of the staff are known whatever the library says (see `knowing`)."""

    def __init__(self, usage: Usage) -> None:
        large = sum(usage.words.values()) >= LARGE
        trusted, usual = (3, 6) if large else (1, 1)
        self.usage = usage
        self._pairs, self._counts = usage.pairs, usage.words
        self._known = {word: n for word, n in usage.words.items() if n >= trusted and not word[0].isdigit()}
        self._usual = frozenset(word for word, n in self._known.items() if n >= usual)
        self._sure = self._usual
        self._stems = frozenset(map(stem, self._known))
        self._total = max(1, sum(usage.words.values()))
        self._lines = sum(n for pair, n in usage.pairs.items() if pair[0] == " ")
        self._one_less: defaultdict[str, list[str]] = defaultdict(list)
        self._ends: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
        for word in self._known:
            for shorter in _one_less(word):
                self._one_less[shorter].append(word)
            if len(word) >= FAR - 1:  # a slip seldom spoils both ends
                self._ends[len(word), "^" + word[0]].append(word)
                self._ends[len(word), "$" + word[-1]].append(word)
        self._near = lru_cache(maxsize=20_000)(self._find_near)
        self._share = lru_cache(maxsize=20_000)(self._find_share)
        self._readings = lru_cache(maxsize=20_000)(self._read_word)

    def knowing(self, staff: Iterable[str]) -> "Speller":
        """The same, but sure of the words of these `staff` too; what is counted in the library is shared."""
        other = copy.copy(self)
        other._sure = self._usual.union(staff)
        return other

    def mend(self, text: str) -> tuple[str, Changes]:
        """(folded `text` as it was meant, what was typed and what it became): as typed where nothing likelier is near."""
        return self.read(text)[:2]

    def read(self, text: str) -> tuple[str, Changes, float]:
        """What `mend` gives, and the share of the words that are not known as they are typed, mended or not."""
        typed = words(text)
        doubted = [word for word in typed if self._doubts(word)]
        if not doubted:
            return text, (), 0.0
        unknown = sum(stem(word) not in self._stems for word in doubted)
        return *self._mended(text), unknown / len(typed)

    def _mended(self, text: str) -> tuple[str, Changes]:
        found = list(LATIN_WORD.finditer(text))
        tokens = [match[0] for match in found]
        beside = [text[a.end() : b.start()] in GAPS for a, b in pairwise(found)] + [False]
        doubted = self._doubted(tokens, beside)
        out: list[str] = []
        changes: list[tuple[str, str]] = []
        at = 0
        for start, end in _windows(doubted):
            for i, after, meant in self._likeliest(tokens, doubted, beside, start, end):
                typed, mended = text[found[i].start() : found[after - 1].end()], " ".join(meant)
                if typed != mended:
                    out += text[at : found[i].start()], mended
                    at = found[after - 1].end()
                    changes.append((typed, mended))
        return "".join([*out, text[at:]]), tuple(changes)

    def _doubts(self, word: str) -> bool:
        return word not in self._sure and not word[0].isdigit()

    def _doubted(self, tokens: list[str], beside: list[bool]) -> list[bool]:
        """Which words may be slips: of the shortest only those with a word beside them, which tells what was meant."""
        doubted, left = [], MOST
        for i, word in enumerate(tokens):
            follows = i > 0 and beside[i - 1] and not tokens[i - 1][0].isdigit()  # "38 c" is no slip
            doubt = left > 0 and self._doubts(word) and (len(word) > 2 or beside[i] or follows)
            left -= doubt
            doubted.append(doubt)
        return doubted

    def _likeliest(
        self, tokens: list[str], doubted: list[bool], beside: list[bool], start: int, end: int
    ) -> list[tuple[int, int, tuple[str, ...]]]:
        """(first token, the one after the last, the words meant) for tokens `start` to `end`, by the cheapest way (Viterbi)."""
        before = tokens[start - 1] if start else ""
        ways: list[dict[str, tuple[float, _Way | None]]] = [{} for _ in range(end - start + 1)]
        ways[0][before] = (0.0, None)
        for i in range(start, end):
            kept = sorted(ways[i - start].items(), key=_cost_of)[:BEAM]
            for after, (meant, slips) in self._edges(tokens, doubted, beside, i, end):
                reached = ways[after - start]
                for last, (so_far, way) in kept:
                    total = so_far + slips + self._surprise(last, meant)
                    if total < reached.get(meant[-1], _NEVER)[0]:
                        reached[meant[-1]] = (total, _Way(way, i, after, meant))
        total, way = min(ways[-1].values(), key=lambda reached: reached[0])
        steps = _steps(way)
        said = sum(len(meant) for _, _, meant in steps)
        return steps if said < SENTENCE or total < SENSELESS * said else []

    def _edges(
        self, tokens: list[str], doubted: list[bool], beside: list[bool], i: int, end: int
    ) -> Iterator[tuple[int, Reading]]:
        """(the token after, a reading) of token `i`, alone or with the next."""
        word = tokens[i]
        for reading in self._readings(word) if doubted[i] else (((word,), 0.0),):
            yield i + 1, reading
        if i + 1 < end and beside[i] and (doubted[i] or doubted[i + 1]):
            for reading in self._read_both(word, tokens[i + 1], doubted[i] and doubted[i + 1]):
                yield i + 2, reading

    def _surprise(self, before: str, meant: tuple[str, ...]) -> float:
        """How unlikely the words are after the one before them: minus the log of their probability."""
        surprise = 0.0
        for word in meant:
            share = (1 - FOLLOWS) * self._share(word)
            together = self._pairs.get(f"{before} {word}", 0)
            if together and word in self._known:
                share += FOLLOWS * together / self._counts.get(before, self._lines)
            surprise -= math.log(share)
            before = word
        return surprise

    def _find_share(self, word: str) -> float:
        """How much of all that is said is this word; of one that is hardly known, what may be guessed."""
        count: float = self._known.get(word, 0) or (INFLECTED if stem(word) in self._stems else 0)
        return count / self._total or math.exp(-UNKNOWN - BY_LETTER * min(len(word), 6))

    def _read_word(self, word: str) -> tuple[Reading, ...]:
        """What one doubted word may mean, the likeliest readings first; itself is always among them."""
        if len(word) > LONGEST or word[0].isdigit():
            return (((word,), 0.0),)
        readings: dict[tuple[str, ...], float] = {}
        for near, slip in self._near(word):
            readings[near,] = slip
        if stem(word) not in self._stems:
            if len(word) >= FAR and not readings:
                readings |= {(far,): SECOND for far in self._find_far(word)}
            for parts, slips in self._parts(word):
                readings[parts] = min(slips, readings.get(parts, slips))
        ranked = sorted(readings.items(), key=lambda item: item[1] + self._surprise("", item[0]))
        return (((word,), 0.0), *ranked[:LIKELIEST])

    def _read_both(self, first: str, second: str, both: bool) -> Iterator[Reading]:
        """What two words may mean together, of which one is doubted or `both`: one word, or a space a letter off."""
        if first[0].isdigit() or second[0].isdigit():
            return
        joined = first + second
        if joined in self._known:
            yield (joined,), SPACE
        elif both and len(joined) >= HALF:
            yield from (((near,), SPACE + slip) for near, slip in self._near(joined))
        yield from self._halves(first + second[0], second[1:], SPACE, both)
        yield from self._halves(first[:-1], first[-1] + second, SPACE, both)

    def _parts(self, word: str) -> Iterator[Reading]:
        """The two words that a lost space, or a letter typed for a space, ran together."""
        for i in range(1, len(word)):
            yield from self._halves(word[:i], word[i:], SPACE)
            yield from self._halves(word[:i], word[i + 1 :], SPACE_HIT)

    def _halves(self, first: str, second: str, slips: float, mend: bool = True) -> Iterator[Reading]:
        """Both words where they are known; where one is, what the other may mean."""
        knows_first, knows_second = first in self._known, second in self._known
        if knows_first and knows_second:
            yield (first, second), slips
        elif mend and knows_first and len(first) > 1 and len(second) >= HALF:
            yield from (((first, near), slips + slip) for near, slip in self._near(second))
        elif mend and knows_second and len(second) > 1 and len(first) >= HALF:
            yield from (((near, second), slips + slip) for near, slip in self._near(first))

    def _find_near(self, typed: str) -> tuple[tuple[str, float], ...]:
        """(known word, what the slip costs) of all known words one edit away."""
        found = {word for shorter in _one_less(typed) for word in self._one_less.get(shorter, ())}
        return tuple(
            (word, cost(typed, word))
            for word in sorted(found)  # the same in every process
            if word != typed and OSA.distance(typed, word, score_cutoff=1) <= 1
        )

    def _find_far(self, typed: str) -> list[str]:
        """Known words two edits away that begin or end alike."""
        candidates = [
            word
            for size in range(len(typed) - 2, len(typed) + 3)
            for end in ("^" + typed[0], "$" + typed[-1])
            for word in self._ends.get((size, end), ())
        ]
        return [
            word
            for word, _, _ in process.extract(
                typed, candidates, scorer=OSA.distance, score_cutoff=2, limit=LIKELIEST
            )
        ]


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to read the tokens so far, as the last step of it and the way before."""

    before: "_Way | None"
    start: int
    end: int
    meant: tuple[str, ...]


_NEVER: tuple[float, None] = (math.inf, None)


def _cost_of(reached: tuple[str, tuple[float, _Way | None]]) -> float:
    return reached[1][0]


def _steps(way: _Way | None) -> list[tuple[int, int, tuple[str, ...]]]:
    steps = []
    while way:
        steps.append((way.start, way.end, way.meant))
        way = way.before
    return steps[::-1]


def _windows(doubted: list[bool]) -> Iterator[tuple[int, int]]:
    """Runs (start, end) of doubted words, each with the word before and the word after it."""
    start, end = 0, 0
    for i, doubt in enumerate(doubted):
        if doubt and i > end:
            if end > start:
                yield start, end
            start = i - 1
        if doubt:
            end = min(len(doubted), i + 2)
    if end > start:
        yield start, end


def _one_less(word: str) -> set[str]:
    """The word, and all that is left of it when a letter goes."""
    return {word, *(word[:i] + word[i + 1 :] for i in range(len(word)))}
