"""Text in Han characters alone: is it Japanese or Chinese? Learned from the library's own lines."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from intents.library import Library
from intents.text import HAN

_HAN_RUN = re.compile(f"[{HAN}]+")


def _pieces(text: str) -> list[str]:
    runs = _HAN_RUN.findall(unicodedata.normalize("NFKC", text))
    return [run[i : i + n] for run in runs for n in (1, 2) for i in range(len(run) - n + 1)]


def _counted(texts: Iterable[str]) -> Counter[str]:
    """How often each of the `_pieces` stands in all of them."""
    runs = "\n".join("\n".join(_HAN_RUN.findall(unicodedata.normalize("NFKC", text))) for text in texts)
    pieces = Counter(runs) + Counter(map("".join, pairwise(runs)))
    return Counter({piece: n for piece, n in pieces.items() if "\n" not in piece})


@dataclass(frozen=True)
class HanScript:
    """`leaning`: piece -> log odds that it stands in Japanese rather than Chinese text."""

    leaning: dict[str, float]

    @staticmethod
    def fit(library: Library) -> "HanScript":
        counts = {
            code: _counted(line.text for line in library.lines if line.language == code)
            for code in ("ja", "zh")
        }
        totals = {code: sum(counter.values()) + 1 for code, counter in counts.items()}
        both = {piece for counter in counts.values() for piece, n in counter.items() if n > 1}
        return HanScript(
            {
                piece: round(
                    math.log((counts["ja"][piece] + 0.5) / totals["ja"])
                    - math.log((counts["zh"][piece] + 0.5) / totals["zh"]),
                    2,
                )
                for piece in sorted(both)
            }
        )

    def is_japanese(self, text: str) -> bool:
        return sum(filter(None, map(self.leaning.get, _pieces(text)))) > 0
