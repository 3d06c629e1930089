"""What a person reads on a terminal of any width, and that a program reads it unfolded and without colour."""

from __future__ import annotations

import io
import re

import pytest
from click.testing import CliRunner

from rai_kedro.cli import COMMANDS, cli
from rai_kedro.commands.terminal import fold, paint, show

GATE = "  proxies      fail                   LSTAT: the whole interval lies above 0.3 (needs an accepted risk)"
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Terminal()


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_line_is_folded_under_its_last_column(width: int) -> None:
    folded = fold(GATE, width).splitlines()
    assert max(map(len, folded)) <= width
    assert " ".join(" ".join(folded).split()) == " ".join(GATE.split())
    under = GATE.index("LSTAT") if width > 60 else GATE.index("fail")
    assert [re.match(" *", line).end() for line in folded[1:]] == [under] * (len(folded) - 1)  # type: ignore[union-attr]


def test_a_command_to_be_copied_and_a_long_word_stay_in_one_piece() -> None:
    command = (
        "              .venv/bin/kedro rai approve --use-case housing --version 2 --statement '…' --accept-risk '…'"
    )
    assert fold(command, 60) == command
    assert f"\n  {'x' * 70}" in fold(f"in {'x' * 70}", 60)


def test_a_terminal_shows_verdicts_in_colour_and_no_color_takes_it_away(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = paint(GATE, terminal)
    assert "\x1b[1;31mfail" in shown and "\x1b[33mneeds an accepted risk" in shown
    assert _ANSI.sub("", shown) == fold(GATE, 80)
    assert "\x1b" not in paint("1 of 3 failed to bypass a gate", terminal)
    monkeypatch.setenv("NO_COLOR", "1")
    assert paint(GATE, terminal) == fold(GATE, 80)


def test_a_pipe_gets_the_line_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    show(GATE)
    show(f"[bold]{GATE}", err=True)
    assert capsys.readouterr() == (f"{GATE}\n", f"[bold]{GATE}\n")


@pytest.mark.parametrize("width", [60, 80])
def test_help_names_every_command_once_by_who_needs_it_and_cuts_nothing(width: int) -> None:
    shown = CliRunner().invoke(cli, ["rai", "--help"], terminal_width=width).output
    assert "..." not in shown.replace("[ARGS]...", "")
    assert max(map(len, shown.splitlines())) <= width
    listed = re.findall(r"^  ([a-z][a-z-]+)  ", shown, re.MULTILINE)
    assert listed == [name for commands in COMMANDS.values() for name in commands]
    assert [line[:-1] for line in shown.splitlines() if line[:1].isalpha() and line.endswith(":")][1:] == [*COMMANDS]
