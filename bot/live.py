"""The FAQ that is being served: reloaded when the file is saved, and kept when the new version is broken."""

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import watchfiles

from bot import logs
from intents.faq import Faq, FaqProblems, load
from intents.strict_yaml import MAX_BYTES
from intents.understand import Understander

log = logs.get("faq")
LAST_GOOD = "faq.last-good.yaml"
LOOK_SECONDS = 1.0  # the file is also looked at this often: network drives and some mounts send no events
PATIENCE_SECONDS = (
    0.7  # an editor that saves in several writes is given this long before its mistakes are told
)
Tell = Callable[[str], Awaitable[object]]


class LiveFaq:
    """Serves one version at a time; a message that is being answered keeps the version it began with."""

    def __init__(self, path: Path, data_dir: Path, build: Callable[[Faq], Understander]) -> None:
        """Load `path`, else the last good version, and `build` once. Raises FaqProblems or OSError when there is neither."""
        self._path, self._kept = path, data_dir / LAST_GOOD
        self.problems: list[str] = []
        self.current = build(self._first())

    def _first(self) -> Faq:
        try:
            raw, faq = self._read()
        except (FaqProblems, OSError) as err:
            self._note(err)
            try:
                faq = load(self._kept.read_bytes())
            except (FaqProblems, OSError):
                raise err from None
            log.error("faq_broken_last_good_served", problems=len(self.problems))
            return faq
        self._keep(raw)
        return faq

    def _read(self) -> tuple[bytes, Faq]:
        if self._path.stat().st_size > MAX_BYTES:
            raise OSError(f"{self._path.name} is larger than {MAX_BYTES:,} bytes")
        raw = self._path.read_bytes()
        return raw, load(raw)

    def _note(self, err: Exception) -> None:
        match err:
            case FaqProblems():
                self.problems = [str(problem) for problem in err.problems]
            case OSError(strerror=str(reason)):
                self.problems = [f"{self._path.name} cannot be read: {reason}"]
            case _:
                self.problems = [str(err) or type(err).__name__]

    def _keep(self, raw: bytes) -> None:
        """Keep a copy of the good version, whole or not at all. A full disk costs the copy, not the service.

        If we die before os.replace, the older good version stands.
        """
        temporary = None
        try:
            self._kept.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._kept.parent, suffix=".tmp", delete=False) as file:
                temporary = Path(file.name)
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self._kept)
        except OSError as err:
            log.warning("last_good_not_kept", error=str(err.strerror))
            if temporary:
                with contextlib.suppress(OSError):
                    temporary.unlink(missing_ok=True)

    def reload(self) -> bool:
        """Serve what the file says now, if it may go live. True when the version changed. Never raises."""
        try:
            raw, faq = self._read()
            if faq.version == self.current.faq.version:
                self.problems = []
                return False
            understander = self.current.with_faq(faq)
        except Exception as err:  # whatever a file can do, the version that is served goes on
            self._note(err)
            log.error("faq_refused", problems=len(self.problems), error=type(err).__name__)
            return False
        self.current, self.problems = understander, []
        self._keep(raw)
        log.info("faq_live", version=faq.version, entries=len(faq.entries))
        return True

    async def watch(self, tell_staff: Tell) -> None:
        """Follow the file until cancelled, and tell staff when it breaks and when it is in order again."""
        seen = (
            None  # so that what was saved between loading and watching is found, and a broken start is told
        )
        told: list[str] = []
        async for _ in self._looks():
            now = await asyncio.to_thread(self._signature)
            if now != seen:
                seen = now
                await asyncio.to_thread(self.reload)
                if self.problems:
                    await asyncio.sleep(PATIENCE_SECONDS)
                    if seen != await asyncio.to_thread(self._signature):
                        continue  # still being written; the next look reads it
            if self.problems != told:
                told = list(self.problems)
                with contextlib.suppress(Exception):  # a staff chat that is down must not stop the watch
                    await tell_staff(_report(self._path.name, told))

    def _signature(self) -> tuple[int, int, int] | None:
        """What differs after every way of saving; None when the file is not there. Links are followed."""
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_ino, stat.st_size, stat.st_mtime_ns

    async def _looks(self) -> AsyncIterator[None]:
        """A look at the start, at each event in the file's folder, and each second.

        The folder is watched, since editors replace the file rather than write into it. Where watching fails (the folder is
        gone, the system is out of watches) the look each second remains.
        """
        yield None
        while True:
            try:
                async for _ in watchfiles.awatch(
                    self._path.parent.absolute(),
                    recursive=False,
                    debounce=200,
                    step=50,
                    rust_timeout=int(LOOK_SECONDS * 1000),
                    yield_on_timeout=True,
                ):
                    yield None
            except (OSError, RuntimeError) as err:
                log.warning("faq_watched_by_looking", error=type(err).__name__)
            await asyncio.sleep(LOOK_SECONDS)
            yield None


def _report(name: str, problems: list[str]) -> str:
    if not problems:
        return f"{name} is in order again and live."
    shown = "\n".join(problems[:10])
    more = f"\n... and {len(problems) - 10} more" if len(problems) > 10 else ""
    return f"{name} was saved with mistakes. The bot goes on with the last good version. Please mend:\n{shown}{more}"
