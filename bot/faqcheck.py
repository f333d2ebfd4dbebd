"""`smileline faq check` and `faq diff`, apart from printing: problems and changes as a terminal, a program or GitHub reads them."""

import datetime as dt
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bot.config import Settings
from bot.store.store import Store, StoreError, load_key
from intents import gate
from intents.diff import Probe, changes, text_changes
from intents.evaluate import Labelled, Report, evaluate, read_labelled
from intents.faq import Faq, FaqProblems, load
from intents.lint import lint
from intents.strict_yaml import Problem
from intents.understand import Understander

BASELINE = "baseline.json"  # beside the labelled questions


def labelled(paths: Iterable[Path]) -> dict[str, list[Labelled]]:
    """Labelled questions by the name of their file. Raises ValueError or OSError naming the file."""
    return {path.stem: read_labelled(path.read_text("utf-8").splitlines(), str(path)) for path in paths}


@dataclass(frozen=True)
class Result:
    """`faq` is None when it must not go live; `falls` are the figures below the baseline."""

    faq: Faq | None
    problems: list[Problem]
    falls: list[gate.Fall] = field(default_factory=list)


def check(
    path: Path, questions: list[Path], build: Callable[[Faq], Understander], keep: bool = False
) -> Result:
    """Errors, or warnings and fallen figures. `keep` writes the figures of now as the baseline instead of comparing.

    Raises OSError and ValueError naming the file.
    """
    source, known = path.read_bytes(), labelled(questions)
    try:
        faq = load(source)
    except FaqProblems as err:
        return Result(None, err.problems)
    understander = build(faq)
    warnings = lint(faq, dt.date.today(), understander.understand)  # noqa: DTZ011 - the day where staff sit
    if not known:
        return Result(faq, warnings)
    figures, baseline = gate.figures(reports(understander, known)), questions[0].parent / BASELINE
    if keep:
        write_baseline(baseline, figures)
    return Result(faq, warnings, gate.falls(figures, read_baseline(baseline)))


def reports(understander: Understander, questions: Mapping[str, list[Labelled]]) -> dict[str, Report]:
    return {name: evaluate(lines, understander.understand)[0] for name, lines in questions.items()}


def read_baseline(path: Path) -> gate.Baseline:
    """The figures kept. Raises ValueError naming the file when it cannot be understood."""
    try:
        kept = json.loads(path.read_text("utf-8"))
        return {name: {figure: float(value) for figure, value in row.items()} for name, row in kept.items()}
    except (ValueError, AttributeError, TypeError) as err:
        raise ValueError(f"{path} holds no figures ({err}); make it anew with --keep") from err


def write_baseline(path: Path, figures: gate.Baseline) -> None:
    path.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n", "utf-8")


def probes(questions: Mapping[str, list[Labelled]], past: Iterable[tuple[str, str]]) -> list[Probe]:
    """What `faq diff` tries: the labelled questions, then (text, language) of the past ones."""
    known = [Probe.of(line, name) for name, lines in questions.items() for line in lines]
    return known + [Probe(text, language) for text, language in dict.fromkeys(past)]


def past_questions(settings: Settings) -> list[tuple[str, str]]:
    """(text, language) of the questions kept for staff; none where there is no database yet."""
    url = settings.database_url.get_secret_value()
    kept = url.removeprefix("sqlite:///")
    if kept != url and not Path(kept).exists():
        return []
    key = load_key(settings.data_key.get_secret_value() if settings.data_key else None, settings.data_dir)
    store = Store.open(url, key)
    try:
        return [(question.text, question.language) for question in store.questions()]
    except StoreError:
        return []
    finally:
        store.close()


def compare(before: Understander, after: Understander, tried: list[Probe]) -> tuple[str, int]:
    """(what differs, in words; how many questions get worse)."""
    found = changes(before, after, tried)
    lines = [f"  {change}" for change in text_changes(before.faq, after.faq)]
    lines = ["Entries that differ:", *lines, ""] if lines else ["No entry differs.", ""]
    for change in found:
        lines += [
            f"{change.verdict:6}  {change.probe.text}   [{change.probe.origin}]",
            f"        before  {change.before}",
            f"        after   {change.after}",
        ]
    worse = sum(change.verdict == "worse" for change in found)
    better = sum(change.verdict == "better" for change in found)
    summary = (
        f"{len(tried)} questions tried: {worse} worse, {better} better, {len(found) - worse - better} other."
    )
    return "\n".join(
        [*lines, summary if found else f"No answer changes in {len(tried)} questions tried."]
    ), worse


def as_text(path: Path, result: Result) -> str:
    lines = [f"{path}, {problem}" for problem in result.problems]
    lines += [f"{path}: {fall}" for fall in result.falls]
    if result.faq is None:
        return "\n".join([*lines, f"{path} must not go live: {len(result.problems)} to mend."])
    faq = result.faq
    counts = f"{len(faq.entries)} entries, {len(faq.red_flags)} danger signs, {len(faq.steps)} reminders"
    state = "in order" if not lines else f"may go live; {len(lines)} to look at"
    return "\n".join([*lines, f"{path}: {counts} in {', '.join(faq.languages)}: {state}."])


def as_json(path: Path, result: Result) -> str:
    """A list of objects with file, line, column, level, rule, message."""
    rows: list[dict[str, object]] = [
        {
            "file": str(path),
            "line": p.line,
            "column": p.column,
            "level": p.level,
            "rule": p.rule,
            "message": p.message,
        }
        for p in result.problems
    ]
    rows += [
        {
            "file": str(path),
            "line": 1,
            "column": 1,
            "level": "error",
            "rule": "regression",
            "message": str(fall),
        }
        for fall in result.falls
    ]
    return json.dumps(rows, indent=1, ensure_ascii=False)


def as_github(path: Path, result: Result) -> str:
    """Workflow commands: GitHub shows them beside the lines of a pull request."""
    lines = [
        f"::{p.level} file={_property(str(path))},line={p.line},col={p.column},title={_property(p.rule)}::{_data(p.message)}"
        for p in result.problems
    ]
    lines += [
        f"::error file={_property(str(path))},line=1,title=regression::{_data(str(f))}" for f in result.falls
    ]
    return "\n".join(lines)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
