from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest

from rai_kedro.mitigation.scoring import number_rows, renumber


def test_a_row_has_its_number_alone_in_a_batch_and_under_another_type():
    frame = pd.DataFrame({"a": [1, 2, 3], "b": ["x", None, "z"], "c": [0.5, np.nan, -0.0]})
    numbers = number_rows(frame)

    alone = [number_rows(frame.iloc[[row]])[0] for row in range(3)]
    assert numbers.tolist() == alone
    other = frame.astype({"a": "float32", "b": "category"}).assign(c=[0.5, np.nan, 0.0])
    assert number_rows(other).tolist() == numbers.tolist()


def test_numbers_do_not_change_between_releases():
    # Written down once: a stored model has to decide on a row as it did when it was approved.
    assert number_rows(np.array([[1.0, 2.0]])).tolist() == pytest.approx([0.3103310152061597], abs=0)


def test_numbers_are_spread_evenly_and_salts_are_unrelated():
    rows = np.arange(20_000.0).reshape(-1, 2)
    plain, salted, renumbered = number_rows(rows), number_rows(rows, salt=1), renumber(number_rows(rows), 1)

    for numbers in (plain, salted, renumbered):
        assert ((numbers >= 0) & (numbers < 1)).all()
        assert kstest(numbers, "uniform").pvalue > 0.001
    assert abs(np.corrcoef([plain, salted, renumbered]) - np.eye(3)).max() < 0.04
