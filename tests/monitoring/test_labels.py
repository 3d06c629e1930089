"""Labels of two readings, row by row."""

from __future__ import annotations

import pandas as pd

from rai_kedro.monitoring import compare_label_rows


def test_each_row_is_corrected_withdrawn_or_late_and_a_missing_label_is_one_that_is_not_there() -> None:
    before = pd.DataFrame({"id": [1, 2, 3, 4, 5], "site": "a", "y": [1.0, 2.0, None, 4.0, None]})
    now = pd.DataFrame({"id": [7, 4, 3, 2, 1], "site": "a", "y": [7.0, None, 3.0, 2.5, 1.0]})
    change = compare_label_rows(before, now, ["id", "site"])
    assert (change.late, change.corrected, change.withdrawn) == (2, 1, 1)
    assert str(change) == "1 corrected, 1 withdrawn, 2 came late (e.g. id 2, site a)"
    assert not change.only_late


def test_the_same_labels_in_another_order_and_of_another_type_are_no_change() -> None:
    before = pd.DataFrame({"id": [1, 2, 3], "y": [1, 0, 1]})
    change = compare_label_rows(before, before.iloc[::-1].astype({"y": "float64"}), ["id"])
    assert not change and str(change) == "none changed"


def test_labels_that_only_came_late_are_said_to() -> None:
    before = pd.DataFrame({"id": ["a", "b"], "y": ["yes", "no"]})
    change = compare_label_rows(before, pd.DataFrame({"id": ["b", "c", "a"], "y": ["no", "no", "yes"]}), ["id"])
    assert change.only_late and str(change) == "1 came late (e.g. id c)"
