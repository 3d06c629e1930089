"""Ingestion through its own nodes: one bad month keeps no other out."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from rai_kedro.contract import Contract, read_contract
from rai_kedro.errors import RaiError
from rai_kedro.pipelines.ingestion import ingest_months, report_refused
from rai_kedro.sources import IngestionParameters

CONTRACT = """
toy.feature_store:
  metadata:
    rai:
      owner: tests
      purpose: predict y
      key: [row]
      time: month
      columns:
        size: {type: float, range: [0, 10], flags: [], use: model, description: a number}
toy.label_store:
  metadata:
    rai:
      owner: tests
      purpose: learn y
      key: [row]
      time: month
      columns:
        y: {type: float, range: [0, 9], flags: [], use: model, description: what is predicted}
"""
PARAMETERS = IngestionParameters.model_validate({"label": "y", "time": {"column": "day", "format": "%Y-%m-%d"}})


@pytest.fixture
def contract(tmp_path: Path) -> Contract:
    file = tmp_path / "toy" / "catalog.yml"
    file.parent.mkdir()
    file.write_text(CONTRACT, encoding="utf-8")
    return read_contract(file, as_of=date(2026, 1, 1))


def table(**changes: list[float | str]) -> pd.DataFrame:
    days = [f"2024-0{month}-15" for month in (1, 2, 3)]
    return pd.DataFrame({"day": days, "size": [1, 2, 3], "y": [4, 5, 6], **changes})


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ({"size": [1, 99, 3]}, "size"),
        ({"y": [4, 99, 6]}, "y"),
        ({"size": ["1", "many", "3"]}, "size"),
    ],
)
def test_a_bad_month_is_refused_and_named_and_the_others_are_stored(
    contract: Contract, bad: dict[str, list[float | str]], why: str
) -> None:
    features, labels, refused = ingest_months(table(**bad), {}, {}, contract, PARAMETERS)

    good = ["month=2024-01", "month=2024-03"]
    assert (list(features), list(labels), list(refused)) == (good, good, ["month=2024-02"])
    with pytest.raises(RaiError, match=rf"(?s)Not taken in: 2024-02; all other months are stored.*{why}"):
        report_refused(refused, {}, {})


def test_a_refused_month_that_is_stored_already_stays_as_it_is_and_is_not_said_to_have_vanished(
    contract: Contract, caplog: pytest.LogCaptureFixture
) -> None:
    before = {
        key: (lambda frame=frame: frame)
        for key, frame in ingest_months(table(), {}, {}, contract, PARAMETERS)[0].items()
    }
    features, _, _ = ingest_months(table(size=[1, 99, 3]), before, {}, contract, PARAMETERS)
    assert features == {}
    assert "no longer at its source" not in caplog.text


def test_a_sound_file_ends_well(contract: Contract) -> None:
    features, labels, refused = ingest_months(table(), {}, {}, contract, PARAMETERS)
    assert (len(features), len(labels), refused) == (3, 3, {})
    report_refused(refused, {}, {})
