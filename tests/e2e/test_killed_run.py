"""A run killed at any moment leaves every month whole, and the next run ends where an undisturbed one does."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

MONITOR = ("run", "--pipelines", "monitoring")
_KILLS = 4


def results(project: Any) -> dict[str, str]:
    """Return the digest of every month of the stores that monitoring writes."""
    found = project.digests(project.predictions, project.drift, project.outcomes)
    return {name: digest for name, digest in found.items() if name.endswith(".parquet")}


def verdicts(project: Any) -> dict[str, Any]:
    """Return what the timeline says of every month, but for what scoring it took."""
    timeline = json.loads((project.reports / "monitoring.json").read_text())
    return {month["month"]: {**month, "carbon": None} for month in timeline["months"]}


@pytest.fixture(scope="module")
def undisturbed(approved: Any, monitored: Any) -> float:
    """How many seconds a run takes that nobody kills."""
    seconds: float = approved.copy_to(monitored.root.parent / "undisturbed").succeed(*MONITOR).seconds
    return seconds


@pytest.mark.parametrize("seed", [20240501, 20240502])
def test_killed_runs_end_like_an_undisturbed_one(
    seed: int, approved: Any, monitored: Any, undisturbed: float, copy_of: Callable[[Any], Any]
) -> None:
    moments = random.Random(seed)  # noqa: S311 - moments, not secrets
    project = copy_of(approved)
    killed = 0
    for _ in range(_KILLS):
        outcome = project.kill(moments.uniform(0.2, 0.9) * undisturbed, *MONITOR)
        killed += outcome.code == -9
        left = results(project)
        assert left.items() <= results(monitored).items()
        for name in left:
            assert len(pd.read_parquet(project.root / name)) > 0
        if len(left) == len(results(monitored)):
            project.succeed("rai", "reset", "--yes")

    project.succeed(*MONITOR)

    assert killed > 0
    assert results(project) == results(monitored)
    assert not list(project.data.rglob("*.tmp"))
    reports = (project.data / "08_reporting" / "evidently").glob("*/snapshots/*.json")
    assert len(list(reports)) == 6
    assert verdicts(project) == verdicts(monitored)
    # A month whose run was killed before its scoring was measured has no figure; none has two.
    carbon = json.loads((project.reports / "inference_carbon.json").read_text())
    assert carbon.keys() <= {f"month={month}/model_version=1" for month in verdicts(monitored)}
