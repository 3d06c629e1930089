"""Random streams are found by name."""

from __future__ import annotations

import numpy as np
import pytest

from rai_kedro.demo.variation import derive_generator


def test_the_same_seed_and_name_give_the_same_numbers() -> None:
    first, second = (derive_generator(3, "rows", 4).random(5) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(("seed", "names"), [(4, ("rows", 4)), (3, ("rows", 5)), (3, ("noise", 4)), (3, ("rows4",))])
def test_any_difference_gives_other_numbers(seed: int, names: tuple[str | int, ...]) -> None:
    assert not np.isclose(derive_generator(seed, *names).random(5), derive_generator(3, "rows", 4).random(5)).any()


def test_streams_of_neighbouring_months_are_uncorrelated() -> None:
    one, two = (derive_generator(0, "rows", month).standard_normal(20_000) for month in (1, 2))
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.03
