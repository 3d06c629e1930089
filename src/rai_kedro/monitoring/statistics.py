"""The two-sample tests.

Evidently's own ``chisquare`` takes the reference shares as known without error, which multiplies the
statistic by about ``1 + n_current / n_reference`` on unchanged data, and its ``fisher_exact`` refuses samples
of unequal size. Both are replaced here by the textbook two-sample tests on the contingency table.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Counts = NDArray[np.int64]

MIN_EXPECTED = 5.0
"""Cochran's rule (Biometrics 10, 1954): below this expected count the chi-squared law is no good guide."""


def contingency_table(reference: pd.Series, current: pd.Series) -> Counts:
    """Count the categories of two samples, sorted, in a 2 x k table with the reference first; missing ones left out."""
    counts = [sample.dropna().astype(str).value_counts() for sample in (reference, current)]
    table = pd.concat(counts, axis=1).fillna(0).astype("int64")
    return table.sort_index().to_numpy().T


def pool_rare(table: Counts) -> Counts:
    """Merge the categories of a 2 x k table, k > 2, that are too rare for the chi-squared law into one.

    Only the margins decide what is merged, never the difference between the rows, so the test made on the
    merged table keeps its false-alarm rate. Two columns are left when all but the most common category are rare.
    """
    order = np.argsort(table.sum(axis=0), kind="stable")
    table = table[:, order]
    share_of_smaller = table.sum(axis=1).min() / table.sum()
    merged = int((table.sum(axis=0) * share_of_smaller < MIN_EXPECTED).sum())
    while 0 < merged < table.shape[1] - 1 and table[:, :merged].sum() * share_of_smaller < MIN_EXPECTED:
        merged += 1
    merged = min(merged, table.shape[1] - 1)
    if merged == 0:
        return table
    return np.column_stack([table[:, :merged].sum(axis=1), table[:, merged:]])


def category_p_value(table: Counts) -> float:
    """Test two-sided whether two samples, in a 2 x k table, share one categorical distribution.

    Pearson's chi-squared test of homogeneity (Pearson 1900) on the pooled table; Fisher's exact test
    (Fisher 1922) when two categories are left; 1 if there is only one, because then nothing differs.
    """
    from scipy import stats  # takes half a second, and every command imports this module

    table = table[:, table.sum(axis=0) > 0]
    match table.shape[1]:
        case 1:
            return 1.0
        case 2:
            return float(stats.fisher_exact(table).pvalue)
        case categories:
            pooled = pool_rare(table)
            if pooled.shape[1] < categories:
                return category_p_value(pooled)
            return float(stats.chi2_contingency(table, correction=False).pvalue)


def number_p_value(reference: pd.Series, current: pd.Series) -> float:
    """Test whether two samples of numbers share one distribution: two-sample Kolmogorov-Smirnov, two-sided.

    Exact up to 10,000 rows; missing values are left out.
    """
    from scipy import stats

    return float(stats.ks_2samp(reference.dropna(), current.dropna()).pvalue)


def missing_table(reference: pd.Series, current: pd.Series) -> Counts:
    """Count the missing and the present values of two samples, as :func:`contingency_table` does categories."""
    return np.array([[sample.isna().sum(), sample.notna().sum()] for sample in (reference, current)], dtype="int64")
