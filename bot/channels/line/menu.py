"""The rich menu under LINE's chat: four fields, one menu a language, set up once by `smileline line setup`."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.channels.line import picture
from bot.channels.line.client import Json, LineApi
from bot.channels.splitting import shorten

_PREFIX = "smileline-"
_CHAT_BAR_UNITS, _LABEL_UNITS = 14, 20
# The fields: their sign, and the action a tap sends, see bot.core.actions. "ask" opens the keyboard besides.
FIELDS = (("ask", "help"), ("recovery", "recovery"), ("reminders", "reminders"), ("person", "person"))


@dataclass(frozen=True, slots=True)
class MenuTexts:
    """The words of one language: of the bar that opens the menu, and of the four fields in the order of FIELDS."""

    bar: str
    labels: Sequence[str]


async def set_up_rich_menus(
    api: LineApi, texts: Mapping[str, MenuTexts], *, font: Path | None = None
) -> dict[str, str]:
    """Make the menus that LINE does not have yet, show the first language's to everybody, remove our outdated ones.

    Returns language -> menu id; running it again changes nothing. Without a font for their letters, languages get the first
    Latin language's labels. Raises SendFailed. Dying anywhere leaves nothing that the next run does not finish.
    """
    font = font or picture.cjk_font()
    named, ours = await api.menus()
    wanted = {
        language: _menu(language, texts[language], _legible(language, texts, font), font)
        for language in texts
    }
    made: dict[str, str] = {}
    for language, (alias, menu, image) in wanted.items():
        made[language] = (
            named[alias] if named.get(alias) in ours else await api.create_menu(menu, image, alias)
        )
    await api.show_menu_to_all(next(iter(made.values())))
    for alias, menu_id in named.items():
        if alias.startswith(_PREFIX) and menu_id not in made.values():
            await api.delete_menu_alias(alias)
    for menu_id in ours - set(made.values()):
        await api.delete_menu(menu_id)
    return made


def language_of(alias: str) -> str | None:
    """The language of one of our menus' aliases."""
    return alias.removeprefix(_PREFIX).rsplit("-", 1)[0] if alias.startswith(_PREFIX) else None


def _legible(language: str, texts: Mapping[str, MenuTexts], font: Path | None) -> MenuTexts:
    """The picture's words: another language's when this one's letters cannot be drawn."""
    candidates = [texts[language], *texts.values()]
    return next(
        (t for t in candidates if all(picture.can_write(label, font) for label in t.labels)), texts[language]
    )


def _menu(language: str, own: MenuTexts, drawn: MenuTexts, font: Path | None) -> tuple[str, Json, bytes]:
    """The alias, the menu and its picture. The alias changes with any of the content."""
    fields = [picture.Field(sign, label) for (sign, _), label in zip(FIELDS, drawn.labels, strict=True)]
    image = picture.draw_menu(fields, language, font)
    menu: Json = {
        "size": {"width": picture.WIDTH, "height": picture.HEIGHT},
        "selected": False,
        "name": f"{_PREFIX}{language}",
        "chatBarText": shorten(own.bar, _CHAT_BAR_UNITS) or "·",
        "areas": [_area(number, action, own.labels[number]) for number, (_, action) in enumerate(FIELDS)],
    }
    digest = hashlib.sha256(json.dumps(menu, sort_keys=True).encode() + image).hexdigest()[:8]
    return f"{_PREFIX}{language.lower()}-{digest}", menu, image


def _area(number: int, action: str, label: str) -> Json:
    width = picture.WIDTH // picture.FIELDS
    label = shorten(label, _LABEL_UNITS)
    tap: Json = {"type": "postback", "label": label, "data": action, "displayText": label}
    if FIELDS[number][0] == "ask":
        tap["inputOption"] = "openKeyboard"
    return {"bounds": {"x": number * width, "y": 0, "width": width, "height": picture.HEIGHT}, "action": tap}
