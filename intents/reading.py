"""The reading of a whole library: the slow part of training, shared by all processors."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from intents.features import Reading, read
from intents.lexicon import Lexicon

Progress = Callable[[str, float], None]  # what is being done, share done (0 to 1)

CHUNK = 2_000  # texts that a process reads before it gives them back
WORTH_IT = 20_000  # texts from which other processes are worth their start


def read_library(folded: Sequence[str], lexicon: Lexicon, progress: Progress) -> Reading:
    """The features of all lines, in order, slips and all: a message is mended by what is usual in them before it is read."""
    chunks = [folded[i : i + CHUNK] for i in range(0, len(folded), CHUNK)]
    found = []
    for part in _by_all_processors(chunks, lexicon):
        found.append(part)
        progress("reading phrasings", len(found) / len(chunks))
    return Reading.joined(found)


def _by_all_processors(chunks: Sequence[Sequence[str]], lexicon: Lexicon) -> Iterator[Reading]:
    """Processes are started anew rather than forked: a server trains beside its threads. Where none can be started, this one reads."""
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    done = 0
    if workers > 1 and sum(map(len, chunks)) >= WORTH_IT:
        try:
            with ProcessPoolExecutor(workers, get_context("spawn"), _prepare, (lexicon,)) as pool:
                for part in pool.map(_read_prepared, chunks):
                    done += 1
                    yield part
        except (OSError, BrokenProcessPool):
            pass  # what is missing is read here
    yield from (read(chunk, lexicon.find) for chunk in chunks[done:])


_prepared: list[Lexicon] = []  # in a process that only reads


def _prepare(lexicon: Lexicon) -> None:
    _prepared.append(lexicon)


def _read_prepared(texts: Sequence[str]) -> Reading:
    return read(texts, _prepared[0].find)
