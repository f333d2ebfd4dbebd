"""The commands: `smileline ...`, the same as `python -m bot ...`."""

import typer

from bot.cli import talking
from bot.cli.faq import faq_cli
from bot.cli.office import db_cli, line_cli, staff_cli
from bot.cli.patients import enrol, patients_cli, reminders_cli

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Smileline, the companion after a thread lift.",
)
for command in (talking.run, talking.chat, talking.ask, enrol, talking.health):
    cli.command()(command)
cli.add_typer(faq_cli, name="faq")
cli.add_typer(reminders_cli, name="reminders")
cli.add_typer(db_cli, name="db")
cli.add_typer(patients_cli, name="patients")
cli.add_typer(line_cli, name="line")
cli.add_typer(staff_cli, name="staff")


def main() -> None:
    cli()


if __name__ == "__main__":
    main()
