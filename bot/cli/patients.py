"""Commands about patients: the reminder plan, an invitation, many at once."""

import asyncio
import datetime as dt
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bot.cli.console import counting_bar, fail, kind_of, open_store, read_faq, settings, zone_of
from intents.faq import THREAD_LIFT

reminders_cli = typer.Typer(no_args_is_help=True, help="The reminder plan.")
patients_cli = typer.Typer(no_args_is_help=True, help="Patients of the clinic.")


@reminders_cli.command("preview")
def reminders_preview(
    date: Annotated[str, typer.Option(help="Procedure date, YYYY-MM-DD")],
    lang: Annotated[str, typer.Option(help="en, ja, ko, zh or zh-Hant")] = "en",
    tz: Annotated[str | None, typer.Option(help="IANA time zone (default: the clinic's)")] = None,
    detail: Annotated[bool, typer.Option(help="Health details in the first line")] = False,
    kind: Annotated[str, typer.Option(help="Kind of procedure, of faq.yaml")] = THREAD_LIFT,
) -> None:
    """The whole journey of one patient: every push with its local time and text."""
    from bot import commands

    faq = read_faq(settings().faq)
    try:
        day = dt.date.fromisoformat(date)
    except ValueError:
        raise fail(f'--date "{date}" is not a date; write it as YYYY-MM-DD, such as 2026-11-20', 2) from None
    if lang.partition("-")[0] not in faq.languages:
        raise fail(f'--lang "{lang}" is not in the FAQ; allowed: {", ".join(faq.languages)}', 2)
    out = Console(highlight=False)
    for local, step, text in commands.preview(faq, day, lang, zone_of(tz, faq), detail, kind_of(kind, faq)):
        out.print(f"{local:%Y-%m-%d %H:%M %Z}  {step}", style="bold", markup=False)
        out.print("  " + text.replace("\n", "\n  ") + "\n", markup=False)


def enrol(
    date: Annotated[str, typer.Option(help="Procedure date, YYYY-MM-DD")],
    procedure: Annotated[str | None, typer.Option(help="The clinic's name for it, for staff only")] = None,
    kind: Annotated[str, typer.Option(help="Kind of procedure, of faq.yaml")] = THREAD_LIFT,
    lang: Annotated[str | None, typer.Option(help="en, ja, ko, zh or zh-Hant")] = None,
    tz: Annotated[str | None, typer.Option(help="IANA time zone (default: the clinic's)")] = None,
    days_valid: Annotated[int, typer.Option(help="Days until the link is void")] = 14,
    bot: Annotated[str | None, typer.Option(help="Telegram bot's name (default: asked of Telegram)")] = None,
    line_id: Annotated[str | None, typer.Option(help="LINE basic id, @... (default: asked of LINE)")] = None,
    qr: Annotated[Path | None, typer.Option(help="Picture to write, .png or .svg")] = None,
) -> None:
    """A link and QR code for one patient: they follow it, agree, and are enrolled. It works once."""
    from bot import links
    from bot.core.recovery import local_date

    config = settings()
    faq = read_faq(config.faq)
    now = dt.datetime.now(dt.UTC)
    if lang and lang.partition("-")[0] not in faq.languages:
        raise fail(f'--lang "{lang}" is not in the FAQ; allowed: {", ".join(faq.languages)}', 2)
    kind_of(kind, faq)
    zone = zone_of(tz, faq) if tz else None
    try:
        day = links.check(date, days_valid, local_date(now, zone or faq.clinic.timezone))
        links.check_picture(qr)
        names = asyncio.run(links.ask_names(config, bot, line_id))
        with open_store(config) as store:
            payload = links.invite(
                store, day, now, days_valid, language=lang, timezone=zone, procedure=procedure, kind=kind
            )
        for link in links.links(names, payload):
            typer.echo(f"{link.platform}: {link.url}\n")
            link.qr.terminal(out=sys.stdout, compact=True)
            if qr:
                typer.echo(f"\n{link.save(qr)}")
    except links.LinkError as err:
        raise fail(str(err), 2) from None
    typer.echo(f"\nFor one patient, once, until {now + dt.timedelta(days=days_valid):%Y-%m-%d %H:%M} UTC.")


@patients_cli.command("import")
def patients_import(
    file: Annotated[
        Path, typer.Argument(help="CSV with the columns channel, chat, procedure_date, consent_date ...")
    ],
) -> None:
    """Enrol many at once: every error with its line, and nothing kept unless all lines are good. May be repeated."""
    from bot.importing import ImportProblems, import_patients
    from bot.store.store import StoreError

    config = settings()
    faq = read_faq(config.faq)
    with open_store(config) as store, counting_bar("patients") as progress:
        try:
            done = import_patients(file, store, faq, dt.datetime.now(dt.UTC), progress)
        except ImportProblems as err:
            raise fail(f"{file} was not imported:\n{err}") from None
        except OSError as err:
            raise fail(f"{file} cannot be read: {err.strerror}", 2) from None
        except StoreError as err:
            again = "run the same command again and it goes on where it stopped"
            raise fail(f"the database stopped answering ({type(err).__name__}); {again}") from None
    typer.echo(f"{done.new} patients added, {done.total} in the file.")
