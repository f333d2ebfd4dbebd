"""`make bench`: every benchmark, or those named: `python -m benchmarks understanding`."""

import importlib
import sys
from pathlib import Path

ALL = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))


def main(names: list[str]) -> None:
    for name in names or ALL:
        print(f"\n=== {name} ===", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main(sys.argv[1:])
