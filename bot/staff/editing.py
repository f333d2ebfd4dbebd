"""The FAQ as staff change it: what an edit would do to patients' questions, and the edit itself; the page and the staff
chat both come here. Plain, for a worker thread: an effect takes about a second.
"""

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bot import logs
from bot.live import LiveFaq
from bot.staff import faqfile, saving, unanswered
from bot.staff.newentry import NewEntry
from bot.staff.saving import Conflict, Snapshot
from bot.store.store import Store
from intents.diff import Change, Probe
from intents.evaluate import read_labelled
from intents.faq import Faq, load
from intents.lint import Understand, lint
from intents.strict_yaml import Problem
from intents.understand import Understander

log = logs.get("faq")
STALE = (
    "{name} was changed by somebody else since you looked. Nothing was written, and your words stand below: "
    "look at the effect again, then add it."
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a new entry would be and do, for the version of the file that `digest` names."""

    digest: str
    faq: Faq
    changes: list[Change]
    warnings: list[Problem]


class Editing:
    """Writes into the file at `path` and serves it. `labelled`: a folder of labelled questions, *.jsonl."""

    def __init__(self, live: LiveFaq, path: Path, store: Store, labelled: Path | None = None) -> None:
        self.live, self.path, self._store, self._labelled = live, path, store, labelled

    @property
    def understander(self) -> Understander:
        return self.live.current

    @cached_property
    def labelled(self) -> list[Probe]:
        """Questions whose right answer is known; none where there is no such folder."""
        found: list[Probe] = []
        for file in sorted(self._labelled.glob("*.jsonl")) if self._labelled else []:
            try:
                lines = read_labelled(file.read_text("utf-8").splitlines(), file.name)
            except (OSError, ValueError) as err:
                log.warning("labelled_not_read", file=file.name, error=type(err).__name__)
                continue
            found += [Probe.of(line, file.stem) for line in lines]
        return found

    # --- a phrasing

    def phrasing_effect(self, entry_id: str, language: str, text: str) -> list[Change]:
        """What would change for patients; nothing is written."""
        past = self._store.questions()
        return unanswered.effect(self.understander, entry_id, language, text, past, self.labelled)

    def add_phrasing(
        self, who: str, entry_id: str, language: str, text: str, ids: list[int], now: dt.datetime
    ) -> None:
        """Write it under the entry, serve it, and take the questions `ids` off the list. Raises EditRefused and FaqProblems."""
        snapshot = saving.take(self.path)
        new = faqfile.add_question(snapshot.text, entry_id, language, text)
        saving.save(self.path, snapshot, new)
        # If we die here the phrasing is live and the questions are still listed: adding it again says that it stands there.
        self._done(who, "faq.phrasing", entry_id, now, language, ids)

    # --- a new entry

    def look(self, draft: NewEntry, who: str, today: dt.date) -> Seen:
        """What the entry would be and do; nothing is written. Raises EditRefused and FaqProblems."""
        snapshot = saving.take(self.path)
        faq = load(draft.into(snapshot.text, who, today))
        after = self.understander.with_faq(faq)
        found = unanswered.effect_of(
            self.understander, after, draft.id, draft.questions, self._store.questions(), self.labelled
        )
        return Seen(snapshot.digest, faq, found, warnings(faq, draft.id, today, after.understand))

    def add_entry(self, draft: NewEntry, who: str, digest: str, ids: list[int], now: dt.datetime) -> None:
        """Write the entry behind the last one of its group, and serve it. Raises Conflict when the file is no longer the
        version that `digest` names, EditRefused and FaqProblems.
        """
        snapshot = saving.take(self.path)
        if snapshot.digest != digest:
            raise Conflict(STALE.format(name=self.path.name))
        saving.save(self.path, snapshot, draft.into(snapshot.text, who, now.date()))
        # If we die here the entry is live and the questions are still listed; a person takes them off.
        self._done(who, "faq.entry", draft.id, now, "new", ids)

    # --- any edit

    def write(self, snapshot: Snapshot, text: str) -> None:
        """Replace the version `snapshot` by `text`. Raises as saving.save."""
        saving.save(self.path, snapshot, text)

    def _done(
        self, who: str, what: str, entry_id: str, now: dt.datetime, detail: str, ids: list[int]
    ) -> None:
        self._store.audit(who, what, entry_id, now, detail)
        self.live.reload()
        if ids:
            self._store.drop_questions(ids)


def warnings(faq: Faq, entry_id: str, today: dt.date, understand: Understand | None = None) -> list[Problem]:
    """What the lint has to say about one entry."""
    index = next(i for i, entry in enumerate(faq.file.entries) if entry.id == entry_id)
    first = faq.places["entries", index][0]
    last = faq.places.get(("entries", index + 1), (1 << 30, 0))[0]
    return [problem for problem in lint(faq, today, understand, entry_id) if first <= problem.line < last]
