"""A trained version and its contract in formats of other tools, through the real command."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import rfc8785
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


def rewrite(pack: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """Change the files of a pack, with a manifest that says the same; it is no longer the one that was signed."""
    with zipfile.ZipFile(pack) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    manifest = json.loads(files["manifest.json"])
    manifest["files"] = {name: hashlib.sha256(files[name]).hexdigest() for name in manifest["files"]}
    files["manifest.json"] = rfc8785.dumps(manifest)
    forged = pack.with_name("forged.zip")
    with zipfile.ZipFile(forged, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return forged


def check(pack: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the verifier that is in a pack."""
    with zipfile.ZipFile(pack) as archive:
        archive.extract("verify.py", pack.parent / "verifier")
    command = [sys.executable, "-I", str(pack.parent / "verifier" / "verify.py"), str(pack), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_pack_is_checked_by_its_verifier_and_its_training_gives_the_same_card(
    approved: Any, copy_of: Callable[..., Any], assert_one_screen: Callable[..., str]
) -> None:
    project = copy_of(approved)
    pack, again = project.root / "pack.zip", project.root / "again.zip"
    made = project.succeed("rai", "export", "--format", "pack", "--output", "pack.zip").output
    assert hashlib.sha256(pack.read_bytes()).hexdigest() in made
    assert "kedro-viz, static" in made
    project.succeed("rai", "export", "--format", "pack", "--output", "again.zip")
    assert pack.read_bytes() == again.read_bytes()
    assert "overwrites nothing" in assert_one_screen(
        project.kedro("rai", "export", "--format", "pack", "--output", "pack.zip")
    )
    with zipfile.ZipFile(pack) as archive:
        names = set(archive.namelist())
        holding = [name for name in names if str(project.root).encode() in archive.read(name)]
    assert names >= {"graph/index.html", "graph/api/main", "exchange/bom.cdx.json", "exchange/contract.odcs.yaml"}
    assert names >= {"parameters.json", "policy.json", "reports/performance.json", "keys/reviewers.yml"}
    assert holding in ([], ["model/MLmodel"])  # MLflow writes its own address there, and the manifest covers it

    [newest] = [line.split(": ")[1] for line in made.splitlines() if line.startswith("newest hash")]
    keys = str(project.root / "conf" / "base" / "reviewers.yml")
    done = check(pack, "--reviewers", keys, "--head", newest)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "signature and place hold" in done.stdout
    assert "R. Viewer signed the files of model/" in done.stdout
    assert "R. Viewer signed the files of model_card/" in done.stdout

    said = project.succeed("rai", "replay", "pack.zip").output
    assert "Difference: 0." in said and "requirements.lock is not there, then or now" in said

    def split_otherwise(files: dict[str, bytes]) -> None:
        parameters = json.loads(files["parameters.json"])
        parameters["training"]["random_state"] += 1
        files["parameters.json"] = json.dumps(parameters).encode()

    forged = rewrite(pack, split_otherwise)
    assert check(forged, "--reviewers", keys).returncode == 1
    outcome = project.kedro("rai", "replay", forged.name)
    assert outcome.code == 1
    said = outcome.output
    assert "differs: card.performance[0].value: " in said
    assert "The card says something else than what its training gives now." in said

    month = next(project.labels.rglob("month=2024-01/*.parquet"))
    labels = pd.read_parquet(month)
    labels.assign(MEDV=labels["MEDV"].clip(upper=49)).to_parquet(month, index=False)
    refused = assert_one_screen(project.kedro("rai", "replay", "pack.zip"))
    assert "do not hold the months" in refused and "labels of 2024-01" in refused
