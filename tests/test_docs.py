"""README and docs say what the code does."""

import re
import subprocess
import sys

import pytest
import typer

from bot.__main__ import cli
from bot.config import Settings
from intents.faq import FaqProblems, load
from tests.helpers import ROOT, shipped_text

README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands(app: typer.Typer, prefix: str = "smileline") -> set[str]:
    found = {f"{prefix} {c.name or c.callback.__name__}" for c in app.registered_commands if c.callback}
    for group in app.registered_groups:
        if group.typer_instance:
            found |= commands(group.typer_instance, f"{prefix} {group.name}")
    return found


def test_every_setting_stands_in_the_readme_with_its_default() -> None:
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = getattr(default, "get_secret_value", lambda default=default: default)()
        cell = "" if shown is None else f"`{shown}`"

        assert f"| `SMILELINE_{name.upper()}` | {cell} | {field.description} |" in README


def test_the_readme_names_no_setting_that_does_not_exist() -> None:
    known = {f"SMILELINE_{name.upper()}" for name in Settings.model_fields}
    named = {name.removesuffix("_FILE") for name in re.findall(r"SMILELINE_[A-Z_]*[A-Z]", README)}

    assert named <= known


def test_the_readme_lists_exactly_the_commands_there_are() -> None:
    listed = set(re.findall(r"^\| `(smileline [a-z ]+?)(?: --?[a-z ]+)?` \|", README, re.MULTILINE))

    assert listed == commands(cli)


def test_make_targets_named_in_the_docs_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for document in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"`?make ([a-z]+)`?", (ROOT / document).read_text(encoding="utf-8")):
            if target not in ("sure", "the", "it", "a"):
                assert f"\n{target}:" in makefile, target


def test_links_in_the_docs_lead_somewhere() -> None:
    for document in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"(?:\]\(|src=\")([^)\"#:]+)", document.read_text(encoding="utf-8")):
            if not link.startswith(("http", "mailto")):
                assert (document.parent / link).exists(), f"{document.name}: {link}"


def test_the_example_of_an_error_in_the_readme_is_what_the_loader_says() -> None:
    example = re.search(r"line \d+, column \d+: error: (entries\.1\.urgency: .*)", README)
    assert example

    with pytest.raises(FaqProblems) as caught:
        load(shipped_text().replace("urgency: routine", "urgency: rutine", 1))

    assert caught.value.problems[0].message == example[1]


@pytest.mark.slow
def test_python_m_bot_is_the_same_as_the_console_script() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bot", "--help"], capture_output=True, text=True, cwd=ROOT, check=True
    )

    assert "smileline" in done.stdout.lower() or "Usage" in done.stdout


def test_no_committed_file_names_a_path_of_a_developers_machine() -> None:
    files = subprocess.run(
        ["git", "ls-files"], capture_output=True, text=True, cwd=ROOT, check=True
    ).stdout.split("\n")
    for name in filter(None, files):
        path = ROOT / name
        if (
            path.suffix in (".py", ".md", ".yaml", ".toml", ".lock", ".html", ".js", ".css", "")
            and path.exists()
        ):
            text = path.read_text(encoding="utf-8", errors="replace")

            assert "/wo" + "rk/" not in text, name
