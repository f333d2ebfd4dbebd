"""The languages a patient can read: one row each. Adding a language is a row here plus its texts in data files."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """A language of the bot. `code` is the key used in faq.yaml, `locale` the CLDR locale for dates and numbers."""

    code: str
    name: str
    locale: str


LANGUAGES: dict[str, Language] = {
    row.code: row
    for row in (
        Language("en", "English", "en_GB"),
        Language("ja", "日本語", "ja"),
        Language("ko", "한국어", "ko"),
        Language("zh", "中文", "zh_Hans"),
    )
}
DEFAULT_LANGUAGE = "en"
