"""Mistyped Latin text is read as it was meant, and what is no slip stays as it was typed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intents import slips
from intents.features import read, words
from intents.spelling import MOST, Speller, Usage
from intents.text import fold
from tests.helpers import understander as shipped

COUNTED = {
    "pain": 90,
    "when": 80,
    "smile": 60,
    "face": 50,
    "after": 70,
    "clinic": 40,
    "address": 30,
    "swelling": 55,
    "threads": 60,
    "without": 20,
    "fever": 30,
    "the": 150,
    "i": 200,
}
SPELLER = Speller(Usage(COUNTED, {}))


def mended(text: str) -> str:
    return SPELLER.mend(text)[0]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("swellnig", "swelling"),  # letters swapped
        ("sweling", "swelling"),  # one lost
        ("wswelling", "swelling"),  # one too many, in front
        ("xmilw pain", "xmilw pain"),  # two in a short word: it could be anything
        ("swlleing", "swelling"),  # two in a long word
        ("faceafter", "face after"),  # a space lost
        ("p ain when i smi le", "pain when i smile"),  # spaces astray
        ("th eclinic", "the clinic"),  # a space late
        ("thec linic", "the clinic"),  # and early
        ("afterxthreads", "after threads"),  # a letter instead of a space
        ("afterthraeds", "after threads"),  # a space lost and letters swapped
        ("smi,le when", "smile when"),
        ("pain; i smiel, wehn?", "pain; i smile, when?"),
        ("zibble", "zibble"),  # nothing is near
        ("smile", "smile"),
        ("38.5", "38.5"),
        ("101 f", "101 f"),
        ("", ""),
    ],
)
def test_slips_of_the_keyboard_are_mended(typed: str, meant: str) -> None:
    assert mended(typed) == meant


def test_the_words_beside_it_tell_what_a_slip_meant() -> None:
    lines = ["thin skin"] * 5 + ["then sleep"] * 5
    speller = Speller(Usage.of(lines))

    assert speller.mend("thn skin")[0] == "thin skin"
    assert speller.mend("thn sleep")[0] == "then sleep"


def test_a_rare_word_is_read_as_the_usual_one_where_that_is_what_people_say() -> None:
    speller = Speller(Usage.of([*["the thread lift"] * 8_000, *["please tread softly"] * 3]))

    assert speller.mend("the tread lift")[0] == "the thread lift"
    assert speller.mend("please tread softly")[0] == "please tread softly"


def test_a_slip_that_the_library_holds_once_is_no_word() -> None:
    speller = Speller(Usage.of([*["an appointment today"] * 8_000, "an apointment today"]))

    assert speller.mend("an apointment today")[0] == "an appointment today"


def test_a_mistyped_denial_denies() -> None:
    slipped, denied, asserted = (
        set(read([mended(text)]).hashes) for text in ("witohut fever", "no fever", "fever")
    )

    assert len(slipped & denied) > 10
    assert not slipped & asserted


def test_a_word_of_the_staff_is_no_slip() -> None:
    assert mended("smiel") == "smile"
    assert Speller(Usage(COUNTED, {})).knowing(["smiel"]).mend("smiel")[0] == "smiel"


def test_what_was_mended_is_told() -> None:
    assert SPELLER.mend("p ain when faceafter")[1] == (("p ain", "pain"), ("faceafter", "face after"))


@pytest.mark.parametrize(
    "text",
    [
        "puedo beber vino despues del tratamiento",
        "est ce que je peux fumer apres le lifting",
        "j'ai de la fievre depuis hier soir que faire",
        "kann ich morgen wieder arbeiten gehen",
        "lorem ipsum dolor sit amet consectetur",
    ],
)
def test_another_language_is_not_mended_into_english(text: str) -> None:
    assert shipped().matcher.speller.mend(text) == (text, ())


@pytest.mark.parametrize(
    "text",
    ["masakit po ba ito", "can walk anot leh", "got swelling sia"],
)
def test_words_that_english_writers_mix_in_are_no_slips(text: str) -> None:
    assert shipped().matcher.speller.mend(text) == (text, ())


@settings(deadline=None)  # the first call reads tables
@given(st.text(st.sampled_from("smielthaen 1,.?漢字かな한글🤒"), max_size=40))
def test_nothing_but_latin_words_and_what_parts_them_is_touched(text: str) -> None:
    def rest(text: str) -> list[str]:
        return [c for c in text if not c.isascii() or c.isdigit()]

    assert rest(mended(fold(text))) == rest(fold(text))


def test_of_an_endless_message_only_the_beginning_is_mended() -> None:
    assert words(mended("smiel " * (MOST + 20))) == ["smile"] * MOST + ["smiel"] * 20


@pytest.mark.parametrize(
    ("typed", "word", "cost"),
    [
        ("smiel", "smile", slips.SWAPPED),
        ("smle", "smile", slips.LOST),
        ("smmile", "smile", slips.DOUBLED),
        ("smuile", "smile", slips.BESIDE),  # u lies beside i
        ("smule", "smile", slips.BESIDE),
        ("smqile", "smile", slips.OTHER),
        ("smqle", "smile", slips.OTHER),
        ("smilex", "smile", slips.OTHER),
        ("psmile", "smile", slips.OTHER),
    ],
)
def test_a_likely_slip_costs_less(typed: str, word: str, cost: float) -> None:
    assert slips.cost(typed, word) == cost


@pytest.mark.parametrize(
    ("pair", "touch"), [("qw", True), ("qa", True), ("sz", True), ("gb", True), ("qs", False), ("pa", False)]
)
def test_keys_that_touch(pair: str, touch: bool) -> None:
    assert (pair in slips.BESIDE_KEYS) is touch
    assert (pair[::-1] in slips.BESIDE_KEYS) is touch
