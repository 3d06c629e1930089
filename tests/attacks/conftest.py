"""A registry under attack: a real MLflow store, a record, people with keys; what is done to them by hand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient

from rai_kedro.release import (
    ProductionModel,
    ReviewOutcome,
    Trust,
    Verification,
    approve,
    load_production,
    reject,
    verify,
)
from rai_kedro.release.anchors import Anchor, Places, keep_in_file
from rai_kedro.release.manifest import TRAINED, Manifest, digest_artifacts, store_manifest
from rai_kedro.release.model_files import digest_files
from rai_kedro.release.record import GENESIS, Entry, append_evidence, chain, read_evidence, to_line
from rai_kedro.release.review import ReviewRequest
from rai_kedro.release.versions import Tag, find_version

from ..conventions.conftest import project  # noqa: F401 - fixtures
from ..release.conftest import (  # noqa: F401 - fixtures
    Register,
    ask,
    client,
    evidence_path,
    register,
    tracking_uri,
    trust,
    use_case,
    write_card,
)

Body = dict[str, Any]


@dataclass(frozen=True)
class Registry:
    """What honest people do to a version, and what can be done to it behind their back."""

    client: MlflowClient
    use_case: str
    record: Path
    trust: Trust
    train: Register
    ask: Callable[..., ReviewRequest]

    def approve(self, version: str = "1", **said: Any) -> ReviewOutcome:
        return approve(self.client, self.ask(version, **said), self.record, self.trust)

    def reject(self, version: str = "1", **said: Any) -> ReviewOutcome:
        return reject(self.client, self.ask(version, **said), self.record)

    def load(self, now: datetime | None = None) -> ProductionModel:
        """Load the model in production as scoring does."""
        return load_production(self.client, self.use_case, self.record, self.trust, now=now)

    def findings(self) -> str:
        """Return what `kedro rai verify` finds, empty for nothing."""
        return "\n".join(map(str, self.verify().findings))

    def verify(self) -> Verification:
        """Check everything, and look for an anchor where `keep_head` put it."""
        kept = tuple(path for path in [self._elsewhere] if path.is_file())
        places = Places(self.record, self.use_case, self.record.parent, self.record.parent / "none.pem", kept)
        return verify(self.record, use_case=self.use_case, trust=self.trust, client=self.client, places=places)

    @property
    def _elsewhere(self) -> Path:
        return self.record.parent.parent / "elsewhere" / "anchors.jsonl"

    def keep_head(self) -> None:
        """Keep the hash of the last entry where the attacker may not write."""
        last = read_evidence(self.record)[-1]
        keep_in_file(
            Anchor(use_case=self.use_case, sequence=last.sequence, head=last.hash, anchored_at=last.recorded_at),
            self._elsewhere,
        )

    def move_alias(self, version: str) -> None:
        self.client.set_registered_model_alias(self.use_case, "production", version)

    def tags(self, version: str) -> dict[str, str]:
        return dict(self.client.get_model_version(self.use_case, version).tags)

    def tag(self, version: str, tags: Mapping[str, str]) -> None:
        for name, value in tags.items():
            self.client.set_model_version_tag(self.use_case, version, name, value)

    def model_folder(self, version: str = "1") -> Path:
        """Return where MLflow keeps the model."""
        uri = self.client.get_model_version_download_uri(self.use_case, version)
        return Path(mlflow.artifacts.download_artifacts(artifact_uri=uri))

    def run_folder(self, version: str = "1") -> Path:
        """Return where MLflow keeps the artifacts of its run."""
        run_id = self.client.get_model_version(self.use_case, version).run_id
        return Path(mlflow.artifacts.download_artifacts(run_id=run_id))

    def forge_manifest(self, version: str = "1", files: Mapping[str, str] | None = None) -> Manifest:
        """Make the manifest name the files as they are now, or these as well, and the tag name that manifest."""
        known = find_version(self.client, self.use_case, version)
        then = Manifest.from_dict(json.loads((self.run_folder(version) / "manifest.json").read_bytes()))
        model = {f"model/{name}": digest for name, digest in digest_files(self.model_folder(version)).items()}
        own = [name for name in then.files if not name.startswith("model/")]
        now = {**model, **digest_artifacts(self.client, known.run_id, own), **(files or {})}
        forged = then.model_copy(update={"files": now})
        store_manifest(self.client, forged)
        self.tag(version, {Tag.MANIFEST: forged.digest})
        return forged

    def forge_everything(self, version: str = "1", files: Mapping[str, str] | None = None) -> None:
        """Rewrite manifest, tag, and the unsigned entry of the training, with a new chain: whoever has the disk can."""
        forged = self.forge_manifest(version, files)

        def change(entry: Entry) -> Mapping[str, Any]:
            is_it = entry.kind == TRAINED and entry.body["version"] == version
            return {**entry.body, "manifest": forged.digest} if is_it else entry.body

        self.rewrite(change)

    def rewrite(self, change: Callable[[Entry], Mapping[str, Any] | None]) -> None:
        """Write the record anew, chain and all, with other bodies; an entry that becomes None is left out."""
        made: list[Entry] = []
        for entry in read_evidence(self.record):
            if (body := change(entry)) is not None:
                previous = made[-1].hash if made else GENESIS
                made.append(chain(len(made) + 1, previous, entry.kind, body, entry.recorded_at))
        self.record.write_bytes(b"".join(map(to_line, made)))

    def append(self, kind: str, body: Body, at: str) -> Entry:
        """Append an entry as the program itself does."""
        return append_evidence(self.record, kind, body, at)

    @contextmanager
    def undone(self, version: str = "1") -> Iterator[None]:
        """Put files, tag and record back afterwards, for the next attack on the same version."""
        folders, record = (self.model_folder(version), self.run_folder(version)), self.record.read_bytes()
        manifest = self.tags(version)[Tag.MANIFEST]
        with TemporaryDirectory() as kept:
            for number, folder in enumerate(folders):
                shutil.copytree(folder, Path(kept, str(number)))
            yield
            for number, folder in enumerate(folders):
                shutil.rmtree(folder)
                shutil.copytree(Path(kept, str(number)), folder)
        self.record.write_bytes(record)
        self.tag(version, {Tag.MANIFEST: manifest})

    def lines(self) -> list[bytes]:
        return self.record.read_bytes().splitlines(keepends=True)


@pytest.fixture
def registry(
    client: MlflowClient,  # noqa: F811 - the fixture above
    use_case: str,  # noqa: F811
    evidence_path: Path,  # noqa: F811
    trust: Trust,  # noqa: F811
    register: Register,  # noqa: F811
    ask: Callable[..., ReviewRequest],  # noqa: F811
) -> Registry:
    return Registry(client, use_case, evidence_path, trust, register, ask)
