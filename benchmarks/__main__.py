"""`make bench`: every benchmark, or those named: `python -m benchmarks [--full] [understanding ...]`.

Usually at sizes that together take a quarter of an hour on two free cores; `--full` (or `make bench BENCH=--full`) takes the
sizes of docs/measurements*.md, which is hours. Each runs in a process of its own with the arguments shown, so it can be
repeated alone; one that fails does not stop the others, and is named at the end.
"""

import argparse
import subprocess
import sys
import time

# name -> (usual arguments, those of --full); a benchmark of two runs has two lines.
ALL: list[tuple[str, list[str], list[str]]] = [
    ("understanding", ["--short"], []),
    ("reminders", ["--patients", "1000", "10000"], ["--patients", "1000", "100000", "1000000"]),
    ("reminders_sends", ["--rounds", "1", "--ways", "nothing", "lean"], ["--rounds", "3"]),
    ("reminders_crash", ["both", "2000", "40"], ["both", "10000", "200"]),
    ("reminders_power", ["postgres", "2000", "3"], ["postgres", "6000", "20"]),
    ("reminders_power", ["sqlite", "2000", "50"], ["sqlite", "6000", "500"]),
    ("reminders_move", ["5000"], ["77000"]),
    ("webhook", ["--messages", "1000", "--latency-seconds", "10"], []),
    (
        "webhook",
        ["--messages", "1000", "--latency-seconds", "10", "--platform", "line"],
        ["--platform", "line"],
    ),
]


def run(name: str, arguments: list[str]) -> bool:
    """One benchmark to its end; whether it went well."""
    print(f"\n=== python -m benchmarks.{' '.join([name, *arguments])}", flush=True)
    started = time.monotonic()
    code = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *arguments]).returncode
    print(f"=== {time.monotonic() - started:.0f} s{f', FAILED with {code}' if code else ''}", flush=True)
    return not code


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="name", help=", ".join(dict.fromkeys(n for n, _, _ in ALL))
    )
    parser.add_argument("--full", action="store_true", help="the sizes of docs/measurements*.md")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - {name for name, _, _ in ALL}:
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    failed = [
        name
        for name, usual, full in ALL
        if name in (options.names or [name]) and not run(name, full if options.full else usual)
    ]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
