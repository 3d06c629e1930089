"""How far performance estimated before labels lies from what labels then show, and how often its intervals hold it.

A model is fitted once on 3,000 rows. Then, many times over: a reference is drawn, an estimator fitted on it, months are
drawn, estimated, labelled and compared. The features are bounded, so that every shift stays within the support of the
data; the rows of a shifted month are drawn from a large population with weights that grow along two features, one of
which the model fits badly. In *groups swap* the smaller group becomes the larger. In *concept change* labels come to
depend on the features differently: no estimate can see that, and the track record of months must say so afterwards.

*naive* is the error made by expecting the reference's own figure to stay. The last table says in how many series of
twelve labelled months the track record came to doubt any figure of all rows, and after how many months.

Prints markdown tables. ``--quick`` takes fewer runs and sizes.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from rai_kedro.monitoring import EstimatedColumns, Reconciled, fit_estimator, reconcile, track_record
from rai_kedro.performance import Figure, measure_classification, measure_performance

REFERENCES, MONTHS = (150, 1_000, 5_000), (200, 1_500, 10_000)
SHIFTS = {"none": 0.0, "shift .25 sd": 0.3, "shift .5 sd": 0.65, "shift 1 sd": 1.6, "groups swap": 0.0, "concept": 0.0}
FEATURES = ("x0", "x1", "x2", "x3", "kind")
POPULATION, FITTED, SERIES = 100_000, 3_000, 12
THRESHOLD = 0.4


@dataclass
class World:
    """A population, and the model that was fitted on other rows of it."""

    task: str
    model: Any = None
    population: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __post_init__(self) -> None:
        from sklearn.linear_model import LinearRegression, LogisticRegression

        generator = np.random.default_rng(1)
        self.model = LinearRegression() if self.task == "regression" else LogisticRegression()
        rows = self.label(draw_features(FITTED, generator), generator)
        self.model.fit(self._design(rows), rows["y"])
        self.population = draw_features(POPULATION, generator)

    @property
    def columns(self) -> EstimatedColumns:
        """What the columns of its rows are."""
        score = None if self.task == "regression" else "score"
        return EstimatedColumns(task=self.task, features=FEATURES, target="y", score=score, groups=("group",))

    def draw(self, rows: int, scenario: str, generator: np.random.Generator) -> pd.DataFrame:
        """Return labelled and predicted rows of one scenario."""
        weight = np.exp(SHIFTS[scenario] * (self.population["x0"] + self.population["x1"]) / np.sqrt(2))
        if scenario == "groups swap":
            weight = np.where(self.population["group"] == "b", 5.4, 1.0)
        chosen = generator.choice(POPULATION, rows, p=weight / weight.sum())
        month = self.label(self.population.iloc[chosen].reset_index(drop=True), generator, scenario == "concept")
        if self.task == "regression":
            return month.assign(prediction=self.model.predict(self._design(month)))
        score = self.model.predict_proba(self._design(month))[:, 1]
        return month.assign(score=score, prediction=(score >= THRESHOLD).astype(int))

    def label(self, rows: pd.DataFrame, generator: np.random.Generator, changed: bool = False) -> pd.DataFrame:
        """Return rows with labels."""
        signal = 1.2 * rows["x0"] + 0.8 * rows["x1"] + 0.5 * rows["x1"] ** 2 + 0.6 * (rows["group"] == "b")
        signal = signal + 0.5 * (rows["kind"] == "q") - (1.6 * rows["x0"] if changed else 0)
        if self.task == "regression":
            spread = np.exp(0.5 * rows["x0"] + 0.3 * (rows["group"] == "b"))
            return rows.assign(y=20 + 3 * signal + spread * generator.gamma(2, size=len(rows)))
        return rows.assign(y=(generator.random(len(rows)) < 1 / (1 + np.exp(1.3 - signal))).astype(int))

    def measure(self, rows: pd.DataFrame) -> list[Figure]:
        """Return the figures that the labels of rows show."""
        if self.task == "regression":
            return measure_performance(rows["y"], rows["prediction"])
        return measure_classification(rows["y"], rows["prediction"], rows["score"])

    @staticmethod
    def _design(rows: pd.DataFrame) -> pd.DataFrame:
        return rows[["x0", "x1", "x2", "x3"]].assign(kind=(rows["kind"] == "q").astype(float))


class GroupFigure(Figure):
    """A measured figure of one group."""

    group: str


def draw_features(rows: int, generator: np.random.Generator) -> pd.DataFrame:
    """Draw four bounded numbers, a category and a group (15 % in the smaller)."""
    numbers = {f"x{place}": np.clip(generator.standard_normal(rows), -2, 2) for place in range(4)}
    kind, group = generator.choice(["p", "q", "r"], rows), generator.choice(["a", "b"], rows, p=[0.85, 0.15])
    return pd.DataFrame({**numbers, "kind": kind, "group": group})


def realise(world: World, month: pd.DataFrame) -> list[Figure]:
    """Measure all rows and each group, groups named as estimates name them."""
    figures = world.measure(month)
    for value, rows in month.groupby("group"):
        if len(rows) > 1:
            figures += [GroupFigure(**one.model_dump(), group=f"group: {value}") for one in world.measure(rows)]
    return figures


@dataclass
class Tally:
    """What is counted of one figure in one setting."""

    errors: list[float] = field(default_factory=list)
    naive: list[float] = field(default_factory=list)
    inside: list[bool] = field(default_factory=list)
    width: list[float] = field(default_factory=list)

    def add(self, one: Reconciled, before: float | None, width: float) -> None:
        """Count one comparison; ``before`` is the figure of the reference."""
        self.errors.append(abs(one.error))
        self.inside.append(one.inside)
        self.width.append(width)
        if before is not None:
            self.naive.append(abs(before - one.realised))


Key = tuple[int, int, str, str, str]


def simulate(task: str, references: tuple[int, ...], months: tuple[int, ...], runs: int) -> dict[Key, Tally]:
    """Return what was counted by rows of the reference, rows of the month, scenario, figure and group."""
    world, tallies = World(task), defaultdict[Key, Tally](Tally)
    for rows in references:
        for run in range(runs):
            generator = np.random.default_rng([run, rows])
            reference = world.draw(rows, "none", generator)
            estimator = fit_estimator(reference, world.columns, seed=run)
            before = {(one.name, getattr(one, "group", "")): one.value for one in realise(world, reference)}
            for size in months:
                for scenario in SHIFTS:
                    month = world.draw(size, scenario, generator)
                    estimate = estimator.estimate(month)
                    for one in reconcile(estimate.figures, realise(world, month)):
                        width = estimate.find(one.name, one.group).width or 0.0
                        tallies[rows, size, scenario, one.name, one.group].add(
                            one, before.get((one.name, one.group)), width
                        )
    return tallies


def months_until_said(task: str, scenario: str, references: int, months: int, runs: int) -> list[int | None]:
    """Return after how many labelled months of a series the track record doubts any overall figure, for each run."""
    world, said = World(task), []
    for run in range(runs):
        generator = np.random.default_rng([run, 7])
        estimator = fit_estimator(world.draw(references, "none", generator), world.columns, seed=run)
        found: list[Reconciled] = []
        first = None
        for number in range(1, SERIES + 1):
            month = world.draw(months, scenario, generator)
            found += reconcile(estimator.estimate(month).figures, world.measure(month))
            if any(record.doubt for record in track_record(found)):
                first = number
                break
        said.append(first)
    return said


def table(tallies: dict[Key, Tally], figures: tuple[tuple[str, str], ...]) -> Iterator[str]:
    """Yield the rows of a markdown table, one for each setting and figure."""
    yield "| reference | month | data | figure | mean abs. error | naive | width | held, % |"
    yield "|--:|--:|---|---|--:|--:|--:|--:|"
    for (rows, size, scenario, name, group), tally in tallies.items():
        if (name, group) in figures:
            told = [np.mean(part) if part else np.nan for part in (tally.errors, tally.naive, tally.width)]
            numbers = " | ".join(f"{number:.3f}" for number in told)
            of = f"{name}, {group}" if group else name
            yield f"| {rows:,} | {size:,} | {scenario} | {of} | {numbers} | {100 * np.mean(tally.inside):.0f} |"


FIGURES: dict[str, tuple[tuple[str, str], ...]] = {
    "classification": (
        ("accuracy", ""), ("sensitivity", ""), ("precision", ""), ("AUC", ""), ("Brier score", ""),
        ("accuracy", "group: b"), ("sensitivity", "group: b"),
    ),
    "regression": (("MAE", ""), ("RMSE", ""), ("MAE", "group: b"), ("RMSE", "group: b")),
}  # fmt: skip


def main(say: Callable[[str], None] = print) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few runs, two sizes")
    parser.add_argument("--task", choices=sorted(FIGURES), action="append")
    parser.add_argument("--runs", type=int)
    asked = parser.parse_args()
    references, months = (REFERENCES[:2], MONTHS[:2]) if asked.quick else (REFERENCES, MONTHS)
    for task in asked.task or sorted(FIGURES):
        runs = asked.runs or (20 if asked.quick else {"classification": 200, "regression": 60}[task])
        start = time.process_time()
        say(f"\n{task}, {runs} references of each size\n")
        for row in table(simulate(task, references, months, runs), FIGURES[task]):
            say(row)
        say("\n| data | doubted within 12 months, % | said after (median) |\n|---|--:|--:|")
        for scenario in ("none", "shift .5 sd", "concept"):
            said = months_until_said(task, scenario, 1_000, MONTHS[1], max(runs // 4, 10))
            known = [number or np.inf for number in said]
            middle = np.median(known)
            share = 100 * np.mean([number is not None for number in said])
            say(f"| {scenario} | {share:.0f} | {middle if np.isfinite(middle) else '-'} |")
        say(f"\n{time.process_time() - start:.0f} s of processor time")


if __name__ == "__main__":
    main()
