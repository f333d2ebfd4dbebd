"""Long texts in parts that a platform takes, cut where a reader would pause.

Platforms count UTF-16 code units (LINE says so; for Telegram it is the stricter reading): an emoji counts two.
"""

import re
import unicodedata

_ZERO_WIDTH_JOINER = "\u200d"
_PAUSES = (
    re.compile(r"\n\s*\n\s*"),  # a paragraph
    re.compile(r"\n\s*"),
    re.compile(r"[.!?…][\"')\]]*\s+|[。！？][」』）]*\s*"),  # a sentence
)
_SPACE = re.compile(r"\s+")


def units(text: str) -> int:
    """The length of `text` as the platforms count it."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def split(text: str, limit: int) -> list[str]:
    """`text` in parts of at most `limit` units, none empty, nothing lost but the space at the cuts."""
    parts, rest = [], text.strip()
    while units(rest) > limit:
        cut = _cut(rest, _fitting(rest, limit))
        parts.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return [part for part in [*parts, rest] if part]


def shorten(text: str, limit: int) -> str:
    """`text` cut to `limit` units, with an ellipsis when something is missing."""
    text = " ".join(text.split())
    if units(text) <= limit:
        return text
    return text[: _whole(text, _fitting(text, limit - 1))].rstrip() + "…"


def printable(text: str) -> str:
    """`text` without what no database or JSON takes: lone surrogates become U+FFFD, NUL goes."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "")


def _fitting(text: str, limit: int) -> int:
    """How many characters from the start fit into `limit` units."""
    end = min(len(text), limit)
    while units(text[:end]) > limit:
        end -= max(1, (units(text[:end]) - limit) // 2)
    return end


def _cut(text: str, end: int) -> int:
    """Where to cut `text` so that at most `end` characters come first: a pause in the second half, else a space."""
    for pause in _PAUSES:
        ends = [
            match.end()
            for match in pause.finditer(text, 0, end + 1)
            if len(text[: match.end()].rstrip()) <= end
        ]
        if ends and ends[-1] > end // 2:
            return ends[-1]
    spaces = [match.start() for match in _SPACE.finditer(text, 1, end + 1)]
    return spaces[-1] if spaces and spaces[-1] > end // 2 else _whole(text, end)


def _whole(text: str, end: int) -> int:
    """`end`, or a little before it so that no letter is parted from its marks; `end` itself when that cannot be."""
    cut = end
    while cut > max(1, end - 24) and cut < len(text) and _belongs(text[cut - 1], text[cut]):
        cut -= 1
    return cut if cut > max(1, end - 24) else end


def _belongs(before: str, char: str) -> bool:
    joined = _ZERO_WIDTH_JOINER in (before, char)
    return joined or unicodedata.category(char) in ("Mn", "Me", "Mc") or 0x1F3FB <= ord(char) <= 0x1F3FF
