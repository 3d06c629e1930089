"""The room's examples run as they stand, and every name of its face is there."""

from __future__ import annotations

import doctest

import rai_kedro.sources


def test_examples_run_and_every_name_is_there() -> None:
    assert doctest.testmod(rai_kedro.sources).failed == 0
    assert all(getattr(rai_kedro.sources, name) is not None for name in rai_kedro.sources.__all__)
