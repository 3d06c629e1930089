"""What a person sees in MLflow, Evidently and Kedro-Viz, and on our own pages, in a real browser."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from rai_kedro.monitoring import project_id

# Each fixture is described in conftest.py; Browser and Lifecycle there are what they yield.
pytestmark = [pytest.mark.browser, pytest.mark.slow]

NODE_TEXTS = "return [...document.querySelectorAll('.pipeline-node')].map(node => node.textContent.trim())"
CLICK_NODE = """
    const node = [...document.querySelectorAll('.pipeline-node')]
        .find(one => one.textContent.trim() === arguments[0]);
    if (!node) return false;
    node.dispatchEvent(new MouseEvent('click', {bubbles: true}));
    return true;
"""


class TestMlflow:
    def find_training_run(self, lifecycle: Any) -> str:
        """Return the address of the run of version 1, from the server that the browser looks at."""
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=lifecycle.mlflow)
        run = client.get_run(str(client.get_model_version("housing", "1").run_id)).info
        return f"{lifecycle.mlflow}/#/experiments/{run.experiment_id}/runs/{run.run_id}"

    def test_runs_are_listed_by_use_case_and_stages(self, browser: Any, lifecycle: Any) -> None:
        from mlflow import MlflowClient

        experiment = MlflowClient(tracking_uri=lifecycle.mlflow).get_experiment_by_name("rai_kedro.housing")
        assert experiment is not None
        browser.open(f"{lifecycle.mlflow}/#/experiments/{experiment.experiment_id}/runs")
        browser.wait_for_texts("housing: simulation, governance, training", "housing: monitoring")

    def test_registered_model_shows_versions_aliases_and_review(self, browser: Any, lifecycle: Any) -> None:
        browser.open(f"{lifecycle.mlflow}/#/models/housing")
        browser.wait_for_texts("housing", "Version 1", "candidate", "production", "rai.review", "approved")

    def test_version_points_to_its_model_card(self, browser: Any, lifecycle: Any) -> None:
        browser.open(f"{lifecycle.mlflow}/#/models/housing/versions/1")
        browser.wait_for_texts("Boston house values", "Model card", "model_card_v1.html")

    @pytest.mark.parametrize(
        ("artifact", "heading"),
        [
            ("model_card/model_card_v1.html", "Boston house values, version 1"),
            ("governance/governance.html", "housing: columns, risks and data"),
        ],
    )
    def test_page_logged_with_the_run_is_shown(self, browser: Any, lifecycle: Any, artifact: str, heading: str) -> None:
        run = self.find_training_run(lifecycle)
        browser.open(f"{run}/artifacts/{quote(artifact)}")

        def shown_in_frame() -> bool:
            browser.driver.switch_to.default_content()
            frames = browser.driver.find_elements("tag name", "iframe")
            for frame in frames:
                browser.driver.switch_to.frame(frame)
                if heading in browser.text():
                    return True
                browser.driver.switch_to.default_content()
            return False

        try:
            browser.wait_for(shown_in_frame, f"'{heading}' in a frame")
        finally:
            browser.driver.switch_to.default_content()


class TestEvidently:
    def test_project_of_the_model_is_listed_and_opens(self, browser: Any, lifecycle: Any) -> None:
        browser.open(lifecycle.evidently)
        browser.wait_for_texts("housing", "month by month")
        link = browser.wait_for(
            lambda: browser.run(
                "return [...document.querySelectorAll('a')].find(a => a.textContent.trim() === 'housing')?.href"
            ),
            "a link to the project",
        )
        browser.open(link)
        browser.wait_for_texts("2024-08, model version 1: alarm: MAE", "Findings", "CRIM: effect", "Fairness", "Carbon")

    def test_panels_draw_all_eight_months(self, browser: Any, lifecycle: Any) -> None:
        """A panel without data shows its title all the same; so its bars are counted."""
        browser.open(f"{lifecycle.evidently}/projects/{project_id('housing')}")
        browser.wait_for_texts("Number of drifted columns", "2024-01-01")
        bars = "return [...document.querySelectorAll('svg')].map(s => s.querySelectorAll('.MuiBarElement-root').length)"
        browser.wait_for(lambda: 8 in browser.run(bars), "eight bars")

    def test_report_of_may_says_what_drifted_and_how_wrong_the_model_was(self, browser: Any, lifecycle: Any) -> None:
        runs = (lifecycle.folder / "data/08_reporting/evidently").glob("*/snapshots/*.json")
        (may,) = (one.stem for one in runs if json.loads(one.read_text())["metadata"]["month"] == "2024-05")
        browser.open(f"{lifecycle.evidently}/projects/{project_id('housing')}/reports/{may}")
        browser.wait_for_texts("2024-05, model version 1: alarm: MAE; watch: drift in CRIM, NOX, DIS, B, prediction")
        browser.wait_for_texts("times the tested one (on labels), limit 1.25: beyond the limit", "CRIM drifted")
        drawn = "return document.querySelectorAll('.js-plotly-plot .main-svg:first-child').length"
        browser.wait_for(lambda: browser.run(drawn) >= 13, "the effects, and a figure of each column")


class TestKedroViz:
    def open_graph(self, browser: Any, lifecycle: Any, pipeline: str, *, folded: bool = False) -> None:
        browser.open(f"{lifecycle.viz}/?pid={pipeline}&expandAllPipelines={str(not folded).lower()}")

    def wait_for_nodes(self, browser: Any, *names: str) -> list[str]:
        browser.wait_for(lambda: set(names) <= set(browser.run(NODE_TEXTS)), f"the nodes {names}")
        return list(browser.run(NODE_TEXTS))

    def click(self, browser: Any, name: str) -> None:
        self.wait_for_nodes(browser, name)
        time.sleep(2)  # the graph is moving into place, and a click that meets a moving node is lost
        assert browser.run(CLICK_NODE, name)

    def test_both_lanes_stores_and_candidate_are_in_the_graph(self, browser: Any, lifecycle: Any) -> None:
        self.open_graph(browser, lifecycle, "__default__")
        self.wait_for_nodes(
            browser,
            "housing.feature_store",
            "housing.label_store",
            "separate_lanes",
            "housing.model_lane",
            "housing.audit_lane",
            "fit_model",
            "housing.candidate_model",
            "housing.model_card",
        )

    def test_monitoring_has_its_own_graph(self, browser: Any, lifecycle: Any) -> None:
        self.open_graph(browser, lifecycle, "monitoring")
        self.wait_for_nodes(
            browser, "housing.production_model", "score_months", "watch_drift", "housing.evidently_workspace"
        )

    @pytest.mark.parametrize("pipeline", ["__default__", "training", "governance", "monitoring"])
    def test_layers_are_drawn_and_say_what_is_risky(self, browser: Any, lifecycle: Any, pipeline: str) -> None:
        """Layers that depend on each other in a circle are left out by Kedro-Viz without a word on the page."""
        self.open_graph(browser, lifecycle, pipeline)
        names = "return [...document.querySelectorAll('.pipeline-layer-name')].map(e => e.textContent)"
        shown = browser.wait_for(lambda: browser.run(names), "layers")
        assert any(re.search(r"feature_store, .* is risky", name) for name in shown), shown

    def test_it_opens_on_all_use_cases_side_by_side(self, browser: Any, lifecycle: Any) -> None:
        browser.open(lifecycle.viz)
        self.wait_for_nodes(browser, "housing", "hospital")

    def test_flags_are_seen_beside_the_data(self, browser: Any, lifecycle: Any) -> None:
        self.open_graph(browser, lifecycle, "housing")
        self.click(browser, "housing.feature_store")
        browser.wait_for_texts("LSTAT (risky, demographic)")

    def test_stages_fold(self, browser: Any, lifecycle: Any) -> None:
        self.open_graph(browser, lifecycle, "__default__", folded=True)
        assert "housing.model_lane" not in self.wait_for_nodes(browser, "housing")
        self.click(browser, "housing")
        nodes = self.wait_for_nodes(browser, "housing.simulation", "housing.governance", "housing.training")
        assert "fit_model" not in nodes
        self.click(browser, "housing.training")
        self.wait_for_nodes(browser, "fit_model", "housing.audit_lane")

    @pytest.mark.parametrize("store", ["housing.feature_store", "housing.raw_data"])
    def test_table_is_previewed(self, browser: Any, lifecycle: Any, store: str) -> None:
        self.open_graph(browser, lifecycle, "__default__")
        self.click(browser, store)
        table = "return document.querySelector('.pipeline-metadata table')?.textContent"
        assert "LSTAT" in browser.wait_for(lambda: browser.run(table), f"a table of {store}")

    @pytest.mark.parametrize(
        ("pipeline", "figure"),
        [
            ("training", "figures"),
            ("monitoring", "monitoring_figures"),
        ],
    )
    def test_figure_is_previewed(self, browser: Any, lifecycle: Any, pipeline: str, figure: str) -> None:
        self.open_graph(browser, lifecycle, pipeline)
        self.click(browser, f"housing.{figure}")
        drawn = "return document.querySelectorAll('.pipeline-metadata .js-plotly-plot .main-svg').length"
        browser.wait_for(lambda: browser.run(drawn), f"a drawing of {figure}")


class TestOwnPages:
    @pytest.mark.parametrize(
        ("page", "texts", "figures"),
        [
            ("model_card_v1.html", ("Boston house values, version 1", "B, LSTAT", "g CO₂eq"), 10),
            ("mitigation.html", ("no mitigation chosen", "unmitigated", "post processed"), 4),
            ("governance.html", ("housing: columns, risks and data", "drives redlining"), 0),
            (
                "../review.html",
                ("No version waits for a decision", "approved by demo reviewer", "the chain is whole"),
                0,
            ),
        ],
    )
    def test_page_opens_by_itself(
        self, browser: Any, lifecycle: Any, page: str, texts: tuple[str, ...], figures: int
    ) -> None:
        browser.driver.get("about:blank")
        browser.requests(), browser.errors()
        browser.open((lifecycle.folder / "data/08_reporting/housing" / page).as_uri())
        browser.wait_for_texts(*texts)
        drawn: Callable[[], int] = lambda: browser.run(  # noqa: E731 - asked twice
            "return document.querySelectorAll('.js-plotly-plot .main-svg:first-child').length"
        )
        browser.wait_for(lambda: drawn() >= figures, f"{figures} figures")
        assert drawn() == figures
        assert (browser.elsewhere(), browser.errors()) == ([], [])
