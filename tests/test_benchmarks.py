"""`make bench` names what exists, and goes on when one of them fails."""

import importlib.util

import pytest

from benchmarks import __main__ as bench


def test_every_benchmark_that_is_named_exists() -> None:
    missing = [name for name, _, _ in bench.ALL if importlib.util.find_spec(f"benchmarks.{name}") is None]

    assert missing == []


def test_a_name_that_is_none_is_refused_with_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        bench.main(["understandig"])

    assert ended.value.code == 2
    assert "there is no benchmark understandig" in capsys.readouterr().err


@pytest.mark.slow
def test_one_that_fails_is_named_at_the_end_and_the_next_still_runs(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    again = ("loopback", [], [])  # ends well, does nothing
    monkeypatch.setattr(bench, "ALL", [("missing", [], []), again])

    with pytest.raises(SystemExit, match="failed: missing"):
        bench.main([])

    assert "=== python -m benchmarks.loopback" in capfd.readouterr().out
