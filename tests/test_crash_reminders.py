"""Workers die at random; the judge is the platform's journal. The long run is benchmarks/reminders_crash.py."""

from pathlib import Path

import pytest

from benchmarks.reminders_crash import run

pytestmark = pytest.mark.slow


def test_forty_kills_lose_nothing_and_double_only_what_is_listed(database_url: str, tmp_path: Path) -> None:
    report = run(database_url, tmp_path, count=2_000, kills=40, workers=4, seed=20261123)

    print(report)
    assert (report.lost, report.doubled_line, report.unlisted) == (0, 0, 0)
    assert report.doubled_telegram <= report.in_flight
    assert report.kills == 40
    assert report.states == {"sent": 2_000}
