"""Looking for proxies from a notebook or a pipeline: plain frames in, verdicts out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from rai_kedro.frames import as_frame
from rai_kedro.modelling import limit_threads
from rai_kedro.proxies.predicting import Found, list_wanted, predict_parts
from rai_kedro.proxies.reading import Read, read_columns
from rai_kedro.proxies.relations import Relation, find_leaks, find_relations, find_suspicions
from rai_kedro.proxies.results import Limits, Metric, Predicted, Proxy, ProxyError, ProxyPolicy, ProxyReport
from rai_kedro.words import list_some

_ORDER = {"fail": 0, "insufficient_evidence": 1, "pass": 2}
_SHOWN = 3


def find_proxies(  # noqa: PLR0913 - every option by its name
    features: Any,
    sensitive_features: Any,
    *,
    target: Any = None,
    policy: ProxyPolicy | None = None,
    never_read: Sequence[str] = (),
    disguises: Mapping[str, tuple[Relation, ...]] | None = None,
    seed: int = 0,
) -> ProxyReport:
    """Find out how well a model's columns predict columns that it must not know, and which of them do.

    Args:
        features: The model's columns: a frame, or a dictionary of columns.
        sensitive_features: The columns of the same rows that it must not know.
        target: What the model learns to predict; with it columns that give the target away are looked for.
        policy: Limits, level, and the most rows looked at; the defaults if None.
        never_read: Further columns that nobody may read, and of which nothing can be known.
        disguises: ``relations``, ``leaks`` and ``suspicions`` where they have been looked for already.
        seed: Of the folds, and of the trees.

    Returns:
        A verdict for each column, the gravest first, and the relations found by :func:`find_relations`.

    Raises:
        ProxyError: An argument is no table, or the tables are not of the same rows.
    """
    policy, mine, others = policy or ProxyPolicy(), _read(features, "features"), _read(sensitive_features, "sensitive")
    others = others[[name for name in others if name not in mine]]
    goal = None if target is None else _read(target, "target")
    _require_same_rows(mine, others, goal)
    if disguises is None:
        disguises = {
            "relations": find_relations(mine, others),
            "leaks": () if goal is None else find_leaks(mine, goal),
            "suspicions": () if goal is None else find_suspicions(mine, goal),
        }
    rows = np.unique(np.linspace(0, len(mine) - 1, min(len(mine), policy.most_rows)).astype(np.int64))
    own, foreign = read_columns(mine.iloc[rows]), read_columns(others.iloc[rows])
    share = 1 - (1 - policy.level) / max(1, len(foreign))
    with limit_threads(len(rows)):
        found = [_judge(column, own, policy.limit, level=share, seed=seed) for column in foreign]
    found += [_unread(name, policy.limit) for name in never_read]
    ranked = sorted(found, key=lambda one: (_ORDER[one.outcome], -(one.lower if one.lower is not None else -np.inf)))
    return ProxyReport(
        proxies=tuple(ranked), policy=policy, rows=len(mine), rows_used=len(rows), **dict[str, Any](disguises)
    )


def _read(columns: Any, name: str) -> pd.DataFrame:
    try:
        return as_frame(columns, name)
    except (TypeError, ValueError) as error:
        raise ProxyError(
            f"{name} cannot be read: {error}.", where=name, remedy="hand in a frame, or a dictionary of columns"
        ) from error


def _require_same_rows(features: pd.DataFrame, others: pd.DataFrame, target: pd.DataFrame | None) -> None:
    counts = {"features": len(features), "sensitive_features": len(others)}
    counts |= {} if target is None else {"target": len(target)}
    if features.shape[1] == 0 or len(set(counts.values())) > 1:
        raise ProxyError(
            "Proxies cannot be looked for: the columns are none, or not of the same rows.",
            where=", ".join(counts),
            how_many=", ".join(f"{name}: {rows} rows" for name, rows in counts.items()),
            remedy="hand in one row for each row, and at least one column of the model",
        )


def _judge(column: Read, features: Sequence[Read], limits: Limits, *, level: float, seed: int) -> Proxy:
    """Measure one column on the rows where it is known, and judge it by the intervals of all its parts."""
    known = np.flatnonzero(column.known)
    there, own = column.take(known), [one.take(known) for one in features]
    wanted, few = list_wanted(there)
    metric: Metric = "R2" if not there.is_category else "AUC"
    limit = limits.of(metric)
    unmeasured = tuple(few)
    if not wanted:
        nothing = {"reason": f"too few rows of each kind: {list_some(few, _SHOWN)}" if few else "it has no value"}
        told: dict[str, Any] = {"metric": metric, "n": len(known), "not_measured": unmeasured, **nothing}
        return Proxy(column=column.name, limit=limit, outcome="insufficient_evidence", **told)
    found = predict_parts(own, wanted, level=level, seed=seed)
    return _conclude(column.name, found, limit, unmeasured)


def _conclude(name: str, found: Found, limit: float, not_measured: tuple[str, ...]) -> Proxy:
    verdicts = [part.judge(limit) for part in found.parts]
    top = max(found.parts, key=lambda part: -np.inf if part.lower is None else part.lower)
    outcome = "fail" if "fail" in verdicts else "pass"
    if outcome == "pass" and (not_measured or set(verdicts) != {"pass"}):
        outcome = "insufficient_evidence"
    return Proxy(
        column=name,
        limit=limit,
        outcome=outcome,  # type: ignore[arg-type]
        reason=_explain(outcome, top, found.parts, limit, not_measured),
        parts=found.parts,
        not_measured=not_measured,
        singles=found.singles,
        pairs=found.pairs,
        **dict(top),
    )


def _explain(
    outcome: str, top: Predicted, parts: Sequence[Predicted], limit: float, not_measured: Sequence[str]
) -> str:
    if outcome == "fail":
        return f"the whole interval lies above {limit:g}"
    if outcome == "pass":
        return f"the whole interval lies within {limit:g}"
    open_ones = [part for part in parts if part.judge(limit) != "pass"]
    if not open_ones:
        return f"not measured: {list_some(not_measured, _SHOWN)}"
    name = f"of {open_ones[0].category} " if open_ones[0].category and open_ones[0] is not top else ""
    return f"the interval {name}reaches both sides of {limit:g}: more rows would settle it"


def _unread(name: str, limits: Limits) -> Proxy:
    reason = "nobody reads it, so nothing is known of it; 'use: audit' would let it be looked at"
    return Proxy(column=name, metric="AUC", limit=limits.AUC, outcome="insufficient_evidence", reason=reason)
