"""The tables of NYC Local Law 144, held against the two examples that the rule itself works out (6 RCNY § 5-301)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rai_kedro.fairness import BiasAudit, BiasAuditError, audit_bias
from rai_kedro.fairness.bias_audit import ratio_limits

H, W, B, P, A, N, T = (
    "Hispanic or Latino",
    "White",
    "Black",
    "Pacific Islander",
    "Asian",
    "Native American",
    "Two or more",
)
# The example of § 5-301 (b): people, selected, impact ratio of each crossing; 250 more are of unknown category.
RESUMES = {
    (H, "Male"): (205, 90, 0.841),
    (H, "Female"): (190, 82, 0.827),
    (W, "Male"): (412, 215, 1.000),
    (B, "Male"): (226, 95, 0.806),
    (P, "Male"): (87, 37, 0.815),
    (A, "Male"): (321, 167, 0.997),
    (N, "Male"): (24, 11, 0.878),
    (T, "Male"): (115, 52, 0.866),
    (W, "Female"): (385, 197, 0.981),
    (B, "Female"): (164, 75, 0.876),
    (P, "Female"): (32, 15, 0.898),
    (A, "Female"): (295, 135, 0.877),
    (N, "Female"): (17, 7, 0.789),
    (T, "Female"): (98, 44, 0.860),
}
# The example of § 5-301 (c): people, scoring rate in per cent, impact ratio; 15 more are of unknown category.
CULTURE_FIT = {
    (H, "Male"): (16, 75, 1.00),
    (H, "Female"): (12, 50, 0.67),
    (W, "Male"): (20, 35, 0.47),
    (B, "Male"): (20, 50, 0.67),
    (P, "Male"): (4, 75, 1.00),
    (A, "Male"): (12, 58.3, 0.78),
    (N, "Male"): (8, 62.5, 0.83),
    (T, "Male"): (12, 50, 0.67),
    (W, "Female"): (20, 40, 0.53),
    (B, "Female"): (12, 50, 0.67),
    (P, "Female"): (4, 50, 0.67),
    (A, "Female"): (12, 25, 0.33),
    (N, "Female"): (8, 62.5, 0.83),
    (T, "Female"): (8, 50, 0.67),
}


def spread(cells: dict[tuple[str, str], tuple[int, int]], unknown: int) -> dict[str, list[Any]]:
    """One row a person: as many favoured ones in each cell as said, and people of unknown category, all favoured."""
    race, sex, output = [], [], []
    for (one_race, one_sex), (people, favoured) in cells.items():
        race += [one_race] * people
        sex += [one_sex] * people
        output += [1] * favoured + [0] * (people - favoured)
    odd = [(None, "Male"), (W, "Unknown"), (float("nan"), None), (B, " ")]
    for position in range(unknown):
        race.append(odd[position % 4][0])
        sex.append(odd[position % 4][1])
        output.append(1)
    return {"race": race, "sex": sex, "output": output}


def table_of(found: BiasAudit, by: str) -> dict[str, Any]:
    return {row.category: row for table in found.tables if table.by == by for row in table.rows}


@pytest.fixture(scope="module")
def resumes() -> BiasAudit:
    rows = spread({cell: (people, chosen) for cell, (people, chosen, _) in RESUMES.items()}, unknown=250)
    return audit_bias(sex=rows["sex"], race=rows["race"], selected=rows["output"])


@pytest.fixture(scope="module")
def culture_fit() -> BiasAudit:
    rows = spread({cell: (n, round(n * rate / 100)) for cell, (n, rate, _) in CULTURE_FIT.items()}, unknown=15)
    # Scores above 50 for those the rule counts as above the median; people of unknown category on both sides of it.
    scores = np.where(np.array(rows["output"]) == 1, 70.0, 50.0)
    scores[-15:] = [70.0] * 7 + [50.0] * 8
    return audit_bias(sex=rows["sex"], race=rows["race"], scores=scores)


def test_people_of_unknown_category_are_counted_and_in_no_table(resumes: BiasAudit, culture_fit: BiasAudit) -> None:
    assert (resumes.people, resumes.unknown) == (2571, 250)
    assert (culture_fit.people, culture_fit.unknown) == (168, 15)
    assert [sum(row.people for row in table.rows) for table in resumes.tables] == [2571, 2571, 2571]


@pytest.mark.parametrize(("cell", "expected"), RESUMES.items())
def test_the_rule_s_example_of_selections_by_crossing(resumes: BiasAudit, cell: Any, expected: Any) -> None:
    row = table_of(resumes, "race & sex")[" & ".join(cell)]
    assert (row.people, row.favoured) == expected[:2]
    assert round(row.impact_ratio.value, 3) == expected[2]


def test_the_rule_s_example_of_selections_by_sex_and_by_race(resumes: BiasAudit) -> None:
    sex = table_of(resumes, "sex")
    assert {name: (row.people, row.favoured) for name, row in sex.items()} == {
        "Female": (1181, 555),
        "Male": (1390, 667),
    }
    assert {name: round(row.rate.value, 2) for name, row in sex.items()} == {"Female": 0.47, "Male": 0.48}
    assert {name: round(row.impact_ratio.value, 3) for name, row in sex.items()} == {"Female": 0.979, "Male": 1.0}
    race = table_of(resumes, "race")
    # The rule's table by race has 408 Hispanic or Latino people where its crossings add up to 395; they are below.
    found = {name: round(row.impact_ratio.value, 2) for name, row in race.items() if name != H}
    assert found == {W: 1.00, B: 0.84, P: 0.85, A: 0.95, N: 0.85, T: 0.87}


def test_the_rule_s_example_of_selections_by_race_as_printed() -> None:
    printed = {(H, "x"): (408, 204), (W, "x"): (797, 412), (B, "x"): (390, 170)}
    rows = spread(printed, unknown=0)
    race = table_of(audit_bias(sex=rows["sex"], race=rows["race"], selected=rows["output"]), "race")
    assert {name: round(row.rate.value, 2) for name, row in race.items()} == {H: 0.50, W: 0.52, B: 0.44}
    assert round(race[H].impact_ratio.value, 2) == 0.97


@pytest.mark.parametrize(("cell", "expected"), CULTURE_FIT.items())
def test_the_rule_s_example_of_scores_by_crossing(culture_fit: BiasAudit, cell: Any, expected: Any) -> None:
    row = table_of(culture_fit, "race & sex")[" & ".join(cell)]
    assert row.people == expected[0]
    assert 100 * row.rate.value == pytest.approx(expected[1], abs=0.05)
    assert round(row.impact_ratio.value, 2) == expected[2]


def test_the_rule_s_example_of_scores_by_sex_and_by_race(culture_fit: BiasAudit) -> None:
    assert (culture_fit.measure, culture_fit.median) == ("scoring", 50.0)
    sex, race = table_of(culture_fit, "sex"), table_of(culture_fit, "race")
    assert {name: round(100 * row.rate.value, 1) for name, row in sex.items()} == {"Female": 44.7, "Male": 54.3}
    assert {name: round(row.impact_ratio.value, 2) for name, row in sex.items()} == {"Female": 0.82, "Male": 1.0}
    found = {name: round(row.impact_ratio.value, 2) for name, row in race.items()}
    assert found == {H: 1.00, W: 0.58, B: 0.78, P: 0.97, A: 0.65, N: 0.97, T: 0.78}


def test_a_small_category_is_left_out_of_the_ratios_only_and_with_its_reason() -> None:
    rows = spread({(W, "Male"): (500, 100), (B, "Male"): (495, 90), (N, "Male"): (5, 5)}, unknown=0)
    given = {"sex": rows["sex"], "race": rows["race"], "selected": rows["output"]}
    assert table_of(audit_bias(**given), "race")[W].impact_ratio.value == pytest.approx(0.2)
    found = table_of(audit_bias(**given, leave_out={N: "five people"}), "race")
    assert (found[N].rate.value, found[N].impact_ratio.value, found[N].left_out) == (1.0, None, "five people")
    assert (found[N].people, found[N].share) == (5, 0.005)
    assert found[W].impact_ratio.value == 1.0
    assert found[B].impact_ratio.value == pytest.approx((90 / 495) / 0.2)


@pytest.mark.parametrize(
    ("leave_out", "message"),
    [
        ({B: "few"}, "(?s)less than 2 %.*49.5 % of the data"),
        ({"Martian": "none here"}, "(?s)less than 2 %.*nobody is in it"),
        ({N: " "}, "without a reason"),
    ],
)
def test_what_may_not_be_left_out_is_refused(leave_out: dict[str, str], message: str) -> None:
    rows = spread({(W, "Male"): (500, 100), (B, "Male"): (495, 90), (N, "Male"): (5, 5)}, unknown=0)
    with pytest.raises(BiasAuditError, match=message):
        audit_bias(sex=rows["sex"], race=rows["race"], selected=rows["output"], leave_out=leave_out)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"selected": None}, "selections or of scores"),
        ({"scores": [1, 2]}, "selections or of scores"),
        ({"selected": [1, 2]}, "1 of 2 rows are neither"),
        ({"selected": [1, None]}, "missing or no number"),
        ({"sex": ["m"]}, "not of the same people"),
        ({"sex": [None, "UNKNOWN"]}, "Nobody has a known sex"),
        ({"race": "ab"}, "race cannot be read"),
    ],
)
def test_what_cannot_be_tabulated_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BiasAuditError, match=message):
        audit_bias(**{"sex": ["m", "f"], "race": ["a", "b"], "selected": [1, 0]} | changes)


def test_nobody_selected_gives_no_ratio() -> None:
    row = audit_bias(sex=["m", "f"], race=["a", "b"], selected=[0, 0]).tables[0].rows[0]
    assert (row.rate.value, row.impact_ratio.value) == (0.0, None) and row.impact_ratio.note


def test_the_frame_has_a_row_a_category(resumes: BiasAudit) -> None:
    frame = resumes.to_frame()
    assert len(frame) == 2 + 7 + 14
    assert (frame["impact_ratio_lower"] <= frame["impact_ratio"]).all()
    assert (frame["impact_ratio"] <= frame["impact_ratio_upper"]).all()


@pytest.mark.parametrize("rates", [(0.3, 0.3), (0.5, 0.4, 0.1), (0.48, 0.47), (0.1, 0.1, 0.1, 0.1), (0.9, 0.2, 0.6)])
@pytest.mark.parametrize("rows", [40, 400])
def test_ratios_of_a_table_are_covered_together(rates: tuple[float, ...], rows: int) -> None:
    """The true ratio is to the truly highest rate, which need not be the one that looks highest."""
    truth, runs = np.array(rates), 3_000
    events = np.random.default_rng(5).binomial(rows, truth, size=(runs, len(rates)))
    lower, upper = ratio_limits(events, np.full_like(events, rows), 0.95)
    ratio = truth / truth.max()
    covered = ((lower <= ratio + 1e-12) & (ratio <= upper + 1e-12)).all(axis=1).mean()
    assert covered >= 0.95 - 3 * (0.05 * 0.95 / runs) ** 0.5


@pytest.mark.slow
def test_scoring_rates_are_covered_although_the_median_is_estimated() -> None:
    draw, covered = np.random.default_rng(9), []
    for _ in range(300):
        scores = np.concatenate([draw.normal(0, 1, 120), draw.normal(-0.5, 1, 60)])
        groups = ["a"] * 120 + ["b"] * 60
        rate = {row.category: row.rate for row in audit_bias(sex=groups, race=groups, scores=scores).tables[0].rows}[
            "b"
        ]
        # The median of the mixture of 2/3 N(0, 1) and 1/3 N(-0.5, 1) is -0.1651; above it lie 36.89 % of the second.
        covered.append((rate.lower or 0) <= 0.3689 <= (rate.upper or 1))
    assert np.mean(covered) >= 0.93


def test_rows_of_one_person_change_no_rate_and_widen_its_interval() -> None:
    draw = np.random.default_rng(0)
    one = {
        "sex": draw.choice(["f", "m"], 300),
        "race": draw.choice(["a", "b"], 300),
        "selected": draw.integers(0, 2, 300),
    }
    given = {name: np.repeat(values, 4) for name, values in one.items()}

    alone, together = audit_bias(**given), audit_bias(**given, unit=np.repeat(np.arange(300), 4))

    for first, second in zip(alone.tables, together.tables, strict=True):
        for row, other in zip(first.rows, second.rows, strict=True):
            assert (row.people, row.favoured, row.rate.value) == (other.people, other.favoured, other.rate.value)
            assert row.impact_ratio.value == pytest.approx(other.impact_ratio.value)
            # Four rows that are all alike are worth one: the interval is twice as wide, and a little more.
            assert 1.8 < other.rate.width / row.rate.width < 2.4
    assert (alone.sampled, "300 units" in together.sampled) == ("", True)
