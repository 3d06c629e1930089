"""The figures of a finished run, whatever shape the files that hold them have.

What is frozen in ``<use_case>.json`` are figures, not shapes: where a shape changes, the reading here changes and the
figures stay.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd


def collect_facts(data: Path, use_case: str) -> dict[str, Any]:
    """Read the figures of a use case that was trained, approved and monitored below a data folder."""
    reports = data / "08_reporting" / use_case

    def load(name: str) -> Any:
        return json.loads((reports / f"{name}.json").read_text(encoding="utf-8"))

    return {
        "performance": _performance(load("performance")),
        "assessment": _assessment(load("fairness_assessment")),
        "gate": _gate(load("fairness_gate")),
        "comparison": _comparison(load("mitigation_comparison")),
        "register": _register(load("risk_register")),
        "card": _card(load("model_card_v1")),
        "timeline": _timeline(load("monitoring")),
        "drift": _drift(data / "07_model_output" / use_case / "drift_store"),
        "predictions": _predictions(data / "07_model_output" / use_case / "prediction_store"),
    }


def _span(figure: Any) -> Any:
    return None if figure is None else [figure["value"], figure["lower"], figure["upper"]]


def _performance(figures: Any) -> Any:
    return {f"{one['split']} {one['name']}": [*_span(one), one["level"], one["unit"]] for one in figures}


def _key(disparity: Any) -> str:
    return f"{disparity['column']}: {disparity['metric']} ({disparity['kind']})"


def _groups(figures: Any) -> Any:
    return {f"{one['group']}, {one['rate']}": [*_span(one), one["n"]] for one in figures}


def _assessment(found: Any) -> Any:
    if found is None:
        return None
    disparities = {
        _key(one): {
            "figure": [*_span(one), one["level"]],
            "groups": _groups(one["groups"]),
            "pair": one["pair"],
            "reference": one["reference"],
            "not_assessed": one["not_assessed"],
            "left_out": one["left_out"],
        }
        for one in found["disparities"]
    }
    tables = {one["column"]: [one["reference"], one["left_out"], _groups(one["figures"])] for one in found["tables"]}
    return {"disparities": disparities, "tables": tables}


def _gate(gate: Any) -> Any:
    verdicts = {
        _key(one["disparity"]): [one["outcome"], one["tolerance"], one["rows_needed"]] for one in gate["verdicts"]
    }
    return {
        "outcome": gate["outcome"],
        "exit_code": gate["exit_code"],
        "verdicts": verdicts,
        "problems": gate["problems"],
        "without_tolerance": gate["without_tolerance"],
    }


def _comparison(found: Any) -> Any:
    if "models" not in found:
        return found
    models = {
        one["name"]: {
            "status": one["status"],
            "role": one["role"],
            "stage": one["stage"],
            "on_frontier": one["on_frontier"],
            "may_be_used": one["may_be_used"],
            "needs_sensitive": one["needs_sensitive"],
            "performance": {f["name"]: _span(f) for f in one["performance"]},
            "gains": {f["name"]: _span(f) for f in one["gains"]},
            "assessment": _assessment(one["assessment"]),
            "need_assessment": _assessment(one["need_assessment"]),
            "outcomes": one["outcomes"],
        }
        for one in found["models"]
    }
    return {"chosen": found["chosen"], "by": found["by"], "rows": [found["rows_train"], found["rows_test"]]} | models


def _register(rows: Any) -> Any:
    return {
        f"{one['dataset']}.{one['name']}": [
            one["type"],
            one["use"],
            "risky" in one["flags"],
            "demographic" in one["flags"],
            one["risk"],
            one["justification"],
            one["model_uses"],
        ]
        for one in rows
    }


def _card(document: Any) -> Any:
    return {"look_at_first": sorted(point["topic"] for point in document["look_at_first"])}


def _timeline(timeline: Any) -> Any:
    months = {
        one["month"]: {
            "version": one["model_version"],
            "verdict": one["verdict"]["outcome"],
            "findings": [[found["key"], found["weight"]] for found in one["verdict"]["findings"]],
            "figures": {
                " ".join(map(str, (f["subject"], f["name"], f["kind"], f["group"], f["basis"], f["scope"]))): [
                    f["value"],
                    f["lower"],
                    f["upper"],
                    f["verdict"],
                ]
                for f in one["outcome"]["figures"]
                if f["verdict"]
            },
        }
        for one in timeline["months"]
    }
    return {"first_drift": timeline["first_drift"], "first_alarm": timeline["first_alarm"], "months": months}


def _drift(store: Path) -> Any:
    return {
        f"{path.parent.parent.name} {row['column']} {row['aspect']}": [
            row["value"],
            row["lower"],
            row["upper"],
            row["verdict"],
        ]
        for path in sorted(store.glob("month=*/model_version=*/*.parquet"))
        for row in pd.read_parquet(path).to_dict("records")
    }


def _predictions(store: Path) -> Any:
    figures = {}
    for path in sorted(store.glob("month=*/model_version=*/*.parquet")):
        frame = pd.read_parquet(path)
        numbers = [name for name in ("prediction", "score") if name in frame]
        figures[path.parent.parent.name] = [len(frame), *(float(frame[name].sum()) for name in numbers)]
    return figures
