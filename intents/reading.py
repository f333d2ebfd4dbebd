"""The reading of a whole library: the slow part of training, shared by all processors."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache, cached_property
from multiprocessing import get_context
from types import TracebackType

from intents.features import Reading, read
from intents.lexicon import Lexicon
from intents.text import fold

Progress = Callable[[str, float], None]  # what is being done, share done (0 to 1)
_Part = tuple[list[str], Reading]  # folded texts, their features

CHUNK = 2_000  # texts that a process reads before it gives them back
WORTH_IT = 20_000  # texts from which other processes are worth their start


class Readers:
    """Reads about so many `texts`, slips and all: a message is mended by what is usual in them before it is read.

    Processes are started at once, to be ready when the texts are; anew rather than forked, for a server trains beside its
    threads. They find the words of the shipped lexicon; for those of another one (`words_of`), or where no process can be
    started, this one reads.
    """

    def __init__(self, texts: int, words_of: Lexicon | None = None) -> None:
        self._words_of = words_of
        self._pool: ProcessPoolExecutor | None = None
        self._ready: list[Future[Lexicon | None]] = []
        workers = _processors()
        if words_of is None and workers > 1 and texts >= WORTH_IT:
            try:
                self._pool = ProcessPoolExecutor(workers, get_context("spawn"))
                self._ready = [self._pool.submit(_prepare, number == 0) for number in range(workers)]
            except (OSError, BrokenProcessPool):
                self.close()

    def __enter__(self) -> "Readers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes; from then on this one reads."""
        if self._pool:
            self._pool.shutdown(cancel_futures=True)
        self._pool = None

    @cached_property
    def lexicon(self) -> Lexicon:
        """The words that are found. Raises ValueError naming the file when one is broken."""
        return self._words_of or self._asked_of_one() or Lexicon.load()

    def _asked_of_one(self) -> Lexicon | None:
        try:
            return self._ready[0].result() if self._pool else None
        except (OSError, BrokenProcessPool):
            return None

    def read(self, texts: Sequence[str], progress: Progress) -> tuple[list[str], Reading]:
        """(the texts folded, the features of all), in order."""
        chunks = [texts[i : i + CHUNK] for i in range(0, len(texts), CHUNK)]
        folded: list[str] = []
        found: list[Reading] = []
        for some, reading in self._shared(chunks):
            folded += some
            found.append(reading)
            progress("reading phrasings", len(found) / len(chunks))
        return folded, Reading.joined(found)

    def _shared(self, chunks: Sequence[Sequence[str]]) -> Iterator[_Part]:
        done = 0
        if self._pool:
            try:
                for part in self._pool.map(_read_prepared, chunks):
                    done += 1
                    yield part
            except (OSError, BrokenProcessPool):
                pass  # what is missing is read here
        yield from (_read(chunk, self.lexicon) for chunk in chunks[done:])


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _read(texts: Sequence[str], lexicon: Lexicon) -> _Part:
    folded = [fold(text) for text in texts]
    return folded, read(folded, lexicon.find)


# --- in a process that only reads


@cache
def _lexicon() -> Lexicon:
    return Lexicon.load()


def _prepare(give: bool) -> Lexicon | None:
    """Ready to read; one of them gives its words to the process that asked."""
    words_of = _lexicon()
    return words_of if give else None


def _read_prepared(texts: Sequence[str]) -> _Part:
    return _read(texts, _lexicon())
