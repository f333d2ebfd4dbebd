"""What the clinic hands to one patient: a link for each messenger and its QR code."""

import asyncio
import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import segno

from bot.channels.line.client import LineApi
from bot.channels.port import SendFailed
from bot.channels.telegram.client import BotApi
from bot.config import Settings
from bot.core import enrol
from bot.core.dates import FUTURE_DAYS, PAST_DAYS
from bot.store.store import Store
from intents.faq import THREAD_LIFT

LONGEST_DAYS = 90  # that a link may live
PICTURES = (".png", ".svg")


class LinkError(Exception):
    """No link can be made; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Names:
    """Whom a link leads to: the Telegram bot's name, and LINE's basic id such as @123abcde."""

    telegram: str | None
    line: str | None


@dataclass(frozen=True, slots=True)
class Link:
    platform: str
    url: str

    @property
    def qr(self) -> Any:
        """The link as a QR code (segno.QRCode), with error correction M: paper gets creased."""
        return segno.make(self.url, error="m", micro=False)

    def save(self, path: Path) -> Path:
        """The picture at `path` with the platform's name in it: card.png -> card-telegram.png. Raises LinkError."""
        target = path.with_stem(f"{path.stem}-{self.platform.lower()}")
        try:
            self.qr.save(str(target), scale=8, border=4)
        except OSError as err:
            raise LinkError(f"{target} cannot be written ({err.strerror}); choose another folder") from err
        return target


async def ask_names(settings: Settings, bot: str | None, line_id: str | None) -> Names:
    """The names as given, else as the platforms tell them. Raises LinkError when there is none at all."""
    telegram, line = await asyncio.gather(_bot_name(settings, bot), _line_id(settings, line_id))
    problems = [name for name in (telegram, line) if isinstance(name, LinkError)]
    names = Names(*(name if isinstance(name, str) else None for name in (telegram, line)))
    if names.telegram or names.line:
        return names
    if problems:
        raise problems[0]
    raise LinkError(
        "No messenger is set: give --bot or --line-id, or set SMILELINE_TELEGRAM_TOKEN or SMILELINE_LINE_TOKEN"
    )


async def _bot_name(settings: Settings, given: str | None) -> str | LinkError | None:
    if given or settings.telegram_token is None:
        return given
    api = BotApi(settings.telegram_token.get_secret_value(), settings.telegram_api_url)
    try:
        return await api.username()
    except SendFailed as err:
        return LinkError(f"Telegram does not tell the bot's name ({err.reason}); give it with --bot")
    finally:
        await api.close()


async def _line_id(settings: Settings, given: str | None) -> str | LinkError | None:
    if given or settings.line_token is None:
        return given
    api = LineApi(settings.line_token.get_secret_value(), settings.line_api_url)
    try:
        return await api.basic_id()
    except SendFailed as err:
        return LinkError(f"LINE does not tell the account's basic id ({err.reason}); give it with --line-id")
    finally:
        await api.close()


def links(names: Names, payload: str) -> list[Link]:
    """One link for each messenger; whichever the patient follows first uses up both."""
    made = []
    if names.telegram:
        made.append(Link("Telegram", enrol.telegram_link(names.telegram, payload)))
    if names.line:
        made.append(Link("LINE", enrol.line_link(names.line, payload)))
    return made


def check(date: str, days_valid: int, today: dt.date) -> dt.date:
    """The procedure date of a link. Raises LinkError."""
    try:
        day = dt.date.fromisoformat(date)
    except ValueError:
        raise LinkError(f'"{date}" is not a date; write it as YYYY-MM-DD, such as 2026-11-20') from None
    if not -FUTURE_DAYS <= (today - day).days < PAST_DAYS:
        raise LinkError(
            f"{day} is too far away; allowed: {PAST_DAYS - 1} days back to {FUTURE_DAYS} days ahead"
        )
    if not 1 <= days_valid <= LONGEST_DAYS:
        raise LinkError(f"{days_valid} days cannot be; allowed: 1 to {LONGEST_DAYS}")
    return day


def check_picture(path: Path | None) -> None:
    """Raises LinkError when no picture can be made there; asked before the link is."""
    if path and path.suffix.lower() not in PICTURES:
        raise LinkError(f'"{path}" is no picture that can be made; allowed: {", ".join(PICTURES)}')
    if path and not path.absolute().parent.is_dir():
        raise LinkError(f"{path.parent} is no folder; make it first")


def invite(
    store: Store,
    date: dt.date,
    now: dt.datetime,
    days_valid: int,
    *,
    language: str | None = None,
    timezone: str | None = None,
    procedure: str | None = None,
    kind: str = THREAD_LIFT,
) -> str:
    """Keep an invitation; returns its payload. `language` as the commands take it: en, ja, ko, zh, zh-Hant."""
    code, _, script = (language or "").partition("-")
    return store.add_invitation(
        date,
        now + dt.timedelta(days=days_valid),
        now,
        language=code or None,
        traditional=script == "Hant",
        timezone=timezone,
        procedure=procedure,
        kind=kind,
    )
