"""What holds for every page: complete in itself, nothing of the data runs, readable in both schemes."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
from html.parser import HTMLParser
from importlib import resources
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from rai_kedro.report.card import ModelCard
from rai_kedro.report.figures import draw_groups, draw_predictions, draw_residuals
from rai_kedro.report.model_card import render_html

Predictions = tuple[np.ndarray, np.ndarray, np.ndarray]


class PageReader(HTMLParser):
    """Collects tags with their attributes and the text of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._in_script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in_script = tag == "script" and ("type", "application/json") not in attrs

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False

    def select(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def figures(predictions: Predictions, hostile_card: ModelCard) -> dict[str, object]:
    truth, predicted, splits = predictions
    return {
        "Residuals </script><script>document.title='owned'</script>": draw_residuals(truth, predicted, splits),
        "Predictions": draw_predictions(truth, predicted, unit="</script><b>"),
        "Groups": draw_groups(hostile_card.fairness.assessment),
    }


def read_policy(page: PageReader) -> str:
    (policy,) = [m["content"] for m in page.select("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    return policy or ""


def test_page_fetches_nothing(card: ModelCard, figures: dict[str, object]) -> None:
    page = PageReader(render_html(card, figures))
    assert read_policy(page).startswith("default-src 'none'; script-src 'sha256-")
    assert not page.select("link") + page.select("iframe") + page.select("img")
    addresses = [a.get("src") or a.get("href") for _, a in page.tags if a.get("src") or a.get("href")]
    assert addresses
    assert all(address.startswith("#") for address in addresses if address)


def test_policy_allows_exactly_the_pages_own_scripts(card: ModelCard, figures: dict[str, object]) -> None:
    page = PageReader(render_html(card, figures))
    digests = {base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in page.scripts}
    assert len(digests) == 2
    assert set(re.findall(r"'sha256-([^']+)'", read_policy(page))) == digests


def test_plotly_is_embedded_once_and_only_with_figures(card: ModelCard, figures: dict[str, object]) -> None:
    assert render_html(card, figures).count("plotly.js v2") == 1
    assert len(render_html(card, {})) < 100_000


def test_texts_of_the_data_are_never_markup(hostile_card: ModelCard, figures: dict[str, object]) -> None:
    text = render_html(hostile_card, figures)
    page = PageReader(text)
    assert len(page.select("script")) == 5  # three figures, plotly.js, the page's own
    assert not page.select("img")
    assert not [a for _, a in page.tags if any(name.startswith("on") for name in a)]
    assert "&lt;script&gt;document.title" in text


def test_structure_serves_screen_readers(card: ModelCard) -> None:
    text = render_html(card, {})
    page = PageReader(text)
    assert page.select("html") == [{"lang": "en"}]
    assert len(page.select("h1")) == len(page.select("main")) == 1
    assert len(page.select("caption")) == len(page.select("table"))
    assert all(header.get("scope") in {"col", "row", "rowgroup"} for header in page.select("th"))
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    identifiers = {a["id"] for _, a in page.tags if "id" in a}
    assert {a["href"][1:] for a in page.select("a") if a["href"]} <= identifiers


def read_palettes() -> list[dict[str, str]]:
    style = resources.files("rai_kedro.report").joinpath("templates/page.css").read_text("utf-8")
    blocks = re.findall(r":root \{(.*?)\}", style, flags=re.DOTALL)[:2]
    return [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in blocks]


def measure_contrast(one: str, other: str) -> float:
    """Contrast ratio of WCAG 2.2, section 1.4.3."""

    def luminance(colour: str) -> float:
        channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("palette", read_palettes(), ids=["light", "dark"])
def test_every_text_colour_has_enough_contrast(palette: dict[str, str]) -> None:
    for ground in ("page", "flag-panel"):
        for ink in ("text", "quiet", "accent", "flag"):
            assert measure_contrast(palette[ink], palette[ground]) >= 4.5, (ink, ground)


def test_contrast_is_measured() -> None:
    assert measure_contrast("#000000", "#ffffff") == pytest.approx(21)
    assert measure_contrast("#aaaaaa", "#ffffff") < 4.5


def open_page(text: str, folder: Path) -> str:
    """Return the page as Chromium has it after its scripts ran."""
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("chromium is not installed")
    (folder / "page.html").write_text(text, encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    place = [f"--user-data-dir={folder / 'profile'}", "--dump-dom", (folder / "page.html").as_uri()]
    done = subprocess.run([*command, *quiet, *place], capture_output=True, text=True, timeout=90, check=True)
    return done.stdout


@pytest.mark.browser
def test_browser_draws_the_figures_and_runs_nothing_of_the_data(
    hostile_card: ModelCard, figures: dict[str, object], tmp_path: Path
) -> None:
    seen = open_page(render_html(hostile_card, figures), tmp_path)
    assert seen.count('class="main-svg"') >= len(figures)
    assert "<title>owned</title>" not in seen


@pytest.mark.browser
def test_browser_refuses_a_script_that_escaping_would_have_missed(card: ModelCard, tmp_path: Path) -> None:
    attack = "<script>document.title = 'owned'</script></body>"
    text = render_html(card, {}).replace("</body>", attack)
    assert "<title>owned</title>" not in open_page(text, tmp_path)
    unprotected = re.sub(r"<meta http-equiv[^>]*>", "", text)
    assert "<title>owned</title>" in open_page(unprotected, tmp_path)
