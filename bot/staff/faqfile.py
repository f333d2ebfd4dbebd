"""Edits of faq.yaml by the program: one entry changes, and every other byte stays.

An edit is text -> text: the lines of the one entry go through ruamel.yaml (which keeps comments and quotes) and are put back
between the lines around them. The result is read again as strictly as any file, and must differ by exactly what was meant.
`saving.save` writes it only over the version it was made from.
"""

import copy
import io
from collections.abc import Callable
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

from bot.staff.saving import EditRefused
from intents.faq import load
from intents.strict_yaml import Document, read

_LONG = 70  # from this length, or with a line break, a text is written as a block under |-


def add_question(text: str, entry_id: str, language: str, question: str) -> str:
    """`text` with one more phrasing of an entry. Raises EditRefused, or FaqProblems when the result may not go live."""
    question = " ".join(question.split())

    def change(entry: Any, plain: bool) -> None:
        questions = entry["questions"].setdefault(language, [])
        if question.casefold() in (known.casefold() for known in questions):
            raise EditRefused(f'"{question}" stands under {entry_id} already')
        questions.append(question if plain else DoubleQuotedScalarString(question))

    return edited(text, entry_id, change)


def set_text(text: str, entry_id: str, field: str, language: str, words: str) -> str:
    """`text` with the `label` or `answer` of an entry in one language replaced. Raises as `add_question`."""
    words = words.replace("\r\n", "\n").strip()

    def change(entry: Any, plain: bool) -> None:
        entry[field][language] = words if plain else styled(words)

    return edited(text, entry_id, change)


def set_questions(text: str, entry_id: str, language: str, questions: list[str]) -> str:
    """`text` with the phrasings of an entry in one language replaced; known ones keep their place and comments."""
    wanted = list(dict.fromkeys(" ".join(q.split()) for q in questions if q.strip()))

    def change(entry: Any, plain: bool) -> None:
        listed = entry["questions"].setdefault(language, [])
        for i in reversed(range(len(listed))):
            if listed[i] not in wanted:
                del listed[i]
        listed.extend(
            q if plain else DoubleQuotedScalarString(q) for q in wanted if q not in list(map(str, listed))
        )

    return edited(text, entry_id, change)


def set_reviewed(text: str, entry_id: str, on: str, by: str) -> str:
    """`text` with the review of an entry renewed; `on` is YYYY-MM-DD. Raises as `add_question`."""

    def change(entry: Any, plain: bool) -> None:
        entry["reviewed"]["on"] = on if plain else _Plain(on)
        entry["reviewed"]["by"] = by if plain else DoubleQuotedScalarString(by)

    return edited(text, entry_id, change)


def add_entry(text: str, entry: dict[str, Any], after: str | None = None) -> str:
    """`text` with a new entry behind the entry `after`, else behind the last one of its group.

    `entry` holds plain values in the file's shape. Raises as `add_question`.
    """
    document = read(text)
    index = _index(document, after or _last_of_group(document, entry["group"]))
    end = _span(text, document, index)[1]
    lines = text.splitlines(keepends=True)
    margin, offset = _layout(document, index)
    fragment = _like(text, "\n" + _dump([styled(entry)], margin, offset))
    result = "".join([*lines[:end], fragment, *lines[end:]])
    wanted = copy.deepcopy(document.data)
    wanted["entries"].insert(index + 1, _bare(entry))
    return _verified(result, wanted)


def edited(text: str, entry_id: str, change: Callable[[Any, bool], None]) -> str:
    """Apply `change` to the lines of one entry, and to the plain data, and see that both come to the same."""
    document = read(text)
    index = _index(document, entry_id)
    start, end = _span(text, document, index)
    lines = text.splitlines(keepends=True)
    wanted = copy.deepcopy(document.data)
    try:
        layout = _layout(document, index)
        yaml = _yaml(layout[1])
        fragment = yaml.load("".join(lines[start:end]))
        change(fragment[0], False)
        change(wanted["entries"][index], True)
    except (YAMLError, KeyError, TypeError, IndexError) as err:
        raise EditRefused(f"the lines of {entry_id} are laid out in a way only an editor can change") from err
    written = _like(text, _dump(fragment, *layout))
    return _verified("".join([*lines[:start], written, *lines[end:]]), wanted)


def _verified(text: str, wanted: Any) -> str:
    """`text` when it may go live and says exactly `wanted`. Raises FaqProblems with its lines, or EditRefused."""
    load(text)
    if read(text).data != wanted:
        raise EditRefused(
            "the edit would have changed more than was meant; please make it in the file itself"
        )
    return text


def _ids(document: Document) -> list[tuple[str, str]]:
    """(id, group) of every entry. Raises EditRefused for a file that is no FAQ at the moment."""
    entries = document.data.get("entries") if isinstance(document.data, dict) else None
    if (
        not entries
        or not isinstance(entries, list)
        or not all(isinstance(e, dict) and "id" in e for e in entries)
    ):
        raise EditRefused(
            "the file is not in order now: it is being saved, or has mistakes. Mend it, or wait a moment, and try again"
        )
    return [(str(entry["id"]), str(entry.get("group"))) for entry in entries]


def _index(document: Document, entry_id: str) -> int:
    ids = [id for id, _ in _ids(document)]
    if entry_id not in ids:
        raise EditRefused(f"there is no entry {entry_id} in the file any more; reload the page")
    return ids.index(entry_id)


def _last_of_group(document: Document, group: str) -> str:
    """The id of the group's last entry; of the file's when the group has none yet."""
    entries = _ids(document)
    return [*entries[-1:], *(entry for entry in entries if entry[1] == group)][-1][0]


def _span(text: str, document: Document, index: int) -> tuple[int, int]:
    """The lines (from 0, end excluded) of an entry, without the blank lines and comments that lead to what follows."""
    start = document.places["entries", index][0] - 1
    following = [
        line - 1
        for path, (line, _) in document.places.items()
        if line - 1 > start and (path == ("entries", index + 1) or (len(path) == 2 and path[1] == "?"))
    ]
    lines = text.splitlines()
    end = min(following, default=len(lines))
    while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    return start, end


def _layout(document: Document, index: int) -> tuple[int, int]:
    """(spaces before the "-" of entries, spaces from a key to the "-" of a list under it)."""
    margin = document.places["entries", index][1] - 3
    entry = document.data["entries"][index]
    questions = entry.get("questions")
    for language in questions if isinstance(questions, dict) else ():
        key = document.places["entries", index, "questions", language, "?"]
        item = document.places.get(("entries", index, "questions", language, 0), key)
        if item[0] > key[0]:
            return margin, max(0, item[1] - 2 - key[1])
    return margin, 2


class _Plain(str):
    """Written without quotes, as a date is."""

    __slots__ = ()


def _like(text: str, written: str) -> str:
    """`written` with the line ends of `text`."""
    return written.replace("\n", "\r\n") if "\r\n" in text else written


def styled(value: Any) -> Any:
    """Plain values -> as the shipped file writes them: long texts as blocks, the others in double quotes."""
    if isinstance(value, dict):
        return {key: _unquoted(item) if key in _BARE else styled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [styled(item) for item in value]
    if not isinstance(value, str):
        return value
    if "\n" in value or len(value) > _LONG:
        return LiteralScalarString(value.strip())
    return DoubleQuotedScalarString(value)


def _unquoted(value: Any) -> Any:
    if isinstance(value, list):
        inline = CommentedSeq(value)
        inline.fa.set_flow_style()
        return inline
    return _Plain(value) if isinstance(value, str) and value[:4].isdigit() else value


_BARE = ("id", "group", "urgency", "see_also", "sources", "on", "first", "last")


def _bare(value: Any) -> Any:
    """Plain values as the strict reader gives them back: everything is text."""
    if isinstance(value, dict):
        return {key: _bare(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_bare(item) for item in value]
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).strip() if isinstance(value, str) else str(value)


def _yaml(offset: int) -> YAML:
    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 100_000  # never fold a line that staff wrote
    yaml.allow_unicode = True
    yaml.indent(mapping=2, sequence=offset + 2, offset=offset)
    yaml.representer.add_representer(
        _Plain, lambda r, v: r.represent_scalar("tag:yaml.org,2002:timestamp", v)
    )
    return yaml


def _dump(fragment: Any, margin: int, offset: int) -> str:
    out = io.StringIO()
    _yaml(offset).dump(fragment, out)
    text = out.getvalue()
    have = len(text) - len(text.lstrip(" "))
    if have == margin:
        return text
    shift = margin - have
    return "".join(
        (" " * shift + line if shift > 0 else line[-shift:]) if line.strip() else line
        for line in text.splitlines(keepends=True)
    )
