"""Features as numbers, and the reading of a whole library: the slow part of training, shared by all processors."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import numpy as np
import numpy.typing as npt

from intents.features import Features, extract
from intents.lexicon import Lexicon
from intents.spelling import Speller, Usage
from intents.text import MAX_LENGTH

Numbers = npt.NDArray[Any]
Hashes = npt.NDArray[np.uint64]
Progress = Callable[[str, float], None]  # what is being done, share done (0 to 1)

BLOCKS = (
    "word", "pair", "next", "skip", "char", "cross", "cjk", "cjk3", "cjkpair", "edge", "syllable", "sylpair", "spaced", "start",
    "jamo", "concept",
)  # fmt: skip
_NUMBER = {block: i for i, block in enumerate(BLOCKS)}
_BLOCKS = len(BLOCKS)
AT_ONCE = 500  # texts
CHUNK = 2_000  # texts that a process reads before it gives them back
WORTH_IT = 20_000  # texts from which other processes are worth their start

_ODD = 0x9E3779B97F4A7C15  # 2^64 divided by the golden ratio, as in splitmix64
_LONGEST = 3 * MAX_LENGTH  # characters of one feature: two words and what stands between
_POWERS = np.cumprod(np.full(_LONGEST, _ODD, np.uint64), dtype=np.uint64)


@dataclass(frozen=True, slots=True)
class Reading:
    """The features of some texts as numbers: their hashes, and the cell (row x number of blocks + block) each stands in."""

    hashes: Hashes
    cells: Numbers
    rows: int

    @staticmethod
    def of(features: Iterable[Features]) -> "Reading":
        """Read as they come, so that millions of strings need not be there at once."""
        read, rows, some = [], 0, []
        for item in features:
            some.append(item)
            if len(some) == AT_ONCE:
                read.append(Reading(*hashed(some), AT_ONCE))
                rows, some = rows + len(some), []
        return Reading.joined([*read, Reading(*hashed(some), len(some))])

    @staticmethod
    def joined(parts: Sequence["Reading"]) -> "Reading":
        """One after the other."""
        firsts = np.cumsum([0, *(part.rows for part in parts)])
        cells = [part.cells + first * _BLOCKS for part, first in zip(parts, firsts, strict=False)]
        return Reading(
            np.concatenate([part.hashes for part in parts]), np.concatenate(cells), int(firsts[-1])
        )


def read_library(folded: Sequence[str], lexicon: Lexicon, usage: Usage, progress: Progress) -> Reading:
    """The features of all lines, in order; `usage` is of the English words."""
    chunks = [folded[i : i + CHUNK] for i in range(0, len(folded), CHUNK)]
    found = []
    for part in _by_all_processors(chunks, lexicon, usage):
        found.append(part)
        progress("reading phrasings", len(found) / len(chunks))
    return Reading.joined(found)


def _by_all_processors(chunks: Sequence[Sequence[str]], lexicon: Lexicon, usage: Usage) -> Iterator[Reading]:
    """Processes are started anew rather than forked: a server trains beside its threads. Where none can be started, this one reads."""
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    done = 0
    if workers > 1 and sum(map(len, chunks)) >= WORTH_IT:
        try:
            with ProcessPoolExecutor(workers, get_context("spawn"), _prepare, (lexicon, usage)) as pool:
                for part in pool.map(_read_prepared, chunks):
                    done += 1
                    yield part
        except (OSError, BrokenProcessPool):
            pass  # what is missing is read here
    speller = Speller(usage)
    yield from (_read(chunk, lexicon, speller) for chunk in chunks[done:])


def _read(texts: Sequence[str], lexicon: Lexicon, speller: Speller) -> Reading:
    return Reading.of(extract(speller.mend(text)[0], lexicon.find) for text in texts)


_prepared: list[tuple[Lexicon, Speller]] = []  # in a process that only reads


def _prepare(lexicon: Lexicon, usage: Usage) -> None:
    _prepared.append((lexicon, Speller(usage)))


def _read_prepared(texts: Sequence[str]) -> Reading:
    return _read(texts, *_prepared[0])


def hashed(features: Sequence[Features]) -> tuple[Hashes, Numbers]:
    """(hash of every feature, the cell it stands in), row by row.

    The same in every process, which Python's own hash is not: a polynomial of the characters, mixed with the block.
    """
    items: list[str] = []
    counts: list[int] = []
    runs: list[int] = []
    for row, item in enumerate(features):
        for block, found in item.items():
            items += found
            counts.append(len(found))
            runs.append(row * _BLOCKS + _NUMBER[block])
    cells = np.repeat(np.array(runs, np.int64), np.array(counts, np.int64))
    if not items:
        return np.zeros(0, np.uint64), cells
    lengths = np.fromiter(map(len, items), np.int64, len(items))
    starts = np.cumsum(lengths) - lengths
    letters = np.frombuffer("".join(items).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    letters *= _POWERS[np.arange(len(letters)) - np.repeat(starts, lengths)]
    sums = np.add.reduceat(letters, starts)
    sums += (cells % _BLOCKS + 1).astype(np.uint64) << np.uint64(57)
    sums ^= sums >> np.uint64(31)
    return sums * np.uint64(_ODD), cells
