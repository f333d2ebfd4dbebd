"""Comparing two versions of the FAQ, and the gate that keeps accuracy from falling."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.__main__ import cli
from bot.faqcheck import Result, as_github, as_json, probes, read_baseline, write_baseline
from bot.staff.faqfile import add_question, set_text
from intents.diff import Outcome, Probe, changes, text_changes
from intents.evaluate import Labelled, Report
from intents.faq import load
from intents.gate import Fall, falls, figures
from intents.strict_yaml import Problem
from intents.types import Understanding
from intents.understand import Understander
from tests.helpers import CACHE, ROOT, shipped_text
from tests.small_faq import small_text

pytestmark = pytest.mark.slow  # together longer than all of make check may take

OLD = load(small_text())
QUESTION = OLD.entries["alcohol"].questions["en"][0]


def moved() -> str:
    """The small FAQ with the first question of alcohol moved to cost."""
    line = f'        - "{QUESTION}"\n'
    return add_question(small_text().replace(line, "", 1), "cost", "en", QUESTION)


@pytest.fixture(scope="module")
def old(understander: Understander) -> Understander:
    return understander.with_faq(OLD)


@pytest.fixture(scope="module")
def new(understander: Understander) -> Understander:
    return understander.with_faq(load(moved()))


def test_same_version_changes_nothing(old: Understander) -> None:
    assert changes(old, old, [Probe(QUESTION, "en"), Probe("swelling?", "en")]) == []


def test_question_whose_answer_changes_is_shown_before_and_after(
    old: Understander, new: Understander
) -> None:
    found = changes(old, new, [Probe(QUESTION, "en")])

    assert [str(found[0].before), found[0].verdict] == ["answer: alcohol", "other"]
    assert "cost" in found[0].after.ids


def test_label_tells_better_from_worse(old: Understander, new: Understander) -> None:
    right = Probe(QUESTION, "en", frozenset(["alcohol"]))

    assert changes(old, new, [right])[0].verdict == "worse"
    assert changes(new, old, [right])[0].verdict == "better"


def test_alarm_that_would_fall_silent_is_worse_even_unlabelled(old: Understander) -> None:
    class Deaf:
        def understand(self, text: str, hint: str | None = None) -> Understanding:
            return Understanding(text, "en", "unknown")

    found = changes(old, Deaf(), [Probe("my face is swelling fast and I can't breathe", "en")])  # type: ignore[arg-type]

    assert (found[0].before.kind, found[0].verdict) == ("danger", "worse")


@pytest.mark.parametrize(
    ("outcome", "text"),
    [(Outcome("unknown"), "unknown"), (Outcome("choices", ("a", "b")), "choices: a, b")],
)
def test_outcome_reads_as_words(outcome: Outcome, text: str) -> None:
    assert str(outcome) == text


def test_changed_words_are_named_with_field_and_language() -> None:
    text = set_text(small_text(), "swelling", "answer", "ja", "腫れは数日で引きます。")
    text = text.replace("- id: alcohol", "- id: alcohol_new").replace("see_also: [alcohol]", "see_also: []")

    assert list(map(str, text_changes(OLD, load(text)))) == [
        "swelling: answer (ja)",
        "alcohol_new: added",
        "alcohol: removed",
    ]


def report(top1: int, recall: int) -> Report:
    result = Report()
    for i in range(10):
        result.figures["top1"].add(i < top1)
        result.figures["danger_recall"].add(i < recall)
    return result


def test_gate_opens_at_the_kept_figures_and_shuts_below() -> None:
    kept = figures({"en": report(9, 10)})

    assert falls(figures({"en": report(9, 10)}), kept) == []
    assert falls(figures({"en": report(10, 9)}), kept) == [Fall("en", "danger_recall", 100.0, 90.0)]
    assert falls(figures({"en": report(8, 10)}), kept) == [Fall("en", "top1", 90.0, 80.0)]


def test_baseline_is_kept_and_read_and_a_broken_one_names_its_file(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    write_baseline(path, {"en": {"top1": 98.5}})

    assert read_baseline(path) == {"en": {"top1": 98.5}}
    path.write_text("[1]")
    with pytest.raises(ValueError, match=r"baseline\.json holds no figures"):
        read_baseline(path)


def test_past_questions_are_tried_once_beside_labelled_ones() -> None:
    line = Labelled("hello", "topic", "swelling", ("cost",), None, "routine", "plain")
    found = probes({"en": [line]}, [("parking?", "en"), ("parking?", "en")])

    assert [(p.text, p.origin, sorted(p.right)) for p in found] == [
        ("hello", "en", ["cost", "swelling"]),
        ("parking?", "past", []),
    ]


WARNING = Problem(3, 7, "50 % of: this,\nand that", "warning", "margin")


def test_json_names_file_line_rule_and_message() -> None:
    rows = json.loads(as_json(Path("faq.yaml"), Result(OLD, [WARNING], [Fall("en", "top1", 99, 98)])))

    assert rows[0] == {
        "file": "faq.yaml", "line": 3, "column": 7, "level": "warning", "rule": "margin", "message": WARNING.message,
    }  # fmt: skip
    assert rows[1]["rule"] == "regression"


def test_github_annotation_escapes_what_github_reads() -> None:
    assert as_github(Path("a,b.yaml"), Result(OLD, [WARNING])) == (
        "::warning file=a%2Cb.yaml,line=3,col=7,title=margin::50 %25 of: this,%0Aand that"
    )


# --- the commands


def run(tmp_path: Path, *arguments: str) -> tuple[int, str]:
    cache = tmp_path / "cache"
    if not cache.exists():
        cache.symlink_to(CACHE)
    result = CliRunner(env={"SMILELINE_DATA_DIR": str(tmp_path), "COLUMNS": "200"}).invoke(
        cli, ["faq", *arguments]
    )
    return result.exit_code, result.output


def written(tmp_path: Path, name: str, text: str) -> str:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_check_of_a_broken_file_ends_with_1_and_the_line(tmp_path: Path) -> None:
    code, out = run(tmp_path, "check", written(tmp_path, "x.yaml", "clinic: [\n"))

    assert code == 1
    assert "line 2" in out


def test_check_of_a_missing_file_ends_with_2(tmp_path: Path) -> None:
    code, out = run(tmp_path, "check", str(tmp_path / "none.yaml"))

    assert code == 2
    assert "cannot be read" in out


def test_check_warns_without_failing(tmp_path: Path, understander: Understander) -> None:
    text = small_text().replace("on: 2026-11-23", "on: 2020-11-23")
    code, out = run(tmp_path, "check", "--json", written(tmp_path, "x.yaml", text))

    assert code == 0
    assert {row["rule"] for row in json.loads(out)} >= {"review-date"}


def test_check_for_github_prints_annotations(tmp_path: Path, understander: Understander) -> None:
    code, out = run(tmp_path, "check", "--github", written(tmp_path, "x.yaml", "a: 1\na: 2\n"))

    assert code == 1
    assert out.startswith("::error file=")


def test_strict_check_fails_when_accuracy_falls_below_the_baseline(
    tmp_path: Path, understander: Understander
) -> None:
    file = written(tmp_path, "x.yaml", shipped_text())
    row = {"text": "is swelling normal", "kind": "topic", "topic": "nowhere", "style": "plain"}
    questions = written(tmp_path, "en.jsonl", json.dumps(row) + "\n")
    written(tmp_path, "baseline.json", '{"en": {"top1": 100.0}}')
    code, out = run(tmp_path, "check", file, "--strict", "--labelled", questions)

    assert code == 1
    assert "en: top1 fell from 100.0 % to 0.0 %" in out
    assert run(tmp_path, "check", file, "--labelled", questions)[0] == 0


def test_diff_shows_what_changes(tmp_path: Path, understander: Understander) -> None:
    a, b = written(tmp_path, "a.yaml", small_text()), written(tmp_path, "b.yaml", moved())
    row = {"text": QUESTION, "kind": "topic", "topic": "alcohol", "style": "plain"}
    code, out = run(
        tmp_path, "diff", a, b, "--labelled", written(tmp_path, "en.jsonl", json.dumps(row) + "\n")
    )

    assert code == 1
    assert "worse" in out
    assert QUESTION in out
    assert "alcohol: questions (en)" in out


def test_diff_of_the_same_file_says_so(tmp_path: Path, understander: Understander) -> None:
    a = written(tmp_path, "a.yaml", small_text())
    code, out = run(tmp_path, "diff", a, a)

    assert code == 0
    assert "No answer changes" in out


@pytest.mark.slow
def test_committed_baseline_is_held(understander: Understander) -> None:
    from bot.faqcheck import labelled, reports

    kept = read_baseline(ROOT / "tests" / "eval" / "baseline.json")
    questions = labelled(sorted((ROOT / "tests" / "eval").glob("*.jsonl")))

    assert list(map(str, falls(figures(reports(understander, questions)), kept))) == []
