"""Bodies for the webhooks' fuzz tests: right ones, and what becomes of them when anything is replaced. Seeded, so replayable."""

import copy
import json
import os
import random
from collections.abc import Iterator
from typing import Any

COUNT = int(os.environ.get("SMILELINE_FUZZ", "2000"))  # 100000 for the long run
SEED = int(os.environ.get("SMILELINE_FUZZ_SEED", "7"))
_BAD: list[Any] = [
    None, True, False, -1, 0, 2**31, 2**53, 2**70, -(2**63), 1e308, 0.5, "", " ", "\0", [], {}, [[]] * 20, {"a": {}}, "x" * 70_000,
    "\ud83d", "\udc00\ud800", "<script>", "../../etc/passwd", "🙂" * 500, "date", "start", "/start", "/", "0" * 32, "group", "private",
    "text", "message", "user", "\u202e", "999999999999999999999", "NaN",
]  # fmt: skip


def bodies(valid: list[Any], count: int = COUNT, seed: int = SEED) -> Iterator[bytes]:
    """`count` bodies made from `valid` ones (JSON values)."""
    rng = random.Random(seed)
    for _ in range(count):
        value = copy.deepcopy(rng.choice(valid))
        for _ in range(rng.choice((0, 1, 1, 2, 4))):
            value = _mutated(value, rng, valid)
        raw = json.dumps(value).encode()
        yield _cut(raw, rng) if rng.random() < 0.1 else raw


def _mutated(value: Any, rng: random.Random, valid: list[Any]) -> Any:
    """One edit somewhere inside."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        out = dict(value)
        match rng.randrange(10):
            case 0:
                del out[key]
            case 1:
                out[key + rng.choice(("x", "", "_"))] = out.pop(key)
            case 2:
                out[rng.choice(("text", "from", "chat", "source", "type", "data", "photo", "mode"))] = (
                    rng.choice(_BAD)
                )
            case _:
                out[key] = _mutated(value[key], rng, valid)
        return out
    if isinstance(value, list) and value and rng.random() < 0.9:
        place = rng.randrange(len(value))
        return (
            value[:place] + [_mutated(value[place], rng, valid)] * rng.choice((1, 1, 2)) + value[place + 1 :]
        )
    return rng.choice(_BAD) if rng.random() < 0.8 else rng.choice(valid)


def _cut(raw: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(raw) + 1)
    return raw[:place] + bytes(rng.randrange(256) for _ in range(3)) + raw[place + rng.randrange(4) :]
