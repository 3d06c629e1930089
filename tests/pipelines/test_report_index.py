from __future__ import annotations

import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rai_kedro.hooks.report_index import ReportIndexHook


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "08_reporting"
    (folder / "housing" / "drift").mkdir(parents=True)
    (folder / "evidently" / "project").mkdir(parents=True)
    for page in ("housing/monitoring.html", "housing/drift/2024-05_version_1.html", "evidently/project/x.html"):
        (folder / page).touch()
    months = [{"month": "2024-05", "model_version": "1", "verdict": {"outcome": "watch"}}]
    (folder / "housing" / "monitoring.json").write_text(json.dumps({"months": months}))
    return folder


def make_hook(project: Path, **globals_: Any) -> ReportIndexHook:
    hook = ReportIndexHook()
    hook.after_context_created(SimpleNamespace(config_loader={"globals": globals_}, project_path=project))  # type: ignore[arg-type]
    return hook


def test_a_run_that_ends_or_fails_writes_what_there_is(reports: Path, tmp_path: Path) -> None:
    hook = make_hook(tmp_path, data_root="data")
    for end in (hook.after_pipeline_run, hook.on_pipeline_error):
        (reports / "index.html").unlink(missing_ok=True)
        end()
        page = (reports / "index.html").read_text("utf-8")
        assert 'href="housing/monitoring.html"' in page
        assert 'href="housing/drift/2024-05_version_1.html"' in page
        assert "evidently/project" not in page
        assert "watch" in page


def test_data_elsewhere_or_no_report_yet_have_no_index(tmp_path: Path) -> None:
    make_hook(tmp_path, data_root="s3://bucket/data").after_pipeline_run()
    make_hook(tmp_path).after_pipeline_run()
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_timeline_leaves_the_run_alone(
    reports: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (reports / "housing" / "monitoring.json").write_text("{")
    with caplog.at_level(logging.WARNING):
        make_hook(tmp_path).after_pipeline_run()
    assert "could not be written" in caplog.text


def test_review_is_written_and_linked_and_its_trouble_leaves_the_run_alone(
    reports: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hook = make_hook(tmp_path)
    hook.after_catalog_created({})  # type: ignore[arg-type]
    monkeypatch.setattr("rai_kedro.hooks.review_page.write_review", lambda _, folder: (folder / "review.html").touch())
    hook.after_pipeline_run()
    assert 'href="review.html"' in (reports / "index.html").read_text("utf-8")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("rai_kedro.hooks.review_page.write_review", fail)
    (reports / "index.html").unlink()
    with caplog.at_level(logging.WARNING):
        hook.after_pipeline_run()
    assert "page of the reviewer could not be written: disk full" in caplog.text
    assert (reports / "index.html").is_file()
