"""What a version was judged by, as one plain value, and what of it is looser than when the version was approved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rai_kedro.performance import LARGER_IS_BETTER

JUDGED_BY = (
    "policy",
    "training.allowed_modules",
    "training.allowed_hosts",
    "training.interval_level",
    "fairness",
    "mitigation.tolerance",
    "mitigation.chosen",
    "monitoring.policy",
    "monitoring.expect",
    "monitoring.alerts.min_weight",
    "proxies",
)
"""The parameters that decide how strictly a version is judged and what code may run: the same in every environment."""
# Of a column: what is asked of its values and of whoever reads it.
_OF_COLUMN = ("type", "flags", "use", "range", "categories", "nullable", "justification")
_OF_STORE = ("dataset", "key", "time")
_Path = tuple[str, ...]


def pick(parameters: Any, path: str) -> Any:
    """Return what stands at a dotted path of nested mappings; None where nothing does."""
    for key in path.split("."):
        parameters = parameters.get(key) if isinstance(parameters, Mapping) else None
    return parameters


def state_policy(parameters: Mapping[str, Any], contract: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a version is judged by: parameters of its use case, and flags and uses of its columns.

    Args:
        parameters: The groups of parameters by name, plain and with their defaults filled in.
        contract: ``Contract.to_dict()``.
    """
    stores = contract["datasets"].items()
    return {
        **{path: pick(parameters, path) for path in JUDGED_BY},
        "stores": {name: {key: store[key] for key in _OF_STORE} for name, store in stores},
        "columns": {
            name: {column: {key: one[key] for key in _OF_COLUMN} for column, one in store["columns"].items()}
            for name, store in stores
        },
    }


def find_loosened(then: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """Say in a sentence each what is looser now than when a version was approved; a tightening gives nothing.

    What has no direction (another metric, other groups, another reason of a justification) counts as looser: nobody
    who approved the version agreed to it.

    Args:
        then: What :func:`state_policy` returned when the version was trained.
        now: What it returns today.
    """
    before, after = _arrange(then), _arrange(now)
    _fill_margins(before, after)
    return tuple(_compare(before, after, ()))


def _rises(then: Any, now: Any) -> bool:
    """Of a limit from above: none is the loosest."""
    return then is not None and (now is None or now > then)


def _falls(then: Any, now: Any) -> bool:
    """Of a limit from below: none is the loosest."""
    return then is not None and (now is None or now < then)


def _loses(then: Any, now: Any) -> bool:
    return not {*(then or ())} <= {*(now or ())}


def _admits(then: Any, now: Any) -> bool:
    """Of a list of what is allowed: no list allows all."""
    return then is not None and (now is None or not {*now} <= {*then})


def _admits_below(then: Any, now: Any) -> bool:
    """Of prefixes: a longer one allows less."""
    return any(not one.startswith(tuple(then or ())) for one in now or ())


def _widens(then: Any, now: Any) -> bool:
    return then is not None and (now is None or now[0] < then[0] or now[1] > then[1])


def _moves_along(*words: Any) -> Callable[[Any, Any], bool]:
    """Of words from the strictest to the loosest; one that nobody knows is the loosest."""
    known = list(words)
    return lambda then, now: then in known and (now not in known or known.index(now) > known.index(then))


def _changes(then: Any, now: Any) -> bool:
    return bool(then != now)


def _never(_then: Any, _now: Any) -> bool:
    return False


_ACTIONS = _moves_along("block", "accept_risk", "allow")
# Which way is looser, by the place; `*` is any one name. What stands in no line here has no direction.
_LOOSER: dict[str, Callable[[Any, Any], bool]] = {
    "policy/gates/*/fail": _ACTIONS,
    "policy/gates/*/insufficient_evidence": _ACTIONS,
    "policy/gates/performance/metric": lambda then, now: then is not None and then != now,
    "policy/gates/performance/at_least": _falls,
    "policy/gates/performance/at_most": _rises,
    "policy/gates/drift/margin": _rises,
    "policy/gates/carbon/most_g": _rises,
    "policy/approval/roles": _loses,
    "policy/approval/lasts_days": _rises,
    "policy/approval/trainer_may_approve": _moves_along(False, True),
    "policy/approval/signed_training": _moves_along(True, False),
    "policy/justification_lasts_days": _rises,
    "training.allowed_modules": _admits_below,
    "training.allowed_hosts": lambda then, now: _admits(then or (), now or ()),
    "training.interval_level": _falls,
    "fairness/level": _falls,
    "fairness/tolerances/ratio/*": _falls,
    "fairness/tolerances/*/*": _rises,
    "fairness/metrics": _loses,
    "fairness/groupings/*/declared": _loses,
    "fairness/groupings/*/cuts": _changes,
    "fairness/groupings/*/categorical": _changes,
    "fairness/groupings/*/least_rows": _rises,
    "fairness/groupings/*/every_intersection": _moves_along(True, False),
    "fairness/questionnaire": _never,
    "mitigation.tolerance": _rises,
    "mitigation.chosen": _never,
    "monitoring.policy/error_rate": _rises,
    "monitoring.policy/label_delay": _rises,
    "monitoring.policy/drift/margin": _rises,
    "monitoring.policy/drift/margins/*": _rises,
    "monitoring.policy/drift/means": _moves_along("alarm", "watch"),
    "monitoring.policy/drift/min_rows": _rises,
    "monitoring.policy/performance/worse_by": _rises,
    "monitoring.policy/performance/floor/at_least": _falls,
    "monitoring.policy/performance/floor/at_most": _rises,
    "monitoring.expect/grace_days": _rises,
    "monitoring.alerts.min_weight": _moves_along("watch", "alarm"),
    "proxies/limit/*": _rises,
    "proxies/action": _moves_along("refuse", "warn"),
    "proxies/level": _falls,
    "proxies/most_rows": _falls,
    "proxies/read_forbidden": _moves_along(True, False),
    "columns/*/*/flags": _loses,
    "columns/*/*/use": _moves_along("forbidden", "decision", "audit", "mitigation", "model"),
    "columns/*/*/range": _widens,
    "columns/*/*/categories": _admits,
    "columns/*/*/nullable": _moves_along(False, True),
    "columns/*/*/justification/until": _rises,
}
_PATTERNS = {tuple(pattern.split("/")): looser for pattern, looser in _LOOSER.items()}


def _find_rule(path: _Path) -> Callable[[Any, Any], bool] | None:
    for pattern, looser in _PATTERNS.items():
        if len(pattern) == len(path) and all(part in ("*", name) for part, name in zip(pattern, path, strict=True)):
            return looser
    return None


def _compare(then: Any, now: Any, path: _Path) -> Iterator[str]:
    looser = _find_rule(path)
    if looser is None and isinstance(then, Mapping) and isinstance(now, Mapping):
        for key in sorted({*then, *now}):
            # A setting that was not known then is one of a later edition of the program, or a new item: no loosening.
            if key in then or _find_rule((*path, key)):
                yield from _compare(then.get(key), now.get(key), (*path, key))
    elif looser(then, now) if looser else then != now and not (then is None and isinstance(now, Mapping)):
        yield f"{'.'.join(path)}: {_show(then)} when the version was approved, {_show(now)} now"


def _show(value: Any) -> str:
    if isinstance(value, Mapping):
        return "there"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _arrange(stated: Mapping[str, Any]) -> dict[str, Any]:
    """Give every item of a list its name, and a floor its side, so that like is compared with like."""
    found = {key: dict(value) if isinstance(value, Mapping) else value for key, value in stated.items()}
    if fairness := found.get("fairness"):
        named: dict[str, dict[str, Any]] = {}
        for one in fairness.get("tolerances") or ():
            name = f"{one['metric']} of {one.get('column') or 'every grouping'}"
            named.setdefault(one["kind"], {})[name] = one["limit"]
        fairness["tolerances"] = named
        fairness["groupings"] = {" x ".join(one["columns"]): one for one in fairness.get("groupings") or ()}
    if monitoring := found.get("monitoring.policy"):
        performance = dict(monitoring.get("performance") or {})
        if performance.get("floor") is not None:
            larger = LARGER_IS_BETTER.get(str(performance.get("metric")))
            side = "of the usual figure" if larger is None else "at_least" if larger else "at_most"
            performance["floor"] = {side: performance["floor"]}
        monitoring["performance"] = performance
        monitoring["drift"] = dict(monitoring.get("drift") or {})
    return found


def _fill_margins(*stated: dict[str, Any]) -> None:
    """Let every column that either side names have the margin that holds for it, the general one where it has none."""
    drifts = [one["monitoring.policy"]["drift"] for one in stated if one.get("monitoring.policy")]
    names = {name for drift in drifts for name in drift.get("margins") or ()}
    for drift in drifts:
        own = drift.get("margins") or {}
        drift["margins"] = {name: own.get(name, drift.get("margin")) for name in names}
