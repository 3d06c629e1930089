"""Whether a result still speaks of what the stores hold."""

from __future__ import annotations

import pytest

from rai_kedro.monitoring import UNREADABLE, MonthDigests, find_staleness
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
