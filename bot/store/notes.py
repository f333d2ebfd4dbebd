"""Notes of the events that were answered, for the moments until the database has it on record.

A note is a write to a file that nobody waits for. What it holds outlives the process, though not the machine's power: so after
a kill no answer is in doubt but those that were under way, while what is done goes into the database many at a time. A note
that an answer has begun is made before its first word, and becomes one that it was given after the platform took it, so each is
true whenever it is read. It holds a channel's name and the platform's id of the event, nothing about a person.
"""

import contextlib
import hashlib
import os
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

SLOT = 192  # bytes a note
KEPT_SECONDS = 7 * 86_400.0
_BEGUN = "?"
_MOST = 4096  # notes a file; what finds no room is recorded before the next answer begins


class Notes:
    """The notes of one process, in a file of its own beside the database. Not for several threads. Never raises."""

    def __init__(self, folder: Path, owner: str) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = hashlib.sha256(owner.encode()).hexdigest()[:32]
        _sweep(folder, keep=f"{name}.notes")
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
        self._file = os.open(folder / f"{name}.notes", flags, 0o600)
        self._close = weakref.finalize(self, os.close, self._file)
        self._free: list[int] = []
        self._next = os.fstat(self._file).st_size // SLOT + 1  # an earlier process's notes stay until `clear`

    def begin(self, channel: str, event_id: str) -> int | None:
        """Note that an answer to the event is under way; the number of the note, or None when it could not be written."""
        return self._put(f"{channel}\n{event_id}\n{_BEGUN}", None)

    def add(self, channel: str, event_id: str, begun: int | None = None) -> int | None:
        """Note that the event was answered, in the place of the note that it was `begun`; the same result."""
        return self._put(f"{channel}\n{event_id}\n", begun)

    def _put(self, text: str, number: int | None) -> int | None:
        line = text.encode("utf-8", "replace")
        if len(line) > SLOT:
            return None
        if number is None:
            number = self._free.pop() if self._free else self._next
        if number >= _MOST:
            return None
        if not self._write(number, line.ljust(SLOT, b"\0")):
            self._free.append(number)
            return None
        self._next = max(self._next, number + 1)
        return number

    def remove(self, number: int) -> None:
        """The database has it."""
        if self._write(number, bytes(SLOT)):
            self._free.append(number)

    def clear(self) -> None:
        """Forget what an earlier process noted: call it when the database has it, and before the first note."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, 0)
            self._next, self._free = 0, []

    def close(self) -> None:
        self._close()

    def _write(self, number: int, content: bytes) -> bool:
        try:
            if not self._close.alive:
                return False
            os.lseek(self._file, number * SLOT, os.SEEK_SET)
            return os.write(self._file, content) == len(content)
        except OSError:  # the disk is full
            return False


def _sweep(folder: Path, keep: str) -> None:
    """A process that never came back has left its notes; long after, an id may mean another event."""
    for path in folder.glob("*.notes"):
        with contextlib.suppress(OSError):
            if path.name != keep and time.time() - path.stat().st_mtime > KEPT_SECONDS:
                path.unlink()


def read_notes(folder: Path) -> Iterator[tuple[str, str]]:
    """(channel, event id) of each event that any process has noted as answered."""
    return ((channel, event_id) for channel, event_id, mark in _read(folder) if mark == "")


def read_begun(folder: Path) -> Iterator[tuple[str, str]]:
    """(channel, event id) of each event to which an answer was under way."""
    return ((channel, event_id) for channel, event_id, mark in _read(folder) if mark == _BEGUN)


def _read(folder: Path) -> Iterator[tuple[str, str, str]]:
    for path in sorted(folder.glob("*.notes")):
        with contextlib.suppress(OSError):
            content = path.read_bytes()
            for start in range(0, len(content), SLOT):
                line = content[start : start + SLOT].rstrip(b"\0").decode("utf-8", "replace")
                if line.count("\n") == 2:
                    channel, event_id, mark = line.split("\n")
                    yield channel, event_id, mark
