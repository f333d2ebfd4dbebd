"""Who may import whom: imports point one way, and each platform's library stands in one place."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.helpers import ROOT

# A module may import from its own layer and from those after it.
LAYERS = (
    ("bot.__main__", "bot.cli"),
    ("bot.app", "bot.terminal", "bot.commands"),
    ("bot.web", "bot.chatpage", "bot.inbox", "bot.outbox", "bot.staff", "bot.live"),
    ("bot.channels", "bot.store", "bot.config", "bot.logs"),
    ("bot.core",),
    ("intents",),
)
# library -> the only modules that may import it
ONLY_IN = {
    "telegram": ("bot.channels.telegram",),
    "linebot": ("bot.channels.line",),
    "sqlalchemy": ("bot.store",),
    "alembic": ("bot.store",),
    "apscheduler": ("bot.outbox",),
    "aiohttp": ("bot.web", "bot.chatpage", "bot.staff", "bot.channels.line"),
    "ruamel": ("bot.staff",),
    "dateparser": ("bot.core.dates",),
}
IMPURE = (
    "asyncio",
    "os",
    "socket",
    "subprocess",
    "threading",
    "aiohttp",
    "sqlalchemy",
    "telegram",
    "linebot",
    "time",
)


def modules() -> Iterator[tuple[str, Path]]:
    for folder in ("bot", "intents"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            yield name.removesuffix(".__init__"), path


@cache
def imports(path: Path) -> frozenset[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(names)


def layer(module: str) -> int | None:
    best = [
        (len(prefix), number)
        for number, prefixes in enumerate(LAYERS)
        for prefix in prefixes
        if module == prefix or module.startswith(f"{prefix}.")
    ]
    return max(best)[1] if best else None


MODULES = dict(modules())


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module: str) -> None:
    own = layer(module)
    if own is None:  # helpers of the shells, beside them
        own = 2
    type_only = {"bot.app"} if module == "bot.web" else set()

    upwards = {
        name
        for name in imports(MODULES[module])
        if name.split(".")[0] in ("bot", "intents")
        and name != "bot"
        and (layer(name) if layer(name) is not None else 2) < own  # type: ignore[operator]
    }

    assert {name for name in upwards if not any(name.startswith(allowed) for allowed in type_only)} == set()


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_platforms_library_stands_in_one_place(library: str) -> None:
    users = {
        module
        for module, path in MODULES.items()
        if any(name.split(".")[0] == library for name in imports(path))
    }

    assert {user for user in users if not user.startswith(ONLY_IN[library])} == set()


def test_only_one_file_imports_each_messengers_library() -> None:
    for library in ("telegram", "linebot"):
        users = [m for m, path in MODULES.items() if any(n.split(".")[0] == library for n in imports(path))]

        assert len(users) == 1, users


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("bot.core")])
def test_the_core_is_pure(module: str) -> None:
    assert {name.split(".")[0] for name in imports(MODULES[module])}.isdisjoint(IMPURE)
    assert "datetime.now" not in MODULES[module].read_text(encoding="utf-8")
    assert "utcnow" not in MODULES[module].read_text(encoding="utf-8")


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("intents")])
def test_understanding_knows_no_network_database_or_clock(module: str) -> None:
    allowed = {"os"} if module == "intents.reading" else set()  # how many processors may read the library

    assert {name.split(".")[0] for name in imports(MODULES[module])}.isdisjoint(set(IMPURE) - allowed)
