"""What `kedro rai verify` finds in a project that was trained, approved and monitored by the real commands."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from rai_kedro.release import read_evidence

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
KEY = "month=2024-05/model_version=1/part-0.parquet"


def edit(path: Path) -> None:
    """Change one number of a table, as whoever has the disk may."""
    frame = pd.read_parquet(path, partitioning=None)
    column = next(name for name in frame if pd.api.types.is_float_dtype(frame[name]) and frame[name].notna().any())
    frame.loc[frame[column].first_valid_index(), column] += 1
    frame.to_parquet(path, index=False)


def forge(path: Path) -> None:
    """Put predictions where none were made."""
    target = Path(str(path).replace("2024-05", "2031-01"))
    shutil.copytree(path.parent, target.parent)


ATTACKS: dict[str, tuple[str, Callable[[Path], Any], str]] = {
    "features edited": ("features", edit, "features of 2024-05 are not those of line"),
    "features removed": ("features", Path.unlink, "features of 2024-05 are gone"),
    "training month edited": ("first", edit, "features of 2024-01 are not those of line"),
    "labels edited": ("labels", edit, "labels of 2024-05 are not those of line"),
    "predictions edited": ("predictions", edit, "predictions of 2024-05 by version 1 are not those of line"),
    "predictions removed": ("predictions", Path.unlink, "predictions of 2024-05 by version 1 are gone"),
    "predictions forged": ("predictions", forge, "predictions of 2031-01 by version 1 are on no record"),
    "drift result edited": ("drift", edit, "drift result of 2024-05 by version 1"),
    "outcome result removed": ("outcomes", Path.unlink, "outcome result of 2024-05 by version 1 is gone"),
}


def find(project: Any, store: str) -> Path:
    if store == "first":
        return Path(project.features / "month=2024-01" / "part-0.parquet")
    folder: Path = getattr(project, store)
    return folder / ("month=2024-05/part-0.parquet" if store in ("features", "labels") else KEY)


def test_every_change_of_a_month_is_named_and_fails_the_command(
    monitored: Any, copy_of: Callable[[Any], Any], assert_one_screen: Callable[[Any], str]
) -> None:
    project = copy_of(monitored)
    assert "Checked: housing." in project.succeed("rai", "verify").output
    for attack, (store, change, said) in ATTACKS.items():
        path = find(project, store)
        before, whole = project.data.with_name("before"), path.parents[2] if store != "first" else path.parents[1]
        shutil.copytree(whole, before)
        change(path)
        outcome = project.kedro("rai", "verify", "--json")
        assert outcome.code == 1, attack
        assert said in assert_one_screen(outcome), attack
        plain, _ = json.JSONDecoder().raw_decode(outcome.output[outcome.output.index("{") :])
        assert plain["sound"] is False
        assert any(one["what"].startswith(said) for one in plain["use_cases"]["housing"]["findings"]), attack
        shutil.rmtree(whole)
        before.rename(whole)
    project.succeed("rai", "verify")


def test_what_people_do_by_commands_is_on_record_with_who_and_why_and_the_head_can_be_kept_elsewhere(
    monitored: Any, copy_of: Callable[[Any], Any], tmp_path: Path
) -> None:
    project = copy_of(monitored)
    elsewhere = tmp_path / "elsewhere.jsonl"
    project.succeed("rai", "anchor", "--use-case", "housing", "--file", str(elsewhere), "--reason", "end of the month")
    anchored = len(read_evidence(project.evidence))
    assert "Nothing but the anchoring itself" in project.succeed("rai", "verify").output
    project.succeed("rai", "reset", "--yes", "--reason", "a rehearsal")
    *_, anchor, reset = read_evidence(project.evidence)
    assert (anchor.kind, anchor.body["reason"], anchor.body["sequence"]) == ("anchor", "end of the month", anchored - 1)
    assert (reset.kind, reset.body["reason"]) == ("reset", "a rehearsal")
    assert reset.body["by"] == anchor.body["by"] != ""
    assert "2024-05" in reset.body["months"]
    assert "came after line" in project.succeed("rai", "verify").output
    lines = project.evidence.read_bytes().splitlines(keepends=True)
    project.evidence.write_bytes(b"".join(lines[: anchored - 2]))
    outcome = project.kedro("rai", "verify", "--anchor", str(elsewhere))
    assert outcome.code == 1
    assert "its end was cut off" in outcome.output
