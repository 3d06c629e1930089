"""A court's scores and decisions, made elsewhere: drafted, assessed, approved and monitored by YAML only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

pytestmark = [pytest.mark.e2e]

ROWS, UNDECIDED = 6000, 37
ASKED = ("--data", "court.csv", "--target", "recid", "--task", "classification", "--favourable", "0")
ASKED += ("--key", "case", "--time", "screened")


def make_court() -> pd.DataFrame:
    """Scores from 1 to 10 that know of race only what the risk does; some cases were never decided."""
    draw = np.random.default_rng(5)
    race = draw.choice(["White", "Black"], ROWS)
    risk = draw.normal(size=ROWS) + 0.4 * (race == "Black")
    decile = np.clip(np.ceil(5.5 + 2.2 * risk + 1.5 * draw.normal(size=ROWS)), 1, 10).astype(int)
    decided = pd.Series(np.where(decile >= 7, "high", "low"), dtype=object)
    decided[:UNDECIDED] = None
    return pd.DataFrame(
        {
            "case": np.arange(ROWS),
            "screened": pd.date_range("2024-01-01", "2024-04-30", periods=ROWS).strftime("%Y-%m-%d"),
            "race": race,
            "court": draw.choice(["North", "South", "East"], ROWS),
            "decile": decile,
            "decided": decided,
            "recid": (risk + draw.normal(size=ROWS) > 0.3).astype(int),
        }
    )


@pytest.fixture
def court(fresh: Any, copy_of: Callable[[Any], Any]) -> Any:
    project = copy_of(fresh)
    make_court().to_csv(project.root / "court.csv", index=False)
    return project


def write(project: Any, table: pd.DataFrame) -> None:
    table.to_csv(project.root / "court.csv", index=False)


@pytest.mark.slow
def test_given_decisions_go_the_whole_way(court: Any) -> None:
    given = ("--prediction", "decided", "--favourable-prediction", "low", "--score", "decile")
    told = court.succeed("rai", "new-use-case", "court", *ASKED, *given).output
    assert "a high decile is taken as unfavourable, and the score as a ranking" in " ".join(told.split())
    assert f"{UNDECIDED} of {ROWS:,} rows have no prediction" in told
    court.succeed("rai", "accept-draft", "--use-case", "court", "--reviewer", "R. Viewer")
    for file in ("catalog.yml", "parameters.yml"):
        path = court.root / f"conf/base/court/{file}"
        path.write_text(path.read_text(encoding="utf-8").replace("to be written", "as R. Viewer knows it"))

    court.succeed("run", "--pipelines", "court")
    card = (court.data / "08_reporting/court/model_card_v1.md").read_text(encoding="utf-8")
    assert "The model itself has not been seen" in card and "Nothing was fitted" in card
    assert f"{UNDECIDED} rows have no prediction and are left out" in card
    assert "each group of race makes up" in card and "AUC" in card and "Brier" not in card

    risk = ("--accept-risk", "a test")
    review = ("--version", "1", "--reviewer", "R. Viewer", "--statement", "figures and card read")
    approved = court.succeed("rai", "approve", "--use-case", "court", *review, *risk).output
    assert "Version 1 of court is approved for use as assessed" in approved
    court.succeed("run", "--pipelines", "court.monitoring")
    court.succeed("rai", "verify", "--use-case", "court")
    court.succeed("rai", "export", "--use-case", "court", "--format", "pack", "--output", "pack.zip")
    assert "Difference: 0." in court.succeed("rai", "replay", "pack.zip").output
    asked = court.kedro("rai", "explain", "--use-case", "court", "--month", "2024-04", "--row", "2900")
    assert asked.code == 1 and "the model itself cannot be asked" in " ".join(asked.output.split())
    store = court.data / "07_model_output/court/prediction_store"
    predictions = pd.concat(pd.read_parquet(path) for path in store.rglob("*.parquet"))
    table = make_court().dropna(subset=["decided"]).set_index("case")
    assert len(predictions) == len(table)
    found = predictions.set_index("case")["prediction"]
    assert (found.sort_index() == (table["decided"] == "low").astype(int)).all()
    page = (court.data / "08_reporting/court/monitoring.html").read_text(encoding="utf-8")
    assert "the model itself has not been seen" in page
    assert f"{UNDECIDED} rows have no prediction and are left out" in page


@pytest.mark.slow
def test_the_top_share_of_each_court_is_what_was_decided(court: Any) -> None:
    rule = ("--score", "decile", "--top-share", "0.2", "--per", "court")
    court.succeed("rai", "new-use-case", "court", *ASKED, *rule, "--accept-draft", "R. Viewer")
    parameters = yaml.safe_load((court.root / "conf/base/court/parameters.yml").read_text(encoding="utf-8"))
    assert parameters["court"]["training"]["features"] == ["decile", "court"]

    court.succeed("run", "--pipelines", "court")

    card = (court.data / "08_reporting/court/model_card_v1.md").read_text(encoding="utf-8")
    assert "selected are the top 20 % of each court in column decile, which is the unfavourable decision" in card
    assert "rows tie at a cut of the rule" in card


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "given", "words"),
    [
        ({}, ("--prediction", "decided"), "--favourable-prediction"),
        ({}, ("--prediction", "decile"), "These numbers look like a score"),
        ({}, ("--score", "decile"), "who is selected by this score"),
        ({}, ("--score", "decile", "--top", "5000"), "fewer rows than the 5000"),
        ({}, ("--score", "decile", "--top", "5", "--threshold", "3"), "cannot be followed"),
        ({}, ("--score", "decided", "--threshold", "3"), "should be numbers"),
        ({}, ("--prediction", "nobody"), "has no column 'nobody'"),
        ({}, ("--prediction", "recid"), "have to be different columns"),
        ({"decided": "low"}, ("--prediction", "decided"), "all the same"),
        ({"decided": "copy"}, ("--prediction", "decided"), "The prediction is the target"),
    ],
)
def test_what_holds_no_predictions_makes_no_use_case(
    change: dict[str, Any],
    given: tuple[str, ...],
    words: str,
    court: Any,
    assert_one_screen: Callable[[Any], str],
) -> None:
    table = make_court().assign(**{name: value for name, value in change.items() if value != "copy"})
    write(court, table.assign(decided=table["recid"]) if "copy" in change.values() else table)

    error = assert_one_screen(court.kedro("rai", "new-use-case", "court", *ASKED, *given))

    assert words.casefold() in " ".join(error.split()).casefold()
    assert not (court.root / "conf/base/court").exists()
