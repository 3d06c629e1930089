"""Verdicts rather than intervals: how often the advised rows settle them, and how often a whole card is wrong.

Each table stands beside what was done before, so that the gain can be seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from coverage_cells import LEVEL, SEED, TOLERANCE
from rai_kedro.fairness import (
    Disparity,
    GroupCounts,
    GroupFigure,
    Grouping,
    Limits,
    find_further_rows,
    hold_jointly,
    judge,
)
from rai_kedro.fairness.comparison import Setting, compare_rates
from rai_kedro.fairness.rates import selection_rate
from rai_kedro.intervals import part_level, proportion_intervals, proportions
from rai_kedro.performance import Answers, joint_level, measure_gain

Truth = Callable[[np.random.Generator, int], np.ndarray]
TRUTHS: dict[str, Truth] = {
    "anywhere from 0 to .25 apart": lambda rng, groups: 0.3 + np.linspace(0, rng.uniform(0, 0.25), groups),
    "gap 0": lambda _, groups: np.full(groups, 0.3),
    "gap .05": lambda _, groups: np.linspace(0.3, 0.35, groups),
    "gap .14": lambda _, groups: np.linspace(0.3, 0.44, groups),
}
DESIGNS = ((200, 200), (500, 500), (50, 2_000), (200, 200, 200), (500,) * 6, (50, 2_000, 2_000))


@dataclass(frozen=True)
class Settled:
    """Of the open tables of a design: what share the advised rows settle, before and now, and how many they are."""

    design: str
    truth: str
    before: float
    now: float
    rows_before: float
    rows_now: float


def simulate_further_rows(tables: int) -> list[Settled]:
    """Advise open tables, draw the advised rows from the true rates, and judge all rows together."""
    generator = np.random.default_rng(SEED + 30)
    return [
        _advise(np.array(design), name, truth, tables, generator)
        for design in DESIGNS
        for name, truth in TRUTHS.items()
    ]


def _advise(rows: np.ndarray, name: str, truth: Truth, tables: int, generator: np.random.Generator) -> Settled:
    found: list[tuple[float, float, float, float]] = []
    for _ in range(3 * tables):
        rates = truth(generator, len(rows))
        events = generator.binomial(rows, rates).astype(float)
        low, high = proportions.difference_bounds(events, rows.astype(float), LEVEL)
        if high <= TOLERANCE or low > TOLERANCE or len(found) == tables:
            continue
        disparity = describe(events, rows, float(low), float(high))
        before, now = arm_alone(disparity), find_further_rows(disparity, TOLERANCE)
        if before is None or now is None:
            continue
        alike = np.rint(before * rows / rows.sum()).astype(int)
        own = np.array([now.by_group.get(str(at), 0) for at in range(len(rows))])
        own = own if now.by_group else np.rint(now.total * rows / rows.sum()).astype(int)
        shares = [_settle(events, rows, extra, rates, generator) for extra in (alike, own)]
        found.append((*shares, before, now.total))
    before, now, *rows_advised = np.mean(found, axis=0)[:2].tolist() + np.median(found, axis=0)[2:].tolist()
    return Settled(" + ".join(f"{n:,}" for n in rows), name, before, now, *rows_advised)


def _settle(
    events: np.ndarray, rows: np.ndarray, extra: np.ndarray, rates: np.ndarray, generator: np.random.Generator
) -> float:
    more = generator.binomial(extra, rates, (40, len(rows)))
    total = np.broadcast_to((rows + extra).astype(float), more.shape)
    low, high = proportions.difference_bounds(events + more, total, LEVEL)
    return float(np.mean((high <= TOLERANCE) | (low > TOLERANCE)))


def describe(events: np.ndarray, rows: np.ndarray, low: float, high: float) -> Disparity:
    """Write a table of selection rates as an assessment would, groups named by their position."""
    own = proportion_intervals(events, rows.astype(float), LEVEL)
    rates = events / rows
    figures = tuple(
        GroupFigure.make(str(at), "selection rate", int(rows[at]), float(rates[at]), own[at]) for at in range(len(rows))
    )
    named = {"metric": "statistical_parity", "kind": "difference", "column": "group", "how": "", "groups": figures}
    return Disparity(value=float(np.ptp(rates)), lower=low, upper=high, level=LEVEL, **named)


def arm_alone(disparity: Disparity) -> int | None:
    """Return what was advised before: the arm towards the limit shrinks by the root, figures stay as they are."""
    value, low, high = (getattr(disparity, part) for part in ("value", "lower", "upper"))
    rows, distance = sum(figure.n or 0 for figure in disparity.groups), abs(TOLERANCE - value)
    if not distance:
        return None
    arm = high - value if value < TOLERANCE else value - low
    if low == 0 and value > TOLERANCE:
        arm = max(arm, high - value)
    needed = max(1, math.ceil(((arm / distance) ** 2 - 1) * rows))
    return needed if needed <= min(1_000_000, 100 * rows) else None


def print_further_rows(rows: list[Settled]) -> None:
    """Print the share of open tables that the advised rows settle."""
    print("\n| rows of the groups | true rates | settled, before | settled, now | rows before | rows now |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row.design} | {row.truth} | {row.before:.0%} | {row.now:.0%} | {row.rows_before:,.0f} | "
            f"{row.rows_now:,.0f} |"
        )


@dataclass(frozen=True)
class Card:
    """How often any line of a card is a wrong pass or a wrong fail, before and now."""

    what: str
    wrong_fail: tuple[float, float]
    wrong_pass: tuple[float, float]
    passed: tuple[float, float]


def simulate_cards(cards: int) -> list[Card]:
    """Simulate cards of many independent metrics (the worst for the number of wrong ones), at the border."""
    generator = np.random.default_rng(SEED + 31)
    within, beyond = TOLERANCE - 1e-6, TOLERANCE + 1e-6
    cases = [
        ("15 metrics, all just within the limit", np.full(15, within)),
        ("15 metrics, all just beyond it", np.full(15, beyond)),
        ("5 metrics just beyond it, 10 equal", np.repeat([beyond, 0.0], [5, 10])),
        ("15 metrics, all equal", np.zeros(15)),
        ("4 metrics, all just within the limit", np.full(4, within)),
    ]
    return [_judge_cards(what, gaps, cards, generator) for what, gaps in cases]


def _judge_cards(what: str, gaps: np.ndarray, cards: int, generator: np.random.Generator) -> Card:
    rows, number = np.full(2, 5_000.0), len(gaps)
    truth = np.stack([np.full(number, 0.3), 0.3 + gaps], axis=1)
    events = generator.binomial(5_000, truth, (cards, *truth.shape)).astype(float)
    total = np.broadcast_to(rows, events.shape)
    own, joint = (proportions.difference_bounds(events, total, at) for at in (LEVEL, part_level(LEVEL, number)))
    counts = np.zeros((cards, 3, 2))
    for card in range(cards):
        lines = [
            Disparity(
                value=float(np.ptp(events[card, at]) / 5_000),
                lower=own[0][card, at],
                upper=own[1][card, at],
                level=LEVEL,
                metric="statistical_parity",
                kind="difference",
                column="group",
                how="",
                jointly=Limits(level=part_level(LEVEL, number), lower=joint[0][card, at], upper=joint[1][card, at]),
            )
            for at in range(number)
        ]
        before = [judge(line, TOLERANCE) for line in lines]
        for at, verdicts in enumerate((before, hold_jointly(before))):
            outcomes = np.array([one.outcome for one in verdicts])
            counts[card, :, at] = (
                ((outcomes == "fail") & (gaps <= TOLERANCE)).any(),
                ((outcomes == "pass") & (gaps > TOLERANCE)).any(),
                (outcomes == "pass").all(),
            )
    return Card(what, *(tuple(row) for row in counts.mean(axis=0)))


def print_cards(rows: list[Card]) -> None:
    """Print how often a card has a wrong line, each judged by itself and among the others."""
    print(
        "\n| card, 2 x 5,000 rows | any wrong fail, before | now | any wrong pass, before | now "
        "| all pass, before | now |"
    )
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        figures = " | ".join(f"{x:.1%}" for pair in (row.wrong_fail, row.wrong_pass, row.passed) for x in pair)
        print(f"| {row.what} | {figures} |")


@dataclass(frozen=True)
class Each:
    """How often every group's interval against the others holds, and what is said of the groups."""

    what: str
    coverage: float
    wrong: float
    cleared: float
    flagged: float
    passed: float


def simulate_groups(tables: int) -> list[Each]:
    """Simulate equal cells, with and without one that is .2 off, and a ladder of rates."""
    generator = np.random.default_rng(SEED + 32)
    cases = {
        "3 x 200, equal": (np.full(3, 200), np.full(3, 0.3)),
        "6 x 200, rates .3 to .5": (np.full(6, 200), np.linspace(0.3, 0.5, 6)),
        "50, 200, 5,000, one .1 off": (np.array([50, 200, 5_000]), np.array([0.4, 0.3, 0.3])),
        "48 x 400, equal": (np.full(48, 400), np.full(48, 0.3)),
        "48 x 1,000, equal": (np.full(48, 1_000), np.full(48, 0.3)),
        "48 x 1,000, one .2 off": (np.full(48, 1_000), np.where(np.arange(48) == 0, 0.5, 0.3)),
        "48 of 20 to 4,000 rows, equal": (np.geomspace(20, 4_000, 48).astype(int), np.full(48, 0.3)),
    }
    return [_judge_each(what, *case, tables, generator) for what, case in cases.items()]


def _judge_each(what: str, rows: np.ndarray, rates: np.ndarray, tables: int, generator: np.random.Generator) -> Each:
    others = rows * ~np.eye(len(rows), dtype=bool)
    truth = rates - (others @ rates) / others.sum(axis=1)
    names = tuple(map(str, range(len(rows))))
    grouping = Grouping("group", "", names, np.zeros(0, np.int16), pd.RangeIndex(0))
    found = np.zeros((tables, 5))
    for table in range(tables):
        counts = np.zeros((len(rows), 2, 2), dtype=np.int64)
        counts[:, 1, 1] = generator.binomial(rows, rates)
        counts[:, 1, 0] = rows - counts[:, 1, 1]
        rate = selection_rate(GroupCounts(names, counts))
        (disparity, _) = compare_rates("statistical_parity", [rate], Setting(grouping, LEVEL), {})
        ends = np.array([(one.lower, one.upper) for one in disparity.by_group])
        said = np.array(list(judge(disparity.model_copy(update={"groups": ()}), TOLERANCE).by_group.values()))
        beyond = np.abs(truth) > TOLERANCE
        found[table] = (
            ((ends[:, 0] <= truth) & (truth <= ends[:, 1])).all(),
            ((said == "flagged") & ~beyond).any() or ((said == "cleared") & beyond).any(),
            (said == "cleared").mean(),
            (said == "flagged")[beyond].mean() if beyond.any() else np.nan,
            judge(disparity.model_copy(update={"groups": ()}), TOLERANCE).outcome == "pass",
        )
    return Each(what, *found.mean(axis=0).tolist())


def print_groups(rows: list[Each]) -> None:
    """Print how often all groups' intervals hold at once, and how many groups are cleared and flagged."""
    print(
        "\n| groups, limit .1 | all intervals hold | any wrong verdict on a group | cleared | of those beyond, flagged "
        "| the largest gap passes |"
    )
    print("|---|---|---|---|---|---|")
    for row in rows:
        flagged = "" if np.isnan(row.flagged) else f"{row.flagged:.0%}"
        print(
            f"| {row.what} | {row.coverage:.1%} | {row.wrong:.1%} | {row.cleared:.0%} | {flagged} | {row.passed:.0%} |"
        )


@dataclass(frozen=True)
class Guard:
    """How often a model that loses a little more than is accepted is admitted among several."""

    models: int
    correlation: float
    before: float
    now: float
    level: float


def simulate_guards(runs: int) -> list[Guard]:
    """Simulate models that truly lose .0201 of accuracy where .02 is accepted, on 1,500 rows."""
    generator = np.random.default_rng(SEED + 33)
    return [_guard(*case, runs, generator) for case in ((1, 0.0), (2, 0.0), (5, 0.5), (10, 0.0), (10, 0.5), (10, 0.9))]


def _guard(models: int, correlation: float, runs: int, generator: np.random.Generator) -> Guard:
    rows, favourable, rightly, spoilt, accepted = 1_500, 0.4, 0.8, 0.06, 0.02
    mended = (rightly * spoilt - 0.0201) / (1 - rightly)
    found = np.zeros((runs, 3))
    for run in range(runs):
        truth, right = (generator.random(rows) < favourable).astype(float), generator.random(rows) < rightly
        common, own = generator.standard_normal(rows), generator.standard_normal((models, rows))
        share = special.ndtr(np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own)
        decided = np.where(right, share > spoilt, share < mended)
        made = [Answers(np.where(one, truth, 1 - truth)) for one in decided]
        old = Answers(np.where(right, truth, 1 - truth))
        joint = joint_level(["accuracy"], truth, made, old)
        admitted = [
            any((measure_gain("accuracy", truth, one, old, level=at).lower or -1.0) >= -accepted for one in made)
            for at in (LEVEL, joint)
        ]
        found[run] = (*admitted, joint)
    return Guard(models, correlation, *found.mean(axis=0).tolist())


def print_guards(rows: list[Guard]) -> None:
    """Print how often any harmful model is admitted."""
    print("\n| models | correlation | any harmful one admitted, before | now | level of each, mean | Bonferroni's |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        bonferroni = part_level(LEVEL, row.models)
        print(
            f"| {row.models} | {row.correlation:g} | {row.before:.1%} | {row.now:.1%} | {row.level:.4f} "
            f"| {bonferroni:.4f} |"
        )
