"""Performance of predicted amounts before labels: direct loss estimation.

How large the error of a row will be is learned from the reference, rows with labels that the model was not fitted on,
from the features, the prediction and the groups (DLE: NannyML's documentation; the idea of a second model of the error
is that of Guerra, Prudencio & Ludermir 2008, *Predicting the performance of learning algorithms*). From 1,000 rows on
the absolute error is learned by boosted trees, below by ridge regression on the columns and their squares.

- The reference is parted tenfold. Each row's error is predicted by the model that did not see it, and how much of these
  predictions to believe is fitted afterwards: error = a + b * predicted (stacking with the mean: Wolpert 1992). Where
  they are not better than the plain mean error, the mean is used, so that a useless model does no harm.
- The mean squared error is taken as a multiple of the squared expected absolute error: exact where the errors of all
  rows have one shape and different scale.
- A group is estimated by a factor on top of it: its own errors over the predicted ones, drawn towards 1 where it is
  small.
- The interval is one for the figure *that the labels will show*: the error of the reference by the ten models and
  their fits (delete-a-group jackknife: Kott 2001; Student's t with nine degrees of freedom), and the noise of the month
  by drawing relative errors of the reference for its rows.

That errors, given features, prediction and group, stay as they were is assumed. No method sees a change of it before
labels come.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from rai_kedro.monitoring.confidence import DRAWS, Drawn
from rai_kedro.monitoring.support import is_number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_FOLDS = 10
ROWS_OF_TREES = 1_000
_MOST_LEVELS, _COMMON = 100, 0.05
_TREES: dict[str, Any] = {"max_iter": 40, "learning_rate": 0.12, "max_leaf_nodes": 8, "min_samples_leaf": 20}
_PENALTIES = tuple(10.0**power for power in range(6))
_LEAST_SHARE, _LARGEST_TRUST = 0.05, 1.5
_NOISE_ROWS = 1_000
_VARIES = 1e-9
# Both are means of a power of the error; the RMSE its root.
_POWER = {"MAE": 1, "RMSE": 2}
# How far the error of a group may lie from what its features say, standard deviation of the factor.
_GROUP_SPREAD = {"MAE": 0.3, "RMSE": 0.6}


@dataclass(frozen=True)
class Columns:
    """What the reference has in each column, to make numbers of any month: centre and spread, or levels."""

    numbers: dict[str, tuple[float, float, float, float]]
    levels: dict[str, pd.Index[str]]

    def code(self, frame: pd.DataFrame) -> Floats:
        """Return numbers as they are and the number of each level, NaN where missing or new; shape (rows, columns)."""
        parts = [frame[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in self.numbers]
        for name, known in self.levels.items():
            code = known.get_indexer(pd.Index(frame[name].astype("str"))).astype(np.float64)
            parts.append(np.where(code < 0, np.nan, code))
        return np.column_stack(parts)

    def expand(self, coded: Floats) -> Floats:
        """Return standardised numbers held within the reference's range, their squares, and a column a level."""
        parts = []
        for column, (mean, spread, lowest, highest) in zip(coded.T, self.numbers.values(), strict=False):
            held = np.nan_to_num((np.clip(column, lowest, highest) - mean) / spread)
            parts += [held, held**2]
        for column, known in zip(coded.T[len(self.numbers) :], self.levels.values(), strict=True):
            parts += [(column == code).astype(np.float64) for code in range(len(known))]
        return np.column_stack(parts)


def learn_columns(frame: pd.DataFrame) -> Columns:
    """Return what a reference has in each column; levels beyond the commonest are treated as missing."""
    numbers, levels = {}, {}
    for name, values in frame.items():
        if is_number(values):
            present = values.dropna().to_numpy(dtype=np.float64)
            present = present if present.size else np.zeros(1)
            numbers[str(name)] = (present.mean(), present.std() or 1.0, present.min(), present.max())
        else:
            counts = values.dropna().astype("str").value_counts()
            least = 1 if len(frame) >= ROWS_OF_TREES else _COMMON * len(frame)
            levels[str(name)] = counts[counts >= least].index[:_MOST_LEVELS]
    return Columns(numbers, levels)


@dataclass(frozen=True)
class LossModel:
    """The expected absolute error of a row, as each of the ten models says it, and what is believed of them.

    Attributes:
        models: Those fitted on nine tenths each; empty where the mean is used.
        fits: a and b of all rows, then of each nine tenths, shape (11, 2).
        squares: Mean squared error over mean squared expected absolute error, same order, shape (11,).
        expected: Expected absolute error of each row of the reference by a model that did not see it, shape (m,).
        relative: Absolute error over expected absolute error of each row of the reference, shape (m,).
    """

    columns: Columns
    models: tuple[Any, ...]
    fits: Floats
    squares: Floats
    expected: Floats
    relative: Floats
    trees: bool

    @property
    def method(self) -> str:
        """The model of the error in words."""
        if not self.models:
            return "mean error of the reference, since no model of the error was better"
        return "boosted trees" if self.trees else "ridge regression"

    def predict(self, frame: pd.DataFrame) -> tuple[Floats, Floats]:
        """Return the expected absolute error of each row, and that of each of the ten, shape (10, n)."""
        if not self.models:
            raw = np.zeros((len(self.fits) - 1, len(frame)))
        else:
            coded = self.columns.code(frame)
            coded = coded if self.trees else self.columns.expand(coded)
            with _in_one_thread():
                raw = np.stack([model.predict(coded) for model in self.models])
        return _trust(raw.mean(axis=0), self.fits[0]), _trust(raw, self.fits[1:])


def learn_losses(frame: pd.DataFrame, error: Floats, seed: int) -> LossModel:
    """Learn from the reference how large errors are.

    Args:
        frame: Features, prediction and groups, m rows.
        error: Label less prediction, shape (m,).
        seed: Of the tenfold parting.
    """
    columns, trees = learn_columns(frame), len(frame) >= ROWS_OF_TREES
    coded = columns.code(frame)
    coded = coded if trees else columns.expand(coded)
    size = np.abs(error)
    fold = np.random.default_rng(seed).permutation(len(size)) % _FOLDS
    models, held_out = [], np.full(len(size), size.mean())
    with _in_one_thread():
        for one in range(_FOLDS) if size.std() > _VARIES * size.mean() else ():
            models.append(_fit(coded[fold != one], size[fold != one], columns, trees, seed))
            held_out[fold == one] = models[-1].predict(coded[fold == one])
    if not models or not _is_better(size, held_out):
        models, held_out = [], np.zeros(len(size))
    kept = [np.ones(len(size), dtype=bool), *(fold != one for one in range(_FOLDS))]
    fits = np.array([_fit_line(size[rows], held_out[rows]) for rows in kept])
    expected = [_trust(held_out[rows], fit) for rows, fit in zip(kept, fits, strict=True)]
    pairs = zip(kept, expected, strict=True)
    squares = np.array([_ratio((error[rows] ** 2).sum(), (one**2).sum()) for rows, one in pairs])
    relative = np.divide(size, expected[0], out=np.ones_like(size), where=expected[0] > 0)
    return LossModel(columns, tuple(models), fits, squares, expected[0], relative, trees)


def estimate_losses(
    model: LossModel,
    current: pd.DataFrame,
    groups: Sequence[tuple[str, NDArray[np.bool_], NDArray[np.bool_]]],
    generator: np.random.Generator,
) -> Iterator[Drawn]:
    """Yield MAE and RMSE of all rows and of each group (its name, its rows of the reference and of the month)."""
    expected, replicates = model.predict(current)
    everyone = np.ones(len(model.relative), dtype=bool), np.ones(len(current), dtype=bool)
    for name, before, now in [("", *everyone), *groups]:
        rows, of_models = expected[now], replicates[:, now]
        sizes = np.array([rows.mean(), *of_models.mean(axis=1)])
        squares = model.squares * np.array([(rows**2).mean(), *(of_models**2).mean(axis=1)])
        noise = _draw_noise(rows, model.relative, generator)
        for figure, found, ratio in zip(_POWER, (sizes, squares), noise, strict=True):
            factor, spread = _fit_factor(model, figure, before) if name else (1.0, 0.0)
            value = found[0] * factor
            error = np.hypot(_jackknife(found[1:]) / (found[0] or 1.0), spread / factor)
            draws = value * np.exp(error * generator.standard_t(_FOLDS - 1, DRAWS)) * ratio
            root = 1 / _POWER[figure]
            yield Drawn(figure, name, float(value**root), draws**root, float(now.sum()))


def _fit_factor(model: LossModel, figure: str, before: NDArray[np.bool_]) -> tuple[float, float]:
    """Return a group's error over the expected one, and its standard error, under a normal prior about 1."""
    expected, found = (part ** _POWER[figure] for part in (model.expected, model.relative * model.expected))
    if not found.any() or not before.any():
        return 1.0, _GROUP_SPREAD[figure] * float(found.any())
    own, weight = found / expected * (expected.sum() / found.sum()), expected[before]
    variance, rows = own.var(), weight.sum() ** 2 / (weight**2).sum()
    prior = variance / _GROUP_SPREAD[figure] ** 2
    factor = (np.average(own[before], weights=weight) * rows + prior) / (rows + prior)
    return float(factor), float(np.sqrt(variance / (rows + prior)))


def _draw_noise(expected: Floats, relative: Floats, generator: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw how the mean error and the mean squared error of a month differ from what is expected, as factors.

    Of a large month some rows are drawn, and their deviation from 1 is brought to that of all rows.
    """
    rows = expected if len(expected) <= _NOISE_ROWS else generator.choice(expected, _NOISE_ROWS)
    shrink = np.sqrt(len(rows) / len(expected))
    chosen = generator.integers(0, len(relative), (DRAWS, len(rows)))
    factors = []
    for power in (1, 2):
        weight, share = rows**power, relative**power
        whole = weight.sum() * share.mean()
        ratio = share[chosen] @ weight / whole if whole > 0 else np.ones(DRAWS)
        factors.append(np.maximum(1 + (ratio - 1) * shrink, 0))
    return factors[0], factors[1]


def _fit(design: Floats, size: Floats, columns: Columns, trees: bool, seed: int) -> Any:
    if trees:
        from sklearn.ensemble import HistGradientBoostingRegressor

        numbers = len(columns.numbers)
        categories = [place >= numbers for place in range(design.shape[1])]
        model = HistGradientBoostingRegressor(
            loss="poisson", categorical_features=categories, early_stopping=False, random_state=seed, **_TREES
        )
        return model.fit(design, size)
    from sklearn.linear_model import RidgeCV

    return RidgeCV(alphas=_PENALTIES).fit(design, size)


@contextmanager
def _in_one_thread() -> Iterator[None]:
    """Keep trees to one thread: small ones gain nothing from more, and on a busy machine wait for each other."""
    import sklearn.ensemble  # noqa: F401 - only libraries that are loaded are limited
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(1):
        yield


def _is_better(size: Floats, held_out: Floats) -> bool:
    """Say whether predictions of rows that a model did not see come closer to the error than its mean does."""
    _, slope = _fit_line(size, held_out)
    return slope > 0


def _fit_line(size: Floats, held_out: Floats) -> tuple[float, float]:
    """Return a and b of size = a + b * held_out by least squares, b from 0 to 1.5."""
    spread = held_out.var()
    slope = float(np.cov(size, held_out, bias=True)[0, 1] / spread) if spread > 0 else 0.0
    slope = min(max(slope, 0.0), _LARGEST_TRUST)
    return float(size.mean() - slope * held_out.mean()), slope


def _trust(raw: Floats, fit: Floats | tuple[float, float]) -> Floats:
    """Return a + b * raw, no less than a small share of its mean: an expected error of 0 or less there is not."""
    fitted = np.asarray(fit)
    line = fitted[..., :1] + fitted[..., 1:] * raw
    held: Floats = np.maximum(line, _LEAST_SHARE * np.abs(line.mean(axis=-1, keepdims=True)))
    return held


def _jackknife(replicates: Floats) -> float:
    """Return the standard error from estimates that leave out one tenth each."""
    parts = len(replicates)
    return float(np.sqrt((parts - 1) / parts * ((replicates - replicates.mean()) ** 2).sum()))


def _ratio(above: float, below: float) -> float:
    return float(above / below) if below > 0 else 0.0
