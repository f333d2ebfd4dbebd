"""Questions that found no sure answer: by how many patients asked; one becomes a phrasing after its effect was seen."""

import asyncio

from aiohttp import web

from bot.staff import unanswered
from bot.staff.saving import EditRefused
from bot.staff.site import Visit
from intents.faq import FaqProblems
from intents.languages import LANGUAGES

SHOWN, CHANGES = 60, 40
QUESTION_LENGTH = 200


async def listing(visit: Visit) -> web.StreamResponse:
    """Like questions together."""
    questions = await asyncio.to_thread(visit.site.store.questions)
    groups = await asyncio.to_thread(unanswered.group, questions, visit.site.live.current)
    await visit.audit_reading("unanswered")
    return await visit.page(
        "unanswered.html", groups=groups[:SHOWN], total=len(groups), faq=visit.site.faq, languages=LANGUAGES,
        may_edit=visit.role in ("editor", "admin"),
    )  # fmt: skip


async def preview(visit: Visit) -> web.StreamResponse:
    """What adding it would change, before anything is written."""
    entry_id, language, text = _wanted(visit)
    changes = await asyncio.to_thread(visit.site.editing.phrasing_effect, entry_id, language, text)
    return await visit.page(
        "effect.html", entry=visit.site.faq.entries[entry_id], faq=visit.site.faq, text=text, language=language,
        languages=LANGUAGES, changes=changes[:CHANGES], total=len(changes), ids=visit.form.get("ids", ""),
    )  # fmt: skip


async def add(visit: Visit) -> web.StreamResponse:
    """Write it under the entry, and take the group off the list."""
    entry_id, language, text = _wanted(visit)
    try:
        await asyncio.to_thread(
            visit.site.editing.add_phrasing, visit.who, entry_id, language, text, ids_of(visit), visit.now
        )
    except EditRefused as err:
        return visit.go("/staff/unanswered", f"Not added: {err}")
    except FaqProblems as err:
        return visit.go("/staff/unanswered", f"Not added: {err.problems[0].message}")
    return visit.go("/staff/unanswered", f"Added to “{_label(visit, entry_id)}”, and live.")


async def dismiss(visit: Visit) -> web.StreamResponse:
    """Off the list; no answer is wanted."""
    count = await asyncio.to_thread(visit.site.store.drop_questions, ids_of(visit))
    await visit.audit("unanswered.dismissed", f"{count} questions")
    return visit.go("/staff/unanswered", "Taken off the list.")


def _wanted(visit: Visit) -> tuple[str, str, str]:
    faq, form = visit.site.faq, visit.form
    entry_id, language = form.get("entry", ""), form.get("lang", "")
    text = " ".join(form.get("text", "").split())
    if entry_id not in faq.entries or language not in faq.languages or not 0 < len(text) <= QUESTION_LENGTH:
        raise web.HTTPBadRequest(
            text="Choose an entry and a language, and write a question of at most 200 letters."
        )
    return entry_id, language, text


def ids_of(visit: Visit) -> list[int]:
    """The questions that a form is about."""
    parts = visit.form.get("ids", "").split(",")
    return [int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < 16][:2000]


def _label(visit: Visit, entry_id: str) -> str:
    return visit.site.faq.say(visit.site.faq.entries[entry_id].label, "en")
