"""The phrasing library: what patients type, by what they mean. Data files beside this module, one set a language.

phrases/<lang>.yaml   topic id -> phrasings
dangers/<lang>.yaml   danger sign -> reports (it is so now) and not_reports (topic id, out_of_scope, smalltalk or ~reply key -> lines that
                      only look like it)
other/<lang>.yaml     out_of_scope, smalltalk (reply key -> lines), service (word of service -> lines)
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
KINDS = ("phrases", "dangers", "other")
OUT_OF_SCOPE = "out_of_scope"
_Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


@dataclass(frozen=True, slots=True)
class Line:
    """One phrasing. `label` is a topic id, `!sign`, `out_of_scope`, `~reply key` or `@service`."""

    text: str
    label: str
    language: str


@dataclass(frozen=True)
class Library:
    """Every line, and `version`, a hash of the files it came from."""

    lines: tuple[Line, ...]
    version: str
    labels: tuple[str, ...] = field(default=())

    @staticmethod
    def load(folder: Path = FOLDER) -> "Library":
        """Read all files under `folder`. Raises ValueError naming the file when one is broken."""
        lines: list[Line] = []
        for kind, path in _files(folder):
            try:
                lines += _READERS[kind](yaml.load(path.read_bytes(), Loader=_Loader), path.stem)  # noqa: S506 - strings only
            except (yaml.YAMLError, AttributeError, TypeError, KeyError) as err:
                raise ValueError(f"{path} cannot be read: {err}") from err
        unique = tuple(dict.fromkeys(lines))
        return Library(unique, version(folder), tuple(sorted({line.label for line in unique})))


def version(folder: Path = FOLDER) -> str:
    """A hash of all files, without parsing them."""
    digest = hashlib.sha256()
    for _, path in _files(folder):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _files(folder: Path) -> list[tuple[str, Path]]:
    return [(kind, path) for kind in KINDS for path in sorted((folder / kind).glob("*.yaml"))]


def _phrases(data: dict[str, list[str]], language: str) -> list[Line]:
    return [Line(text, topic, language) for topic, texts in data.items() for text in texts]


def _dangers(data: dict[str, Any], language: str) -> list[Line]:
    lines = []
    for sign, both in data.items():
        lines += [Line(text, f"!{sign}", language) for text in both["reports"]]
        for topic, texts in both["not_reports"].items():
            label = "~laugh" if topic == "smalltalk" else topic
            lines += [Line(text, label, language) for text in texts]
    return lines


def _other(data: dict[str, Any], language: str) -> list[Line]:
    lines = [Line(text, OUT_OF_SCOPE, language) for text in data.get(OUT_OF_SCOPE, [])]
    for prefix, kind in (("~", "smalltalk"), ("@", "service")):
        lines += [
            Line(text, prefix + key, language) for key, texts in data.get(kind, {}).items() for text in texts
        ]
    return lines


_READERS = {"phrases": _phrases, "dangers": _dangers, "other": _other}
