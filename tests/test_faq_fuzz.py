"""Random edits of faq.yaml: each ends within a second, refused with a line or live and answering.

2,000 edits in the suite; SMILELINE_FUZZ_EDITS=100000 for the long run, SMILELINE_FUZZ_SEED for another one. The edits are made on
a small file (quick to load) and, one in fifty, on the shipped one.
"""

import os
import random
import time
from collections.abc import Callable

import pytest

from bot.commands import ask
from intents.faq import Faq, FaqProblems, load
from intents.strict_yaml import Problem
from intents.understand import Understander
from tests.helpers import NOW, shipped_text
from tests.small_faq import small_text

pytestmark = pytest.mark.slow

EDITS = int(os.environ.get("SMILELINE_FUZZ_EDITS", "2000"))
SEED = int(os.environ.get("SMILELINE_FUZZ_SEED", "20261123"))
BATCHES = 10  # so that workers share them
ALLOWED_SECONDS = 1.0  # of processor time, so that a busy machine fails nothing
ANSWERED = 25  # of so many versions that may go live, one is asked a question

Edit = Callable[[random.Random, bytes], bytes]
SNIPPETS = (
    b"<<: *x\n", b"&a ", b"*a", b"!!python/object:os.system ", b"---\n", b"...\n", b"\t", b"- ", b": ", b"#", b"'", b'"',
    b"|-\n", b"[", b"{", b"]", b"}", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\xe2\x80\xa8", b"? ", b"%YAML 1.1\n",
    b"{phone", b"phone}", b"{0}", b"{x.__class__}", b"<<<<<<< HEAD\n", b"=======\n", b">>>>>>> other\n", b"no", b"~", b"1e9999",
    b"\xed\xa0\x80", "\U0001f469\u200d\u2695\ufe0f".encode(), b"\\", b"  ", b"\n\n\n", b"@", b"`", b">", b"!",
)  # fmt: skip


def mutate_bytes(rng: random.Random, raw: bytes) -> bytes:
    data = bytearray(raw)
    for _ in range(rng.randint(1, 8)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def truncate(rng: random.Random, raw: bytes) -> bytes:
    return raw[: rng.randrange(len(raw))]


def cut_out(rng: random.Random, raw: bytes) -> bytes:
    start = rng.randrange(len(raw))
    return raw[:start] + raw[start + rng.randint(1, 400) :]


def swap_lines(rng: random.Random, raw: bytes) -> bytes:
    lines = raw.splitlines(keepends=True)
    a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[a], lines[b] = lines[b], lines[a]
    return b"".join(lines)


def drop_or_repeat_lines(rng: random.Random, raw: bytes) -> bytes:
    lines = raw.splitlines(keepends=True)
    at, many = rng.randrange(len(lines)), rng.randint(1, 12)
    return b"".join(lines[:at] + lines[at : at + many] * rng.choice((0, 2, 3)) + lines[at + many :])


def indent(rng: random.Random, raw: bytes) -> bytes:
    lines = raw.splitlines(keepends=True)
    at = rng.randrange(len(lines))
    for i in range(at, min(len(lines), at + rng.randint(1, 30))):
        lines[i] = b" " * rng.choice((1, 2, 4)) + lines[i] if rng.random() < 0.7 else lines[i].lstrip(b" ")
    return b"".join(lines)


def insert(rng: random.Random, raw: bytes) -> bytes:
    at = rng.randrange(len(raw))
    return raw[:at] + rng.choice(SNIPPETS) * rng.choice((1, 1, 1, 2, 50)) + raw[at:]


def merge(rng: random.Random, raw: bytes) -> bytes:
    """As a merge leaves it that nobody resolved: a part of one version set into another, with or without marks."""
    lines = raw.splitlines(keepends=True)
    a, b = sorted(rng.randrange(len(lines)) for _ in range(2))
    ours, theirs = lines[a:b][:40], lines[b : b + 40]
    marked = [b"<<<<<<< HEAD\n", *ours, b"=======\n", *theirs, b">>>>>>> theirs\n"]
    block = marked if rng.random() < 0.5 else [*ours, *theirs]
    return b"".join([*lines[:a], *block, *lines[a + rng.randint(0, 40) :]])


def reword(rng: random.Random, raw: bytes) -> bytes:
    """A harmless edit, most of which may go live."""
    text = raw.decode("utf-8", "surrogateescape")
    start = rng.randrange(max(1, len(text) - 3))
    words = rng.choice(("e", "い", " ok", "요", "。", "!", "x" * 300))
    return (text[:start] + words + text[start + rng.randint(0, 2) :]).encode("utf-8", "surrogateescape")


def nest(rng: random.Random, raw: bytes) -> bytes:
    at = raw.find(b"\n", rng.randrange(len(raw))) + 1
    return raw[:at] + rng.choice((b"[", b"{a: ", b"- ", b"? ")) * rng.choice((20, 2_000, 50_000)) + raw[at:]


EDITORS: tuple[Edit, ...] = (
    mutate_bytes, truncate, cut_out, swap_lines, drop_or_repeat_lines, indent, insert, merge, reword, reword, nest,
)  # fmt: skip


def loaded(raw: bytes) -> Faq | list[Problem]:
    try:
        return load(raw)
    except FaqProblems as err:
        return err.problems


@pytest.mark.parametrize("batch", range(BATCHES))
def test_random_edit_is_refused_with_a_line_or_serves(batch: int, understander: Understander) -> None:
    rng = random.Random(SEED * BATCHES + batch)
    small, shipped = small_text().encode(), shipped_text().encode()
    live = refused = 0
    for number in range(EDITS // BATCHES):
        raw = shipped if number % 50 == 49 else small
        edits = [rng.choice(EDITORS) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
        for edit in edits:
            raw = edit(rng, raw) if raw else raw
        start = time.process_time()
        result = loaded(raw)
        took = time.process_time() - start
        what = f"batch {batch}, edit {number}: {[edit.__name__ for edit in edits]}"

        assert took < ALLOWED_SECONDS, what
        if isinstance(result, Faq):
            live += 1
            if live % ANSWERED == 1:
                answers(understander.with_faq(result), what)
        else:
            refused += 1
            lines = raw.count(b"\n") + raw.count(b"\r") + 2
            assert result, what
            assert all(1 <= p.line <= lines and p.column >= 1 and p.message for p in result), what
    assert live > 0
    assert refused > live


def answers(ready: Understander, what: str) -> None:
    for language in ready.faq.languages:
        said = ask(ready, "swelling?", 3, language, NOW)["reply"]

        assert said, what


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\n",
        b"#",
        b"\x00" * 1000,
        b"a",
        b"- a",
        b"{}",
        b"[]",
        b"entries: []",
        b"\xff" * 100,
        b"clinic:\n" * 9000,
    ],
)
def test_files_that_are_nothing_like_a_faq_are_refused_with_a_line(raw: bytes) -> None:
    result = loaded(raw)

    assert isinstance(result, list)
    assert str(result[0]).startswith("line ")
