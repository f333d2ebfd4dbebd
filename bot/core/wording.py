"""The words that a patient reads: a text of faq.yaml, its placeholders filled, in the patient's language and script."""

import datetime as dt
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import opencc
from babel.dates import format_date, format_time

from bot.core.hours import describe_hours
from intents.faq import Faq
from intents.languages import LANGUAGES


@dataclass(frozen=True)
class Wording:
    """Speaks one language from one version of the FAQ. `traditional`: Chinese shown in Traditional characters.

    `platform`: the company that carries the words, as patients know it; empty where there is none.
    """

    faq: Faq
    language: str
    traditional: bool = False
    platform: str = ""

    @property
    def locale(self) -> str:
        return "zh_Hant_TW" if self.traditional else LANGUAGES[self.language].locale

    def __call__(self, key: str, **values: object) -> str:
        """The bot's own sentence `key`."""
        return self._fill(self.faq.message(key, self.language), values)

    def on_data(self, key: str) -> str:
        """The sentence `key` about what becomes of data: another one where no platform carries the words."""
        return self(key if self.platform else f"{key}_here")

    def text(self, texts: dict[Any, str], **values: object) -> str:
        """A text of the file (an answer, a danger reply ...)."""
        return self._fill(self.faq.say(texts, self.language), values)

    def procedure(self, kind: str) -> str:
        """The name of a kind of procedure."""
        return self._fill(self.faq.procedure_name(kind, self.language), {})

    def date(self, date: dt.date) -> str:
        return _long_date(date, self.locale)

    def short_date(self, date: dt.date) -> str:
        return _month_day(date, self.locale)

    def time(self, moment: dt.datetime) -> str:
        return format_time(moment, "HH:mm", locale=self.locale)

    def moment(self, moment: dt.datetime) -> str:
        """Day and time on the clocks of the clinic, such as "Tue, 24 Nov, 10:00"."""
        return f"{_month_day(moment.date(), self.locale)} {self.time(moment)}"

    def _fill(self, text: str, values: dict[str, object]) -> str:
        if "{" in text or "}" in text:
            text = self._put_in(text, values)
        return to_traditional(text) if self.traditional and self.language == "zh" else text

    def _put_in(self, text: str, values: dict[str, object]) -> str:
        clinic = self.faq.clinic
        known: dict[str, object] = {
            "clinic": self.faq.say(clinic.name, self.language),
            "phone": clinic.emergency_phone or clinic.phone,
            "emergency": clinic.emergency_numbers[clinic.country],
            "crisis": clinic.crisis_lines[clinic.country],
            "address": self.faq.say(clinic.address, self.language),
            "platform": self.platform,
        }
        if "{hours}" in text:
            known["hours"] = describe_hours(clinic, self.locale)
        if "{price}" in text:
            known["price"] = self.faq.say(clinic.price, self.language) if clinic.price else "-"
        return text.format_map({**known, **values})


@lru_cache(1000)
def _long_date(date: dt.date, locale: str) -> str:
    return format_date(date, "long", locale=locale)


@lru_cache(1000)
def _month_day(date: dt.date, locale: str) -> str:
    return format_date(
        date,
        {"en_GB": "EEE d MMM", "ja": "M月d日(E)", "ko": "M월 d일 (E)"}.get(locale, "M月d日 EEE"),
        locale=locale,
    )


@cache
def _converter() -> Any:
    return opencc.OpenCC("s2twp")


# What OpenCC's table of Taiwan's words leaves as it is.
_QUOTES = str.maketrans("“”‘’", "「」『』")
_WORDS = {
    "炎症": "發炎", "洗面奶": "洗面乳", "洗髮水": "洗髮精", "複診": "回診",
    "蒸桑拿或汗蒸": "洗三溫暖或蒸氣浴", "桑拿": "三溫暖", "汗蒸": "蒸氣浴",
    "煙酒": "菸酒", "煙可能": "菸可能", "個星期": "週",
}  # fmt: skip
_HURTS = re.compile("疼(?![痛愛])")  # which Taiwan says with 痛


def to_traditional(text: str) -> str:
    """Simplified -> Traditional with Taiwan's wording and quotation marks."""
    converted: str = _converter().convert(text).translate(_QUOTES)
    for mainland, taiwan in _WORDS.items():
        converted = converted.replace(mainland, taiwan)
    return _HURTS.sub("痛", converted)
