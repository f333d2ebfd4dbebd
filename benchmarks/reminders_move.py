"""From SQLite to PostgreSQL: a million reminders, equal row by row.

usage: python -m benchmarks.reminders_move [PATIENTS]
"""

import logging
import sys
import tempfile
import time

import structlog

from benchmarks.reminders import plan_patients
from benchmarks.reminders_crash import KEY
from benchmarks.reminders_databases import postgres
from bot.store.moving import move_store
from bot.store.store import Store


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 77_000
    with tempfile.TemporaryDirectory(prefix="smileline-move-") as folder, postgres() as url:
        plan_patients(f"sqlite:///{folder}/s.db", count)
        src, dst = Store.open(f"sqlite:///{folder}/s.db", KEY), Store.open(url, KEY)
        dst.upgrade()
        started = time.monotonic()
        counts = move_store(src, dst)
        print(f"{counts['reminders']} reminders moved and compared in {time.monotonic() - started:.0f} s")
        src.close()
        dst.close()


if __name__ == "__main__":
    main()
