"""What can go wrong between two monitorings: nothing of it ends without a word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rai_kedro.files import locked

pytestmark = pytest.mark.e2e

MONITOR = ("run", "--pipelines", "monitoring")


@pytest.mark.parametrize("command", [MONITOR, ("run", "--pipelines", "simulation")])
def test_one_at_a_time_and_who_is_at_work_is_named(
    approved: Any, command: tuple[str, ...], copy_of: Callable[[Any], Any], assert_one_screen: Callable[[Any], str]
) -> None:
    project = copy_of(approved)
    before = project.digests()
    with locked(project.predictions.with_name(".lock")):
        error = assert_one_screen(project.kedro(*command))

    assert "Another command is at work" in error
    assert "held by process" in error
    assert project.digests() == before
    # The run that was refused has left no open run in MLflow.
    assert project.query("SELECT count(*) FROM runs WHERE status = 'RUNNING'") == [(0,)]
