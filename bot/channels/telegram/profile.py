"""What Telegram shows of the bot before anybody writes: its commands, and what it is for, in every language."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from bot import logs
from bot.channels.persist import persist
from bot.channels.port import SendFailed
from bot.channels.splitting import shorten
from bot.channels.telegram.client import BotApi

log = logs.get("telegram")

_COMMAND_UNITS, _DESCRIPTION_UNITS = 256, 512


@dataclass(frozen=True, slots=True)
class Profile:
    """`commands` gives the menu in a language, as names and their descriptions; `description` what stands in an empty chat."""

    commands: Callable[[str], list[tuple[str, str]]]
    description: Callable[[str], str]


async def show(api: BotApi, profile: Profile, languages: Iterable[str]) -> None:
    """By default in the first of `languages`, else in the person's. Never raises."""
    spoken = list(languages)
    for language in (None, *spoken):
        said = language or spoken[0]
        rows = [(name, shorten(text, _COMMAND_UNITS)) for name, text in profile.commands(said)]
        text = shorten(profile.description(said), _DESCRIPTION_UNITS)
        for what, call in (
            ("commands", partial(api.set_commands, rows, language)),
            ("description", partial(api.set_description, text, language)),
        ):
            try:
                await persist(call)
            except SendFailed as err:
                log.warning("profile_not_set", what=what, language=language, reason=err.reason)
