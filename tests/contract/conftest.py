"""A small contract, in YAML as a person would write it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from rai_kedro.contract.columns import Contract, DatasetContract
from rai_kedro.contract.reading import read_contract

CATALOG = """\
shop.feature_store:
  type: pandas.ParquetDataset
  metadata:
    rai:
      owner: data team
      purpose: predict returns
      key: [customer]
      time: month
      columns:
        age:
          type: integer
          description: age in years
          range: [0, 120]
          nullable: false
          flags: [risky, demographic]
          risk: age discrimination
          use: audit
        spend:
          type: float
          description: spend of the last year in euro
          range: [0, 10000]
          nullable: true
          flags: []
          use: model
        channel:
          type: category
          description: where the customer buys
          categories: [shop, web]
          flags: []
          use: model
        note:
          type: text
          description: free text of the clerk
          nullable: true
          flags: [risky]
          risk: says things about people that nobody checked
          use: forbidden
shop.label_store:
  type: pandas.ParquetDataset
  metadata:
    rai:
      owner: data team
      purpose: learn returns
      key: [customer]
      time: month
      columns:
        returned:
          type: float
          description: value of returned goods in euro
          flags: []
          use: model
"""
TODAY = date(2026, 3, 1)


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], Contract]:
    def read_text(text: str) -> Contract:
        path = tmp_path / "shop" / "catalog.yml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return read_contract(path, as_of=TODAY)

    return read_text


@pytest.fixture
def shop(read: Callable[[str], Contract]) -> Contract:
    return read(CATALOG)


@pytest.fixture
def features(shop: Contract) -> DatasetContract:
    return shop.datasets["feature_store"]


@pytest.fixture
def month() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "month": "2024-01",
            "customer": [1, 2, 3],
            "age": [30, 40, 50],
            "spend": [10.0, None, 30.5],
            "channel": ["web", "shop", "web"],
        }
    )
