"""The parameters of the drift tests, as the use case's parameter file states them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class DriftParameters(BaseModel):
    """How drift is tested.

    Attributes:
        family_wise_rate: Highest probability of any false alarm in a month in which nothing changed; from 1e-6 to 0.2,
            since beyond that no month, or every month, would be called drifted.
        correction: How the rate is divided over the tests of a month.
        numerical_method: ``ks``: two-sample Kolmogorov-Smirnov test, two-sided.
        categorical_method: ``chi2_contingency``: two-sample chi-squared test of homogeneity. (Evidently's own
            ``chisquare`` is not offered: it takes the reference for exact, and alarms on unchanged data.)
        min_rows: Fewest rows a month, and the reference, must have to be judged.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    family_wise_rate: float = Field(default=0.01, ge=1e-6, le=0.2)
    correction: Literal["bonferroni"] = "bonferroni"
    numerical_method: Literal["ks"] = "ks"
    categorical_method: Literal["chi2_contingency"] = "chi2_contingency"
    min_rows: int = Field(default=30, ge=2)
