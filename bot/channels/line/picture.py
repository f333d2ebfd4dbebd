"""The rich menu's picture, drawn here: four fields, each with a sign and its label. Pure but for reading a font.

LINE wants 2500 x 843 pixels and at most 1 MB (Messaging API reference, "Rich menu image").
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT, FIELDS = 2500, 843, 4
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_BACK, _FIELD, _ACCENT, _INK = "#f6eef2", "#ffffff", "#b23a67", "#2b2330"
_SIGN_Y, _SIGN, _TEXT_Y, _TEXT_SIZE, _SMALL, _MARGIN = 300, 120, 590, 84, 60, 24
# Where Debian, Ubuntu, Alpine and Fedora put Noto Sans CJK; one file holds all four languages' letters.
CJK_FONTS = tuple(
    Path(folder) / name
    for folder in (
        "/usr/share/fonts/opentype/noto",
        "/usr/share/fonts/noto",
        "/usr/share/fonts/google-noto-cjk",
    )
    for name in ("NotoSansCJK-Bold.ttc", "NotoSansCJK-Regular.ttc", "NotoSansCJKjp-Regular.otf")
)
_FACES = {
    "ja": 0,
    "ko": 1,
    "zh": 2,
    "zh-Hant": 3,
}  # the collection's faces: the same character looks different in each


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the menu. `sign` is a key of SIGNS."""

    sign: str
    label: str


def cjk_font() -> Path | None:
    """A font of the system that has Chinese, Japanese and Korean letters."""
    return next((path for path in CJK_FONTS if path.exists()), None)


def can_write(text: str, font: Path | None) -> bool:
    """Whether `text` shows as letters rather than as boxes."""
    return font is not None or all(ord(char) < 0x250 for char in text)


def draw_menu(fields: Sequence[Field], language: str, font: Path | None) -> bytes:
    """The picture as PNG. Labels need `font` unless they are Latin."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), _BACK)
    draw = ImageDraw.Draw(picture)
    width = WIDTH // FIELDS
    for number, field in enumerate(fields):
        left = number * width
        box = (left + _MARGIN, _MARGIN, left + width - _MARGIN, HEIGHT - _MARGIN)
        draw.rounded_rectangle(box, radius=60, fill=_FIELD)
        SIGNS[field.sign](draw, left + width // 2, _SIGN_Y)
        _label(draw, field.label, left + width // 2, width - 4 * _MARGIN, language, font)
    out = io.BytesIO()
    picture.quantize(64).save(out, "PNG", optimize=True)
    return out.getvalue()


def _label(
    draw: ImageDraw.ImageDraw, text: str, x: int, width: int, language: str, path: Path | None
) -> None:
    """The label, smaller until it fits: between spaces in two lines, without spaces better in one."""
    for size in range(_TEXT_SIZE, 30, -4):
        font = _font(path, size, language)
        lines = _lines(draw, text, width, font)
        if len(lines) <= (2 if " " in text or size < _SMALL else 1):
            break
    top = _TEXT_Y - (len(lines) - 1) * size * 0.62
    for number, line in enumerate(lines[:2]):
        draw.text((x, top + number * size * 1.24), line, font=font, fill=_INK, anchor="mm")


def _lines(draw: ImageDraw.ImageDraw, text: str, width: int, font: Font) -> list[str]:
    words = text.split(" ") if " " in text else list(text)
    glue = " " if " " in text else ""
    lines = [""]
    for word in words:
        longer = f"{lines[-1]}{glue}{word}" if lines[-1] else word
        if draw.textlength(longer, font=font) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    too_wide = any(draw.textlength(line, font=font) > width for line in lines)
    return [text] * 3 if too_wide else [line for line in lines if line]


def _font(path: Path | None, size: int, language: str) -> Font:
    if path is None:
        return ImageFont.load_default(size)
    return ImageFont.truetype(path, size, index=_FACES.get(language, 0) if path.suffix == ".ttc" else 0)


def _ask(draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
    """A speech bubble with three dots."""
    draw.rounded_rectangle((x - _SIGN, y - 100, x + _SIGN, y + 60), radius=70, fill=_ACCENT)
    draw.polygon([(x - 60, y + 40), (x + 10, y + 50), (x - 70, y + 115)], fill=_ACCENT)
    for offset in (-60, 0, 60):
        draw.ellipse((x + offset - 17, y - 37, x + offset + 17, y - 3), fill=_FIELD)


def _recovery(draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
    """A leaf of a calendar with a tick."""
    draw.rounded_rectangle((x - 105, y - 90, x + 105, y + 105), radius=28, fill=_ACCENT)
    draw.rounded_rectangle((x - 80, y - 35, x + 80, y + 82), radius=12, fill=_FIELD)
    for offset in (-55, 55):
        draw.rounded_rectangle((x + offset - 13, y - 120, x + offset + 13, y - 60), radius=12, fill=_ACCENT)
    draw.line([(x - 42, y + 22), (x - 10, y + 54), (x + 48, y - 8)], fill=_ACCENT, width=24, joint="curve")


def _reminders(draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
    """A bell."""
    draw.pieslice((x - 88, y - 110, x + 88, y + 66), 180, 360, fill=_ACCENT)
    draw.polygon([(x - 88, y - 24), (x + 88, y - 24), (x + 122, y + 68), (x - 122, y + 68)], fill=_ACCENT)
    draw.ellipse((x - 16, y - 132, x + 16, y - 100), fill=_ACCENT)
    draw.pieslice((x - 38, y + 46, x + 38, y + 122), 0, 180, fill=_ACCENT)


def _person(draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
    """A person."""
    draw.ellipse((x - 58, y - 120, x + 58, y - 4), fill=_ACCENT)
    draw.pieslice((x - 122, y + 10, x + 122, y + 220), 180, 360, fill=_ACCENT)


SIGNS: dict[str, Callable[[ImageDraw.ImageDraw, int, int], None]] = {
    "ask": _ask,
    "recovery": _recovery,
    "reminders": _reminders,
    "person": _person,
}
