"""A new entry of the FAQ, from nothing or from questions without an answer: checked while it is typed, its effect seen
before it is added.
"""

import asyncio
from dataclasses import replace
from typing import Any

from aiohttp import web

from bot.staff import previews, saving, unanswered
from bot.staff.editing import Seen, warnings
from bot.staff.newentry import ID_LENGTH, LABEL_LENGTH, NewEntry
from bot.staff.saving import EditRefused
from bot.staff.site import Visit
from bot.staff.unanswered_pages import CHANGES, QUESTION_LENGTH, ids_of
from intents.faq import URGENCIES, FaqProblems, load
from intents.faq.shape import ANSWER_LENGTH
from intents.languages import LANGUAGES

WORDINGS = 8  # of one group, taken over into the form
CHANGED = "You changed words after the effect was shown. Here is the effect as it would be now."


async def form(visit: Visit) -> web.StreamResponse:
    """An empty form."""
    return await _page(visit, NewEntry())


async def start(visit: Visit) -> web.StreamResponse:
    """A form with the words of questions that found no answer."""
    language = visit.form.get("lang", "")
    if language not in visit.site.faq.languages:
        raise web.HTTPBadRequest(text="unknown language")
    words = [
        " ".join(visit.form.get("text", "").split())[:QUESTION_LENGTH],
        *await _wordings(visit, language),
    ]
    questions = [text for text in dict.fromkeys(words) if text][:WORDINGS]
    return await _page(visit, NewEntry(questions={language: questions}))


async def _wordings(visit: Visit, language: str) -> list[str]:
    wanted = set(ids_of(visit))
    kept = await asyncio.to_thread(visit.site.store.questions)
    return [
        q.text for q in kept if q.id in wanted and q.language == language and len(q.text) <= QUESTION_LENGTH
    ]


async def check(visit: Visit) -> web.StreamResponse:
    """What the draft would be as far as it goes: problems, warnings, preview. Nothing is written."""
    draft = NewEntry.typed(visit.form, visit.site.faq)
    told = draft.problems(visit.site.faq)
    found, html = await asyncio.to_thread(_drawn, visit, draft.filled())
    return web.json_response({"problems": [*told, *found], "html": html, "id": draft.id})


def _drawn(visit: Visit, draft: NewEntry) -> tuple[list[str], str]:
    """What the file's own rules say of the draft, and how it would look in the language that is being written."""
    faq, today = visit.site.faq, visit.now.date()
    draft = replace(
        draft,
        id="new_entry" if draft.id in faq.entries else draft.id,
        group=draft.group if draft.group in faq.file.groups else next(iter(faq.file.groups)),
        urgency=draft.urgency if draft.urgency in URGENCIES else "routine",
    )
    try:
        after = load(draft.into(saving.take(visit.site.faq_path).text, visit.who, today))
    except FaqProblems as err:
        return list(dict.fromkeys(problem.message for problem in err.problems)), ""
    except EditRefused as err:
        return [str(err)], ""
    language = visit.form.get("lang", "")
    language = language if language in after.languages else after.languages[0]
    shown = previews.of_entry(after.entries[draft.id], after, language, False, None)
    values = {"shown": shown, "warnings": warnings(after, draft.id, today)}
    return [], visit.site.draw("preview.html", values)


async def add(visit: Visit) -> web.StreamResponse:
    """First the effect is shown; the second time, with not a word changed, the entry is written and served."""
    draft = NewEntry.typed(visit.form, visit.site.faq)
    told = draft.problems(visit.site.faq)
    if told:
        return await _page(visit, draft, told, status=422)
    wanted = visit.form.get("step") == "add"
    if not wanted or visit.form.get("mark") != draft.mark:
        return await _effect(visit, draft, [CHANGED] if wanted else [])
    try:
        await asyncio.to_thread(
            visit.site.editing.add_entry,
            draft,
            visit.who,
            visit.form.get("digest", ""),
            ids_of(visit),
            visit.now,
        )
    except saving.Conflict as err:
        return await _page(visit, draft, [str(err)], status=409)
    except EditRefused as err:
        return await _page(visit, draft, [str(err)], status=422)
    except FaqProblems as err:
        return await _page(visit, draft, _messages(err), status=422)
    return visit.go(f"/staff/faq/{draft.id}", "Added, and live.")


async def _effect(visit: Visit, draft: NewEntry, told: list[str]) -> web.StreamResponse:
    try:
        seen = await asyncio.to_thread(visit.site.editing.look, draft, visit.who, visit.now.date())
    except EditRefused as err:
        return await _page(visit, draft, [str(err)], status=422)
    except FaqProblems as err:
        return await _page(visit, draft, _messages(err), status=422)
    return await _page(visit, draft, told, seen)


def _messages(err: FaqProblems) -> list[str]:
    return [f"This cannot go live: {problem.message}." for problem in err.problems[:5]]


async def _page(
    visit: Visit, draft: NewEntry, told: list[str] | None = None, seen: Seen | None = None, status: int = 200
) -> web.StreamResponse:
    faq = visit.site.faq
    replies = await asyncio.to_thread(_replies, visit)
    values: dict[str, Any] = {"shown": [], "warnings": []}
    if seen:
        values = {"warnings": seen.warnings, "shown": _in_all_languages(seen, draft)}
    return await visit.page(
        "new.html", status, draft=draft, told=told or [], seen=seen, faq=faq, languages=LANGUAGES, replies=replies,
        ids=visit.form.get("ids", ""), urgencies=URGENCIES, id_length=ID_LENGTH, label_length=LABEL_LENGTH,
        answer_length=ANSWER_LENGTH, changes=seen.changes[:CHANGES] if seen else [],
        total=len(seen.changes) if seen else 0, this=unanswered.THIS, **values,
    )  # fmt: skip


def _in_all_languages(seen: Seen, draft: NewEntry) -> list[previews.Shown]:
    entry = seen.faq.entries[draft.id]
    return [
        replace(
            previews.of_entry(entry, seen.faq, code, False, None)[0],
            platform=f"Telegram · {LANGUAGES[code].name}",
        )
        for code in seen.faq.languages
    ]


def _replies(visit: Visit) -> list[str]:
    """What people answered to the questions that the form began with: raw material."""
    wanted = set(ids_of(visit))
    if not wanted:
        return []
    return list(dict.fromkeys(q.reply for q in visit.site.store.questions() if q.id in wanted and q.reply))
