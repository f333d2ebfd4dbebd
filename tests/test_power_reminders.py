"""The database dies in the middle of commits; the judge is a file that the senders write behind the store.

The long run is benchmarks/reminders_power.py. In a process of its own: it forks, and kills a server.
"""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def run(*arguments: str) -> str:
    command = [sys.executable, "-m", "benchmarks.reminders_power", *arguments]
    root = Path(__file__).parent.parent
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    return done.stdout


def test_a_server_killed_three_times_keeps_all_that_it_acknowledged() -> None:
    said = run("postgres", "600", "3", "1")

    assert "3 kills of the server" in said
    assert "of which gone 0, acknowledged twice 0; lost 0" in said


def test_a_log_cut_anywhere_is_sound_and_keeps_all_that_was_acknowledged_before_the_cut() -> None:
    said = run("sqlite", "800", "30", "1")

    assert "of which broken or short of an acknowledged row 0; lost 0" in said
