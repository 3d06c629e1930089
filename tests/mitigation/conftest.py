from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest


@dataclass(frozen=True)
class Admissions:
    """Made data: two groups with different features and outcomes; the sensitive column is not among the features."""

    features: pd.DataFrame
    outcome: pd.Series
    group: pd.Series

    @property
    def with_group(self) -> pd.DataFrame:
        return self.features.assign(race=self.group)


@pytest.fixture(scope="session")
def admissions() -> Admissions:
    random = np.random.default_rng(7)
    rows = 3000
    black = random.random(rows) < 0.3
    features = pd.DataFrame(
        {
            "age": random.normal(50, 12, rows) - 6 * black,
            "pulse": random.normal(80, 10, rows),
            "fever": (random.random(rows) < np.where(black, 0.2, 0.4)).astype(int),
        }
    )
    logit = (features["age"] - 50) / 12 + features["fever"] + (features["pulse"] - 80) / 20 - 1 - 0.7 * black
    outcome = (random.random(rows) < 1 / (1 + np.exp(-logit))).astype(int)
    return Admissions(features, outcome.rename("admitted"), pd.Series(np.where(black, "Black", "White"), name="race"))
