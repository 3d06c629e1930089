"""Draw docs/images/graph.png: a graph of Kedro-Viz, photographed in Chromium (needs that and chromedriver)."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait

from rai_kedro.ui.processes import running
from rai_kedro.ui.viewers import list_viewers

ROOT = Path(__file__).resolve().parents[1]
IMAGE = ROOT / "docs" / "images" / "graph.png"
# Kedro-Viz keeps its settings in the browser: no panels, no hints, light.
SET_UP = """
    const kept = JSON.parse(localStorage.getItem('KedroViz'));
    Object.assign(kept.visible, {sidebar: false, miniMap: false});
    localStorage.setItem('KedroViz', JSON.stringify({...kept, theme: 'light', showFeatureHints: false}));
"""
DRAWN = "return document.querySelectorAll('.pipeline-node').length"


def photograph(driver: Any, url: str) -> None:
    """Open the graph with these settings, wait until it stands still, and keep the picture."""
    size = {"width": 1500, "height": 1200, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    for prepare in (SET_UP, ""):
        driver.get("about:blank")
        driver.get(f"{url}/?pid=housing.monitoring&expandAllPipelines=true")
        WebDriverWait(driver, 60).until(lambda page: page.execute_script(DRAWN))
        time.sleep(4)  # until it has moved into place
        driver.execute_script(prepare)
    driver.save_screenshot(str(IMAGE))


def main() -> None:
    """Serve the graph as `make ui` does, and photograph it."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tempfile.mkdtemp()}"):
        options.add_argument(flag)
    graph = next(viewer for viewer in list_viewers(viz_port=4199) if viewer.name == "Kedro-Viz")
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver") or ""))
    try:
        with running([graph], ROOT):
            photograph(driver, graph.url)
    finally:
        driver.quit()


if __name__ == "__main__":
    main()
