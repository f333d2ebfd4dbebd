"""The shipped faq.yaml with a few of its entries, layout and comments as they stand: quick to load and to edit."""

import re
from functools import cache

from intents.faq import Faq, load
from intents.understand import Understander
from tests.helpers import shipped_text, understander

FEW = ("smile_pain_duration", "swelling", "alcohol", "cost")


@cache
def small_text(ids: tuple[str, ...] = FEW) -> str:
    """The file with the entries `ids` only; see_also keeps what is left."""
    head, rest = shipped_text().split("\nentries:\n")
    entries, tail = re.split(r"(?=\n# -{40,}\n# Danger signs)", rest, maxsplit=1)
    chunks = {chunk.split("\n", 1)[0]: chunk for chunk in re.split(r"(?:^|\n)  - id: ", entries)[1:]}
    kept = [_pruned(chunks[id], ids) for id in ids]
    return f"{head}\nentries:\n" + "".join(f"\n  - id: {chunk}" for chunk in kept) + tail


@cache
def small_faq(ids: tuple[str, ...] = FEW) -> Faq:
    """The same, loaded."""
    return load(small_text(ids))


@cache
def small_understander() -> Understander:
    """Understands the same few entries."""
    return understander().with_faq(small_faq())


def _pruned(chunk: str, ids: tuple[str, ...]) -> str:
    chunk = re.sub(r"\n  # --- [^\n]*", "", chunk).rstrip() + "\n"
    return re.sub(
        r"see_also: \[(.*)\]",
        lambda m: f"see_also: [{', '.join(id for id in m[1].split(', ') if id in ids)}]",
        chunk,
    )
