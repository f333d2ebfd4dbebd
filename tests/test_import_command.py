"""`smileline patients import` as people run it: killed half way and run again, or refused as a whole."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.helpers import ROOT, shipped_text

pytestmark = pytest.mark.slow

HEAD = "channel,chat,procedure_date,consent_date,language\n"
COUNT = 30_000


class Desk:
    """A folder in which the command is run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "faq.yaml").write_text(shipped_text(), encoding="utf-8")

    def start(self, file: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "bot", "patients", "import", str(file)],
            cwd=self.folder,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "PYTHONPATH": str(ROOT),
                "COLUMNS": "100",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, file: Path) -> tuple[int, str, str]:
        process = self.start(file)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    def count(self, what: str) -> int:
        path = self.folder / "data" / "smileline.db"
        if not path.exists():
            return 0
        try:
            with closing(sqlite3.connect(path)) as db:
                number: int = db.execute(f"SELECT count({what}) FROM reminders").fetchone()[0]
                return number
        except sqlite3.OperationalError:  # the tables are not there yet
            return 0


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def patients(folder: Path, count: int) -> Path:
    path = folder / "patients.csv"
    day = time.strftime("%Y-%m-%d")
    path.write_text(HEAD + "".join(f"telegram,{n},{day},{day},en\n" for n in range(count)), encoding="utf-8")
    return path


def test_killed_half_way_it_goes_on_and_nobody_is_there_twice(desk: Desk) -> None:
    file = patients(desk.folder, COUNT)
    process = desk.start(file)
    while desk.count("*") == 0 and process.poll() is None:
        pass
    process.send_signal(signal.SIGKILL)
    process.communicate()
    half = desk.count("DISTINCT procedure_id")

    code, out, err = desk.run(file)

    assert 0 < half < COUNT
    assert half % 1000 == 0  # pages are whole or not there
    assert code == 0, err
    assert out == f"{COUNT - half} patients added, {COUNT} in the file.\n"
    assert f"{COUNT}/{COUNT}" in err  # the bar
    assert desk.count("DISTINCT procedure_id") == COUNT
    assert desk.count("*") == desk.count("DISTINCT procedure_id || step_id") == COUNT * 13


def test_a_file_with_faults_names_each_line_and_adds_nobody(desk: Desk) -> None:
    file = patients(desk.folder, 2_000)
    with file.open("a", encoding="utf-8") as more:
        more.write("fax,1,2026-11-16,2026-11-01,en\ntelegram,,16.11.,2026-11-01,xx\n")

    code, out, err = desk.run(file)

    assert code == 1
    assert [n for n in range(2_000, 2_010) if f"line {n}: " in err] == [2002, 2003]
    assert "Traceback" not in err
    assert "patients added" not in out
    assert desk.count("*") == 0
