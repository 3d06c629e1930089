"""For every room: databases that are not waited for, and timelines made by hand, with known months."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import event
from sqlalchemy.engine import Engine

from rai_kedro.files import _opened

# Copies of the project and of a database, of which each is made once however many folders use it; a server.
pytest_plugins = ["project_copies", "postgres_server"]

if TYPE_CHECKING:
    from rai_kedro.monitoring import ColumnDrift, Measured, MonthRecord, Timeline


# A test's database has to outlast a killed process, not a power cut; `shared/kedro_process.py` says the same.
@event.listens_for(Engine, "connect")
def _wait_for_no_disk(connection: Any, _: Any) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=OFF")


@pytest.fixture(autouse=True)
def _forget_projects() -> Iterator[None]:
    """No test finds the project that another one opened."""
    yield
    _opened.clear()


# How long an example takes says how busy the machine is.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

_ROWS = 500


def _column(name: str, effect: float, importance: float | None = None, aspect: str = "values") -> ColumnDrift:
    from rai_kedro.monitoring import ColumnDrift

    lower, upper = max(0.0, effect - 0.06), min(1.0, effect + 0.06)
    verdict = "drift" if lower > 0.1 else "no_relevant_drift" if upper < 0.1 else "insufficient_evidence"
    figures = {"value": effect, "lower": lower, "upper": upper, "level": 0.999, "n": _ROWS, "n_reference": 167}
    fixed = {"kind": "numerical", "method": "ks", "p_value": 1e-9 if effect > 0.1 else 0.4, "margin": 0.1}
    found = {"column": name, "aspect": aspect, "verdict": verdict, "importance": importance}
    return ColumnDrift.from_dict(figures | fixed | found)


def _measured(subject: str, name: str, value: float, half: float, **more: Any) -> Measured:
    from rai_kedro.monitoring import Measured

    ends = {"value": value, "lower": value - half, "upper": value + half, "level": 0.95, "n": _ROWS}
    return Measured.from_dict({"subject": subject, "name": name, **ends, **more})


def _performance(*, labelled: bool, tested: float, error: float) -> Iterable[Measured]:
    for basis, value in (("labels", error), ("estimate", tested * 1.1)):
        if basis == "labels" and not labelled:
            continue
        yield _measured("performance", "MAE", value, 0.5, basis=basis, unit="kUSD")
        yield _measured("performance", "R2", 0.9 - value / 20, 0.05, basis=basis)
        yield _measured("performance", "MAE", value * 1.2, 0.9, basis=basis, group="race: Black", unit="kUSD")
        ratio = value / tested
        verdict = "fail" if ratio - 0.15 > 1.25 else "pass"
        yield _measured("performance", "MAE", ratio, 0.15, basis=basis, kind="ratio", limit=1.25, verdict=verdict)


def _fairness(value: float) -> Iterable[Measured]:
    for scope, half in (("month", 0.07), ("since approval", 0.03)):
        verdict = "fail" if value - half > 0.1 else "pass" if value + half < 0.1 else "insufficient_evidence"
        of = {"kind": "difference", "group": "race", "basis": "decisions", "scope": scope}
        yield _measured("fairness", "demographic_parity", value, half, limit=0.1, verdict=verdict, **of)


def _record(month: str, version: str, look: int, columns: list[ColumnDrift], **more: Any) -> MonthRecord:
    from rai_kedro.monitoring import MonitoringPolicy, MonthDrift, MonthOutcome, MonthRecord, judge_month

    labelled = more.get("labelled", True)
    of = {"month": month, "model_version": version, "look": look}
    drift = MonthDrift(columns=tuple(columns), rate=0.001, comparisons=len(columns), margin=0.1, **of)
    measured = [*_performance(labelled=labelled, tested=3.3, error=more.get("error", 3.4))]
    known = {"figures": (*measured, *_fairness(more.get("gap", 0.02))), "doubts": more.get("doubts", ())}
    outcome = MonthOutcome.from_dict({**of, "rows": _ROWS, "labelled": _ROWS if labelled else 0, **known})
    spent = {"energy_kwh": 1e-6, "emissions_g": 0.02, "per_thousand_g": 0.04, "total_g": 0.02 * look}
    return MonthRecord.from_dict(
        {
            **of,
            "verdict": judge_month(drift, outcome, MonitoringPolicy()),
            "drift": drift,
            "outcome": outcome,
            "used_in_training": more.get("training", False),
            "stale": more.get("stale", ""),
            "labels": "unchanged" if labelled else "none yet",
            "carbon": {**spent, "method": "estimated"},
        }
    )


@pytest.fixture(scope="session")
def make_timeline() -> Callable[..., Timeline]:
    """Make a timeline of months given by what differs from a quiet one."""
    from rai_kedro.monitoring import MonitoringPolicy, Timeline

    def make(months: Iterable[dict[str, Any]], **more: Any) -> Timeline:
        records = []
        for look, given in enumerate(months, start=1):
            quiet = {"version": "1", "columns": {"LSTAT": 0.03, "RM": 0.02}}
            known = quiet | given
            columns = [
                _column(name, effect, 0.5 / at) for at, (name, effect) in enumerate(known.pop("columns").items(), 1)
            ]
            records.append(_record(known.pop("month"), known.pop("version"), look, columns, **known))
        alarms = [one.month for one in records if one.verdict.outcome == "alarm"]
        drifts = [one.month for one in records if one.drifted_columns]
        first = {"first_alarm": alarms[0] if alarms else None, "first_drift": drifts[0] if drifts else None}
        return Timeline(use_case="housing", policy=MonitoringPolicy(), months=tuple(records), **(first | more))

    return make


@pytest.fixture(scope="session")
def housing_timeline(make_timeline: Callable[..., Timeline]) -> Timeline:
    """Three months of training, a quiet April, an alarm in May, July not scored, August unlabelled."""
    from rai_kedro.monitoring import Gap

    drifted = {"columns": {"LSTAT": 0.62, "RM": 0.4, "AGE": 0.05}, "error": 14.5}
    quiet = {"columns": {"LSTAT": 0.03, "RM": 0.02, "AGE": 0.05}}
    return make_timeline(
        [
            *({"month": f"2024-0{number}", "training": True, **quiet} for number in (1, 2, 3)),
            {"month": "2024-04", "stale": "its features changed after it was scored", **quiet},
            {"month": "2024-05", "gap": 0.25, **drifted},
            {"month": "2024-06", "version": "2", **quiet},
            {
                "month": "2024-08",
                "version": "2",
                **drifted,
                "labelled": False,
                "doubts": ("LSTAT lies outside the reference",),
            },
        ],
        gaps=(Gap(month="2024-07", missing="not scored", reason="too few rows"),),
        advice="Train again, on months from 2024-05 on: MAE is 4.4 [4.2, 4.6] times the tested one.",
        visible="167 reference rows show an effect of 0.25 with 80 % probability.",
        unit="kUSD",
    )
