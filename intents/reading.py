"""The reading of a whole library: the slow part of training, shared by all processors."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from intents.features import Reading, read
from intents.lexicon import Lexicon
from intents.spelling import Speller, Usage

Progress = Callable[[str, float], None]  # what is being done, share done (0 to 1)

CHUNK = 2_000  # texts that a process reads before it gives them back
WORTH_IT = 20_000  # texts from which other processes are worth their start


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
    return read([speller.mend(text)[0] for text in texts], lexicon.find)


_prepared: list[tuple[Lexicon, Speller]] = []  # in a process that only reads


def _prepare(lexicon: Lexicon, usage: Usage) -> None:
    _prepared.append((lexicon, Speller(usage)))


def _read_prepared(texts: Sequence[str]) -> Reading:
    return _read(texts, *_prepared[0])
