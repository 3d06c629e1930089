"""Months on record against stores: whatever was changed, forged or taken away is named."""

from __future__ import annotations

import dataclasses
import multiprocessing
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from rai_kedro.monitoring import UNREADABLE, LabelChange, MonthDigests, content_digest, keep_labels, label_key
from rai_kedro.release import EvidenceError, append_evidence, read_evidence
from rai_kedro.release.month_entries import (
    MonthEntry,
    MonthStores,
    check_months,
    is_recorded,
    read_months,
    record_months,
)

NOW = "2024-05-01T12:00:00+00:00"
MONTH = "2024-05"
KEY = f"month={MONTH}/model_version=1"
FRAMES = {
    "features": pd.DataFrame({"id": [1, 2, 3], "size": [1.0, None, 3.0]}),
    "labels": pd.DataFrame({"id": [1, 2, 3], "y": [10.0, 20.0, 30.0]}),
    "predictions": pd.DataFrame({"id": [1, 2, 3], "prediction": [11.0, 19.0, 30.5]}),
    "drift": pd.DataFrame({"column": ["size"], "value": [0.02]}),
    "outcomes": pd.DataFrame({"outcome": ["{}"]}),
}


@dataclass
class Month:
    """One month of a record and of stores that can be changed."""

    record: Path
    frames: dict[str, pd.DataFrame] = field(default_factory=lambda: dict(FRAMES))
    kept: dict[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def stores(self) -> MonthStores:
        def look_at(month: str) -> MonthDigests:
            found = self.frames if month == MONTH else {}
            now = {name: content_digest(found[name], ["id"]) for name in ("features", "labels") if name in found}
            return MonthDigests(**now)

        kept = {name: {KEY: lambda frame=frame: frame} for name, frame in self.frames.items()}
        return MonthStores(
            *(kept.get(name, {}) for name in ("predictions", "drift", "outcomes")),
            look_at,
            key=("id",),
            measured_labels={key: lambda frame=frame: frame for key, frame in self.kept.items()},
            labels=lambda _: self.frames["labels"],
        )

    def score(self) -> None:
        """Enter the month as scoring does, and store its predictions."""
        scored = MonthEntry(
            use_case="toy",
            month=MONTH,
            model_version="1",
            run_id="abc",
            manifest="5e88",
            features=content_digest(self.frames["features"], ["id"]),
            predictions=content_digest(self.frames["predictions"], ["id"]),
        )
        record_months(self.record, [scored], NOW)

    def monitor(self, stale: str = "", said: LabelChange | None = None) -> None:
        """Enter the month as the end of monitoring does, with what is said of its labels."""
        known = read_months(read_evidence(self.record))[KEY].month
        if "labels" in self.frames:
            digest = content_digest(self.frames["labels"], ["id"])
            self.kept[label_key(MONTH, digest)] = keep_labels(self.frames["labels"], digest)
        entry = self.stores.update(known, "ok", stale)
        record_months(self.record, [entry.model_copy(update={"label_change": said or known.label_change})], NOW)

    def check(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        found = check_months(read_evidence(self.record), self.stores)
        return tuple(map(str, found.findings)), found.notes


@pytest.fixture
def month(tmp_path: Path) -> Month:
    made = Month(tmp_path / "toy.jsonl")
    made.score()
    made.monitor()
    return made


def test_a_month_as_it_was_recorded_holds(month: Month) -> None:
    assert month.check() == ((), ())
    assert [entry.kind for entry in read_evidence(month.record)] == ["month", "month"]


def test_a_month_that_did_not_change_adds_nothing(month: Month) -> None:
    before = month.record.read_bytes()
    month.monitor()
    month.frames = {name: frame.sample(frac=1, random_state=1)[frame.columns[::-1]] for name, frame in FRAMES.items()}
    month.monitor()
    assert month.record.read_bytes() == before


def take(name: str) -> Callable[[dict[str, pd.DataFrame]], None]:
    return lambda frames: frames.pop(name)


def change(name: str) -> Callable[[dict[str, pd.DataFrame]], None]:
    def edit(frames: dict[str, pd.DataFrame]) -> None:
        frames[name] = frames[name].assign(
            **{frames[name].columns[-1]: lambda rows: rows.iloc[::-1, -1].to_numpy() * 2}
        )

    return edit


CHANGES: dict[str, tuple[Callable[[dict[str, pd.DataFrame]], None], str]] = {
    "features changed": (change("features"), "features of 2024-05 are not those of line 2 (monitoring)"),
    "features gone": (take("features"), "features of 2024-05 are gone, unlike those of line 2 (monitoring)"),
    "labels changed": (
        change("labels"),
        "labels of 2024-05 are not those of line 2 (monitoring): 3 corrected (e.g. id 1)",
    ),
    "labels gone": (take("labels"), "labels of 2024-05 are gone, unlike those of line 2 (monitoring)"),
    "predictions changed": (change("predictions"), "predictions of 2024-05 by version 1 are not those of line 2"),
    "predictions gone": (take("predictions"), "predictions of 2024-05 by version 1 are gone, unlike those of line 2"),
    "drift changed": (change("drift"), "drift result of 2024-05 by version 1 changed since line 2"),
    "drift gone": (take("drift"), "drift result of 2024-05 by version 1 is gone since line 2"),
    "outcomes changed": (change("outcomes"), "outcome result of 2024-05 by version 1 changed since line 2"),
    "outcomes gone": (take("outcomes"), "outcome result of 2024-05 by version 1 is gone since line 2"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_every_change_is_found_and_is_the_only_finding(month: Month, case: str) -> None:
    edit, said = CHANGES[case]
    edit(month.frames)
    (finding,), notes = month.check()
    assert finding.startswith(said)
    assert notes == ()


def test_a_changed_bit_in_a_million_rows_is_enough(month: Month) -> None:
    month.frames["predictions"] = FRAMES["predictions"].assign(prediction=[11.0, 19.0, 30.500000000000004])
    assert "are not those" in month.check()[0][0]


def test_predictions_that_no_entry_knows_are_named_and_so_is_what_was_made_of_them(tmp_path: Path) -> None:
    forged = Month(tmp_path / "toy.jsonl")
    append_evidence(forged.record, "trained", {"version": "1", "months": {}}, NOW)
    findings, _ = forged.check()
    assert [one.partition(" on no record")[0] for one in findings] == [
        "predictions of 2024-05 by version 1 are",
        "drift result of 2024-05 by version 1 is",
        "outcome result of 2024-05 by version 1 is",
    ]


def test_a_result_that_the_record_does_not_know_is_told_from_one_that_it_knows(month: Month) -> None:
    entries, stores = read_evidence(month.record), month.stores
    known, drift = read_months(entries), stores.drift[KEY]()
    assert is_recorded(known, "drift", KEY, drift)
    assert not is_recorded(known, "outcomes", KEY, drift)
    assert not is_recorded(known, "drift", "month=2024-06/model_version=1", drift)


def test_labels_that_arrive_are_a_note_until_monitoring_enters_them(tmp_path: Path) -> None:
    late = Month(tmp_path / "toy.jsonl", {name: frame for name, frame in FRAMES.items() if name != "labels"})
    late.score()
    late.monitor()
    late.frames["labels"] = FRAMES["labels"]
    findings, notes = late.check()
    assert findings == ()
    assert notes == ("labels of 2024-05 arrived since line 2 (monitoring); the next monitoring records them",)
    late.monitor()
    assert late.check() == ((), ())
    change("labels")(late.frames)
    assert len(late.check()[0]) == 1
    late.monitor(said=LabelChange(corrected=3, example="id 1"))
    assert late.check() == ((), ("labels of 2024-05 in line 4: 3 corrected (e.g. id 1) since line 3",))
    assert len(read_evidence(late.record)) == 4


def test_labels_of_further_rows_are_a_note_and_a_correction_is_none(month: Month) -> None:
    month.frames["labels"] = FRAMES["labels"].iloc[:2]
    month.monitor(said=LabelChange(withdrawn=1, example="id 3"))
    month.frames["labels"] = FRAMES["labels"]
    findings, notes = month.check()
    assert findings == ()
    assert notes[0] == (
        "labels of 2024-05: 1 came late (e.g. id 3) since line 3 (monitoring); the next monitoring records them"
    )
    month.frames["labels"] = FRAMES["labels"].assign(y=[10.0, 21.0, 30.0])
    (finding,), _ = month.check()
    assert finding == ("labels of 2024-05 are not those of line 3 (monitoring): 1 corrected, 1 came late (e.g. id 2)")


def test_other_predictions_put_on_record_without_scoring_again_are_found(month: Month) -> None:
    change("predictions")(month.frames)
    (known,) = read_months(read_evidence(month.record)).values()
    forged = known.month.model_copy(update={"predictions": content_digest(month.frames["predictions"], ["id"])})
    record_months(month.record, [forged], NOW)
    (finding,) = month.check()[0]
    assert finding == (
        "line 3: 2024-05 by version 1 has other predictions than line 1, and was not scored again in between"
    )


def test_a_month_that_nobody_had_approved_the_version_for_is_found(month: Month) -> None:
    found = check_months(read_evidence(month.record), month.stores, approvals=[])
    assert tuple(map(str, found.findings)) == (
        "line 1: 2024-05 by version 1 was scored while no approval of that version counted",
    )


def test_a_month_that_monitoring_named_stale_is_said_to_be_and_a_further_change_is_found(month: Month) -> None:
    change("features")(month.frames)
    month.monitor("its features changed after it was scored")
    note = "2024-05 is stale, as line 3 says: its features changed after it was scored"
    assert month.check() == ((), (note,))
    change("features")(month.frames)
    assert month.check() == (("features of 2024-05 are not those of line 3 (monitoring)",), (note,))


def test_a_run_that_was_cut_off_before_it_stored_the_predictions_is_a_note(tmp_path: Path) -> None:
    cut = Month(tmp_path / "toy.jsonl")
    cut.score()
    cut.frames = {name: FRAMES[name] for name in ("features", "labels")}
    findings, notes = cut.check()
    assert findings == ()
    assert "the run of line 1 was cut off" in notes[1]


@pytest.mark.parametrize(("kind", "body"), [("reset", {}), ("rescore", {"month": MONTH})])
def test_what_was_taken_back_is_no_longer_expected_and_must_not_be_there(
    month: Month, kind: str, body: dict[str, Any]
) -> None:
    append_evidence(month.record, kind, body, NOW)
    assert len(month.check()[0]) == 3
    for name in ("predictions", "drift", "outcomes"):
        take(name)(month.frames)
    which = body.get("month", "every month")
    assert month.check() == ((), (f"line 3: {which} was taken back by nobody named: no reason was given",))


def test_rescoring_one_month_leaves_the_others_on_record(month: Month) -> None:
    body = {"month": "2024-06", "by": "ada", "reason": "corrected"}
    append_evidence(month.record, "rescore", body, NOW)
    assert month.check() == ((), ("line 3: 2024-06 was taken back by ada: corrected",))


def test_months_of_a_training_are_held_against_its_entry_until_a_later_one_speaks_of_them(month: Month) -> None:
    trained = {"2024-01": {"features": "1" * 64, "labels": ""}}
    append_evidence(month.record, "trained", {"version": "2", "months": trained}, NOW)
    assert month.check()[0] == ("features of 2024-01 are gone, unlike those of line 3 (training of version 2)",)
    append_evidence(month.record, "add-month", {"month": "2024-01", "features": "", "labels": ""}, NOW)
    assert month.check()[0] == ()


def test_a_scored_month_is_held_against_its_own_entries_and_not_against_what_a_training_read(month: Month) -> None:
    trained = {MONTH: dict.fromkeys(("features", "labels"), "0" * 64)}
    append_evidence(month.record, "trained", {"version": "2", "months": trained}, NOW)
    assert month.check()[0] == ()


def test_what_was_not_recomputed_is_said_with_the_reason(month: Month) -> None:
    def gone(_month: MonthEntry) -> pd.DataFrame:
        raise EvidenceError("The version is gone.", remedy="none")

    def look(score: Any, most_rows: int = 100) -> tuple[str, ...]:
        stores = dataclasses.replace(month.stores, score=score, most_rows=most_rows)
        return check_months(read_evidence(month.record), stores).notes

    assert look(lambda _: FRAMES["predictions"]) == ()
    what = f"predictions of {MONTH} by version 1"
    assert look(gone) == (f"{what} could not be recomputed: The version is gone.",)
    assert look(gone, 1) == (f"predictions of {MONTH} were not recomputed: more than 1 rows (--recompute)",)


def test_what_cannot_be_read_is_said_as_such(month: Month) -> None:
    def broken() -> pd.DataFrame:
        raise OSError("damaged")

    stores = MonthStores({KEY: broken}, {KEY: broken}, month.stores.outcomes, lambda _: MonthDigests(unreadable="torn"))
    findings = [one.what for one in check_months(read_evidence(month.record), stores).findings]
    assert findings[0] == "features of 2024-05 cannot be read (torn), unlike those of line 2 (monitoring)"
    assert findings[1] == "predictions of 2024-05 by version 1 cannot be read, unlike those of line 2"
    assert findings[2].startswith("drift result of 2024-05 by version 1 cannot be read since line 2")
    assert stores.digest("drift", KEY) == UNREADABLE


def enter(path: Path, _number: int) -> None:
    """Enter the same months as every other process."""
    for at in range(1, 13):
        one = {"month": f"2024-{at:02d}", "model_version": "1", "run_id": "abc", "manifest": "5e88"}
        month = MonthEntry(use_case="toy", features="aa", predictions="bb", **one)
        record_months(path, [month], NOW)


def test_processes_that_enter_the_same_months_at_once_enter_each_once(tmp_path: Path) -> None:
    path, context = tmp_path / "toy.jsonl", multiprocessing.get_context("spawn")
    writers = [context.Process(target=enter, args=(path, number)) for number in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    months = [entry.body["month"] for entry in read_evidence(path)]
    assert sorted(months) == [f"2024-{at:02d}" for at in range(1, 13)]


WRITER = """
import sys
from pathlib import Path
from rai_kedro.release import MonthEntry, record_months
facts = {"use_case": "toy", "model_version": "1", "run_id": "abc", "manifest": "5e88", "features": "aa"}
print("ready", flush=True)
for number in range(10**6):
    months = [MonthEntry(month=f"2024-{at:02d}", predictions=f"{number}" * 500, **facts) for at in range(1, 13)]
    record_months(Path(sys.argv[1]), months, "2024-05-01T12:00:00+00:00")
"""


@pytest.mark.slow
def test_a_kill_while_months_are_entered_leaves_a_record_that_holds_and_can_be_continued(tmp_path: Path) -> None:
    path, moments, known = tmp_path / "toy.jsonl", random.Random(20240501), 0  # noqa: S311 - when to kill
    for _ in range(8):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        time.sleep(moments.uniform(0.0, 0.08))
        writer.kill()
        writer.wait(10)
        writer.stdout.close()
        months = [entry.body["month"] for entry in read_evidence(path) if entry.kind == "month"]
        assert len(months) >= known
        known = len(months)
    assert known > 0
    enter(path, 1)
    assert {one.month.predictions for one in read_months(read_evidence(path)).values()} == {"bb"}
