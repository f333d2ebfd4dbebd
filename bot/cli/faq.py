"""`smileline faq`: check, compare, measure and print the FAQ."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bot.cli.console import FaqOption, fail, or_fail, read_faq, settings, understander
from intents.faq import schema

faq_cli = typer.Typer(no_args_is_help=True, help="Check and measure the FAQ.")
Labelled = Annotated[
    list[Path] | None, typer.Option("--labelled", help="Labelled questions, JSON lines; may be repeated")
]


@faq_cli.command("check")
def faq_check(
    file: Annotated[Path | None, typer.Argument(help="FAQ file")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines")] = False,
    github: Annotated[bool, typer.Option("--github", help="GitHub annotations")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail when accuracy or danger recall fell")
    ] = False,
    labelled: Labelled = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep today's figures as the baseline")] = False,
) -> None:
    """Every problem with line and column; exit 1 when the file must not go live.

    Warnings are shown and do not fail. With --strict, accuracy on the --labelled questions is compared with
    baseline.json beside them.
    """
    from bot import faqcheck

    config = settings()
    path = file or config.faq
    result = or_fail(
        lambda: faqcheck.check(path, labelled or [], lambda faq: understander(config, faq), keep)
    )
    if as_json:
        sys.stdout.write(faqcheck.as_json(path, result) + "\n")
    elif github:
        sys.stdout.write(faqcheck.as_github(path, result) + "\n")
    else:
        sys.stdout.write(faqcheck.as_text(path, result) + "\n")
    if result.faq is None or (strict and result.falls):
        raise typer.Exit(1)


@faq_cli.command("diff")
def faq_diff(
    old: Annotated[Path, typer.Argument(help="The FAQ as it is")],
    new: Annotated[Path, typer.Argument(help="The FAQ as it would be")],
    labelled: Labelled = None,
    past: Annotated[
        bool, typer.Option(help="Also try what patients asked and the FAQ did not answer")
    ] = True,
) -> None:
    """Which entries differ, and which questions would get another answer; exit 1 when one gets worse."""
    from bot import faqcheck

    config = settings()
    before = understander(config, read_faq(old))
    after = before.with_faq(read_faq(new))
    questions = or_fail(lambda: faqcheck.labelled(labelled or []))
    tried = faqcheck.probes(questions, faqcheck.past_questions(config) if past else [])
    text, worse = faqcheck.compare(before, after, tried)
    sys.stdout.write(text + "\n")
    if worse:
        raise typer.Exit(1)


@faq_cli.command("table")
def faq_table(faq: FaqOption = None) -> None:
    """docs/content.md: every topic with its facts, sources, languages and last review."""
    from bot.content_table import table

    sys.stdout.write(table(read_faq(faq or settings().faq)))


@faq_cli.command("review")
def faq_review(
    lang: Annotated[str, typer.Option(help="The doctor's language: en, ja, ko, zh")] = "en",
    faq: FaqOption = None,
) -> None:
    """A printable review sheet for the doctor, as HTML: one entry a page, with boxes to sign."""
    from bot.review import sheet

    ready = read_faq(faq or settings().faq)
    if lang not in ready.languages:
        raise fail(f'--lang "{lang}" is not in the FAQ; allowed: {", ".join(ready.languages)}', 2)
    sys.stdout.buffer.write(sheet(ready, lang).encode())


@faq_cli.command("schema")
def faq_schema() -> None:
    """The JSON Schema of the file, for editors."""
    sys.stdout.write(json.dumps(schema(), indent=2, ensure_ascii=False) + "\n")


@faq_cli.command("eval")
def faq_eval(
    files: Annotated[list[Path], typer.Argument(help="Labelled questions, JSON lines")],
    faq: FaqOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines")] = False,
) -> None:
    """Accuracy table on labelled questions."""
    from bot.cli import figures

    config = settings()
    ready = understander(config, read_faq(faq or config.faq))
    reports = or_fail(lambda: figures.measured(files, ready.understand))
    if as_json:
        sys.stdout.write(figures.as_json(reports) + "\n")
    else:
        Console(width=max(110, Console().width)).print(figures.table(reports))


@faq_cli.command("try")
def faq_try(text: str, faq: FaqOption = None, lang: Annotated[str | None, typer.Option()] = None) -> None:
    """How one message is understood, and why."""
    config = settings()
    meaning = understander(config, read_faq(faq or config.faq)).understand(text, lang)
    out = Console(highlight=False)
    out.print(
        f"{meaning.outcome}  urgency {meaning.urgency}  language {meaning.language}  "
        f"sign {meaning.red_flag}  service {meaning.service}",
        markup=False,
    )
    for match in meaning.matches:
        out.print(f"  {match.score:.3f}  {match.id}  {match.phrase}", markup=False)
    for match in meaning.also:
        out.print(f"  asked too: {match.id}  {match.phrase}", markup=False)
    for reason in meaning.why:
        out.print(f"  - {reason}", markup=False)
