"""Questions that found no sure answer: by how many patients asked; one becomes a phrasing after its effect was seen."""

import asyncio
from functools import partial

from aiohttp import web

from bot.staff import faqfile, unanswered
from bot.staff.faqfile import EditRefused
from bot.staff.site import Visit
from intents.faq import FaqProblems
from intents.languages import LANGUAGES

SHOWN = 60
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
    past = await asyncio.to_thread(visit.site.store.questions)
    changes = await asyncio.to_thread(
        unanswered.effect, visit.site.live.current, entry_id, language, text, past
    )
    return await visit.page(
        "effect.html", entry=visit.site.faq.entries[entry_id], faq=visit.site.faq, text=text, language=language,
        languages=LANGUAGES, changes=changes[:40], total=len(changes), ids=visit.form.get("ids", ""),
    )  # fmt: skip


async def add(visit: Visit) -> web.StreamResponse:
    """Write it under the entry, and take the group off the list."""
    entry_id, language, text = _wanted(visit)
    try:
        await asyncio.to_thread(partial(_add, visit, entry_id, language, text))
    except EditRefused as err:
        return visit.go("/staff/unanswered", f"Not added: {err}")
    except FaqProblems as err:
        return visit.go("/staff/unanswered", f"Not added: {err.problems[0].message}")
    # If we die here the phrasing is live and the questions are still listed: adding it again says that it stands there.
    await visit.audit("faq.phrasing", entry_id, language)
    await asyncio.to_thread(visit.site.live.reload)
    await asyncio.to_thread(visit.site.store.drop_questions, _ids(visit))
    return visit.go("/staff/unanswered", f"Added to “{_label(visit, entry_id)}”, and live.")


def _add(visit: Visit, entry_id: str, language: str, text: str) -> None:
    path = visit.site.faq_path
    snapshot = faqfile.take(path)
    faqfile.save(path, snapshot, faqfile.add_question(snapshot.text, entry_id, language, text))


async def dismiss(visit: Visit) -> web.StreamResponse:
    """Off the list; no answer is wanted."""
    count = await asyncio.to_thread(visit.site.store.drop_questions, _ids(visit))
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


def _ids(visit: Visit) -> list[int]:
    parts = visit.form.get("ids", "").split(",")
    return [int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < 16][:2000]


def _label(visit: Visit, entry_id: str) -> str:
    return visit.site.faq.say(visit.site.faq.entries[entry_id].label, "en")
