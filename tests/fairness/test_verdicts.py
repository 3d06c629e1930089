import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from rai_kedro.commands.plan_sample import command
from rai_kedro.errors import RaiError
from rai_kedro.fairness import GroupCounts, Grouping, Limits, assess, plan_sample
from rai_kedro.fairness.comparison import Setting, compare_rates
from rai_kedro.fairness.estimates import Disparity, GroupFigure
from rai_kedro.fairness.rates import selection_rate
from rai_kedro.fairness.verdicts import Gate, GateDecision, Tolerance, judge
from rai_kedro.intervals.proportions import difference_bounds


def disparity(lower, upper, *, value=None, kind="difference", metric="statistical_parity", **more):
    groups = (
        GroupFigure(group="a", n=500, value=0.3, lower=0.26, upper=0.34),
        GroupFigure(group="b", n=500, value=0.35, lower=0.31, upper=0.39),
    )
    middle = (lower + upper) / 2 if value is None and None not in (lower, upper) else value
    fields = {"column": "race", "level": 0.95, "pair": ("a", "b"), "rule": "each value", "how": "test"} | more
    # Copied in, since a number that is not finite is refused on the way in; the gate has to stay closed all the same.
    measured = Disparity(metric=metric, kind=kind, groups=groups, **fields)
    return measured.model_copy(update={"value": middle, "lower": lower, "upper": upper})


GATE = Gate(tolerances=[{"metric": "statistical_parity", "limit": 0.1}])


class TestVerdict:
    @pytest.mark.parametrize(
        ("kind", "lower", "upper", "limit", "outcome"),
        [
            ("difference", 0.0, 0.1, 0.1, "pass"),
            ("difference", 0.0, 0.1001, 0.1, "insufficient_evidence"),
            ("difference", 0.1001, 0.3, 0.1, "fail"),
            ("difference", 0.1, 0.3, 0.1, "insufficient_evidence"),
            ("ratio", 0.8, 1.0, 0.8, "pass"),
            ("ratio", 0.79, 1.0, 0.8, "insufficient_evidence"),
            ("ratio", 0.2, 0.79, 0.8, "fail"),
            ("kolmogorov_smirnov", 0.0, 0.05, 0.1, "pass"),
            ("wasserstein", 2.0, 3.0, 1.0, "fail"),
        ],
    )
    def test_follows_the_whole_interval(self, kind, lower, upper, limit, outcome):
        assert judge(disparity(lower, upper, kind=kind), limit).outcome == outcome

    @pytest.mark.parametrize("value", [0.0, 0.05, 0.1, 0.15, 1.0])
    def test_point_never_decides(self, value):
        assert judge(disparity(0.02, 0.2, value=value), 0.1).outcome == "insufficient_evidence"

    def test_open_end_never_passes_but_may_fail(self):
        assert judge(disparity(0.0, None), 0.1).outcome == "insufficient_evidence"
        assert judge(disparity(0.2, None), 0.1).outcome == "fail"
        assert judge(disparity(None, 1.0, kind="ratio"), 0.8).outcome == "insufficient_evidence"

    def test_absent_declared_group_is_not_assessed_and_named(self):
        verdict = judge(disparity(0.0, 0.05, not_assessed=("native: not in the data",)), 0.1)
        assert verdict.outcome == "not_assessed"
        assert "native: not in the data" in verdict.reason

    def test_absent_group_does_not_hide_a_failure(self):
        assert judge(disparity(0.2, 0.3, not_assessed=("native",)), 0.1).outcome == "fail"

    def test_nothing_measured_is_not_assessed_with_its_reason(self):
        verdict = judge(disparity(None, None, note="fewer than two groups"), 0.1)
        assert (verdict.outcome, verdict.reason) == ("not_assessed", "fewer than two groups")


class TestRowsNeeded:
    def test_are_told_in_the_reason(self):
        verdict = judge(measure([60, 66], [200, 200]), 0.1)
        assert verdict.rows_needed
        assert verdict.reason.endswith(
            f"; about {verdict.rows_needed:,} further rows like these would settle it in about half of all cases"
        )

    def test_group_that_lacks_rows_is_named(self):
        """Of two groups of 5,000 rows and one of 75 only the last has too few: the others need none."""
        verdict = judge(measure([1500, 1520, 23], [5_000, 5_000, 75]), 0.1)
        assert list(verdict.rows_by_group) == ["2"]
        assert 5 < verdict.rows_by_group["2"] == verdict.rows_needed < 1_000
        assert f"about {verdict.rows_needed:,} further rows of '2' would settle it" in verdict.reason

    def test_estimate_of_zero_is_no_certainty(self):
        """No event among 40 rows: the arm of the ratio looks short, but further rows will show events."""
        verdict = judge(measure([12, 0], [40, 40], "ratio"), 0.8)
        assert verdict.outcome == "fail" or verdict.rows_needed > 0
        alike = judge(measure([15, 15], [50, 50]), 0.1)
        assert alike.rows_needed > 15

    def test_open_interval_and_metrics_of_other_kinds_have_none(self):
        assert judge(disparity(0.0, None), 0.1).rows_needed is None
        assert judge(disparity(0.05, 0.2, metric="consistency"), 0.1).rows_needed is None

    def test_the_same_table_has_the_same_number(self):
        tables = [judge(measure([60, 66], [200, 200]), 0.1).rows_needed for _ in range(2)]
        assert tables[0] == tables[1]

    @pytest.mark.slow
    @pytest.mark.parametrize("rows", [(300, 300), (80, 3_000), (250, 250, 250)])
    def test_about_half_of_the_tables_are_settled(self, rows):
        """Groups truly anywhere apart, and the further rows drawn from their true rates: 40 to 60 % are settled."""
        generator, settled = np.random.default_rng(8), []
        while len(settled) < 150:
            truth = 0.3 + np.linspace(0, generator.uniform(0, 0.25), len(rows))
            events = generator.binomial(rows, truth)
            verdict = judge(measure(events, rows), 0.1)
            if verdict.rows_needed is None:
                continue
            extra = _spread(verdict, np.array(rows))
            more = generator.binomial(extra, truth, (20, len(rows)))
            ends = difference_bounds(more + events.astype(float), np.broadcast_to(rows + extra, more.shape), 0.95)
            settled.append(np.mean((ends[1] <= 0.1) | (ends[0] > 0.1)))
        assert 0.4 <= np.mean(settled) <= 0.6


def _spread(verdict, rows):
    if verdict.rows_by_group:
        return np.array([verdict.rows_by_group.get(str(at), 0) for at in range(len(rows))])
    return np.rint(verdict.rows_needed * rows / rows.sum()).astype(int)


def measure(events, rows, kind="difference"):
    """Measure groups named by their position, as an assessment would."""
    names, counts = tuple(map(str, range(len(rows)))), np.zeros((len(rows), 2, 2), dtype=np.int64)
    counts[:, 1, 1], counts[:, 1, 0] = events, np.subtract(rows, events)
    grouping = Grouping("group", "declared", names, np.zeros(0, np.int16), pd.RangeIndex(0))
    rate = selection_rate(GroupCounts(names, counts))
    found = compare_rates("statistical_parity", [rate], Setting(grouping, 0.95), {})
    return next(one for one in found if one.kind == kind)


class TestPlan:
    def test_known_answer(self):
        """Two rates of .3: the upper limit at 1.96 sqrt(2 x .21 / n) and 80 % power of two sides: 441."""
        plan = plan_sample({"a": 0.3, "b": 0.3}, limit=0.1)
        assert plan.verdict == "pass"
        assert plan.behind["a"] == pytest.approx(441, rel=0.05)  # (1.96 + 1.28)² x .42 / .01

    def test_reaches_its_verdict_as_often_as_it_says(self):
        rates, rows = np.array([0.3, 0.45]), None
        plan = plan_sample({"a": 0.3, "b": 0.45}, limit=0.1, chance=0.7, shares={"a": 0.25, "b": 0.75})
        rows = np.array(list(plan.behind.values()))
        events = np.random.default_rng(3).binomial(rows, rates, (4_000, 2)).astype(float)
        lower, _ = difference_bounds(events, np.broadcast_to(rows, events.shape), 0.95)
        assert plan.verdict == "fail"
        assert np.mean(lower > 0.1) == pytest.approx(0.7, abs=0.04)

    def test_counts_the_rows_that_are_not_behind_the_rate(self):
        plan = plan_sample({"a": 0.3, "b": 0.3}, limit=0.1, label_share=0.2)
        assert plan.rows == pytest.approx(5 * sum(plan.behind.values()), abs=5)

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ({"rates": {"a": 0.3, "b": 0.4}}, "No feasible number of rows"),
            ({"rates": {"a": 0.3}}, "Fewer than two groups"),
            ({"rates": {"a": 0.3, "b": 1.3}}, "The rate of b is no share of rows"),
            ({"rates": {"a": 0.3, "b": 0.3}, "shares": {"a": 1}}, "not of the same groups"),
            ({"rates": {"a": 0.3, "b": 0.3}, "chance": 1}, "The chance is no share"),
        ],
    )
    def test_refuses_what_cannot_be_planned(self, given, told):
        with pytest.raises(RaiError, match=told):
            plan_sample(limit=0.1, **given)

    def test_command_tells_people_and_programs(self):
        asked = ["--rate", "women=0.3", "--rate", "men=0.3", "--limit", "0.1"]
        told = CliRunner().invoke(command, asked)
        assert told.exit_code == 0
        assert "deserve a pass" in told.output
        assert json.loads(CliRunner().invoke(command, [*asked, "--json"]).output)["verdict"] == "pass"
        assert "women=0.3" in CliRunner().invoke(command, ["--rate", "women", "--limit", "0.1"]).output


def among_others(lower, upper, joint, **more):
    """A disparity whose limits at the level of all are given too."""
    return disparity(lower, upper, **more).model_copy(
        update={"jointly": Limits(level=1 - 0.05 / 15, lower=joint[0], upper=joint[1])}
    )


class TestErrorBudget:
    def test_fail_by_chance_among_many_is_taken_back(self):
        many = [among_others(0.101, 0.2, (0.08, 0.22)) for _ in range(15)]
        decision = GATE.judge(many)
        assert {one.outcome for one in decision.verdicts} == {"insufficient_evidence"}
        assert "among 15 judged figures that may be chance" in decision.verdicts[0].reason
        assert decision.budget.startswith(
            "The chance that any of these 15 verdicts passes or fails wrongly is at most 5 %"
        )

    def test_plain_fail_stays_and_leaves_the_others_more_room(self):
        """Holm: with 14 of 15 failed beyond doubt, the last is judged by itself."""
        clear = [among_others(0.3, 0.4, (0.28, 0.42)) for _ in range(14)]
        decision = GATE.judge([*clear, among_others(0.101, 0.2, (0.08, 0.22))])
        assert {one.outcome for one in decision.verdicts} == {"fail"}

    def test_pass_of_all_needs_no_correction(self):
        decision = GATE.judge([among_others(0.0, 0.099, (0.0, 0.13)) for _ in range(15)])
        assert decision.outcome == "pass"

    def test_pass_by_chance_beside_others_is_taken_back(self):
        many = [among_others(0.0, 0.099, (0.0, 0.13)), *(among_others(0.05, 0.3, (0.0, 0.4)) for _ in range(14))]
        assert {one.outcome for one in GATE.judge(many).verdicts} == {"insufficient_evidence"}

    def test_one_figure_and_figures_of_older_versions_are_judged_by_themselves(self):
        assert GATE.judge([among_others(0.101, 0.2, (0.08, 0.22))]).outcome == "fail"
        older = GATE.judge([disparity(0.101, 0.2), disparity(0.0, 0.05)])
        assert (older.outcome, older.budget) == ("fail", "")

    def test_limits_between_the_two_levels_are_those_of_the_level(self):
        """Interpolated limits against those worked out at the level of 4 among 15."""
        events, rows = np.array([20.0, 60.0]), np.array([200.0, 300.0])
        own, joint, among = (difference_bounds(events, rows, 1 - 0.05 / number) for number in (1, 15, 4))
        found = among_others(float(own[0]), float(own[1]), tuple(map(float, joint))).limits_among(4)
        assert found == pytest.approx(tuple(map(float, among)), abs=5e-4)

    def test_assessment_gives_every_disparity_its_joint_limits(self):
        y, sex = [1, 0, 1, 1, 0, 1, 0, 0] * 30, list("ffmmfmmf") * 30
        found = assess(y, y[::-1], sensitive_features={"sex": sex}, metrics=["demographic_parity", "equalized_odds"])
        assert {one.jointly.level for one in found.disparities} == {1 - 0.05 / 4}
        assert all(one.jointly.lower <= one.lower and one.jointly.upper >= one.upper for one in found.disparities)


class TestEachGroup:
    def test_bad_cell_is_named_and_equal_ones_pass(self):
        """48 cells of 1,000 rows each: alike they pass and are cleared, one that is .2 off is flagged and no other."""
        rows = [1_000] * 48
        alike = judge(measure(np.random.default_rng(1).binomial(1_000, 0.3, 48), rows), 0.1)
        assert (alike.outcome, set(alike.by_group.values())) == ("pass", {"cleared"})
        rates = np.where(np.arange(48) == 7, 0.5, 0.3)
        off = judge(measure(np.random.default_rng(1).binomial(1_000, rates), rows), 0.1)
        assert off.outcome == "fail"
        assert [group for group, found in off.by_group.items() if found == "flagged"] == ["7"]
        assert off.groups == "flagged: 7; cleared: 47 of 48 groups"

    def test_known_answer_against_the_others(self):
        """Rates .2, .4 and .4 of 100, 100 and 300 rows: the first lies .2 below the others, the second .05 above."""
        found = measure([20, 40, 120], [100, 100, 300]).by_group
        assert [one.value for one in found] == pytest.approx([-0.2, 0.4 - 140 / 400, 0.4 - 60 / 200])
        ratios = measure([20, 40, 120], [100, 100, 300], "ratio").by_group
        assert [one.value for one in ratios] == pytest.approx([0.5, 0.4 / 0.35, 0.4 / 0.3])

    def test_intervals_of_all_groups_hold_at_once(self):
        rows, rates = np.array([60, 200, 2_000, 500]), np.array([0.3, 0.4, 0.3, 0.45])
        others = rows * ~np.eye(4, dtype=bool)
        truth, generator = rates - others @ rates / others.sum(axis=1), np.random.default_rng(5)
        held = []
        for _ in range(120):
            found = measure(generator.binomial(rows, rates), rows).by_group
            held.append(all(one.lower <= value <= one.upper for one, value in zip(found, truth, strict=True)))
        assert np.mean(held) >= 0.91  # nominal .95, two standard errors of 120 runs below

    def test_two_groups_are_the_pair_already(self):
        assert measure([60, 66], [200, 200]).by_group == ()


class TestGate:
    @pytest.mark.parametrize(
        ("ends", "outcome", "code"),
        [
            ([(0, 0.05)], "pass", 0),
            ([(0, 0.05), (0.2, 0.3), (0.05, 0.15)], "fail", 1),
            ([(0, 0.05), (0.05, 0.15)], "insufficient_evidence", 2),
            ([(0.2, 0.3), (None, None)], "could_not_be_evaluated", 3),
            ([(float("nan"), 0.05)], "could_not_be_evaluated", 3),
            ([(0.3, 0.05)], "could_not_be_evaluated", 3),
            ([], "could_not_be_evaluated", 3),
        ],
    )
    def test_worst_outcome_and_exit_code(self, ends, outcome, code):
        decision = GATE.judge([disparity(*pair, value=0.1, column=f"c{at}") for at, pair in enumerate(ends)])
        assert (decision.outcome, decision.exit_code) == (outcome, code)

    def test_absent_group_keeps_the_gate_closed(self):
        assert GATE.judge([disparity(0.0, 0.05, not_assessed=("native",))]).exit_code == 2

    def test_without_tolerances_nothing_passes(self):
        assert Gate(tolerances=()).judge([disparity(0.0, 0.05)]).exit_code == 3

    def test_tolerance_that_meets_nothing_is_named(self):
        gate = Gate(tolerances=[*GATE.tolerances, Tolerance(metric="equalized_odds", limit=0.1)])
        decision = gate.judge([disparity(0.0, 0.05)])
        assert decision.exit_code == 3
        assert "equalized_odds" in decision.problems[0]

    def test_interval_of_too_low_a_level_is_refused(self):
        decision = GATE.judge([disparity(0.0, 0.05, level=0.5)])
        assert decision.exit_code == 3
        assert "level 0.5" in decision.problems[0]

    def test_tolerance_of_a_column_goes_first(self):
        gate = Gate(tolerances=[*GATE.tolerances, Tolerance(metric="statistical_parity", limit=0.3, column="sex")])
        found = gate.judge([disparity(0.0, 0.2), disparity(0.0, 0.2, column="sex")])
        assert [verdict.outcome for verdict in found.verdicts] == ["insufficient_evidence", "pass"]

    def test_what_has_no_tolerance_is_listed(self):
        found = GATE.judge([disparity(0.0, 0.05), disparity(0.0, 0.9, kind="ratio")])
        assert found.without_tolerance == ("statistical_parity (ratio) of race",)

    def test_survives_json(self):
        decision = GATE.judge([disparity(0.05, 0.2, not_assessed=("native",), left_out={"missing label": 3})])
        assert GateDecision.from_dict(json.loads(json.dumps(decision.to_dict()))) == decision

    def test_nothing_measured_at_all(self):
        assert GateDecision.could_not_be_evaluated("no predictions").exit_code == 3

    @pytest.mark.parametrize(
        "tolerances",
        [
            [{"metric": "m", "limit": -0.1}],
            [{"metric": "m", "kind": "ratio", "limit": 1.25}],
            [{"metric": "m", "limit": 0.1, "colum": "race"}],
            [{"metric": "m", "limit": 0.1}, {"metric": "m", "limit": 0.2}],
            [{"metric": "m", "limit": float("nan")}],
        ],
    )
    def test_mistakes_in_the_tolerances_are_refused(self, tolerances):
        with pytest.raises(ValidationError):
            Gate(tolerances=tolerances)
