"""Who delivers the months: other columns, forged keys, and values that want to be markup or commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rai_kedro.contract import ContractViolation, DatasetContract, check_frame
from rai_kedro.datasets.month_store import MonthStore
from rai_kedro.datasets.partition_file import MonthStoreError
from rai_kedro.fairness import assess
from rai_kedro.monitoring import LabelChange, MonthDigests, content_digest, keep_labels, label_key
from rai_kedro.release import MonthEntry, MonthStores, append_evidence, read_evidence, read_months, record_months
from rai_kedro.release.month_entries import check_months

NOW = "2024-06-01T12:00:00+00:00"
KEY = "month=2024-05/model_version=1"
HOSTILE = "<img src=x onerror=alert(1)>\x1b[2J\u202e"


def contract() -> DatasetContract:
    column = {"flags": [], "use": "model", "description": "a column", "type": "float"}
    columns = {
        "RM": {**column, "name": "RM", "range": [0, 20]},
        "RACE": {**column, "name": "RACE", "flags": ["demographic"], "use": "forbidden", "risk": "is about people"},
        "KIND": {**column, "name": "KIND", "type": "category", "categories": ["a", "b"]},
    }
    shown = {"dataset": "toy.feature_store", "owner": "us", "purpose": "a test", "key": ["id"], "time": "month"}
    return DatasetContract.from_dict({**shown, "columns": columns})


def month(**changes: Any) -> pd.DataFrame:
    return pd.DataFrame({"month": "2024-05", "id": [1, 2, 3], "RM": [5.0, 6.0, 7.0], "KIND": "a"}).assign(**changes)


def refuse(frame: pd.DataFrame, named: str) -> None:
    with pytest.raises(ContractViolation) as caught:
        check_frame(frame, contract(), part="month=2024-05")
    assert named in str(caught.value)
    assert "\x1b" not in str(caught.value) and "\u202e" not in str(caught.value)


def test_forbidden_column_delivered_under_another_name() -> None:
    refuse(month(R4C3=1.0), "R4C3: the contract does not know this column")


def test_column_delivered_twice() -> None:
    frame = month()
    refuse(pd.concat([frame, frame[["RM"]]], axis=1), "RM: the column is there twice")


def test_rows_delivered_twice() -> None:
    refuse(month(id=[1, 1, 2]), "id: the key is there more than once")


def test_values_out_of_range_infinite_or_missing() -> None:
    refuse(month(RM=[5.0, 99.0, np.inf]), "RM: is infinite")
    refuse(month(RM=[5.0, 99.0, 6.0]), "RM: is outside [0, 20]")
    refuse(month(RM=[5.0, np.nan, 6.0]), "RM: is null and may not be")


def test_terminal_codes_in_values_and_names() -> None:
    refuse(month(KIND=["a", HOSTILE, "b"]), "KIND: is not one of ['a', 'b']")
    refuse(month(**{HOSTILE: 1}), "the contract does not know this column")


def test_markup_in_values_of_a_group() -> None:
    rng = np.random.default_rng(0)
    groups = np.where(rng.random(400) < 0.5, HOSTILE, "b")
    found = assess(
        rng.integers(0, 2, 400),
        rng.integers(0, 2, 400),
        sensitive_features=pd.DataFrame({"kind": groups}),
        metrics=["demographic_parity"],
    )
    page = found._repr_html_()
    assert "<img" not in page and "\x1b" not in page and "&lt;img" in page


@pytest.mark.parametrize(
    "key", ["month=../../2024-05", "../month=2024-05", "month=2024-05/..", "month=2024-13", "month=2024-05/a=b/../c=d"]
)
def test_month_whose_key_is_a_path(tmp_path: Path, key: str) -> None:
    store = MonthStore(filepath=tmp_path / "store")
    with pytest.raises(MonthStoreError, match="not the key of a month"):
        store.save({key: month()})
    assert list(tmp_path.rglob("*.parquet")) == []


def test_month_that_is_a_link_elsewhere(tmp_path: Path) -> None:
    other, store = (MonthStore(filepath=tmp_path / name) for name in ("other", "store"))
    other.save({"month=2024-05": month()})
    store.save({"month=2024-04": month(month="2024-04")})
    (tmp_path / "store" / "month=2024-05").symlink_to(tmp_path / "other" / "month=2024-05")
    with pytest.raises(MonthStoreError, match="is a link to another folder"):
        store.load()


# ---- months changed after they were recorded -----------------------------------------------------------------


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """Version 1 was trained on January and scored May; both are on record."""
    path = tmp_path / "toy.jsonl"
    trained = {"version": "1", "months": {"2024-01": {"features": content_digest(month()), "labels": ""}}}
    append_evidence(path, "trained", trained, NOW)
    entry = {"use_case": "toy", "month": "2024-05", "model_version": "1", "run_id": "abc", "manifest": "5e88"}
    digests = {"features": content_digest(month()), "predictions": content_digest(predicted())}
    record_months(path, [MonthEntry.from_dict({**entry, **digests, "verdict": "ok"})], NOW)
    return path


def predicted(shift: float = 0.0) -> pd.DataFrame:
    return pd.DataFrame({"id": [1, 2, 3], "prediction": [11.0 + shift, 19.0, 30.5]})


def check(record: Path, predictions: dict[str, pd.DataFrame], said: Any = None, **features: pd.DataFrame) -> str:
    known = {"2024-01": month(), "2024-05": month(), **{f"2024-{name[1:]}": one for name, one in features.items()}}

    def look_at(asked: str) -> MonthDigests:
        return MonthDigests(features=content_digest(known[asked])) if asked in known else MonthDigests()

    stored = {key: lambda frame=frame: frame for key, frame in predictions.items()}
    stores = MonthStores(stored, {}, {}, look_at, said, 100)
    return "\n".join(map(str, check_months(read_evidence(record), stores).findings))


def test_month_swapped_between_training_and_scoring(record: Path) -> None:
    assert check(record, {KEY: predicted()}) == ""
    found = check(record, {KEY: predicted()}, m01=month(RM=[5.0, 6.0, 8.0]))
    assert found == "features of 2024-01 are not those of line 1 (training of version 1)"


def test_month_swapped_after_it_was_scored(record: Path) -> None:
    found = check(record, {KEY: predicted()}, m05=month(RM=[5.0, 6.0, 8.0]))
    assert found == "features of 2024-05 are not those of line 2 (monitoring)"


def test_features_of_a_scored_month_laundered_by_a_training(record: Path) -> None:
    """Whoever can append enters a training on the edited month, and the edit stays an edit."""
    edited = month(RM=[5.0, 6.0, 8.0])
    trained = {"version": "2", "months": {"2024-05": {"features": content_digest(edited), "labels": ""}}}
    append_evidence(record, "trained", trained, NOW)
    assert check(record, {KEY: predicted()}, m05=edited) == "features of 2024-05 are not those of line 2 (monitoring)"


def test_predictions_edited(record: Path) -> None:
    assert check(record, {KEY: predicted(0.1)}) == "predictions of 2024-05 by version 1 are not those of line 2"


def test_predictions_taken_away(record: Path) -> None:
    assert check(record, {}) == "predictions of 2024-05 by version 1 are gone, unlike those of line 2"


@pytest.mark.parametrize("key", ["month=2024-06/model_version=1", "month=2024-05/model_version=2"])
def test_predictions_forged(record: Path, key: str) -> None:
    found = check(record, {KEY: predicted(), key: predicted()})
    assert "are on no record: they were forged, or the record was cut" in found


def test_predictions_forged_with_entries_of_ones_own(record: Path) -> None:
    """Taken back and entered again, chain and digests agree; the version says otherwise of the same features."""
    append_evidence(record, "rescore", {"month": "2024-05", "by": "eve", "reason": "corrected"}, NOW)
    entry = {"use_case": "toy", "month": "2024-05", "model_version": "1", "run_id": "abc", "manifest": "5e88"}
    digests = {"features": content_digest(month()), "predictions": content_digest(predicted(9.0))}
    record_months(record, [MonthEntry.from_dict({**entry, **digests})], NOW)
    assert check(record, {KEY: predicted(9.0)}) == ""
    found = check(record, {KEY: predicted(9.0)}, lambda _: predicted())
    assert found.startswith(
        "predictions of 2024-05 by version 1 are not what that version says of the month's features"
    )
    assert "prediction in 1 of 3 rows, e.g. 20.0 is stored where it says 11.0" in found
    assert check(record, {KEY: predicted(9.0)}, lambda _: predicted(9.0 + 1e-13)) == ""


def test_predictions_forged_and_their_month_called_stale(record: Path) -> None:
    """Of a stale month nothing is scored again; that its features did not change is found instead."""
    forged = predicted(9.0)
    append_evidence(record, "rescore", {"month": "2024-05", "by": "eve", "reason": "corrected"}, NOW)
    entry = {"use_case": "toy", "month": "2024-05", "model_version": "1", "run_id": "abc", "manifest": "5e88"}
    digests = {"features": content_digest(month()), "predictions": content_digest(forged)}
    for stale in ("", "its features changed after it was scored"):
        record_months(record, [MonthEntry.from_dict({**entry, **digests, "stale": stale})], NOW)
    found = check(record, {KEY: forged}, lambda _: predicted())
    assert found.startswith("line 5 calls 2024-05 stale (its features changed after it was scored), and its features")


@pytest.mark.parametrize("said", [None, LabelChange(late=3, example="id 1")])
def test_labels_corrected_and_said_to_have_come_late(record: Path, said: LabelChange | None) -> None:
    """Whoever can append enters other labels; the copies that monitoring kept say what became of them."""
    before, now = (pd.DataFrame({"id": [1, 2, 3], "y": [1.0, 2.0, last]}) for last in (3.0, 30.0))
    (known,) = read_months(read_evidence(record)).values()
    kept = {}
    for labels, change in ((before, None), (now, said)):
        digest = content_digest(labels, ["id"])
        copy = keep_labels(labels, digest)
        kept[label_key("2024-05", digest)] = lambda copy=copy: copy
        entry = known.month.model_copy(update={"labels": digest, "label_change": change})
        record_months(record, [entry], NOW)
    stores = MonthStores({}, {}, {}, lambda _: MonthDigests(), key=("id",), measured_labels=kept)
    found = "\n".join(map(str, check_months(read_evidence(record), stores).findings))
    assert "labels of 2024-05 in line 4 are said to be" in found
    assert "since then, and the copies say: 1 corrected (e.g. id 3)" in found


def test_copy_of_labels_edited(record: Path) -> None:
    labels = pd.DataFrame({"id": [1, 2, 3], "y": [1.0, 2.0, 3.0]})
    digest = content_digest(labels, ["id"])
    kept = {label_key("2024-05", digest): lambda: keep_labels(labels.assign(y=0.0), digest)}
    stores = MonthStores({}, {}, {}, lambda _: MonthDigests(), key=("id",), measured_labels=kept)
    found = [str(one) for one in check_months(read_evidence(record), stores).findings]
    assert f"the copy of the labels of 2024-05 that was kept ({digest[:12]}…) was changed" in found


@pytest.mark.slow
def test_stores_edited_behind_the_commands(monitored: Any, copy_of: Any) -> None:
    """Predictions, features and a month trained on, each found by `kedro rai verify`."""
    project = copy_of(monitored)
    edit(next((project.predictions / "month=2024-04").rglob("*.parquet")), "prediction")
    edit(next((project.features / "month=2024-05").rglob("*.parquet")), "NOX")
    edit(next((project.features / "month=2024-01").rglob("*.parquet")), "RM")
    outcome = project.kedro("rai", "verify", "--use-case", "housing")
    assert outcome.code != 0
    text = " ".join(outcome.output.split())
    assert "predictions of 2024-04 by version 1 are not those of line" in text, text
    assert "features of 2024-05 are not those of line" in text
    assert "features of 2024-01 are not those of line" in text


def edit(file: Path, column: str) -> None:
    frame = pd.read_parquet(file)
    frame[column] = frame[column].to_numpy() * 1.01
    frame.to_parquet(file, index=False)
