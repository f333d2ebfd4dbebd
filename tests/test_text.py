"""What folding rests on: the table of Chinese characters, and texts kept as two arrays."""

import json
from typing import Any

import opencc
import pytest

from intents.text import HAN_TABLE, fold, guess_language, is_traditional
from intents.texts import Texts

HAN = "".join(chr(code) for code in (*range(0x3400, 0x4DC0), *range(0x4E00, 0xA000)))


def converted(config: str) -> list[str]:
    converter: Any = opencc.OpenCC(config)
    found: list[str] = converter.convert("\n".join(HAN)).split("\n")
    return found


def table() -> dict[str, str]:
    """The table as OpenCC has it: to write it anew, dump this into HAN_TABLE."""
    simple = {a: b for a, b in zip(HAN, converted("t2s"), strict=True) if a != b and len(b) == 1}
    pairs = zip(HAN, converted("s2t"), strict=True)
    return {
        "traditional": "".join(simple),
        "simplified": "".join(simple.values()),
        "only_simplified": "".join(sorted(a for a, b in pairs if a != b and a not in simple)),
    }


def test_the_table_of_characters_is_that_of_opencc() -> None:
    stored = json.loads(HAN_TABLE.read_bytes())
    assert {key: stored[key] for key in table()} == table()


def test_degrees_are_no_word_of_a_language() -> None:
    assert guess_language("36.5℃", "ja") == "ja"
    assert guess_language("101 °F", "ko") == "ko"
    assert guess_language("38.5°C is that a fever", "ko") == "en"


def test_traditional_characters_are_folded_to_simplified_ones() -> None:
    assert fold("線拉完嘴張不太開") == "线拉完嘴张不太开"
    assert is_traditional("線拉完嘴張不太開")
    assert not is_traditional("线拉完嘴张不太开")


@pytest.mark.parametrize(
    "text", ["提醒我吃藥", "半邊面硬晒", "右邊嘴角郁唔到呀", "睇嘢有重影", "冇晒希望，唔想做人"]
)
def test_what_is_written_in_hong_kong_and_taiwan_is_traditional(text: str) -> None:
    assert is_traditional(text)


def test_cantonese_in_simplified_characters_stays_simplified() -> None:
    assert not is_traditional("点解块面咁肿，冇嘢吗")


@pytest.mark.parametrize("texts", [[], [""], ["one", "", "笑うと痛い", "🤒 38度", "\ud800 cut in half"]])
def test_texts_come_out_of_their_arrays_as_they_went_in(texts: list[str]) -> None:
    kept = Texts.of(texts)
    assert len(kept) == len(texts)
    assert list(kept) == texts
    assert kept[1:] == texts[1:]
    assert not texts or kept[-1] == texts[-1]


def test_a_text_that_is_not_there_is_an_index_error() -> None:
    with pytest.raises(IndexError):
        Texts.of(["one"])[1]
