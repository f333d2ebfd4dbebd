"""The FAQ on the staff page: look, try a question, change an entry. Changes go into faq.yaml, which stays the one truth."""

import asyncio
import datetime as dt
from functools import partial
from typing import Any

from aiohttp import web

from bot.staff import previews, saving
from bot.staff.editing import warnings as warnings_of
from bot.staff.entrydraft import Draft
from bot.staff.saving import Conflict, EditRefused, Snapshot
from bot.staff.site import Visit
from intents.faq import URGENCIES, Entry, FaqProblems, load
from intents.languages import LANGUAGES
from intents.types import Understanding
from intents.understand import Understander

LONGEST_QUESTION = 2000


def choice(visit: Visit) -> tuple[str, bool]:
    """The language asked for in the address, and whether in Traditional characters."""
    code, _, script = (visit.form.get("lang") or visit.request.query.get("lang", "")).partition("-")
    faq = visit.site.faq
    return (code if code in faq.languages else faq.languages[0]), script == "Hant"


def day_of(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else None


async def browse(visit: Visit) -> web.StreamResponse:
    """Every entry by its group."""
    faq, (language, _) = visit.site.faq, choice(visit)
    week = await asyncio.to_thread(visit.site.store.week, visit.now - dt.timedelta(days=30), visit.now)
    groups = [
        (faq.say(label, "en"), [entry for entry in faq.file.entries if entry.group == key])
        for key, label in faq.file.groups.items()
    ]
    figures = {item.entry: item for item in week.entries}
    return await visit.page(
        "faq.html", groups=groups, faq=faq, language=language, languages=LANGUAGES, figures=figures
    )


async def try_page(visit: Visit) -> web.StreamResponse:
    return await visit.page("try.html", **_empty_try(visit))


def _empty_try(visit: Visit) -> dict[str, Any]:
    return {
        "text": "", "lang": "", "day": "", "meaning": None, "shown": [], "faq": visit.site.faq, "languages": LANGUAGES,
    }  # fmt: skip


async def try_question(visit: Visit) -> web.StreamResponse:
    """How one question is understood, and why. Nothing of it is kept."""
    text, lang = visit.form.get("text", "")[:LONGEST_QUESTION], visit.form.get("lang", "")
    day = day_of(visit.form.get("day", ""))
    values = _empty_try(visit) | {"text": text, "lang": lang, "day": "" if day is None else day}
    if text.strip():
        hint = lang if lang in visit.site.faq.languages else None
        meaning, shown = await asyncio.to_thread(
            previews.of_question, visit.site.live.current, text, hint, day, visit.now
        )
        values |= {"meaning": meaning, "shown": shown}
    return await visit.page("try.html", **values)


# --- one entry


def _entry(visit: Visit) -> Entry:
    entry = visit.site.faq.entries.get(visit.request.match_info["entry"])
    if entry is None:
        raise web.HTTPNotFound
    return entry


async def entry_page(visit: Visit) -> web.StreamResponse:
    """One entry in one language: its words, its warnings, and how it will look."""
    entry, (language, _) = _entry(visit), choice(visit)
    try:
        snapshot = await asyncio.to_thread(saving.take, visit.site.faq_path)
    except EditRefused as err:
        return await _entry_page(visit, entry, Draft.of(entry, language), "", str(err))
    return await _entry_page(visit, entry, Draft.of(entry, language), snapshot.digest)


async def _entry_page(
    visit: Visit, entry: Entry, draft: Draft, digest: str, problem: str = "", status: int = 200
) -> web.StreamResponse:
    faq, (language, traditional) = visit.site.faq, choice(visit)
    live = visit.site.live.current
    warnings = await asyncio.to_thread(warnings_of, faq, entry.id, visit.now.date(), live.understand)
    asked = await asyncio.to_thread(_understood, live, entry, language)
    shown = previews.of_entry(entry, faq, language, traditional, None)
    return await visit.page(
        "entry.html", status, entry=entry, faq=faq, language=language, traditional=traditional,
        languages=LANGUAGES, draft=draft, digest=digest, problem=problem, warnings=warnings, shown=shown,
        may_edit=visit.role in ("editor", "admin"), asked=asked, urgencies=URGENCIES, today=visit.now.date(),
    )  # fmt: skip


def _understood(live: Understander, entry: Entry, language: str) -> list[tuple[str, Understanding]]:
    """How each of the entry's own questions is understood now."""
    questions: Any = entry.questions
    return [(text, live.understand(text, language)) for text in questions.get(language, [])]


async def check(visit: Visit) -> web.StreamResponse:
    """What the draft would be if it were saved now: problems, warnings, preview. Nothing is written."""
    entry, (language, traditional) = _entry(visit), choice(visit)
    draft, today = Draft.typed(visit.form, entry, language, visit.site.faq), visit.now.date()
    try:
        snapshot = await asyncio.to_thread(saving.take, visit.site.faq_path)
        text = await asyncio.to_thread(draft.into, snapshot.text, entry, language, today)
        faq = await asyncio.to_thread(load, text)
    except FaqProblems as err:
        return web.json_response({"problems": [problem.message for problem in err.problems], "html": ""})
    except EditRefused as err:
        return web.json_response({"problems": [str(err)], "html": ""})
    changed = faq.entries[entry.id]
    warnings = await asyncio.to_thread(warnings_of, faq, entry.id, today)
    shown = previews.of_entry(changed, faq, language, traditional, day_of(visit.form.get("day", "")))
    html = await asyncio.to_thread(visit.site.draw, "preview.html", {"shown": shown, "warnings": warnings})
    return web.json_response({"problems": [], "html": html})


async def save(visit: Visit) -> web.StreamResponse:
    """Write the draft into faq.yaml and serve it. Whatever goes wrong, the file is as it was and the draft stays."""
    entry, (language, traditional) = _entry(visit), choice(visit)
    draft, digest = Draft.typed(visit.form, entry, language, visit.site.faq), visit.form.get("digest", "")
    try:
        await asyncio.to_thread(partial(_save, visit, entry, language, draft, digest))
    except Conflict as err:
        return await _entry_page(visit, entry, draft, digest, str(err), 409)
    except EditRefused as err:
        return await _entry_page(visit, entry, draft, digest, str(err), 422)
    except FaqProblems as err:
        told = " ".join(problem.message for problem in err.problems[:5])
        return await _entry_page(visit, entry, draft, digest, f"This cannot go live: {told}", 422)
    # If we die here the file is saved and the watcher serves it; the audit line is missing.
    await visit.audit(
        "faq.edited", entry.id, f"{language}: {', '.join(draft.changed(Draft.of(entry, language)))}"
    )
    await asyncio.to_thread(visit.site.live.reload)
    suffix = "-Hant" if traditional else ""
    return visit.go(f"/staff/faq/{entry.id}?lang={language}{suffix}", "Saved, and live.")


def _save(visit: Visit, entry: Entry, language: str, draft: Draft, digest: str) -> None:
    path = visit.site.faq_path
    snapshot = saving.take(path)
    if snapshot.digest != digest:
        raise Conflict(
            f"{path.name} was changed by somebody else since you opened this page. Nothing was written. "
            "Copy your words, reload the page and put them in again."
        )
    _write(visit, snapshot, draft.into(snapshot.text, entry, language, visit.now.date()))


def _write(visit: Visit, snapshot: Snapshot, text: str) -> None:
    if text == snapshot.text:
        raise EditRefused("Nothing was changed, so nothing was saved.")
    visit.site.editing.write(snapshot, text)
