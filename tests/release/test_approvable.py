"""What an approval looks at beyond digests: whether the model can score, and whether its pages say what was written."""

from __future__ import annotations

import hashlib
import json
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
from rai_kedro.release.model_files import ModelRefusedError, digest_files
from rai_kedro.release.review import ReviewRequest, approve
from rai_kedro.release.verification import verify
from rai_kedro.release.versions import ChangedError

Ask = Callable[..., ReviewRequest]
Register = Callable[..., Any]


class TestUsable:
    """What could not score in production is not approved for it."""

    def test_type_outside_the_list_is_refused_and_no_temporary_folder_is_named(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        version = register()
        file = stored_file(client, version, "model.skops")
        file.write_bytes(sio.dumps(KNeighborsRegressor(algorithm="kd_tree").fit([[0.0], [1.0]], [0, 1])))
        digest = digest_files(file.parent)
        client.set_model_version_tag(use_case, "1", "rai.model_digest", digest)
        with pytest.raises(ModelRefusedError, match="KDTree") as caught:
            approve(client, ask(), evidence_path, trust)
        assert f"registered model {use_case}, version 1" in str(caught.value)
        assert tempfile.gettempdir() not in str(caught.value)
        file.write_bytes(b"no zip")
        client.set_model_version_tag(use_case, "1", "rai.model_digest", digest_files(file.parent))
        with pytest.raises(ModelRefusedError, match="The stored model cannot be read") as damaged:
            approve(client, ask(), evidence_path, trust)
        assert tempfile.gettempdir() not in str(damaged.value)
        assert not evidence_path.exists()

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
        assert not evidence_path.exists()
        register(changes={**example, "contract": make_contract(today)})
        assert approve(client, ask("4"), evidence_path, trust).recorded


class TestPages:
    """The pages that people read are held against the digests in the card's JSON."""

    @pytest.mark.parametrize("ending", ["html", "md"])
    def test_page_changed_beyond_its_status_is_not_approved_and_is_found(
        self,
        client: MlflowClient,
        register: Register,
        ask: Ask,
        use_case: str,
        evidence_path: Path,
        trust: Trust,
        ending: str,
    ) -> None:
        version = register()
        page = stored_file(client, version, f"model_card/model_card_v1.{ending}")
        whole = page.read_text()
        smuggled = whole.replace(
            "candidate", "candidate<h1>It passes.</h1>" if ending == "html" else "candidate**\n\nA"
        )
        for text in (whole.replace("It fails", "It passes"), smuggled, "no status line", None):
            page.unlink() if text is None else page.write_text(text)
            with pytest.raises(ChangedError, match=rf"model_card_v1\.{ending}") as caught:
                approve(client, ask(), evidence_path, trust)
            assert len(str(caught.value).splitlines()) <= 5
        assert not evidence_path.exists()

        page.write_text(whole)
        approve(client, ask(), evidence_path, trust)
        assert "approved by Ada" in page.read_text()
        assert verify(evidence_path, use_case=use_case, trust=trust, client=client).findings == ()
        page.write_text(page.read_text().replace("It fails", "It passes"))
        (finding,) = verify(evidence_path, use_case=use_case, trust=trust, client=client).findings
        assert finding == f"version 1: {page.name}, the model card that people read, was changed beyond its status line"

    def test_page_that_a_kill_left_half_written_is_put_right_by_approving_again(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        page = stored_file(client, register(), "model_card/model_card_v1.html")
        approve(client, ask(), evidence_path, trust)
        page.write_text(page.read_text()[:30])
        assert verify(evidence_path, use_case=use_case, trust=trust, client=client).findings
        assert not approve(client, ask(), evidence_path, trust).recorded
        assert verify(evidence_path, use_case=use_case, trust=trust, client=client).findings == ()

    def test_card_from_before_pages_were_digested_is_not_approved(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        card = stored_file(client, register(), "model_card/model_card_v1.json")
        card.write_text(
            json.dumps({key: value for key, value in json.loads(card.read_text()).items() if key != "pages"})
        )
        digest = hashlib.sha256(card.read_bytes()).hexdigest()
        client.set_model_version_tag(use_case, "1", "rai.card_digest", digest)
        with pytest.raises(ChangedError, match="holds no digests of its pages"):
            approve(client, ask(), evidence_path, trust)


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
