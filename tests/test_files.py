"""The lock that says who holds it, and YAML that does not unfold without end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from rai_kedro.files import LockedError, locked, staging_folder
from rai_kedro.yaml_files import read_yaml

_HOLD = """
import sys
from pathlib import Path
from rai_kedro.files import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_holder_is_told_who_holds_the_lock_and_a_kill_frees_it(tmp_path: Path) -> None:
    lock = tmp_path / "folder" / "housing.lock"
    command = [sys.executable, "-c", _HOLD, str(lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(LockedError, match=f"held by process {other.pid} since"), locked(lock, wait=0.2):
            pass
        other.kill()
    with locked(lock, wait=5):
        pass


def test_two_may_stage_under_one_name(tmp_path: Path) -> None:
    with staging_folder(tmp_path / "place", "run") as one, staging_folder(tmp_path / "place", "run") as other:
        assert one != other
        assert one.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_aliases_that_multiply_are_refused() -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(yaml.YAMLError, match="unfold into more than"):
        read_yaml("\n".join(lines))
    with pytest.raises(yaml.YAMLError, match="unfold"):
        read_yaml("a: &a [*a]")
    assert read_yaml("a: &a [1]\nb: *a") == {"a": [1], "b": [1]}


@pytest.mark.parametrize("text", ["[" * 200_000, "- " * 200_000 + "x", "? " * 200_000 + "x"])
def test_nesting_without_end_is_refused(text: str) -> None:
    with pytest.raises(yaml.YAMLError, match="nested more than 100 levels deep"):
        read_yaml(text)


def test_a_key_given_twice_is_refused() -> None:
    with pytest.raises(yaml.YAMLError, match="'use' is given twice"):
        read_yaml("use: audit\nuse: model")
