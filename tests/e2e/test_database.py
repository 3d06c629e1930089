"""The lifecycle with its stores in PostgreSQL, as docs/stores.md has them: months and verdicts are those of Parquet."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from postgres_server import PASSWORD

from rai_kedro.datasets.month_store import MonthStore
from rai_kedro.datasets.sql_month_store import SqlMonthStore

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

DOCS = Path(__file__).resolve().parents[2] / "docs" / "stores.md"
BY_VERSION = ["month", "model_version"]
# By table: the folder in which Parquet has the same months, and what they are divided by.
STORES = {
    "features": ("03_primary/housing/feature_store", ["month"]),
    "labels": ("03_primary/housing/label_store", ["month"]),
    "predictions": ("07_model_output/housing/prediction_store", BY_VERSION),
    "drift": ("07_model_output/housing/drift_store", BY_VERSION),
    "outcomes": ("07_model_output/housing/outcome_store", BY_VERSION),
    "measured_labels": ("07_model_output/housing/measured_labels", ["month", "labels_digest"]),
    "verdicts": ("07_model_output/housing/verdict_store", BY_VERSION),
}


def block_of_docs(first_line: str) -> str:
    found = [block for block in re.findall(r"```\w+\n(.*?)```", DOCS.read_text(), re.S) if block.startswith(first_line)]
    assert len(found) == 1
    return str(found[0])


def months_of(store: MonthStore) -> dict[str, pd.DataFrame]:
    # The run of a training has another name each time.
    return {key: read().drop(columns="run_id", errors="ignore") for key, read in store.load().items()}


def verdicts(project: Any) -> Any:
    """Return what the timeline says of every month, but for what scoring took and the run of the training."""

    def without(found: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in found.items() if name not in ("carbon", "run_id")}

    return json.loads((project.reports / "monitoring.json").read_text(), object_hook=without)["months"]


def ask_view(address: str) -> pd.DataFrame:
    """Make the view of docs/stores.md and return what it gives."""
    import psycopg

    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(block_of_docs("-- PostgreSQL"))
        found = connection.execute("SELECT * FROM housing_scored ORDER BY month, tract")
        frame = pd.DataFrame(found.fetchall(), columns=[column.name for column in found.description or ()])
        connection.execute("DROP VIEW housing_scored")
    return frame


@pytest.fixture
def on_postgres(fresh: Any, postgres: str, tmp_path: Path) -> Any:
    project = fresh.copy_to(tmp_path / "project")
    (project.root / "conf/test/catalog.yml").write_text(block_of_docs("# conf/prod/catalog.yml"))
    project.edit("conf/test/credentials.yml", lambda content: content.update(stores={"con": postgres}))
    return project


def test_the_lifecycle_gives_the_same_months_and_verdicts(on_postgres: Any, monitored: Any, postgres: str) -> None:
    review = ("--version", "1", "--reviewer", "R. Viewer", "--statement", "figures and card read")
    outputs = [
        on_postgres.succeed("run", "--pipelines", "simulation").output,
        on_postgres.succeed("run", "--pipelines", "governance,training").output,
        on_postgres.succeed(
            "rai", "approve", *review, "--accept-risk", "teaching data, nobody is decided about"
        ).output,
        on_postgres.succeed("run", "--pipelines", "monitoring").output,
        on_postgres.succeed("rai", "verify").output,
    ]

    for name, (folder, by) in STORES.items():
        files = months_of(MonthStore(filepath=monitored.data / folder, partition_by=by))
        database = {"table": f"housing_{name}", "credentials": {"con": postgres}}
        store = SqlMonthStore(filepath=on_postgres.data / folder, partition_by=by, **database)
        rows = months_of(store)
        assert list(rows) == list(files)
        for key, frame in files.items():
            assert_frame_equal(rows[key], frame, obj=f"{name} {key}")
    assert verdicts(on_postgres) == verdicts(monitored)
    assert not list(on_postgres.data.rglob("*.parquet"))
    assert PASSWORD not in "".join(outputs)
    written = [path for path in on_postgres.data.rglob("*") if path.is_file()]
    assert not [path for path in written if b"cr%25et" in path.read_bytes() or PASSWORD.encode() in path.read_bytes()]

    scored, judged = ask_view(postgres), {month["month"]: month for month in verdicts(monitored)}
    assert scored.groupby("month").size().to_dict() == dict.fromkeys(judged, 506)
    assert set(scored["verdict"]) == {month["verdict"]["outcome"] for month in judged.values()}

    on_postgres.succeed("rai", "reset", "--yes")
    assert not store.exists()
