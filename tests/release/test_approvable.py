"""What an approval looks at beyond digests: whether the model can score, and whether its pages say what was written."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import skops.io as sio
from mlflow import MlflowClient
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsRegressor

from rai_kedro.mitigation.calibration import GroupAlignment
from rai_kedro.release.decisions import Trust
from rai_kedro.release.manifest import read_manifest, store_manifest
from rai_kedro.release.model_files import ModelRefusedError
from rai_kedro.release.review import ReviewRequest, approve
from rai_kedro.release.verification import verify
from rai_kedro.release.versions import ChangedError, find_version

from .conftest import BASELINE

Ask = Callable[..., ReviewRequest]
Register = Callable[..., Any]


class TestUsable:
    """What could not score in production is not approved for it."""

    def test_type_outside_the_list_is_refused_and_no_temporary_folder_is_named(
        self,
        write_card: Callable[..., None],
        client: MlflowClient,
        register: Register,
        ask: Ask,
        use_case: str,
        evidence_path: Path,
        trust: Trust,
    ) -> None:
        foreign = sio.dumps(KNeighborsRegressor(algorithm="kd_tree").fit([[0.0], [1.0]], [0, 1]))
        for number, (content, found) in enumerate(
            {foreign: "KDTree", b"no zip": "The stored model cannot be read"}.items(), start=1
        ):
            version = register(card=False)
            file = stored_file(client, version, "model.skops")
            file.write_bytes(content)
            unfinished = read_manifest(find_version(client, use_case, str(number)))
            digest = hashlib.sha256(content).hexdigest()
            store_manifest(
                client, unfinished.model_copy(update={"files": {**unfinished.files, "model/model.skops": digest}})
            )
            write_card(version)
            with pytest.raises(ModelRefusedError, match=found) as caught:
                approve(client, ask(str(number)), evidence_path, trust)
            assert f"registered model {use_case}, version {number}" in str(caught.value)
            assert tempfile.gettempdir() not in str(caught.value)

    def test_mitigation_whose_column_is_not_justified_today_is_refused(
        self, client: MlflowClient, register: Register, ask: Ask, evidence_path: Path, trust: Trust
    ) -> None:
        today = datetime.now(UTC).date()
        frame = pd.DataFrame({"RM": np.linspace(4, 8, 200), "LSTAT": ["low", "high"] * 100})
        model = GroupAlignment(LinearRegression(), "LSTAT").fit(frame, 3 * frame["RM"])
        example = {"estimator": model, "input_example": frame.head(5), "predictions": model.predict(frame.head(5))}
        held = {
            "expired": (today - timedelta(1), f"its justification ended on {today - timedelta(1)}; now {today}"),
            "missing": (None, "it has no justification"),
        }
        for number, (until, found) in enumerate(held.values(), start=1):
            register(changes={**example, "contract": make_contract(until)})
            with pytest.raises(ModelRefusedError, match=r"needs 'LSTAT' for every prediction") as caught:
                approve(client, ask(str(number)), evidence_path, trust)
            assert caught.value.example == found
        register(changes={**example, "contract": {"datasets": {}}})
        with pytest.raises(ModelRefusedError, match="contract cannot be read"):
            approve(client, ask("3"), evidence_path, trust)
        register(changes={**example, "contract": make_contract(today)})
        assert approve(client, ask("4"), evidence_path, trust).recorded


def test_predictions_made_elsewhere_are_approved_for_use_as_assessed(
    client: MlflowClient,
    register: Register,
    ask: Ask,
    use_case: str,
    evidence_path: Path,
    trust: Trust,
    tmp_path: Path,
) -> None:
    register(changes={"baseline": {**BASELINE, "unseen": True}})

    told = approve(client, ask(), evidence_path, trust).message

    assert "is approved for use as assessed until" in told
    assert "approved for use as assessed by Ada" in (tmp_path / "model_card_v1.md").read_text()
    assert verify(evidence_path, use_case=use_case, trust=trust, client=client).findings == ()


class TestPages:
    """The pages that people read, in MLflow and on disk, are held against the manifest."""

    @pytest.mark.parametrize("ending", ["html", "md"])
    def test_page_changed_beyond_its_status_is_not_approved_and_is_found(
        self,
        client: MlflowClient,
        register: Register,
        ask: Ask,
        use_case: str,
        evidence_path: Path,
        trust: Trust,
        tmp_path: Path,
        ending: str,
    ) -> None:
        version = register()
        on_disk, stored = tmp_path / f"model_card_v1.{ending}", stored_file(client, version, "model_card")
        stored /= on_disk.name
        whole = on_disk.read_text()
        markup = "candidate<h1>It passes.</h1>" if ending == "html" else "candidate**\n\nA"
        changes = (whole.replace("It fails", "It passes"), whole.replace("candidate", markup), "no status line")
        for text in changes:
            for page in (on_disk, stored):
                page.write_text(text)
                with pytest.raises(ChangedError, match=rf"model_card_v1\.{ending}") as caught:
                    approve(client, ask(), evidence_path, trust)
                assert len(str(caught.value).splitlines()) <= 5
                page.write_text(whole)

        approve(client, ask(), evidence_path, trust)
        assert "approved by Ada" in on_disk.read_text()
        assert stored.read_text() == whole
        assert verify(evidence_path, use_case=use_case, trust=trust, client=client).findings == ()
        on_disk.write_text(on_disk.read_text().replace("It fails", "It passes"))
        (finding,) = [one.what for one in verify(evidence_path, use_case=use_case, trust=trust, client=client).findings]
        assert finding == f"version 1: {on_disk.name}, the model card on disk, was changed beyond its status line"

    def test_a_page_that_is_not_on_disk_stops_nothing(
        self,
        client: MlflowClient,
        register: Register,
        ask: Ask,
        use_case: str,
        evidence_path: Path,
        trust: Trust,
        tmp_path: Path,
    ) -> None:
        register()
        (tmp_path / "model_card_v1.html").unlink()
        approve(client, ask(), evidence_path, trust)
        assert verify(evidence_path, use_case=use_case, trust=trust, client=client).findings == ()


def make_contract(until: date | None) -> dict[str, Any]:
    """Return a contract as a version keeps it, with or without a justification for its mitigation."""
    flags = {"flags": ["risky"], "risk": "stands in for wealth"}
    column = {"name": "LSTAT", "type": "text", "description": "share", "use": "mitigation", **flags}
    if until is not None:
        column |= {"justification": {"by": "Ada", "reason": "aligns groups", "until": until.isoformat()}}
    none: dict[str, Any] = {"flags": []}
    rooms = {"name": "RM", "type": "float", "description": "rooms", "use": "model", **none}
    store = {
        "dataset": "housing.feature_store",
        "owner": "Ada",
        "purpose": "test",
        "key": ["tract"],
        "time": "month",
        "columns": {"RM": rooms, "LSTAT": column},
    }
    day = datetime.now(UTC).date().isoformat()
    return {"use_case": "housing", "source": "catalog.yml", "as_of": day, "datasets": {"feature_store": store}}


def stored_file(client: MlflowClient, version: Any, name: str) -> Path:
    """Return where the local artifact store keeps one of a version's files."""
    if name == "model.skops":
        uri = client.get_model_version_download_uri(version.name, version.version)
    else:
        uri = client.get_run(version.run_id).info.artifact_uri
    return Path(mlflow.artifacts.download_artifacts(artifact_uri=uri)) / name
