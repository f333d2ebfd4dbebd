"""The FAQ that is being served: reloaded when the file is saved, and kept when the new version is broken."""

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import watchfiles

from bot import logs
from intents.faq import Faq, FaqProblems, load
from intents.model import Progress, quiet
from intents.strict_yaml import MAX_BYTES
from intents.understand import Understander

log = logs.get("faq")
LAST_GOOD = "faq.last-good.yaml"
Tell = Callable[[str], Awaitable[object]]


class LiveFaq:
    """Serves one version at a time; a message that is being answered keeps the version it began with."""

    def __init__(self, path: Path, data_dir: Path, progress: Progress = quiet) -> None:
        """Load `path`, else the last good version. Raises FaqProblems or OSError when there is neither."""
        self._path, self._kept = path, data_dir / LAST_GOOD
        self.problems: list[str] = []
        faq = self._first()
        self.current = Understander.build(faq, data_dir / "cache", progress)
        self._seen = faq.version

    def _first(self) -> Faq:
        try:
            faq = self._read()
        except (FaqProblems, OSError) as err:
            self._note(err)
            if not self._kept.exists():
                raise
            log.error("faq_broken_last_good_served", problems=len(self.problems))
            return load(self._kept.read_bytes())
        self._keep()
        return faq

    def _read(self) -> Faq:
        if self._path.stat().st_size > MAX_BYTES:
            raise OSError(f"{self._path} is larger than {MAX_BYTES:,} bytes")
        return load(self._path.read_bytes())

    def _note(self, err: Exception) -> None:
        self.problems = [str(p) for p in err.problems] if isinstance(err, FaqProblems) else [str(err)]

    def _keep(self) -> None:
        """Keep a copy of the good version, whole or not at all. A full disk costs the copy, not the service."""
        try:
            self._kept.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._kept.parent, delete=False) as file:
                file.write(self._path.read_bytes())
            os.replace(file.name, self._kept)
        except OSError as err:
            log.warning("last_good_not_kept", error=str(err.strerror))

    def reload(self) -> bool:
        """Serve what the file says now, if it may go live. True when the version changed."""
        try:
            faq = self._read()
            if faq.version == self._seen:
                self.problems = []
                return False
            understander = self.current.with_faq(faq)
        except (FaqProblems, OSError) as err:
            self._note(err)
            log.error("faq_refused", problems=len(self.problems))
            return False
        self.current, self._seen, self.problems = understander, faq.version, []
        self._keep()
        log.info("faq_live", version=faq.version, entries=len(faq.entries))
        return True

    async def watch(self, tell_staff: Tell) -> None:
        """Follow the file until cancelled. Its folder is watched, since editors replace the file rather than write into it."""
        name = self._path.name
        told: list[str] = []
        async for changes in watchfiles.awatch(
            self._path.parent.absolute(), recursive=False, debounce=200, step=50
        ):
            if not any(Path(changed).name == name for _, changed in changes):
                continue
            await asyncio.to_thread(self.reload)
            if self.problems != told:
                told = list(self.problems)
                await tell_staff(_report(name, told))


def _report(name: str, problems: list[str]) -> str:
    if not problems:
        return f"{name} is in order again and live."
    shown = "\n".join(problems[:10])
    more = f"\n... and {len(problems) - 10} more" if len(problems) > 10 else ""
    return f"{name} was saved with mistakes. The bot goes on with the last good version. Please mend:\n{shown}{more}"
