"""A trained version and its contract in formats of other tools, through the real command."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from rai_kedro.contract import read_contract
from rai_kedro.exchange import read_odcs

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def export(project: Any, kind: str, *options: str) -> Any:
    return project.kedro("rai", "export", "--format", kind, "--output", "exported", *options)


def test_a_version_is_exported_with_the_digests_of_what_was_trained(approved: Any, copy_of: Callable[..., Any]) -> None:
    project = copy_of(approved)
    outcome = export(project, "cyclonedx")
    assert outcome.code == 0 and "version 1 of housing, CycloneDX 1.6" in outcome.output
    text = (project.root / "exported").read_text(encoding="utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    model, *libraries = json.loads(text)["components"]
    assert {one["name"] for one in libraries} >= {"mlflow", "scikit-learn", "skops"}
    [manifest] = project.root.glob("mlruns/*/*/artifacts/manifest.json")
    digests = {one["url"]: one["hashes"][0]["content"] for one in model["externalReferences"]}
    assert digests["manifest.json"] == hashlib.sha256(manifest.read_bytes()).hexdigest()


def test_a_card_that_was_changed_is_not_exported(
    approved: Any, copy_of: Callable[..., Any], assert_one_screen: Callable[..., str]
) -> None:
    project = copy_of(approved)
    [card] = project.root.glob("mlruns/*/*/artifacts/model_card/model_card_v1.json")
    card.write_text(card.read_text(encoding="utf-8").replace("census", "survey"), encoding="utf-8")
    assert "model_card_v1.json changed" in assert_one_screen(export(project, "cyclonedx"))
    assert not (project.root / "exported").exists()


def test_the_contract_is_exported_as_it_stands_and_as_a_version_was_trained_under_it(
    approved: Any, copy_of: Callable[..., Any]
) -> None:
    project = copy_of(approved)
    catalog = project.root / "conf" / "base" / "housing" / "catalog.yml"
    before = read_contract(catalog).datasets
    catalog.write_text(catalog.read_text(encoding="utf-8").replace("range: [0, 200]", "range: [0, 300]"), "utf-8")
    for options, expected in (((), read_contract(catalog).datasets), (("--version", "1"), before)):
        assert export(project, "odcs", *options).code == 0
        found = read_odcs((project.root / "exported").read_text(encoding="utf-8"))
        assert found.as_contract().datasets == expected
