"""The commands as people script against them: real processes, real input, real exit codes."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import CACHE, ROOT, shipped_text, understander

pytestmark = pytest.mark.slow


@pytest.fixture
def smileline(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Runs a command in an empty folder; the trained model is taken from the tests' cache."""
    understander()
    (tmp_path / "faq.yaml").write_text(shipped_text(), encoding="utf-8")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "cache").symlink_to(CACHE)

    def run(*args: str, given: str | bytes = b"", **settings: str) -> subprocess.CompletedProcess[bytes]:
        env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "COLUMNS": "200", **settings}
        raw = given.encode() if isinstance(given, str) else given
        return subprocess.run(
            [sys.executable, "-m", "bot", *args],
            input=raw,
            capture_output=True,
            cwd=tmp_path,
            env={**env, "PYTHONPATH": str(ROOT)},
            timeout=300,  # so long only on a loaded machine
        )

    return run


@pytest.mark.parametrize("command", ["run", "chat"])
def test_a_database_of_another_key_is_told_in_a_line(smileline, command: str) -> None:  # type: ignore[no-untyped-def]
    first, second = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))
    assert smileline("chat", SMILELINE_DATA_KEY=first).returncode == 0

    done = smileline(command, SMILELINE_DATA_KEY=second, SMILELINE_HTTP="127.0.0.1:0")

    assert done.returncode == 1
    assert b"the data key is not the one" in b" ".join(done.stderr.split())
    assert b"Traceback" not in done.stderr


def test_ask_answers_every_line_in_order(smileline) -> None:  # type: ignore[no-untyped-def]
    lines = [
        "can i drink tonight?",
        "",
        "I have a fever of 38.9",
        "笑うと痛い",
        "👍",
        "\x00\x01",
        "why is the sky blue",
        "x" * 64_000,
    ]

    done = smileline("ask", "--jsonl", given="\n".join(lines) + "\n")

    answers = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert done.returncode == 0, done.stderr.decode()
    assert [answer["text"] for answer in answers] == lines
    assert answers[0]["matches"][0]["id"] == "alcohol"
    assert (answers[2]["outcome"], answers[2]["red_flag"]) == ("danger", "fever_infection")
    assert answers[3]["language"] == "ja"
    assert all(answer["reply"] for answer in answers)
    assert set(answers[0]) == {"text", "language", "outcome", "urgency", "red_flag", "matches", "reply"}


def test_ask_survives_bytes_that_are_no_text(smileline) -> None:  # type: ignore[no-untyped-def]
    done = smileline("ask", "--jsonl", given=b"\xff\xfe\x00ok\nhello\n")

    assert len(done.stdout.splitlines()) == 2


def test_ask_shows_what_there_is_to_choose_from(smileline) -> None:  # type: ignore[no-untyped-def]
    done = smileline("ask", given=b"my face thing, is it normal\n")

    shown = done.stdout.decode()
    assert shown.rstrip().endswith("]")
    assert shown.count("[") >= 3


def test_ask_on_a_day_says_first_what_holds_then(smileline) -> None:  # type: ignore[no-untyped-def]
    question = "how long does the swelling last\n"

    early, late = (
        json.loads(smileline("ask", "--jsonl", "--day", day, given=question).stdout) for day in ("2", "12")
    )

    assert early["matches"][0]["id"] == late["matches"][0]["id"] == "swelling"
    assert (early["urgency"], late["urgency"]) == ("routine", "call")
    assert early["reply"] != late["reply"]


def test_faq_check_accepts_the_shipped_file_and_names_lines_of_a_broken_one(
    smileline, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    shipped = smileline("faq", "check")
    assert (shipped.returncode, b": in order." in shipped.stdout) == (0, True), shipped.stdout
    (tmp_path / "broken.yaml").write_text(
        shipped_text().replace("urgency: routine", "urgency: rutine", 1), encoding="utf-8"
    )
    done = smileline("faq", "check", "broken.yaml")

    assert done.returncode == 1
    assert b'came "rutine"' in done.stderr + done.stdout
    assert b"line " in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (("faq", "check", "missing.yaml"), "cannot be read"),
        (("reminders", "preview", "--date", "31.02.2026"), "is not a date"),
        (("reminders", "preview", "--date", "2026-11-20", "--tz", "Tokyo"), "no time zone"),
        (("reminders", "preview", "--date", "2026-11-20", "--lang", "xx"), "not in the FAQ"),
        (("ask", "--jsonl", "--lang", "xx"), "not known"),
        (("faq", "eval", "missing.jsonl"), "missing.jsonl"),
    ],
)
def test_bad_input_gets_a_clear_error_without_a_traceback(
    smileline, args: tuple[str, ...], word: str
) -> None:  # type: ignore[no-untyped-def]
    done = smileline(*args)

    output = (done.stderr + done.stdout).decode()
    assert done.returncode != 0
    assert word in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("SMILELINE_HTTP", "8080", "not an address and port"),
        ("SMILELINE_TELEGRAM_MODE", "carrier-pigeon", "SMILELINE_TELEGRAM_MODE"),
        ("SMILELINE_LINE_TOKEN", "secret-value", "SMILELINE_LINE_SECRET"),
        ("SMILELINE_TELEGRAM_TOKEN_FILE", "/nowhere", "cannot be read"),
        ("SMILELINE_PUBLIC_URL", "ftp://x", "https://"),
    ],
)
def test_a_wrong_setting_is_named_and_no_secret_shown(smileline, name: str, value: str, word: str) -> None:  # type: ignore[no-untyped-def]
    done = smileline("db", "upgrade", **{name: value})

    output = (done.stderr + done.stdout).decode()
    assert done.returncode == 2
    assert word in output
    assert "secret-value" not in output


def test_preview_shows_every_push_with_its_local_time(smileline) -> None:  # type: ignore[no-untyped-def]
    done = smileline(
        "reminders", "preview", "--date", "2026-11-20", "--lang", "ja", "--tz", "America/New_York"
    )

    output = done.stdout.decode()
    assert output.count("EST") + output.count("EDT") == 13
    assert "2026-11-20 19:30 EST  day_0" in output


def test_eval_prints_the_table_and_json(smileline, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    lines = (ROOT / "tests" / "eval" / "en.jsonl").read_text(encoding="utf-8").splitlines()[:80]
    (tmp_path / "some.jsonl").write_text("\n".join(lines), encoding="utf-8")

    table = smileline("faq", "eval", "some.jsonl").stdout.decode()
    figures = json.loads(smileline("faq", "eval", "some.jsonl", "--json").stdout)

    assert "danger_recall" in table
    assert figures["some"]["lines"] == 80


def test_try_explains_the_decision(smileline) -> None:  # type: ignore[no-untyped-def]
    output = smileline("faq", "try", "ciggies ok tn?").stdout.decode()

    assert "smoking" in output
    assert "confidence" in output


def test_schema_is_json(smileline) -> None:  # type: ignore[no-untyped-def]
    assert json.loads(smileline("faq", "schema").stdout)["title"] == "Smileline FAQ"


def test_health_without_a_server_says_what_to_do(smileline) -> None:  # type: ignore[no-untyped-def]
    done = smileline("health", SMILELINE_HTTP="127.0.0.1:9")

    assert done.returncode == 1
    assert b"smileline run" in done.stderr


def test_chat_talks_until_the_input_ends(smileline) -> None:  # type: ignore[no-untyped-def]
    done = smileline("chat", given="can i drink tonight?\n3 days ago\n1\n/reminders\n")

    output = " ".join(done.stdout.decode().replace("│", " ").split())  # the panel breaks lines
    assert done.returncode == 0, done.stderr.decode()
    assert "alcohol" in output.lower()
    assert "day 3" in output


def test_run_cannot_start_with_a_broken_faq_and_says_why(smileline, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "faq.yaml").write_text("clinic: [", encoding="utf-8")

    done = smileline("run", SMILELINE_HTTP="127.0.0.1:0")

    assert done.returncode == 1
    assert b"line 2" in done.stderr
    assert b"Traceback" not in done.stderr
