"""Workers die at random; the judge is the platform's journal. The long run is benchmarks/reminders_crash.py.

In a process of its own: it forks its workers, which a process full of other tests' threads should not do.
"""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_forty_kills_lose_nothing_and_double_only_what_is_listed(kind: str) -> None:
    command = [sys.executable, "-m", "benchmarks.reminders_crash", kind, "2000", "40", "4", "20261123"]

    run = subprocess.run(
        command, cwd=Path(__file__).parent.parent, capture_output=True, text=True, timeout=300, check=False
    )

    print(run.stdout, run.stderr)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "lost=0" in run.stdout
    assert "kills=40" in run.stdout
    assert "states={'sent': 2000}" in run.stdout
