"""What `faq eval` measured, as a table for people and as JSON for machines."""

import json
from collections.abc import Iterable
from pathlib import Path

from rich.table import Table

from intents.evaluate import FIGURES, Report, Share, Understand, evaluate, read_labelled

Reports = dict[str, tuple[Report, dict[str, Report]]]  # file's name -> (the whole, each style of question)


def measured(files: Iterable[Path], understand: Understand) -> Reports:
    """Every file's figures. Raises OSError and ValueError naming the file."""
    labelled = {
        path.stem: read_labelled(path.read_text(encoding="utf-8").splitlines(), str(path)) for path in files
    }
    return {name: evaluate(lines, understand) for name, lines in labelled.items()}


def as_json(reports: Reports) -> str:
    out = {
        name: {**whole.as_json(), "styles": {style: report.as_json() for style, report in styles.items()}}
        for name, (whole, styles) in reports.items()
    }
    return json.dumps(out, indent=1, ensure_ascii=False)


def table(reports: Reports) -> Table:
    """A row a figure, a danger sign and a style, a column a file."""
    made = Table("figure (%, 95 % interval)", *reports)
    wholes = [whole for whole, _ in reports.values()]
    for name in FIGURES:
        made.add_row(name, *(_with_interval(whole.figures[name]) for whole in wholes))
    for sign in sorted({sign for whole in wholes for sign in whole.signs}):
        made.add_row(f"recall: {sign}", *(_plain(whole.signs[sign]) for whole in wholes))
    by_style = [styles for _, styles in reports.values()]
    for style in sorted({style for styles in by_style for style in styles}):
        shares = (styles[style].figures["top1"] if style in styles else None for styles in by_style)
        made.add_row(f"top1: {style}", *(_plain(share) if share else "" for share in shares))
    return made


def _with_interval(share: Share) -> str:
    low, high = share.interval()
    return f"{share.percent:5.1f}  ({low:.0f}-{high:.0f})  of {share.total}"


def _plain(share: Share) -> str:
    return f"{share.percent:5.1f}  of {share.total}"
