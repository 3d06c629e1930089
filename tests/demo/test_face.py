"""The room's examples run as they stand, and every name of its face is there."""

from __future__ import annotations

import doctest

import rai_kedro.demo


def test_examples_run_and_every_name_is_there() -> None:
    assert doctest.testmod(rai_kedro.demo).failed == 0
    assert all(getattr(rai_kedro.demo, name) is not None for name in rai_kedro.demo.__all__)
