"""What several tests share: the shipped FAQ, one trained understander for the whole run, and a fixed clock."""

import datetime as dt
import fcntl
import os
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from intents.faq import Faq, load
from intents.understand import Understander

ROOT = Path(__file__).parent.parent
NOW = dt.datetime(2026, 11, 23, 3, 0, tzinfo=dt.UTC)  # Monday noon in Tokyo
CACHE = Path(os.environ.get("SMILELINE_TEST_CACHE", ROOT / "data" / "cache"))


@cache
def shipped_text() -> str:
    return (ROOT / "faq.yaml").read_text(encoding="utf-8")


@cache
def shipped_faq() -> Faq:
    return load(shipped_text())


@cache
def topics() -> dict[str, Any]:
    """The topics that the FAQ must cover, and the danger signs, as they were agreed."""
    topics: dict[str, Any] = yaml.load((ROOT / "tests" / "topics.yaml").read_bytes(), Loader=yaml.CSafeLoader)
    return topics


@cache
def understander() -> Understander:
    """Trained from the shipped library; kept on disk between runs, since the same library gives the same model.

    Of the workers that run the tests together one trains, and the others read what it has learned.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "training.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return Understander.build(shipped_faq(), CACHE)
