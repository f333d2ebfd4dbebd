"""Who may come in to the staff page, and what was done there."""

import datetime as dt
from dataclasses import dataclass
from typing import Literal, get_args

from sqlalchemy import delete, select, update

from bot.store.database import Database
from bot.store.said import Said
from bot.store.staff_schema import accounts, audit, staff_sessions

Role = Literal["editor", "care", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
_ANYBODY = Said(select(accounts.c.id).limit(1))


@dataclass(frozen=True, slots=True)
class Account:
    id: int
    name: str
    role: Role
    password_hash: str
    disabled: bool


@dataclass(frozen=True, slots=True)
class Session:
    """A log-in that holds."""

    account: Account
    created_at: dt.datetime
    seen_at: dt.datetime


@dataclass(frozen=True, slots=True)
class AuditLine:
    at: dt.datetime
    who: str
    what: str
    subject: str
    detail: str


class Accounts(Database):
    """Accounts, their sessions, and the audit trail."""

    def put_account(self, name: str, role: Role, password_hash: str, now: dt.datetime) -> bool:
        """Make an account, or give an existing one this role and password; its sessions end. True when it is new."""
        values = {"role": role, "password_hash": password_hash, "disabled_at": None}
        with self.write() as db:
            row = {"name": name, "created_at": now, **values}
            if db.execute(self.insert(accounts).values(row).on_conflict_do_nothing()).rowcount == 1:
                return True
            db.execute(update(accounts).where(accounts.c.name == name).values(values))
            mine = select(accounts.c.id).where(accounts.c.name == name)
            db.execute(delete(staff_sessions).where(staff_sessions.c.account_id.in_(mine)))
            return False

    def disable_account(self, name: str, now: dt.datetime) -> bool:
        """The account stays for the audit trail's sake; nobody can use it. False when there is none."""
        with self.write() as db:
            here = accounts.c.name == name
            found = db.execute(update(accounts).where(here).values(disabled_at=now)).rowcount == 1
            mine = select(accounts.c.id).where(here)
            db.execute(delete(staff_sessions).where(staff_sessions.c.account_id.in_(mine)))
            return found

    def account(self, name: str) -> Account | None:
        with self.read() as db:
            row = db.execute(select(accounts).where(accounts.c.name == name)).one_or_none()
        return None if row is None else _account(row)

    def all_accounts(self) -> list[Account]:
        with self.read() as db:
            return [_account(row) for row in db.execute(select(accounts).order_by(accounts.c.name))]

    # --- sessions; found by a MAC of the cookie's secret

    def open_session(self, account_id: int, token: str, now: dt.datetime, kept: dt.timedelta) -> None:
        """A new log-in; sessions older than `kept` are thrown away on the way."""
        row = {"account_id": account_id, "token_mac": self._token(token), "created_at": now, "seen_at": now}
        with self.write() as db:
            db.execute(delete(staff_sessions).where(staff_sessions.c.created_at < now - kept))
            db.execute(staff_sessions.insert().values(row))

    def session(self, token: str) -> Session | None:
        query = (
            select(accounts, staff_sessions.c.created_at.label("begun"), staff_sessions.c.seen_at)
            .join(staff_sessions)
            .where(staff_sessions.c.token_mac == self._token(token), accounts.c.disabled_at.is_(None))
        )
        with self.read() as db:
            row = db.execute(query).one_or_none()
        return None if row is None else Session(_account(row), row.begun, row.seen_at)

    def session_seen(self, token: str, now: dt.datetime) -> None:
        with self.write() as db:
            here = staff_sessions.c.token_mac == self._token(token)
            db.execute(update(staff_sessions).where(here).values(seen_at=now))

    def end_session(self, token: str) -> None:
        with self.write() as db:
            db.execute(delete(staff_sessions).where(staff_sessions.c.token_mac == self._token(token)))

    def _token(self, token: str) -> bytes:
        return self._vault.mac("staff session", token)

    # --- audit

    def audit(self, who: str, what: str, subject: str, now: dt.datetime, detail: str = "") -> None:
        """One line for good. `subject` and `detail` hold ids and names of entries, never a patient's words."""
        row = {
            "at": now,
            "who": who[:64],
            "what": what[:48],
            "subject": subject[:100],
            "detail": detail[:300],
        }
        with self.write() as db:
            db.execute(audit.insert().values(row))

    def audit_lines(self, limit: int = 200, before: int | None = None) -> list[tuple[int, AuditLine]]:
        """Newest first, with their numbers; `before` continues a page."""
        query = select(audit).order_by(audit.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(audit.c.id < before)
        with self.read() as db:
            return [
                (row.id, AuditLine(row.at, row.who, row.what, row.subject, row.detail))
                for row in db.execute(query)
            ]

    def staff_exists(self) -> bool:
        with self.read() as db:
            return bool(_ANYBODY.run(db))


def _account(row: object) -> Account:
    return Account(row.id, row.name, row.role, row.password_hash, row.disabled_at is not None)  # type: ignore[attr-defined]
