"""Which models are on the frontier of performance and fairness, and which one is chosen and why, by ``RULE``.

The unmitigated model itself counts, so that a mitigation is chosen only if it is shown to be fairer; one that leaves a
group without a figure does not count. With equal ends the better performance decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rai_kedro.fairness import METRICS
from rai_kedro.mitigation.compared import UNMITIGATED, Comparator, ComparedModel
from rai_kedro.mitigation.sensitive import MitigationError


@dataclass(frozen=True)
class Choice:
    """The chosen model and why."""

    name: str
    reason: str


def mark_frontier(models: Sequence[ComparedModel], by: Comparator) -> tuple[ComparedModel, ...]:
    """Mark the models that no other beats in performance and disparity."""
    costs = [_cost(model, by) for model in models]
    known = [cost for cost in costs if cost is not None]
    return tuple(
        model.model_copy(update={"on_frontier": cost is not None and not any(_beats(one, cost) for one in known)})
        for model, cost in zip(models, costs, strict=True)
    )


def choose_model(models: Sequence[ComparedModel], by: Comparator, configured: str | None = None) -> Choice:
    """Choose a model by the rule, or the configured one; the reason then says what the rule would have been."""
    ruled = _choose_by_rule(models, by)
    if configured is None:
        return ruled
    model = require_usable(models, configured)
    agreed = "The rule chooses it too." if ruled.name == configured else f"The rule would choose {ruled.name}."
    return Choice(configured, f"Configured. {agreed} {ruled.reason} {_tell_gain(model, by)}".strip())


def require_usable(
    models: Sequence[ComparedModel], configured: str, usable: Sequence[str] | None = None
) -> ComparedModel:
    """Return the configured model, or refuse it: it is not there, or may not be used."""
    model = next((one for one in models if one.name == configured), None)
    if model is None or not model.may_be_used:
        why = "it is not in the comparison" if model is None else model.reason or "it is there for the view only"
        there = [one.name for one in models if one.may_be_used] if usable is None else usable
        raise MitigationError(
            f"The configured choice {configured!r} cannot be used.",
            where="chosen",
            example=why,
            remedy=f"choose one of: {', '.join(there) or UNMITIGATED}; or leave the choice to the rule",
        )
    return model


def _choose_by_rule(models: Sequence[ComparedModel], by: Comparator) -> Choice:
    usual = _unassessed(next((model for model in models if model.name == UNMITIGATED), None), by)
    # A disparity that leaves out a group looks small: what a model does to nobody's comparison is no merit of it.
    ends = {model.name: _shown(model, by) for model in models if model.may_be_used and _unassessed(model, by) <= usual}
    eligible = [model for model in models if ends.get(model.name) is not None and _holds(model, by)]
    if not eligible:
        return Choice(
            UNMITIGATED, f"No interval of {METRICS[by.metric].title} could be made, so nothing speaks for a mitigation."
        )
    best = min(eligible, key=lambda model: (ends[model.name], _performance_cost(model, by)))
    end, plain = abs(ends[best.name] or 0.0), next((ends[m.name] for m in models if m.name == UNMITIGATED), None)
    side = "at least" if by.kind == "ratio" else "at most"
    without = sum(model.may_be_used for model in models) - len(eligible)
    figures = " and ".join([by.performance, *by.guards])
    number = "one further model" if without == 1 else f"{without} further models"
    others = f" Not shown to lose at most {by.tolerance:g} of {figures}: {number}."
    others = others if without else ""
    told = f"The {by.kind} of {METRICS[by.metric].title} by {by.column} is {side} {end:.3g}"
    if best.name == UNMITIGATED:
        return Choice(best.name, f"{told}, and no eligible mitigation is shown to be fairer.{others}")
    against = "" if plain is None else f", and {side} {abs(plain):.3g} without mitigation"
    return Choice(best.name, f"{told}{against}. {_tell_gain(best, by)}{others}")


def _tell_gain(model: ComparedModel, by: Comparator) -> str:
    told = [
        f"{gain.name} {gain.value:+.3f} [{gain.lower:+.3f}, {gain.upper:+.3f}]"
        for gain in model.gains
        if gain.lower is not None and gain.upper is not None
    ]
    if not told:
        return ""
    return f"Against the unmitigated model: {', '.join(told)}; a loss of {by.tolerance:g} is accepted."


def _holds(model: ComparedModel, by: Comparator) -> bool:
    if model.name == UNMITIGATED:
        return True
    return bool(model.gains) and all(gain.lower is not None and gain.lower >= -by.tolerance for gain in model.gains)


def _unassessed(model: ComparedModel | None, by: Comparator) -> frozenset[str]:
    """Return the groups that could not be taken into the comparison."""
    disparity = None if model is None else model.find_disparity(by)
    return frozenset() if disparity is None else frozenset(one.partition(":")[0] for one in disparity.not_assessed)


def _shown(model: ComparedModel, by: Comparator) -> float | None:
    disparity = model.find_disparity(by)
    if disparity is None:
        return None
    end = disparity.lower if by.kind == "ratio" else disparity.upper
    return None if end is None else by.disparity_cost(end)


def _performance_cost(model: ComparedModel, by: Comparator) -> float:
    figure = model.find_performance(by)
    return float("inf") if figure is None or figure.value is None else by.performance_cost(figure.value)


def _cost(model: ComparedModel, by: Comparator) -> tuple[float, float] | None:
    figure, disparity = model.find_performance(by), model.find_disparity(by)
    if figure is None or figure.value is None or disparity is None or disparity.value is None:
        return None
    return by.performance_cost(figure.value), by.disparity_cost(disparity.value)


def _beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one != other and one[0] <= other[0] and one[1] <= other[1]
