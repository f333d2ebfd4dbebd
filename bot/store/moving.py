"""From SQLite to PostgreSQL (or any store to an empty one): page by page, resumable, compared row by row at the end."""

import datetime as dt
from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import Any

from sqlalchemy import Column, Connection, Table, func, select, text, tuple_

from bot.store.database import Database, StoreSettingsError
from bot.store.schema import meta, metadata

PAGE = 5_000
_STATE = "move:state"


def move_store(
    src: Database,
    dst: Database,
    progress: Callable[[str, int, int], None] | None = None,
    page: int = PAGE,
) -> dict[str, int]:
    """Copy everything from `src` into `dst` (both upgraded; stop the bot first). Rows by table.

    Killed half way it goes on where it was: each page and its bookmark are one transaction. `progress` is told
    (table, rows done, rows in all). Raises StoreSettingsError when `dst` holds other data or differs afterwards.
    """
    _begin(dst)
    counts = {}
    for table in _tables():
        counts[table.name] = _copy(src, dst, table, progress, page)
    for table in _tables():
        _compare(src, dst, table)
    _finish(src, dst)
    return counts


def _tables() -> list[Table]:
    return [table for table in metadata.sorted_tables if table is not meta]


def _begin(dst: Database) -> None:
    """A destination that is in use is not overwritten."""
    with dst.write() as db:
        state = db.execute(select(meta.c.value).where(meta.c.name == _STATE)).scalar()
        if state == "running":
            return
        for table in _tables():
            if db.execute(select(func.count()).select_from(table.select().limit(1).subquery())).scalar_one():
                raise StoreSettingsError(
                    f"the destination holds {table.name} already; give an empty database"
                )
        dst.put_meta(db, _STATE, "running")


def _copy(
    src: Database,
    dst: Database,
    table: Table,
    progress: Callable[[str, int, int], None] | None,
    page: int,
) -> int:
    with src.read() as db:
        total: int = db.execute(select(func.count()).select_from(table)).scalar_one()
    with dst.read() as db:
        done: int = db.execute(select(func.count()).select_from(table)).scalar_one()
        last: Any = db.execute(
            select(*_key(table)).order_by(*(column.desc() for column in _key(table))).limit(1)
        ).first()
    while True:
        with src.read() as db:
            rows = [dict(row._mapping) for row in _page(db, table, last, page)]
        if not rows:
            return total
        with dst.write() as db:  # if we die here, the last key in the destination tells where to go on
            db.execute(table.insert(), rows)
        done += len(rows)
        last = tuple(rows[-1][column.name] for column in _key(table))
        if progress:
            progress(table.name, done, total)


def _key(table: Table) -> list[Column[Any]]:
    return list(table.primary_key.columns)


def _page(db: Connection, table: Table, last: Any, page: int) -> list[Any]:
    query = table.select().order_by(*_key(table)).limit(page)
    if last is not None:
        query = query.where(tuple_(*_key(table)) > tuple_(*last))
    return list(db.execute(query))


def _compare(src: Database, dst: Database, table: Table) -> None:
    for mine, theirs in zip_longest(_rows(src, table), _rows(dst, table)):
        if mine is None or theirs is None or tuple(mine) != tuple(theirs):
            raise StoreSettingsError(
                f"{table.name} differs after the move; empty the destination and begin again"
            )


def _rows(store: Database, table: Table) -> Iterator[Any]:
    last = None
    while True:
        with store.read() as db:
            page = _page(db, table, last, PAGE)
        yield from page
        if len(page) < PAGE:
            return
        last = tuple(getattr(page[-1], column.name) for column in _key(table))


def _finish(src: Database, dst: Database) -> None:
    """The store's own values (key check, retry keys' root), and numbering that goes on after the highest ever used."""
    with src.read() as db:
        own = {row.name: row.value for row in db.execute(meta.select())}
        used: dict[str, int] = {}
        if src.is_sqlite:
            used = dict(db.execute(text("SELECT name, seq FROM sqlite_sequence")).all())
    with dst.write() as db:
        for name, value in own.items():
            dst.put_meta(db, name, value)
        dst.put_meta(db, _STATE, f"done {dt.datetime.now(dt.UTC).isoformat()}")
        for table in _tables() if not dst.is_sqlite else []:
            if "id" in table.c and table.c.id.autoincrement is True:
                highest = db.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one()
                highest = max(highest, used.get(table.name, 0))
                if highest:
                    db.execute(func.setval(func.pg_get_serial_sequence(table.name, "id"), highest).select())
