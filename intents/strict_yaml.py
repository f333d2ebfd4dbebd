"""YAML that staff type, read without surprises: every scalar stays the text it was typed as, and each has a place.

PyYAML's own loaders are unsafe with hostile or merely odd files: the C composer dies on deep nesting, the Python one
takes seconds on chained merge keys, a repeated key silently loses a value, and `9:30` becomes 570. So the tokens are
scanned first (scanning does not recurse), what we never need is refused, and only then nodes are composed.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import yaml

MAX_BYTES = 4_000_000
MAX_DEPTH = 12
MAX_TOKENS = 400_000
MAX_PROBLEMS = 200

_Base: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_IMPLICIT: Any = yaml.resolver.Resolver()
_OPENING = frozenset(
    (
        yaml.BlockMappingStartToken,
        yaml.BlockSequenceStartToken,
        yaml.FlowMappingStartToken,
        yaml.FlowSequenceStartToken,
    )
)
_CLOSING = frozenset((yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken))
_NEVER_READ = {
    yaml.AnchorToken: "anchors and aliases (& and *) are not read; write the text out",
    yaml.AliasToken: "anchors and aliases (& and *) are not read; write the text out",
    yaml.TagToken: 'tags (!) are not read; put text that starts with "!" in quotes',
    yaml.DirectiveToken: "directives (%) are not read; remove the line",
}

_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_ODD_LINE_BREAK = re.compile("[\x85\u2028\u2029]")

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing to mend. `line` and `column` count from 1; `level` is `error` (must not go live) or `warning`."""

    line: int
    column: int
    message: str
    level: str = "error"
    rule: str = "format"

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.level}: {self.message}"


class FaqProblems(Exception):
    """The file must not go live. `problems` holds every reason, in the order of the file."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(problems)[:MAX_PROBLEMS]
        super().__init__("\n".join(map(str, self.problems)))


class Scalar(str):
    """Text as typed. `reads_as` names what YAML 1.1 programs would make of it unquoted (bool, int, ...), or is ''."""

    __slots__ = ("reads_as",)
    reads_as: str


@dataclass(frozen=True, slots=True)
class Document:
    """Plain data and the place (line, column from 1) of every value, and of every key as `path + ('?',)`."""

    data: Any
    places: dict[Path, tuple[int, int]]

    def place(self, path: Path) -> tuple[int, int]:
        """The place of `path`, or of the nearest parent that stands in the file."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, (1, 1))


def read(source: bytes | str) -> Document:
    """Parse one YAML document into plain data with places. Raises FaqProblems."""
    text = _decode(source)
    _refuse_odd_line_breaks(text)
    _refuse_surprises(text)
    try:
        node = yaml.compose(text, Loader=_Base)
    except yaml.YAMLError as err:  # what the scanner lets pass and the parser does not
        raise FaqProblems([_from_yaml(err)]) from err
    if node is None:
        raise FaqProblems(
            [Problem(1, 1, "the file is empty; restore it from a backup or from the shipped faq.yaml")]
        )
    places: dict[Path, tuple[int, int]] = {}
    problems: list[Problem] = []
    data = _plain(node, (), places, problems)
    if problems:
        raise FaqProblems(problems)
    return Document(data, places)


def _decode(source: bytes | str) -> str:
    size = len(source)
    if size > MAX_BYTES:
        raise FaqProblems([Problem(1, 1, f"the file has {size:,} bytes; at most {MAX_BYTES:,} are read")])
    if isinstance(source, str):
        return source
    try:
        return source.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        line = source.count(b"\n", 0, err.start) + 1
        column = err.start - source.rfind(b"\n", 0, err.start)
        raise FaqProblems(
            [Problem(line, column, "this is not UTF-8 text; save the file with the encoding UTF-8")]
        ) from err


def _refuse_odd_line_breaks(text: str) -> None:
    """YAML counts them as lines and editors do not: every number of a line after one would be wrong."""
    odd = list(islice(_ODD_LINE_BREAK.finditer(text), MAX_PROBLEMS))
    if not odd:
        return
    starts = [0, *(found.end() for found in _LINE_BREAK.finditer(text, 0, odd[-1].start()))]
    problems = []
    for found in odd:
        line = bisect_right(starts, found.start())
        message = f"an invisible line break (U+{ord(found[0]):04X}), as other programs copy it, stands here; delete it"
        problems.append(Problem(line, found.start() - starts[line - 1] + 1, message))
    raise FaqProblems(problems)


def _refuse_surprises(text: str) -> None:
    problems: list[Problem] = []
    depth = 0
    try:
        for count, token in enumerate(_tokens(text), 1):
            kind = type(token)
            if isinstance(token, yaml.ScalarToken):  # the commonest first: a long file has 20,000 tokens
                if token.plain and token.value == "<<":
                    problems.append(_at(token, "merge keys (<<) are not read; write the keys out"))
            elif kind in _OPENING:
                depth += 1
            elif kind in _CLOSING:
                depth -= 1
            elif kind in _NEVER_READ:
                problems.append(_at(token, _NEVER_READ[kind]))
            elif (
                kind is yaml.DocumentStartToken and count > 2
            ):  # after the stream's start, before anything else
                message = "a second document starts here (---); one file holds one document"
                problems.append(_at(token, message))
            if depth > MAX_DEPTH:
                message = f"nested more than {MAX_DEPTH} levels deep; check brackets and indentation"
                problems.append(_at(token, message))
                break
            if count > MAX_TOKENS or len(problems) >= MAX_PROBLEMS:
                message = "the file is far larger than any FAQ; nothing after this was read"
                problems.append(_at(token, message))
                break
    except yaml.YAMLError as err:
        problems.append(_from_yaml(err))
    if problems:
        raise FaqProblems(problems)


def _tokens(text: str) -> Iterator[yaml.Token]:
    yield from yaml.scan(text, Loader=_Base)


def _at(token: yaml.Token, message: str) -> Problem:
    return Problem(token.start_mark.line + 1, token.start_mark.column + 1, message)


def _from_yaml(err: yaml.YAMLError) -> Problem:
    mark = getattr(err, "problem_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    what = getattr(err, "problem", None) or getattr(err, "reason", None) or "cannot be read"
    context = getattr(err, "context", None)
    return Problem(
        line,
        column,
        f"this is not valid YAML: {what}{f' ({context})' if context else ''}; "
        "check indentation, colons and quotes on this line and the one before",
    )


def _reads_as(text: str) -> str:
    """What YAML programs make of unquoted `text`: bool, int, float, null, timestamp, or '' for text."""
    if text.isascii() and text.isdigit():  # 0312345678: text for YAML 1.1, a number for YAML 1.2
        return "int"
    tag: str = _IMPLICIT.resolve(yaml.ScalarNode, text, (True, False))
    return "" if tag.endswith(":str") else tag.rpartition(":")[2]


def _plain(node: yaml.Node, path: Path, places: dict[Path, tuple[int, int]], problems: list[Problem]) -> Any:
    places[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, yaml.ScalarNode):
        value = Scalar(node.value)
        value.reads_as = "" if node.style else _reads_as(node.value)
        return value
    if isinstance(node, yaml.SequenceNode):
        return [_plain(child, (*path, i), places, problems) for i, child in enumerate(node.value)]
    result: dict[str, Any] = {}
    for key, child in node.value:
        line, column = key.start_mark.line + 1, key.start_mark.column + 1
        if not isinstance(key, yaml.ScalarNode):
            problems.append(Problem(line, column, "a key must be a word, not a list or a map"))
        elif key.value in result:
            first = places[(*path, key.value, "?")][0]
            problems.append(
                Problem(
                    line, column, f'the key "{key.value}" stands here again; it is on line {first} already'
                )
            )
        else:
            places[(*path, key.value, "?")] = (line, column)
            result[key.value] = _plain(child, (*path, key.value), places, problems)
    return result
