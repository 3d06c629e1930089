"""Draw the pictures of README and documentation: a fresh clone runs, and Chromium photographs its pages.

Needs Chromium, chromedriver and a minute or two. What is committed is what runs, so that the pages name a commit.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait

from rai_kedro.ui.processes import running
from rai_kedro.ui.viewers import list_viewers

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
# Approved and monitored, and then a second version that waits; the hospital for what mitigations trade.
RUNS = ("rai demo", "run --pipelines housing.training", "run --pipelines hospital")
QUALITY = 70  # of WebP, at which text has no visible fringe
MARGIN = 16
# Kedro-Viz keeps its settings in the browser: no panels, no hints, light.
SET_UP = """
    const kept = JSON.parse(localStorage.getItem('KedroViz'));
    Object.assign(kept.visible, {sidebar: false, miniMap: false});
    localStorage.setItem('KedroViz', JSON.stringify({...kept, theme: 'light', showFeatureHints: false}));
"""
DRAWN = "return [...document.querySelectorAll('[data-figure]')].every(one => one.classList.contains('js-plotly-plot'))"
HAS_NODES = "return document.querySelectorAll('.pipeline-node').length"
WHERE = "const box = document.querySelector(arguments[0]).getBoundingClientRect(); return [box.y + scrollY, box.height]"


@dataclass(frozen=True)
class Picture:
    """What is photographed: a page of the reports, from which element on, and how much of it at most (CSS pixels)."""

    name: str
    page: str
    begins: str
    height: int
    width: int = 900


PICTURES = (
    Picture("review", "review.html", "#housing-2", 968),
    Picture("card", "housing/model_card_v1.html", "header", 575),
    Picture("card_fairness", "housing/model_card_v1.html", "#fairness", 722),
    Picture("monitoring", "housing/monitoring.html", "header", 1_000),
    Picture("verdicts", "housing/monitoring.html", "#verdicts", 620),
    Picture("trade_off", "hospital/mitigation.html", "figure", 640),
)


@contextmanager
def ready_project() -> Iterator[Path]:
    """Lend a clone of what is committed here, with the runs made."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "rai_kedro"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(project)], check=True)
        os.environ |= {"PYTHONPATH": str(project / "src"), "DO_NOT_TRACK": "true", "KEDRO_DISABLE_TELEMETRY": "true"}
        for words in RUNS:
            subprocess.run([str(Path(sys.executable).parent / "kedro"), *words.split()], cwd=project, check=True)
        yield project


@contextmanager
def browser() -> Iterator[Any]:
    """Lend a Chromium that nobody sees."""
    with tempfile.TemporaryDirectory() as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
        for flag in (
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--user-data-dir={profile}",
        ):
            options.add_argument(flag)
        driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver") or ""))
        try:
            yield driver
        finally:
            driver.quit()


def resize(driver: Any, width: int, height: int, scale: float) -> None:
    """Give the page this size in CSS pixels, each of ``scale`` pixels of the picture."""
    size = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def keep(driver: Any, name: str, **clip: float) -> None:
    """Photograph the page, or the part of it that ``clip`` gives."""
    asked: dict[str, Any] = {"format": "webp", "quality": QUALITY, "captureBeyondViewport": True}
    taken = driver.execute_cdp_cmd("Page.captureScreenshot", asked | ({"clip": clip | {"scale": 1}} if clip else {}))
    (IMAGES / f"{name}.webp").write_bytes(base64.b64decode(taken["data"]))


def photograph(driver: Any, reports: Path, picture: Picture) -> None:
    """Photograph a part of a page once its figures are drawn."""
    resize(driver, picture.width, 1_200, 2)
    driver.get((reports / picture.page).as_uri())
    WebDriverWait(driver, 60).until(lambda page: page.execute_script(DRAWN))
    time.sleep(1)  # until they have found their size
    top, height = driver.execute_script(WHERE, picture.begins)
    top = max(0, top - MARGIN)
    shown = picture.height if picture.begins in ("header", "#fairness") else min(picture.height, height + 2 * MARGIN)
    keep(driver, picture.name, x=0, y=top, width=picture.width, height=shown)


def photograph_graph(driver: Any, url: str) -> None:
    """Photograph the monitoring stage in Kedro-Viz once it stands still."""
    resize(driver, 1_500, 1_200, 1)
    for prepare in (SET_UP, ""):
        driver.get("about:blank")
        driver.get(f"{url}/?pid=housing.monitoring&expandAllPipelines=true")
        WebDriverWait(driver, 60).until(lambda page: page.execute_script(HAS_NODES))
        time.sleep(4)  # until it has moved into place
        driver.execute_script(prepare)
    keep(driver, "graph")


def main() -> None:
    """Run the project, and photograph its pages and its graph."""
    IMAGES.mkdir(exist_ok=True)
    graph = next(viewer for viewer in list_viewers(viz_port=4199) if viewer.name == "Kedro-Viz")
    with ready_project() as project, browser() as driver:
        for picture in PICTURES:
            photograph(driver, project / "data" / "08_reporting", picture)
        with running([graph], project):
            photograph_graph(driver, graph.url)


if __name__ == "__main__":
    main()
