"""docs/content.md, made from faq.yaml: what the bot can say, where it comes from, in which languages, and who read it when."""

from collections.abc import Iterator

from intents.faq import Entry, Faq
from intents.wordcheck import sentences

_HEAD = """# What the bot can say

Made by `smileline faq table > docs/content.md` from `faq.yaml`; change the file, not this page.
The facts are the sentences of the {name} answer. A range such as "day 3 to 7" is said before the answer to a patient on that day.
"""


def table(faq: Faq) -> str:
    """The page in Markdown."""
    language = faq.languages[0]
    lines = [_HEAD.format(name="English" if language == "en" else f'"{language}"'), *_sources(faq)]
    for group in faq.file.groups:
        entries = [entry for entry in faq.file.entries if entry.group == group]
        if entries:
            lines += [f"\n## {faq.say(faq.file.groups[group], language)}\n", *_HEADER]
            lines += [_row(faq, entry, language) for entry in entries]
    lines += [
        "\n## Danger signs\n",
        "| sign | urgency | what the patient reads at once | languages |",
        "|---|---|---|---|",
    ]
    for flag in faq.file.red_flags:
        spoken = " ".join(code for code in faq.languages if code in flag.reply)
        lines.append(f"| `{flag.id}` | {flag.urgency} | {_cell(faq.say(flag.reply, language))} | {spoken} |")
    lines += ["\n## Reminders\n", "| day | at | what it says | languages |", "|---|---|---|---|"]
    for step in faq.file.reminders.steps:
        words = f"{faq.say(step.headline, language)}\n{faq.say(step.text, language)}"
        if step.check_in:
            words += f"\n{faq.say(dict(step.check_in.question), language)}"
        spoken = " ".join(code for code in faq.languages if code in step.text)
        lines.append(f"| {step.day} | {step.at:%H:%M} | {_cell(words)} | {spoken} |")
    return "\n".join(lines) + "\n"


_HEADER = [
    "| topic | urgency | facts | sources | languages (questions) | last review |",
    "|---|---|---|---|---|---|",
]


def _sources(faq: Faq) -> Iterator[str]:
    yield "| source | what it is | where |"
    yield "|---|---|---|"
    for id, source in faq.file.sources.items():
        where = f"doi:{source.doi}" if source.doi else source.url or ""
        yield f"| {id} | {faq.say(source.label, faq.languages[0])} | {where} |"


def _row(faq: Faq, entry: Entry, language: str) -> str:
    facts = [_cell(faq.say(entry.answer, language))]
    for window in entry.by_day:
        days = (
            f"day {window.first} to {window.last}" if window.last is not None else f"from day {window.first}"
        )
        raised = f" ({window.urgency})" if window.urgency != "routine" else ""
        facts.append(f"*{days}{raised}:* {_cell(faq.say(window.text, language))}")
    sources = ", ".join(entry.sources) or "none"
    beyond = "<br>beyond the source documents" if entry.beyond else ""
    spoken = " ".join(
        f"{code} ({len(entry.questions[code])})" for code in faq.languages if code in entry.answer
    )
    reviewed = f"{entry.reviewed.on}: {_cell(entry.reviewed.by)}"
    return f"| `{entry.id}` | {entry.urgency} | {'<br>'.join(facts)} | {sources}{beyond} | {spoken} | {reviewed} |"


def _cell(text: str) -> str:
    return "<br>".join(sentences(text)).replace("|", "\\|")
