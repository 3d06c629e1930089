import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rai_kedro.fairness.estimates import Disparity, GroupFigure
from rai_kedro.fairness.verdicts import Gate, GateDecision, Tolerance, judge, rows_to_settle
from rai_kedro.intervals import largest_difference_of_proportions


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

    @given(value=st.floats(0, 1))
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
    @pytest.mark.parametrize("events", [(150, 175), (150, 230), (10, 30), (200, 201)])
    def test_that_many_further_rows_would_settle_it(self, events):
        """Collect the rows at the same rates: the real interval is then on one side, and far fewer leave it open."""
        rows, limit = 500, 0.1
        found = largest_difference_of_proportions(events, [rows, rows], 0.95)
        value = abs(events[0] - events[1]) / rows
        groups = tuple(
            GroupFigure(group=name, n=rows, value=x / rows, lower=0.0, upper=1.0)
            for name, x in zip("ab", events, strict=True)
        )
        fields = {"column": "g", "level": 0.95, "pair": None, "rule": "", "how": "", "groups": groups}
        measured = Disparity(
            metric="statistical_parity", kind="difference", value=value, lower=found.lower, upper=found.upper, **fields
        )
        verdict = judge(measured, limit)
        if verdict.outcome != "insufficient_evidence":
            assert verdict.rows_needed is None
            return
        settled = []
        for share in (0.6, 1.1):
            factor = (2 * rows + share * verdict.rows_needed) / (2 * rows)
            more = largest_difference_of_proportions([x * factor for x in events], [rows * factor] * 2, 0.95)
            settled.append(more.upper <= limit or more.lower > limit)
        assert settled == [False, True]

    def test_known_answer(self):
        """Arm .1, distance .05: four times the 1,000 rows, so 3,000 further ones."""
        assert rows_to_settle(disparity(0.01, 0.15, value=0.05), 0.1) == 3_000

    def test_on_the_tolerance_no_number_settles(self):
        verdict = judge(disparity(0.05, 0.15, value=0.1), 0.1)
        assert (verdict.outcome, verdict.rows_needed) == ("insufficient_evidence", None)

    def test_number_is_said_to_settle_half_of_all_cases(self):
        verdict = judge(disparity(0.01, 0.15, value=0.05), 0.1)
        assert verdict.reason.endswith(
            "; about 3,000 further rows like these would settle it in about half of all cases"
        )

    @pytest.mark.parametrize(
        ("value", "rows", "needed"),
        [(0.0905, 500, None), (0.0899, 500, 97_030), (0.098, 50_000, None), (0.1, 500, None)],
        ids=["over a hundred times", "under it", "over a million", "on the tolerance"],
    )
    def test_number_beyond_all_reach_is_none(self, value, rows, needed):
        """Arm .1: ((.1 / distance)² - 1) times the rows, of which there are two groups."""
        groups = tuple(GroupFigure(group=name, n=rows, value=0.3, lower=0.2, upper=0.4) for name in "ab")
        measured = disparity(0.01, value + 0.1, value=value).model_copy(update={"groups": groups})
        verdict = judge(measured, 0.1)
        assert verdict.rows_needed == needed
        if needed is None:
            assert verdict.reason.endswith("spans 0.1; no feasible number of rows like these would settle it")

    def test_ratio_is_taken_on_the_log_scale(self):
        """Arm log 4/3 from .9 to .675, distance log 9/8."""
        assert rows_to_settle(disparity(0.675, 1.0, value=0.9, kind="ratio"), 0.8) == 4_966

    def test_end_cut_off_at_zero_does_not_look_near(self):
        assert rows_to_settle(disparity(0.0, 0.5, value=0.2), 0.1) == 8_000


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
