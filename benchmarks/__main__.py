"""`make bench`: every benchmark, or those named: `python -m benchmarks understanding`."""

import importlib
import sys

ALL = ("understanding", "reminders", "reminders_sends", "reminders_crash", "reminders_move", "webhook")


def main(names: list[str]) -> None:
    for name in names or ALL:
        print(f"\n=== {name} ===", flush=True)
        sys.argv = [name]  # each with its own defaults
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main(sys.argv[1:])
