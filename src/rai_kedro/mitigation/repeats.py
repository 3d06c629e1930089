"""What each mitigation does over many splits of the same rows, since one split may flatter it or wrong it.

The rows are split anew so many times, every mitigation and the unmitigated model are fitted on one part and held
against each other on the other. The effects of the splits share rows, so that their spread is too small by itself: the
interval is Student's with the corrected variance ``(1 / splits + tested / fitted) * s ** 2`` (C. Nadeau and Y. Bengio,
"Inference for the generalization error", Machine Learning 52 (2003), corrected resampled t). It is of the expected
effect of a mitigation that is fitted on so many rows, not of the one model that was registered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rai_kedro.fairness import read_design
from rai_kedro.intervals import key_units
from rai_kedro.mitigation.compared import FAIRNESS, UNMITIGATED, Effect
from rai_kedro.mitigation.evaluation import answer, assess
from rai_kedro.mitigation.fitting import Attempt, Rows, Setting, fit_attempt, fit_plain
from rai_kedro.mitigation.sensitive import MitigationError
from rai_kedro.modelling import ModellingError
from rai_kedro.performance import Answers, measure_gain

# With fewer splits there is a mean and no interval.
FEWEST_SPLITS = 5
Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Repeats:
    """Over how many further splits effects are measured, and whether the choice asks for them.

    ``admit`` says which rows can be fitted on, shape (rows,); by default all. The others are only held out.
    """

    splits: int = 0
    must_hold: bool = False  # a mitigation counts only if the lower end of its effect on the disparity is above 0
    seed: int = 0
    admit: Callable[[pd.DataFrame, pd.Series[Any]], npt.NDArray[np.bool_]] | None = None


def measure_effects(
    setting: Setting, attempts: Callable[[Setting], Sequence[Attempt]], repeats: Repeats, level: float
) -> dict[str, tuple[Effect, ...]]:
    """Measure the effect of each model over further splits of all rows, of the size of the one there is.

    Args:
        setting: Whose training and test rows are put together; the unit of its assessment stays on one side.
        attempts: Makes the models of a split, unfitted.
        repeats: How many splits.
        level: Confidence level of each interval by itself.

    Returns:
        By model the effect on the decisive disparity and the gain in the decisive performance; above zero is better.
    """
    pool, found = _join(setting.train, setting.test), dict[str, list[dict[str, float]]]()
    fitted = tested = 0
    for train, test, sizes in _split(pool, setting, repeats):
        fitted, tested = fitted + sizes[0], tested + sizes[1]
        for name, effects in _measure_split(replace(setting, train=train, test=test), attempts).items():
            found.setdefault(name, []).append(effects)
    names = (FAIRNESS, setting.by.performance)
    share = tested / fitted
    return {
        model: tuple(
            summarise(name, [one[name] for one in effects if name in one], repeats.splits, share, level)
            for name in names
        )
        for model, effects in found.items()
    }


def summarise(name: str, effects: Sequence[float], splits: int, share: float, level: float) -> Effect:
    """Put the effects of single splits together; ``share`` is tested rows for each fitted one."""
    from scipy.stats import t

    values = np.asarray(effects, dtype=float)
    counted = len(values)
    effect = Effect(
        name=name,
        splits=splits,
        better=int((values > 0).sum()),
        worse=int((values < 0).sum()),
        value=float(values.mean()) if counted else None,
        level=level,
        n=counted,
        how="mean over splits; Student's t interval with the variance of Nadeau and Bengio (2003)",
    )
    if counted < max(FEWEST_SPLITS, splits / 2):
        return effect.model_copy(update={"note": f"no interval: {counted} of {splits} splits have a figure"})
    if np.ptp(values) == 0:  # how seldom something changes, splits in which nothing does cannot say
        return effect.model_copy(update={"note": f"no interval: the same in all of {counted} splits"})
    error = np.sqrt((1 / counted + share) * values.var(ddof=1))
    half, centre = float(t.ppf(0.5 + level / 2, counted - 1) * error), float(values.mean())
    return effect.model_copy(update={"lower": centre - half, "upper": centre + half})


def _join(train: Rows, test: Rows) -> Rows:
    features, audit = (
        pd.concat(pair, ignore_index=True) for pair in ((train.features, test.features), (train.audit, test.audit))
    )
    return Rows(features, pd.concat([train.target, test.target], ignore_index=True), audit)


def _split(pool: Rows, setting: Setting, repeats: Repeats) -> Iterator[tuple[Rows, Rows, tuple[int, int]]]:
    """Yield rows to fit and to hold out, and how many units (each row one, where none is declared) are on each side."""
    rows, unit = len(pool.target), setting.fairness.unit
    codes = np.arange(rows) if unit is None else pd.factorize(key_units(pool.audit[unit]))[0]
    admitted = np.ones(rows, dtype=bool)
    if repeats.admit is not None:
        admitted = repeats.admit(pool.features, pool.target)
    units, generator = int(codes.max()) + 1, np.random.default_rng(repeats.seed)
    held = min(max(round(units * len(setting.test.target) / rows), 1), units - 1)
    for _ in range(repeats.splits):
        tested = np.isin(codes, generator.permutation(units)[:held])
        fitted = np.flatnonzero(~tested & admitted)
        yield _take(pool, fitted), _take(pool, np.flatnonzero(tested)), (units - held, held)


def _take(pool: Rows, at: Positions) -> Rows:
    return Rows(pool.features.iloc[at], pool.target.iloc[at], pool.audit.iloc[at])


def _measure_split(
    setting: Setting, attempts: Callable[[Setting], Sequence[Attempt]]
) -> Mapping[str, dict[str, float]]:
    """Return the effects of each model on this split; none where it gave no model or a figure is of other groups."""
    from sklearn.base import clone

    made = list(attempts(setting))
    effects: dict[str, dict[str, float]] = {model.name: {} for model, _ in made}
    try:
        _, fitted = fit_plain(clone(setting.estimator), setting.train, UNMITIGATED)
        plain = _ask(setting, fitted)
    except (MitigationError, ModellingError):  # a split without one of the classes, say: nothing is known of it
        return effects
    for model, estimator in (fit_attempt(one, setting) for one in made):
        if estimator is None:
            continue
        try:
            effects[model.name] = _compare(setting, _ask(setting, estimator), plain)
        except (MitigationError, ModellingError):
            continue
    return effects


def _ask(setting: Setting, estimator: Any) -> tuple[Answers, tuple[float, frozenset[str]] | None]:
    """Return the answers of a model, and its disparity with the groups that it leaves out."""
    test, by = setting.test, setting.by
    answers = answer(test, by.column, estimator)
    grouping = next(one for one in setting.fairness.groupings if one.name == by.column)
    only = setting.fairness.model_copy(update={"metrics": (by.metric,), "groupings": (grouping,)})
    found = assess(setting.task, answers, test.target.to_numpy(), test.audit, only).disparities
    disparity = next((one for one in found if one.kind == by.kind), None)
    if disparity is None or disparity.value is None:
        return answers, None
    left_out = frozenset(one.partition(":")[0] for one in disparity.not_assessed)
    return answers, (by.disparity_cost(disparity.value), left_out)


def _compare(setting: Setting, new: Any, old: Any) -> dict[str, float]:
    (answers, disparity), (plain, before) = new, old
    name, truth = setting.by.performance, setting.test.target.to_numpy().astype(float)
    sampling = read_design(setting.test.audit, setting.fairness)
    gain = measure_gain(name, truth, answers, plain, sampling=sampling).value
    effects = {} if gain is None or not np.isfinite(gain) else {name: float(gain)}
    if disparity is not None and before is not None and disparity[1] == before[1]:
        effects[FAIRNESS] = before[0] - disparity[0]
    return effects
