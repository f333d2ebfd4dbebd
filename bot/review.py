"""The doctor's review sheet: one entry a page, printable, with boxes to tick and a line to sign. Plain HTML, no script."""

from html import escape

from intents.faq import Entry, Faq, RedFlag, Step
from intents.languages import LANGUAGES

_BOXES = {
    "en": (
        "The facts are right", "Nothing dangerous is missing", "The urgency is right", "A patient will understand it",
        "May go live", "Change as noted", "Notes", "Name", "Date", "Signature", "Urgency", "Sources", "Questions",
        "Answer", "By day", "not covered by the sources: please read with care", "Danger sign", "Reminder",
        "Check-in",
    ),
    "ja": (
        "内容は医学的に正しい", "危険な抜けはない", "緊急度は適切", "患者さんに伝わる",
        "公開してよい", "下記のとおり修正", "メモ", "氏名", "日付", "署名", "緊急度", "出典", "質問",
        "回答", "日数別", "出典にない内容です。特に注意してお読みください", "危険なサイン", "お知らせ",
        "体調の質問",
    ),
    "ko": (
        "내용이 의학적으로 맞음", "위험한 누락이 없음", "긴급도가 알맞음", "환자가 이해할 수 있음",
        "공개해도 됨", "아래와 같이 수정", "메모", "이름", "날짜", "서명", "긴급도", "출처", "질문",
        "답변", "날짜별", "출처에 없는 내용입니다. 특히 주의해서 읽어 주세요", "위험 신호", "알림",
        "상태 질문",
    ),
    "zh": (
        "内容在医学上正确", "没有遗漏危险", "紧急程度恰当", "患者看得懂",
        "可以上线", "按下面修改", "备注", "姓名", "日期", "签名", "紧急程度", "来源", "问题",
        "回答", "按天数", "来源里没有这些内容，请特别仔细看", "危险信号", "提醒",
        "情况询问",
    ),
}  # fmt: skip
_KEYS = (
    "facts", "missing", "urgent", "plain", "live", "change", "notes", "name", "date", "sign", "urgency", "sources",
    "questions", "answer", "by_day", "beyond", "red_flag", "reminder", "asks",
)  # fmt: skip

_STYLE = """
@page { size: A4; margin: 12mm 15mm }
body { font: 10pt/1.42 system-ui, "Noto Sans", "Noto Sans CJK JP", sans-serif; color: #1c2b33; max-width: 178mm; margin: 0 auto }
section { break-after: page; padding: 2mm 0 }
section:last-child { break-after: auto }
h1 { font-size: 16pt; margin: 0 }
h2 { font-size: 9.5pt; color: #55707d; margin: 2.5mm 0 .5mm; font-weight: 600 }
.id { color: #55707d; font-size: 9.5pt; margin: 0 0 2mm }
.beyond { border-left: 1mm solid #b3541e; padding: 1mm 3mm; color: #8a3d10 }
.text { white-space: pre-line; margin: 0 }
.both { display: grid; grid-template-columns: 1fr 1fr; gap: 6mm }
.both .text[lang=en] { color: #55707d; font-size: 9pt }
ul { margin: 0; padding-left: 5mm; columns: 2; font-size: 8.5pt }
.boxes { display: grid; grid-template-columns: 1fr 1fr; gap: 1mm 6mm; margin-top: 4mm;
  border-top: .3mm solid #9fb3bd; padding-top: 3mm; break-inside: avoid }
.box::before { content: ""; display: inline-block; width: 3.6mm; height: 3.6mm; border: .35mm solid #1c2b33;
  margin-right: 2.5mm; vertical-align: -.5mm }
.notes { height: 16mm; border: .25mm solid #9fb3bd; margin-top: 3mm; padding: 1mm 2mm; color: #55707d; font-size: 9.5pt }
.sign { display: grid; grid-template-columns: 2fr 1fr 2fr; gap: 6mm; margin-top: 8mm; break-inside: avoid }
.sign span { border-top: .3mm solid #1c2b33; font-size: 9.5pt; color: #55707d; padding-top: 1mm }
"""


def sheet(faq: Faq, language: str) -> str:
    """The whole sheet in `language`, English beside it where it is another one."""
    pages = [_entry(faq, entry, language) for entry in faq.file.entries]
    pages += [_red_flag(faq, flag, language) for flag in faq.file.red_flags]
    pages += [_reminder(faq, step, language) for step in faq.file.reminders.steps]
    title = f"{faq.say(faq.clinic.name, language)} · {LANGUAGES[language].name} · {faq.version}"
    return (
        f'<!doctype html>\n<html lang="{language}">\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f"<style>{_STYLE}</style>\n<body>\n{''.join(pages)}</body>\n</html>\n"
    )


def _words(language: str) -> dict[str, str]:
    return dict(zip(_KEYS, _BOXES[language], strict=True))


def _entry(faq: Faq, entry: Entry, language: str) -> str:
    words = _words(language)
    sources = ", ".join(faq.say(faq.file.sources[id].label, language) for id in entry.sources) or "-"
    parts = [f'<p class="id">{words["urgency"]}: {entry.urgency} · {words["sources"]}: {escape(sources)}</p>']
    if entry.beyond:
        parts.append(f'<p class="beyond">{words["beyond"]}</p>')
    parts += [_heading(words["answer"]), _both(entry.answer, language)]
    for window in entry.by_day:
        days = f"{window.first}-{'' if window.last is None else window.last}"
        parts += [_heading(f"{words['by_day']} {days} · {window.urgency}"), _both(window.text, language)]
    questions = "".join(f"<li>{escape(text)}</li>" for text in faq.say(entry.questions, language))  # type: ignore[arg-type]
    parts += [_heading(words["questions"]), f"<ul>{questions}</ul>"]
    return _page(faq.say(entry.label, language), entry.id, parts, words)


def _red_flag(faq: Faq, flag: RedFlag, language: str) -> str:
    words = _words(language)
    parts = [
        f'<p class="id">{words["red_flag"]} · {words["urgency"]}: {flag.urgency}</p>',
        _both(flag.reply, language),
    ]
    return _page(faq.say(flag.label, language), flag.id, parts, words)


def _reminder(faq: Faq, step: Step, language: str) -> str:
    words = _words(language)
    parts = [
        f'<p class="id">{words["reminder"]} · {words["by_day"]} {step.day}, {step.at:%H:%M}</p>',
        _both(step.text, language),
    ]
    if step.check_in:
        parts += [_heading(words["asks"]), _both(dict(step.check_in.question), language)]
    return _page(faq.say(step.headline, language), step.id, parts, words)


def _heading(text: str) -> str:
    return f"<h2>{escape(text)}</h2>"


def _both(texts: dict, language: str) -> str:  # type: ignore[type-arg]
    """The text, and the English it must agree with."""
    own = f'<p class="text">{escape(texts[language])}</p>'
    if language == "en" or "en" not in texts:
        return own
    return f'<div class="both">{own}<p class="text" lang="en">{escape(texts["en"])}</p></div>'


def _page(title: str, id: str, parts: list[str], words: dict[str, str]) -> str:
    boxes = "".join(
        f'<span class="box">{words[key]}</span>'
        for key in ("facts", "missing", "urgent", "plain", "live", "change")
    )
    sign = "".join(f"<span>{words[key]}</span>" for key in ("name", "date", "sign"))
    return (
        f'<section>\n<h1>{escape(title)}</h1>\n<p class="id">{id}</p>\n{"".join(parts)}\n'
        f'<div class="boxes">{boxes}</div>\n<div class="notes">{words["notes"]}</div>\n<div class="sign">{sign}</div>\n'
        "</section>\n"
    )
