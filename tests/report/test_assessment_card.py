"""The card of an assessment made from Python: complete, escaped, and honest about what it does not cover."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rai_kedro.errors import RaiError
from rai_kedro.fairness import Assessment, assess
from rai_kedro.performance import measure
from rai_kedro.report import write_card

EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray, dict[str, list[str]]]:
    generator = np.random.default_rng(0)
    group = generator.random(600) < 0.5
    y_true = (generator.random(600) < 0.5).astype(int)
    y_pred = np.where(generator.random(600) < 0.8, y_true, group).astype(int)
    return y_true, y_pred, {"race": [EVIL if one else "b" for one in group]}


@pytest.fixture(scope="module")
def found(rows: tuple[np.ndarray, np.ndarray, dict[str, list[str]]]) -> Assessment:
    return assess(rows[0], rows[1], sensitive_features=rows[2], metrics="demographic_parity")


def test_a_card_holds_verdicts_and_figures_and_runs_nothing_of_the_data(
    rows: tuple[np.ndarray, np.ndarray, dict[str, list[str]]], found: Assessment, tmp_path: Path
) -> None:
    performance = measure(rows[0], rows[1])

    path = found.to_card(
        tmp_path / "a" / "card.html",
        limits={"demographic_parity": 0.05},
        performance=performance,
        title=f"Score {EVIL}",
    )

    page = path.read_text(encoding="utf-8")
    assert EVIL not in page and "&lt;script&gt;alert(1)" in page
    assert "default-src &#39;none&#39;" in page
    assert f"The fairness gate says {found.judge(demographic_parity=0.05).outcome.replace('_', ' ')}" in page
    assert f"{performance['accuracy'].value:.3f}" in page
    assert "Nobody approved this" in page and "can be approved" not in page and "test rows" not in page


def test_a_card_without_limits_judges_nothing_and_says_so(found: Assessment, tmp_path: Path) -> None:
    page = found.to_card(tmp_path / "card.html").read_text(encoding="utf-8")

    assert "No limit was given, so nothing is judged" in page
    assert "How good the predictions are was not measured." in page
    assert "Every row counts as a person of its own." in page
    assert "gate" not in page.partition("Definitions")[0].partition("<main")[2]


def test_a_card_of_rows_of_persons_does_not_say_that_they_are_independent(
    rows: tuple[np.ndarray, np.ndarray, dict[str, list[str]]], tmp_path: Path
) -> None:
    found = assess(rows[0], rows[1], sensitive_features=rows[2], unit=np.arange(600) // 2)

    assert "Every row counts as a person" not in found.to_card(tmp_path / "card.html").read_text(encoding="utf-8")


def test_figures_of_performance_alone_have_a_card(tmp_path: Path) -> None:
    page = measure([1.0, 2.0, 3.0, 4.0] * 9, [1.1, 2.1, 2.9, 4.2] * 9).to_card(tmp_path / "card.html").read_text()

    assert "MAE" in page and "Fairness was not assessed." in page


def test_a_card_of_nothing_is_refused_and_nothing_is_written(found: Assessment, tmp_path: Path) -> None:
    with pytest.raises(RaiError, match="nothing to write"):
        write_card(tmp_path / "card.html")
    with pytest.raises(RaiError, match="not measured"):
        found.to_card(tmp_path / "card.html", limits={"equal_opportunity": 0.1})
    assert not list(tmp_path.iterdir())
