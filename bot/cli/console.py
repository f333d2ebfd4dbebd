"""What the commands share: settings, the FAQ and the database or a clear line on standard error, and progress bars."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from bot.config import ConfigError, Settings, load_settings
from intents.faq import Faq, FaqProblems, load

if TYPE_CHECKING:
    from bot.store.store import Store
    from intents.understand import Understander

Result = TypeVar("Result")
errors = Console(stderr=True, highlight=False)

FaqOption = Annotated[
    Path | None, typer.Option("--faq", help="FAQ file (default: the setting SMILELINE_FAQ)")
]


def fail(message: str, code: int = 1) -> typer.Exit:
    """A clear line on standard error, and the exit to raise."""
    errors.print(message, markup=False, style="red", soft_wrap=True)
    return typer.Exit(code)


def settings() -> Settings:
    try:
        return load_settings()
    except ConfigError as err:
        raise fail(str(err), 2) from None


def read_faq(path: Path) -> Faq:
    try:
        return load(path.read_bytes())
    except OSError as err:
        raise fail(f"{path} cannot be read: {err.strerror}", 2) from None
    except FaqProblems as err:
        raise fail(f"{path} must not go live:\n{err}") from None


@contextmanager
def training_bar() -> Iterator[object]:
    """A progress bar that shows only when there is something to wait for."""
    with Progress(TextColumn("{task.description}"), BarColumn(), console=errors, transient=True) as bar:
        task = bar.add_task("starting", total=1.0)
        yield lambda what, share: bar.update(task, description=what, completed=share)


@contextmanager
def counting_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar told (done, in all)."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        console=errors,
    ) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def understander(config: Settings, faq: Faq) -> "Understander":
    from intents.understand import Understander

    with training_bar() as progress:
        return Understander.build(faq, config.data_dir / "cache", progress)  # type: ignore[arg-type]


def zone_of(tz: str | None, faq: Faq) -> str:
    import zoneinfo

    if tz and tz not in zoneinfo.available_timezones():
        raise fail(f'"{tz}" is no time zone; write one such as Asia/Tokyo', 2)
    return tz or faq.clinic.timezone


def kind_of(kind: str, faq: Faq) -> str:
    if kind not in faq.procedures:
        raise fail(f'"{kind}" is no kind of procedure here; allowed: {", ".join(faq.procedures)}', 2)
    return kind


def or_fail(call: Callable[[], Result]) -> Result:
    """What `call` returns; what a person can mend becomes a clear line."""
    try:
        return call()
    except OSError as err:
        raise fail(f"{err.filename} cannot be read: {err.strerror}", 2) from None
    except ValueError as err:
        raise fail(str(err), 2) from None


@contextmanager
def open_store(config: Settings) -> "Iterator[Store]":
    """The database, brought up to date."""
    from bot.store.crypto import load_key
    from bot.store.store import Store

    with plain_faults():
        key = load_key(config.data_key.get_secret_value() if config.data_key else None, config.data_dir)
        store = Store.open(config.database_url.get_secret_value(), key)
        try:
            store.upgrade()
            yield store
        finally:
            store.close()


@contextmanager
def plain_faults() -> Iterator[None]:
    """A database that cannot be used, or not with this key, is told in a line instead of a traceback."""
    from bot.store.crypto import WrongKeyError
    from bot.store.store import StoreError, StoreSettingsError

    try:
        yield
    except (WrongKeyError, StoreSettingsError, StoreError) as err:
        raise fail(f"Smileline cannot use its database: {err}") from None
