"""`kedro rai keys`: what it prints can be pasted, and then counts."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rai_kedro.commands.keys import keys
from rai_kedro.release import SigningKey, read_reviewers

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "conf/base").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text("[tool.kedro]\n")
    (tmp_path / "conf/base/reviewers.yml").write_bytes((ROOT / "conf/base/reviewers.yml").read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAI_KEDRO_PASSPHRASE", raising=False)
    return tmp_path


def run(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(keys, arguments, input=typed)


def paste(project: Path, entry: str) -> Path:
    path = project / "conf/base/reviewers.yml"
    path.write_text(path.read_text().replace("\nreviewers:\n", f"\nreviewers:\n{entry}\n"))
    return path


class TestNew:
    def test_the_printed_entry_makes_the_key_count(self, project: Path) -> None:
        done = run("new", "--name", "Zoë Reviewer: lead", "--role", "reviewer", "--role", "owner", "--no-passphrase")
        assert done.exit_code == 0, done.output
        path = project / "conf/local/keys/zoe-reviewer-lead.key"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        listed = read_reviewers(paste(project, done.output[done.output.index("- name") :]))
        reviewer = listed.find(SigningKey.load(path).keyid)
        assert reviewer is not None
        today = datetime.now(UTC).date()
        assert (reviewer.name, reviewer.roles) == ("Zoë Reviewer: lead", ("reviewer", "owner"))
        assert reviewer.accounts
        assert reviewer.model_key == SigningKey.load(path).model_public
        assert reviewer.valid_from == today
        assert timedelta(365) <= reviewer.valid_until - today <= timedelta(366)
        assert "until" in run("list").output

    def test_it_writes_nothing_that_is_reviewed(self, project: Path) -> None:
        before = (project / "conf/base/reviewers.yml").read_bytes()
        assert run("new", "--name", "Ada", "--no-passphrase").exit_code == 0
        assert (project / "conf/base/reviewers.yml").read_bytes() == before

    def test_a_passphrase_is_asked_twice(self, project: Path) -> None:
        assert run("new", "--name", "Ada", "--out", "a.key", typed="secret\nother\nsecret\nsecret\n").exit_code == 0
        assert SigningKey.load(project / "a.key", "secret").keyid

    def test_a_passphrase_of_the_environment_is_taken(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RAI_KEDRO_PASSPHRASE", "from outside")
        assert run("new", "--name", "Ada", "--out", "a.key").exit_code == 0
        assert SigningKey.load(project / "a.key", "from outside").keyid

    def test_without_an_answer_there_is_no_key(self, project: Path) -> None:
        assert run("new", "--name", "Ada", typed="").exit_code != 0
        assert not (project / "conf/local").exists()

    def test_a_key_is_not_overwritten(self, project: Path) -> None:
        assert run("new", "--name", "Ada", "--no-passphrase").exit_code == 0
        before = (project / "conf/local/keys/ada.key").read_bytes()
        again = run("new", "--name", "Ada", "--no-passphrase")
        assert "There is a file already" in str(again.exception)
        assert (project / "conf/local/keys/ada.key").read_bytes() == before

    @pytest.mark.parametrize(
        "wrong", [["--name", " "], ["--name", "a\u202eb"], ["--name", "Ada", "--role", "The Boss"]]
    )
    def test_what_cannot_stand_in_the_list_makes_no_key(self, project: Path, wrong: list[str]) -> None:
        done = run("new", "--no-passphrase", *wrong)
        assert "cannot stand in the list of reviewers" in str(done.exception)
        assert not (project / "conf/local").exists()


class TestList:
    def test_nobody_yet(self, project: Path) -> None:
        done = run("list")
        assert "Nobody may sign yet" in done.output
        assert "local, test, base" in done.output

    def test_who_when_and_what_has_expired(self, project: Path) -> None:
        entries = ""
        for name, first, last in (("Ada", 2001, 2002), ("Bob", 2001, 2999), ("Cy", 2998, 2999)):
            entries += f"- name: {name}\n  roles: [reviewer]\n  key: {SigningKey.generate().public}\n"
            entries += f"  valid_from: {first}-01-01\n  valid_until: {last}-12-31\n"
        paste(project, entries)
        lines = run("list").output.splitlines()
        assert lines[0] == "Ada (reviewer)"
        assert lines[1].startswith("  SHA256:")
        assert lines[1].endswith("EXPIRED on 2002-12-31")
        assert "until 2999-12-31" in lines[3]
        assert "NOT YET VALID, from 2998-01-01" in lines[5]
