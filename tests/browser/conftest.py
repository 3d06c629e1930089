"""A real Chromium, and a project that has been through its whole lifecycle with its three viewers running."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from rai_kedro.ui.processes import running
from rai_kedro.ui.viewers import list_viewers

ROOT = Path(__file__).resolve().parents[2]
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1700,1300",
)
_WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class Lifecycle:
    """A project after `make run`, and the addresses of its viewers."""

    folder: Path
    mlflow: str
    evidently: str
    viz: str


class Browser:
    """Chromium, asked in real time: a page is looked at again until it shows what is waited for."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        """Open a page as if for the first time: its own state is dropped, and what it has left in the browser."""
        self.driver.get("about:blank")
        place = {"origin": "{0.scheme}://{0.netloc}".format(urlsplit(url)), "storageTypes": "all"}
        self.driver.execute_cdp_cmd("Storage.clearDataForOrigin", place)
        self.driver.get(url)

    def text(self) -> str:
        """Return the text that a person sees."""
        return str(self.run("return document.body.innerText"))

    def run(self, script: str, *arguments: object) -> Any:
        """Run JavaScript in the page."""
        return self.driver.execute_script(script, *arguments)

    def wait_for(self, condition: Callable[[], Any], what: str) -> Any:
        """Return what the condition returns as soon as that is true of the page."""
        from selenium.common.exceptions import WebDriverException

        deadline = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < deadline:
            # A page that is being drawn anew may lose an element between finding it and reading it.
            with suppress(WebDriverException):
                if found := condition():
                    return found
            time.sleep(0.25)
        pytest.fail(f"{self.driver.current_url} does not show {what}. It shows: {self.text()[:2000]}")

    def wait_for_texts(self, *texts: str) -> None:
        """Wait until the page shows all texts, whatever their case: a style may set it."""
        wanted = [text.casefold() for text in texts]
        self.wait_for(lambda: all(text in self.text().casefold() for text in wanted), f"all of {texts}")

    def requests(self) -> list[str]:
        """Return the addresses asked for since this was last called."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [message for message in messages if message["method"] == "Network.requestWillBeSent"]
        return [message["params"]["request"]["url"] for message in sent]

    def elsewhere(self) -> list[str]:
        """Return the addresses that do not lie on this disk, asked for since `requests` was last called."""
        return [url for url in self.requests() if not url.startswith(("file:", "data:", "blob:", "about:"))]

    @contextmanager
    def at_width(self, width: int, page: Path) -> Iterator[None]:
        """Show a page in a window so many pixels wide, with requests and errors counted from here on."""
        size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        try:
            self.driver.get("about:blank")
            self.requests(), self.errors()
            self.open(page.as_uri())
            yield
        finally:
            self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    def widths(self) -> tuple[int, int]:
        """Return how wide the page is, and how much of that a person sees without scrolling."""
        page, seen = self.run("return [document.documentElement.scrollWidth, window.innerWidth]")
        return page, seen

    def errors(self) -> list[str]:
        """Return what the console called an error since this was last called."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium; without it and its driver these tests are skipped."""
    chromium = next(filter(None, map(shutil.which, _BROWSERS)), None)
    chromedriver = shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        pytest.skip("needs Chromium and chromedriver (Debian: apt-get install chromium chromium-driver)")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*_FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(chromedriver))
    try:
        yield Browser(driver)
    finally:
        driver.quit()


@pytest.fixture(scope="session")
def lifecycle(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lifecycle]:
    """A copy of this project after `make run`, with what `make ui` starts, on free ports."""
    folder = _copy_project(tmp_path_factory.mktemp("project"))
    _run_lifecycle(folder)
    ports = _free_ports(3)
    viewers = list_viewers(**dict(zip(("mlflow_port", "evidently_port", "viz_port"), ports, strict=True)))
    with running(viewers, folder):
        yield Lifecycle(folder, *(viewer.url for viewer in viewers))


def _copy_project(folder: Path) -> Path:
    for file in ("pyproject.toml", ".telemetry"):
        shutil.copy(ROOT / file, folder)
    for source in ("conf", "src", "data/01_raw"):
        shutil.copytree(ROOT / source, folder / source, ignore=shutil.ignore_patterns("__pycache__", "local"))
    (folder / "conf" / "local").mkdir(exist_ok=True)
    return folder


def _run_lifecycle(folder: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "KEDRO_ENV"}
    done = subprocess.run(
        [sys.executable, "-m", "kedro", "rai", "demo"],
        cwd=folder,
        env=environment | {"DO_NOT_TRACK": "true", "MLFLOW_DISABLE_TELEMETRY": "true"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def _free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports
