"""YAML that staff type: every surprise is refused with its place, and nothing takes the process down."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intents.strict_yaml import MAX_BYTES, FaqProblems, read


def problems(source: str | bytes) -> list[str]:
    with pytest.raises(FaqProblems) as caught:
        read(source)
    return [str(problem) for problem in caught.value.problems]


def test_scalars_stay_as_typed() -> None:
    data = read("a: 9:30\nb: no\nc: 010\nd: 2026-11-20\n").data

    assert data == {"a": "9:30", "b": "no", "c": "010", "d": "2026-11-20"}


def test_unquoted_look_alikes_are_marked_and_quoted_ones_are_not() -> None:
    data = read("a: 9:30\nb: no\nc: 'no'\nd: plain words\n").data

    assert [data[key].reads_as for key in "abcd"] == ["int", "bool", "", ""]


def test_repeated_key_names_both_lines() -> None:
    assert problems("a: 1\nb: 2\na: 3\n") == [
        'line 3, column 1: error: the key "a" stands here again; it is on line 1 already'
    ]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("a: &x 1\nb: *x\n", "anchors"),
        ("a: {<<: {b: 1}}\n", "merge keys"),
        ("a: !!python/object:os.system x\n", "tags"),
        ("%YAML 1.1\n---\na: 1\n", "directives"),
        ("a: 1\n---\nb: 2\n", "second document"),
        ("? [a, b]\n: 1\n", "a key must be a word"),
        ("a: [1, 2\nb: 3\n", "not valid YAML"),
        ("a:\n\t- 1\n", "not valid YAML"),
        ("", "empty"),
        ("a: \x00\n", "not valid YAML"),
    ],
)
def test_what_is_never_needed_is_refused_with_its_line(text: str, word: str) -> None:
    found = problems(text)

    assert any(word in line for line in found)
    assert all(line.startswith("line ") for line in found)


def test_text_that_is_not_utf8_names_line_and_column() -> None:
    assert problems(b"a: ok\nb: \xff\n")[0].startswith("line 2, column 4: error: this is not UTF-8")


def test_oversized_file_is_refused_without_being_parsed() -> None:
    assert "bytes" in problems("a: " + "x" * MAX_BYTES)[0]


@pytest.mark.parametrize("text", ["[" * 2_000, "[" * 200_000, "{a: " * 5_000, "- " * 3_000 + "x"])
def test_deep_nesting_ends_quickly_with_a_line(text: str) -> None:

    assert any("nested" in line or "not valid" in line for line in problems(text))


@pytest.mark.parametrize("odd", ["\x85", "\u2028", "\u2029"])
def test_a_line_break_that_no_editor_counts_is_named_where_it_stands(odd: str) -> None:
    with pytest.raises(FaqProblems) as caught:
        read(f"a: 1\r\nb: |\n  one{odd}  two\nc: {odd}\n")

    assert [(p.line, p.column) for p in caught.value.problems] == [(3, 6), (4, 4)]
    assert all("invisible line break" in p.message for p in caught.value.problems)


def test_alias_bomb_and_chained_merge_keys_end_quickly() -> None:
    bomb = "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}\n" for i in range(1, 25))

    assert any("anchors" in line for line in problems(bomb))


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused_with_problems(text: str) -> None:
    with contextlib.suppress(FaqProblems):
        read(text)
