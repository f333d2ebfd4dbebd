"""The commands: `smileline ...`, the same as `python -m bot ...`."""

import asyncio
import datetime as dt
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from pydantic import SecretStr
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from bot import commands, logs
from bot.config import ConfigError, Settings, load_settings
from intents.faq import THREAD_LIFT, Faq, FaqProblems, load, schema
from intents.understand import Understander

if TYPE_CHECKING:
    from bot.store.store import Store

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Smileline, the companion after a thread lift.",
)
faq_cli = typer.Typer(no_args_is_help=True, help="Check and measure the FAQ.")
reminders_cli = typer.Typer(no_args_is_help=True, help="The reminder plan.")
db_cli = typer.Typer(no_args_is_help=True, help="The database.")
patients_cli = typer.Typer(no_args_is_help=True, help="Patients of the clinic.")
line_cli = typer.Typer(no_args_is_help=True, help="The LINE account.")
staff_cli = typer.Typer(no_args_is_help=True, help="Who may use the staff page.")
cli.add_typer(faq_cli, name="faq")
cli.add_typer(reminders_cli, name="reminders")
cli.add_typer(db_cli, name="db")
cli.add_typer(patients_cli, name="patients")
cli.add_typer(line_cli, name="line")
cli.add_typer(staff_cli, name="staff")
Result = TypeVar("Result")
errors = Console(stderr=True, highlight=False)

FaqOption = Annotated[
    Path | None, typer.Option("--faq", help="FAQ file (default: the setting SMILELINE_FAQ)")
]


def fail(message: str, code: int = 1) -> typer.Exit:
    """A clear line on standard error, and the exit to raise."""
    errors.print(message, markup=False, style="red", soft_wrap=True)
    return typer.Exit(code)


def settings() -> Settings:
    try:
        return load_settings()
    except ConfigError as err:
        raise fail(str(err), 2) from None


def read_faq(path: Path) -> Faq:
    try:
        return load(path.read_bytes())
    except OSError as err:
        raise fail(f"{path} cannot be read: {err.strerror}", 2) from None
    except FaqProblems as err:
        raise fail(f"{path} must not go live:\n{err}") from None


@contextmanager
def training_bar() -> Iterator[object]:
    """A progress bar that shows only when there is something to wait for."""
    with Progress(TextColumn("{task.description}"), BarColumn(), console=errors, transient=True) as bar:
        task = bar.add_task("starting", total=1.0)
        yield lambda what, share: bar.update(task, description=what, completed=share)


@contextmanager
def counting_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar told (done, in all)."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        console=errors,
    ) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def understander(config: Settings, faq: Faq) -> Understander:
    with training_bar() as progress:
        return Understander.build(faq, config.data_dir / "cache", progress)  # type: ignore[arg-type]


def zone_of(tz: str | None, faq: Faq) -> str:
    import zoneinfo

    if tz and tz not in zoneinfo.available_timezones():
        raise fail(f'"{tz}" is no time zone; write one such as Asia/Tokyo', 2)
    return tz or faq.clinic.timezone


def kind_of(kind: str, faq: Faq) -> str:
    if kind not in faq.procedures:
        raise fail(f'"{kind}" is no kind of procedure here; allowed: {", ".join(faq.procedures)}', 2)
    return kind


@cli.command()
def run() -> None:
    """Everything that is configured: Telegram, LINE, web page, reminders."""
    from bot.app import App

    config = settings()
    logs.set_up(config.log_level)
    try:
        with training_bar() as progress:
            app = App(config, progress=progress)  # type: ignore[arg-type]
    except (FaqProblems, OSError) as err:
        raise fail(f"Smileline cannot start with {config.faq}:\n{err}") from None
    errors.print(f"\nSmileline is here: [bold]http://{config.http}[/bold]   (Ctrl-C stops it)\n")
    try:
        asyncio.run(app.serve())
    except OSError as err:
        raise fail(
            f"Smileline cannot listen on {config.http}: {err.strerror}. Set SMILELINE_HTTP to another port."
        ) from None


@cli.command()
def chat() -> None:
    """The same conversation in the terminal. /help lists what it can do; an empty line or Ctrl-D ends it."""
    from bot.terminal import talk

    config = settings()
    logs.set_up("ERROR")
    faq = read_faq(config.faq)
    asyncio.run(talk(config, understander(config, faq)))


@cli.command()
def ask(
    jsonl: Annotated[bool, typer.Option("--jsonl", help="One JSON object a line")] = False,
    faq: FaqOption = None,
    lang: Annotated[str | None, typer.Option(help="The asker's language: en, ja, ko, zh")] = None,
    day: Annotated[int | None, typer.Option(min=0, max=4000, help="The asker's recovery day")] = None,
) -> None:
    """One message a line of standard input, one answer a line of standard output, in order."""
    config = settings()
    if lang and not commands.known_language(lang):
        raise fail(f'--lang "{lang}" is not known; allowed: en, ja, ko, zh', 2)
    ready = understander(config, read_faq(faq or config.faq))
    now = dt.datetime.now(dt.UTC)
    for raw in sys.stdin.buffer:
        text = raw.decode("utf-8", "replace").rstrip("\r\n")
        result = commands.ask(ready, text, day, lang, now)
        line = json.dumps(result, ensure_ascii=False) if jsonl else f"{result['reply']}\n"
        sys.stdout.buffer.write(line.encode("utf-8", "replace") + b"\n")
        if not jsonl:
            sys.stdout.buffer.flush()
    sys.stdout.buffer.flush()


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
    result = _or_fail(
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
    questions = _or_fail(lambda: faqcheck.labelled(labelled or []))
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


def _or_fail(call: Callable[[], Result]) -> Result:
    """What `call` returns; what a person can mend becomes a clear line."""
    try:
        return call()
    except OSError as err:
        raise fail(f"{err.filename} cannot be read: {err.strerror}", 2) from None
    except ValueError as err:
        raise fail(str(err), 2) from None


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
    from intents.evaluate import FIGURES, evaluate, read_labelled

    config = settings()
    ready = understander(config, read_faq(faq or config.faq))
    reports = {}
    for path in files:
        try:
            labelled = read_labelled(path.read_text(encoding="utf-8").splitlines(), str(path))
        except (OSError, ValueError) as err:
            raise fail(str(err), 2) from None
        reports[path.stem] = evaluate(labelled, ready.understand)
    if as_json:
        out = {
            name: {**whole.as_json(), "styles": {s: r.as_json() for s, r in styles.items()}}
            for name, (whole, styles) in reports.items()
        }
        sys.stdout.write(json.dumps(out, indent=1, ensure_ascii=False) + "\n")
        return
    table = Table("figure (%, 95 % interval)", *reports)
    for name in FIGURES:
        shares = [whole.figures[name] for whole, _ in reports.values()]
        table.add_row(
            name,
            *(
                f"{s.percent:5.1f}  ({s.interval()[0]:.0f}-{s.interval()[1]:.0f})  of {s.total}"
                for s in shares
            ),
        )
    for sign in sorted({sign for whole, _ in reports.values() for sign in whole.signs}):
        table.add_row(
            f"recall: {sign}",
            *(
                f"{whole.signs[sign].percent:5.1f}  of {whole.signs[sign].total}"
                for whole, _ in reports.values()
            ),
        )
    for style in sorted({style for _, styles in reports.values() for style in styles}):
        by_style = [
            styles[style].figures["top1"] if style in styles else None for _, styles in reports.values()
        ]
        table.add_row(f"top1: {style}", *(f"{s.percent:5.1f}  of {s.total}" if s else "" for s in by_style))
    Console(width=max(110, Console().width)).print(table)


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
    for reason in meaning.why:
        out.print(f"  - {reason}", markup=False)


@reminders_cli.command("preview")
def reminders_preview(
    date: Annotated[str, typer.Option(help="Procedure date, YYYY-MM-DD")],
    lang: Annotated[str, typer.Option(help="en, ja, ko, zh or zh-Hant")] = "en",
    tz: Annotated[str | None, typer.Option(help="IANA time zone (default: the clinic's)")] = None,
    detail: Annotated[bool, typer.Option(help="Health details in the first line")] = False,
    kind: Annotated[str, typer.Option(help="Kind of procedure, of faq.yaml")] = THREAD_LIFT,
) -> None:
    """The whole journey of one patient: every push with its local time and text."""
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


@cli.command()
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


@contextmanager
def open_store(config: Settings) -> "Iterator[Store]":
    """The database, brought up to date."""
    from bot.store.crypto import load_key
    from bot.store.store import Store

    key = load_key(config.data_key.get_secret_value() if config.data_key else None, config.data_dir)
    store = Store.open(config.database_url.get_secret_value(), key)
    try:
        store.upgrade()
        yield store
    finally:
        store.close()


@db_cli.command("upgrade")
def db_upgrade() -> None:
    """Bring the database to this version's tables."""
    with open_store(settings()):
        typer.echo("The database is up to date.")


@staff_cli.command("add")
def staff_add(
    name: str,
    role: Annotated[str, typer.Option(help="editor: the FAQ; care: patients; admin: everything")],
) -> None:
    """Make an account for the staff page, or give one a new role and password. Asks for the password."""
    from bot.staff.accounts import AccountRefused, add_account

    if sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    with open_store(settings()) as store:
        try:
            new = add_account(store, name, role, password, dt.datetime.now(dt.UTC))
        except AccountRefused as err:
            raise fail(str(err), 2) from None
    typer.echo(f"{name} ({role}) {'can log in' if new else 'has a new password; older sessions are closed'}.")


@staff_cli.command("list")
def staff_list() -> None:
    """Every account and its role."""
    with open_store(settings()) as store:
        for account in store.all_accounts():
            typer.echo(f"{account.name}  {account.role}{'  switched off' if account.disabled else ''}")


@staff_cli.command("remove")
def staff_remove(name: str) -> None:
    """Switch an account off at once; its name stays in the audit trail."""
    with open_store(settings()) as store:
        found = store.disable_account(name, dt.datetime.now(dt.UTC))
        if found:
            store.audit("command line", "account.removed", name, dt.datetime.now(dt.UTC))
    if not found:
        raise fail(f'There is no account "{name}"; `smileline staff list` shows them', 2)
    typer.echo(f"{name} cannot log in any more.")


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


@db_cli.command("move")
def db_move(url: Annotated[str, typer.Argument(help="The new database, postgresql+psycopg://...")]) -> None:
    """Copy everything into another, empty database (stop the bot first). Killed half way, it goes on where it was."""
    from bot.store.moving import move_store
    from bot.store.store import StoreError, StoreSettingsError

    config = settings()
    target = config.model_copy(update={"database_url": SecretStr(url)})
    with open_store(config) as source, open_store(target) as destination, counting_bar("rows") as progress:
        try:
            counts = move_store(source, destination, lambda _, done, total: progress(done, total))
        except (StoreSettingsError, StoreError) as err:
            raise fail(str(err)) from None
    typer.echo(
        f"{sum(counts.values())} rows moved and compared. Set SMILELINE_DATABASE_URL to the new address."
    )


@line_cli.command("setup")
def line_setup() -> None:
    """Make the menu below the LINE chat, in every language of the FAQ; may be repeated."""
    from bot.app import line_channel, line_menus
    from bot.channels.port import SendFailed

    config = settings()
    channel = line_channel(config)
    if channel is None:
        raise fail("Set SMILELINE_LINE_TOKEN and SMILELINE_LINE_SECRET first.", 2)
    try:
        made = asyncio.run(channel.set_up_menus(line_menus(read_faq(config.faq))))
    except SendFailed as err:
        raise fail(f"LINE did not take the menus: {err.reason}") from None
    typer.echo(f"Menus in {', '.join(made)} are in place.")


@cli.command()
def health() -> None:
    """Ask the running server how it is; exit 1 when patients cannot be answered."""
    import urllib.error
    import urllib.request

    config = settings()
    host = "127.0.0.1" if config.host in ("0.0.0.0", "::") else config.host  # noqa: S104 - compared, not bound
    try:
        with urllib.request.urlopen(f"http://{host}:{config.port}/health", timeout=5) as answer:
            sys.stdout.write(answer.read().decode() + "\n")
    except urllib.error.HTTPError as err:
        sys.stdout.write(err.read().decode() + "\n")
        raise typer.Exit(1) from None
    except OSError as err:
        raise fail(f"No server answers on {config.http} ({err}). Is `smileline run` running?") from None


def main() -> None:
    cli()


if __name__ == "__main__":
    main()
