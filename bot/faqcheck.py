"""`smileline faq check` and `faq diff`, apart from printing: problems and changes as a terminal, a program or GitHub reads them."""

import json
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

from intents import gate
from intents.diff import Probe
from intents.evaluate import Labelled, Report, evaluate, read_labelled
from intents.faq import Faq, FaqProblems, load
from intents.lint import lint
from intents.strict_yaml import Problem
from intents.understand import Understander


def labelled(paths: Iterable[Path]) -> dict[str, list[Labelled]]:
    """Labelled questions by the name of their file. Raises ValueError or OSError naming the file."""
    return {path.stem: read_labelled(path.read_text("utf-8").splitlines(), str(path)) for path in paths}


def problems(
    source: bytes, today: date, understander: Understander | None
) -> tuple[Faq | None, list[Problem]]:
    """(the FAQ, or None when it must not go live; errors or warnings in the order of the file)."""
    try:
        faq = load(source)
    except FaqProblems as err:
        return None, err.problems
    return faq, lint(faq, today, understander.with_faq(faq).understand if understander else None)


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


def as_json(path: Path, found: list[Problem], falls: list[gate.Fall]) -> str:
    rows: list[dict[str, object]] = [
        {
            "file": str(path),
            "line": p.line,
            "column": p.column,
            "level": p.level,
            "rule": p.rule,
            "message": p.message,
        }
        for p in found
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
        for fall in falls
    ]
    return json.dumps(rows, indent=1, ensure_ascii=False)


def as_github(path: Path, found: list[Problem], falls: list[gate.Fall]) -> str:
    """Workflow commands: GitHub shows them beside the lines of a pull request."""
    lines = [
        f"::{p.level} file={_property(str(path))},line={p.line},col={p.column},title={_property(p.rule)}::{_data(p.message)}"
        for p in found
    ]
    lines += [f"::error file={_property(str(path))},line=1,title=regression::{_data(str(f))}" for f in falls]
    return "\n".join(lines)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
