"""Whether a result still speaks of what the stores hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rai_kedro.monitoring import UNREADABLE, MonthDigests, TableDigest, content_digest, find_staleness
from rai_kedro.monitoring.digests import compare_labels


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (None, ""),
        (MonthDigests(features="f"), ""),
        (MonthDigests(features="other"), "its features changed after it was scored"),
        (MonthDigests(), "the feature store no longer has it"),
        (MonthDigests(unreadable="broken file"), "it can no longer be read: broken file"),
    ],
)
def test_a_month_is_stale_where_its_features_are_others_or_gone(now: MonthDigests | None, said: str) -> None:
    assert find_staleness("f", now) == said


@pytest.mark.parametrize(
    ("known", "now", "said"),
    [
        ("", MonthDigests(), "none yet"),
        ("", MonthDigests(labels="new"), "arrived since"),
        ("a", MonthDigests(labels="a"), "unchanged"),
        ("a", MonthDigests(labels="b"), "changed since"),
        ("a", MonthDigests(), "gone since"),
        ("a", MonthDigests(labels=UNREADABLE), "can no longer be read"),
    ],
)
def test_labels_have_news_of_their_own(known: str, now: MonthDigests, said: str) -> None:
    assert compare_labels(known, now) == said


TABLE = pd.DataFrame(
    {
        "id": range(6),
        "amount": [1.5, np.nan, 0.0, 3.0, np.nan, np.nan],
        "name": pd.Series(["ab", None, "c", None, None, ""], dtype="str"),
        "on": pd.to_datetime(["2024-01-01", None, None, "2024-01-02", None, None]),
        "yes": [True, False, None, None, None, True],
    }
)


@pytest.mark.parametrize("cut", range(1, 6))
def test_a_digest_does_not_depend_on_where_a_table_is_cut(cut: int) -> None:
    digest = TableDigest()
    for part in (TABLE.iloc[:cut], TABLE.iloc[cut:]):
        digest.update(part)
    assert digest.hexdigest() == content_digest(TABLE, ["id"])


def test_a_digest_depends_on_neither_order_nor_type() -> None:
    other = TABLE.sample(frac=1, random_state=0)[TABLE.columns[::-1]].astype({"id": "float64", "name": "object"})
    for key in (["id"], []):
        assert content_digest(other.assign(amount=other["amount"].replace(0.0, -0.0)), key) == content_digest(
            TABLE, key
        )


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("name", ["a", None, "bc", None, None, ""]),  # the same text, cut elsewhere
        ("name", ["ab", None, "c", None, "", None]),
        ("amount", [1.5, 0.0, np.nan, 3.0, np.nan, np.nan]),
        ("amount", ["1.5", None, "0.0", "3.0", None, None]),
        ("id", [0, 1, 2, 3, 4, 2**53 + 1]),
    ],
)
def test_two_tables_that_differ_have_other_digests(column: str, values: list[object]) -> None:
    one = TABLE.assign(id=[0, 1, 2, 3, 4, 2**53])
    other = one.assign(**{column: values})
    assert content_digest(one, ["id"]) != content_digest(other, ["id"])
