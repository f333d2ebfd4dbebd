"""Commands of the operator: the database, the staff's accounts, the LINE account's menu."""

import asyncio
import datetime as dt
import sys
from typing import Annotated

import typer
from pydantic import SecretStr

from bot.cli.console import counting_bar, fail, open_store, read_faq, settings

db_cli = typer.Typer(no_args_is_help=True, help="The database.")
line_cli = typer.Typer(no_args_is_help=True, help="The LINE account.")
staff_cli = typer.Typer(no_args_is_help=True, help="Who may use the staff page.")


@db_cli.command("upgrade")
def db_upgrade() -> None:
    """Bring the database to this version's tables."""
    with open_store(settings()):
        typer.echo("The database is up to date.")


@db_cli.command("move")
def db_move(url: Annotated[str, typer.Argument(help="The new database, postgresql+psycopg://...")]) -> None:
    """Copy everything into another, empty database (stop the bot first). Killed half way, it goes on where it was."""
    from bot.store.moving import move_store
    from bot.store.store import StoreError, StoreSettingsError

    config = settings()
    target = config.model_copy(update={"database_url": SecretStr(url)})
    with open_store(config) as source, open_store(target) as destination, counting_bar("rows") as progress:
        try:
            counts = move_store(source, destination, lambda _, done, total: progress(done, total))
        except (StoreSettingsError, StoreError) as err:
            raise fail(str(err)) from None
    typer.echo(
        f"{sum(counts.values())} rows moved and compared. Set SMILELINE_DATABASE_URL to the new address."
    )


@staff_cli.command("add")
def staff_add(
    name: str,
    role: Annotated[str, typer.Option(help="editor: the FAQ; care: patients; admin: everything")],
) -> None:
    """Make an account for the staff page, or give one a new role and password. Asks for the password."""
    from bot.staff.accounts import AccountRefused, add_account

    if sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    with open_store(settings()) as store:
        try:
            new = add_account(store, name, role, password, dt.datetime.now(dt.UTC))
        except AccountRefused as err:
            raise fail(str(err), 2) from None
    typer.echo(f"{name} ({role}) {'can log in' if new else 'has a new password; older sessions are closed'}.")


@staff_cli.command("list")
def staff_list() -> None:
    """Every account and its role."""
    with open_store(settings()) as store:
        for account in store.all_accounts():
            typer.echo(f"{account.name}  {account.role}{'  switched off' if account.disabled else ''}")


@staff_cli.command("remove")
def staff_remove(name: str) -> None:
    """Switch an account off at once; its name stays in the audit trail."""
    with open_store(settings()) as store:
        found = store.disable_account(name, dt.datetime.now(dt.UTC))
        if found:
            store.audit("command line", "account.removed", name, dt.datetime.now(dt.UTC))
    if not found:
        raise fail(f'There is no account "{name}"; `smileline staff list` shows them', 2)
    typer.echo(f"{name} cannot log in any more.")


@line_cli.command("setup")
def line_setup() -> None:
    """Make the menu below the LINE chat, in every language of the FAQ; may be repeated."""
    from bot.app import line_channel, line_menus
    from bot.channels.port import SendFailed

    config = settings()
    channel = line_channel(config)
    if channel is None:
        raise fail("Set SMILELINE_LINE_TOKEN and SMILELINE_LINE_SECRET first.", 2)
    try:
        made = asyncio.run(channel.set_up_menus(line_menus(read_faq(config.faq))))
    except SendFailed as err:
        raise fail(f"LINE did not take the menus: {err.reason}") from None
    typer.echo(f"Menus in {', '.join(made)} are in place.")
