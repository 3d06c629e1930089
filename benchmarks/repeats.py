"""How often the intervals of a mitigation's effect over further splits hold: simulated, with a fixed seed.

Many data sets are drawn; in each, reweighing is held against the plain model over ``--splits`` splits, as
``mitigation.splits`` does. The truth is the mean effect over all data sets, which no interval knows. Printed beside it
is what the uncorrected interval of the same splits covers. Ends with exit code 1 if a corrected one covers too little.

    python benchmarks/repeats.py --sets 200
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from rai_kedro.fairness import FairnessSpec, GroupingSpec
from rai_kedro.mitigation.compared import Comparator, ComparedModel, Effect
from rai_kedro.mitigation.fitting import Rows, Setting
from rai_kedro.mitigation.methods import make_method
from rai_kedro.mitigation.repeats import Repeats, measure_effects

LEVEL, LEAST = 0.95, 0.93
BY = Comparator(metric="statistical_parity", kind="difference", column="group", performance="accuracy", tolerance=0.02)
GROUPING = GroupingSpec(columns=("group",))
# Rows, rows of a person, and by how much the groups differ.
SHARE, BAR = 0.35, 0.4
TESTED = 0.5  # rows held out for each one fitted on
CELLS = ((400, 1, 0.3), (400, 1, 1.0), (2000, 1, 1.0), (2000, 5, 1.0))


def main(arguments: list[str] | None = None) -> int:
    """Simulate every cell, print a table, and return 1 where a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=200, help="data sets for each cell")
    parser.add_argument("--splits", type=int, default=10, help="splits of each data set")
    asked = parser.parse_args(arguments)
    print("| rows | rows a person | groups differ by | effect on | true effect | no interval | covered | uncorrected |")
    print("|---|---|---|---|---|---|---|---|")
    worst = 1.0
    for cell in CELLS:
        found = [measure(*cell, seed, asked.splits) for seed in range(asked.sets)]
        for at, name in enumerate(("difference of selection rates", "accuracy")):
            truth, without, corrected, plain = cover([effects[at] for effects in found])
            told = (*cell, name, f"{truth:+.4f}", f"{without:.1%}", f"{corrected:.1%}", f"{plain:.1%}")
            print(f"| {' | '.join(map(str, told))} |", flush=True)
            worst = min(worst, corrected)
    # Two standard errors of a simulated share are allowed for.
    return int(worst < LEAST - 2 * np.sqrt(LEVEL * (1 - LEVEL) / asked.sets))


def measure(rows: int, together: int, gap: float, seed: int, splits: int) -> tuple[Effect, ...]:
    """Draw a data set, two thirds of it to fit on, and measure what reweighing does."""
    whole = Rows(*draw(rows, together, gap, np.random.default_rng(seed)))
    cut = round(rows / together * 2 / 3) * together
    train, test = (Rows(whole.features[at], whole.target[at], whole.audit[at]) for at in (slice(cut), slice(cut, None)))
    spec = FairnessSpec(groupings=(GROUPING,), metrics=(BY.metric,), unit="person" if together > 1 else None)
    estimator = LogisticRegression()
    setting = Setting(estimator, train, test, spec, BY, "classification", permitted=False, level=LEVEL)

    def prepare(_: Setting) -> Iterator[tuple[ComparedModel, object]]:
        yield ComparedModel(name="reweighing"), make_method("reweighing", estimator, {}, "group")

    return measure_effects(setting, prepare, Repeats(splits, seed=seed), LEVEL)["reweighing"]


def draw(
    rows: int, together: int, gap: float, generator: np.random.Generator
) -> tuple[pd.DataFrame, pd.Series, pd.DataFrame]:
    """Draw features, labels, and group and person of each row; rows of a person are alike."""
    person = np.repeat(np.arange(rows // together), together)
    own = generator.normal(size=(rows // together, 3))[person] if together > 1 else np.zeros((rows, 3))
    group = (generator.random(rows // together) < SHARE)[person]
    noise = generator.normal(size=(rows, 3))
    known = (own + noise) / (np.sqrt(2) if together > 1 else 1)
    income = known[:, 0] + gap * group
    label = (income + known[:, 1] + known[:, 2] + 0.5 * gap * group > BAR).astype(int)
    features = pd.DataFrame({"income": income, "debt": known[:, 1]})
    audit = pd.DataFrame({"group": np.where(group, "b", "a"), "person": person})
    return features, pd.Series(label), audit


def cover(effects: list[Effect]) -> tuple[float, float, float, float]:
    """Return the true effect, the share without an interval, and how often corrected and uncorrected ones cover it."""
    truth = float(np.mean([one.value for one in effects]))
    given = [one for one in effects if one.lower is not None and one.upper is not None]
    halves = np.array([(one.upper - one.lower) / 2 for one in given])
    off = np.abs(np.array([one.value for one in given]) - truth)
    # The corrected half width is the uncorrected one times sqrt(1 + splits * tested / fitted).
    plain = halves / np.sqrt(1 + np.array([one.n for one in given]) * TESTED)
    return truth, 1 - len(given) / len(effects), float(np.mean(off <= halves)), float(np.mean(off <= plain))


if __name__ == "__main__":
    sys.exit(main())
