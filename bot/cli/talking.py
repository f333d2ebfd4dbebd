"""Commands that talk: everything that is configured, the terminal, lines in and out, and how the server is."""

import asyncio
import datetime as dt
import json
import sys
from typing import Annotated

import typer

from bot import logs
from bot.cli.console import (
    FaqOption,
    errors,
    fail,
    plain_faults,
    read_faq,
    settings,
    training_bar,
    understander,
)
from intents.faq import FaqProblems


def run() -> None:
    """Everything that is configured: Telegram, LINE, web page, reminders."""
    from bot.app import App

    config = settings()
    logs.set_up(config.log_level)
    try:
        with plain_faults(), training_bar() as progress:
            app = App(config, progress=progress)  # type: ignore[arg-type]
    except (FaqProblems, OSError) as err:
        raise fail(f"Smileline cannot start with {config.faq}:\n{err}") from None
    errors.print(f"\nSmileline is here: [bold]http://{config.http}[/bold]   (Ctrl-C stops it)\n")
    try:
        with plain_faults():
            asyncio.run(app.serve())
    except OSError as err:
        raise fail(
            f"Smileline cannot listen on {config.http}: {err.strerror}. Set SMILELINE_HTTP to another port."
        ) from None


def chat() -> None:
    """The same conversation in the terminal. /help lists what it can do; an empty line or Ctrl-D ends it."""
    from bot.terminal import talk

    config = settings()
    logs.set_up("ERROR")
    faq = read_faq(config.faq)
    ready = understander(config, faq)
    with plain_faults():
        asyncio.run(talk(config, ready))


def ask(
    jsonl: Annotated[bool, typer.Option("--jsonl", help="One JSON object a line")] = False,
    faq: FaqOption = None,
    lang: Annotated[str | None, typer.Option(help="The asker's language: en, ja, ko, zh")] = None,
    day: Annotated[int | None, typer.Option(min=0, max=4000, help="The asker's recovery day")] = None,
) -> None:
    """One message a line of standard input, one answer a line of standard output, in order."""
    from bot import commands

    config = settings()
    if lang and not commands.known_language(lang):
        raise fail(f'--lang "{lang}" is not known; allowed: en, ja, ko, zh', 2)
    ready = understander(config, read_faq(faq or config.faq))
    now = dt.datetime.now(dt.UTC)
    for raw in sys.stdin.buffer:
        text = raw.decode("utf-8", "replace").rstrip("\r\n")
        result = commands.ask(ready, text, day, lang, now, buttons=not jsonl)
        line = json.dumps(result, ensure_ascii=False) if jsonl else f"{result['reply']}\n"
        sys.stdout.buffer.write(line.encode("utf-8", "replace") + b"\n")
        if not jsonl:
            sys.stdout.buffer.flush()
    sys.stdout.buffer.flush()


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
