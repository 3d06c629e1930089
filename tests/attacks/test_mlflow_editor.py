"""Who may edit models in MLflow, and has neither the disk of the record nor a reviewer's key."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import pytest

from rai_kedro.release import ChangedError, EvidenceError, IncompleteError, NotApprovedError, ReleaseError

from .conftest import Registry

JUDGED = ("reports/fairness_gate.json", "reports/fairness_assessment.json")
CARD = "model_card/model_card_v1.html"
FILES = ("model/model.skops", "model/MLmodel", "contract.json", "reference/reference.parquet", CARD, *JUDGED)


def place_of(registry: Registry, file: str) -> Path:
    """Return where MLflow keeps a file that the manifest names."""
    in_model = file.startswith("model/")
    return registry.model_folder() / file.removeprefix("model/") if in_model else registry.run_folder() / file


def append_to(file: Path) -> None:
    with file.open("ab") as stream:
        stream.write(b" ")


def test_alias_moved_to_a_version_that_nobody_approved(registry: Registry) -> None:
    registry.train(0)
    registry.train(1)
    registry.approve("1")
    registry.move_alias("2")
    with pytest.raises(NotApprovedError, match=r"alias 'production'") as caught:
        registry.load()
    assert "it has no tag rai.review" in str(caught.value)
    assert "alias 'production' names version 2, but the approval that counts is of version 1" in registry.findings()


def test_alias_moved_back_to_an_older_approval(registry: Registry) -> None:
    registry.train(0)
    registry.train(1)
    registry.approve("1")
    registry.approve("2", reviewer="Somebody Else")
    registry.move_alias("1")
    with pytest.raises(NotApprovedError) as caught:
        registry.load()
    assert "the last approval on record is of version 2" in str(caught.value)
    assert "alias 'production' names version 1, but the approval that counts is of version 2" in registry.findings()


def test_alias_moved_to_a_rejected_version(registry: Registry) -> None:
    registry.train()
    registry.approve()
    registry.reject()
    registry.move_alias("1")
    registry.tag("1", {"rai.review": "approved"})
    with pytest.raises(NotApprovedError) as caught:
        registry.load()
    assert "the record holds no approval that stands" in str(caught.value)
    assert "rai.review is 'approved' on the version and 'rejected' on record" in registry.findings()


def test_tags_of_an_approval_copied_to_another_version(registry: Registry) -> None:
    registry.train(0)
    registry.train(1)
    registry.approve("1")
    registry.tag("2", {**registry.tags("1"), "rai.manifest": registry.tags("2")["rai.manifest"]})
    registry.move_alias("2")
    with pytest.raises(NotApprovedError) as caught:
        registry.load()
    assert "the last approval on record is of version 1" in str(caught.value)
    assert "version 2: it is tagged 'approved', but no decision on it that counts is on record" in registry.findings()


def test_tags_of_an_approval_edited(registry: Registry) -> None:
    registry.train()
    registry.approve()
    registry.tag("1", {"rai.reviewer": "Eve"})
    with pytest.raises(EvidenceError, match="contradict the evidence record") as caught:
        registry.load()
    assert "rai.reviewer is 'Eve' on the version and 'Ada Reviewer' on record" in str(caught.value)
    assert "rai.reviewer is 'Eve'" in registry.findings()


def test_gate_said_to_pass_by_a_tag(registry: Registry) -> None:
    registry.train(gate="fail")
    registry.tag("1", {"rai.fairness_gate": "pass"})
    with pytest.raises(ReleaseError, match="says fail, and nobody accepted that risk"):
        registry.approve()


@pytest.mark.slow
def test_tag_that_says_which_months_were_trained_on(registry: Registry) -> None:
    """A month in training is judged by nothing; which those are is in the manifest."""
    registry.train()
    registry.approve()
    registry.tag("1", {"rai.month": "2024-05"})
    assert registry.load().reference.trained_on == ("2024-01",)


def test_artifact_swapped_before_approval(registry: Registry, subtests: pytest.Subtests) -> None:
    registry.train()
    for file in FILES:
        with subtests.test(file), registry.undone():
            append_to(place_of(registry, file))
            with pytest.raises(ChangedError, match="files are not those that were trained") as caught:
                registry.approve()
            assert f"{file} changed" in str(caught.value)
            assert f"{file} changed" in registry.findings()


@pytest.mark.slow
def test_artifact_swapped_after_approval(registry: Registry, subtests: pytest.Subtests) -> None:
    registry.train()
    registry.approve()
    for file in FILES:
        with subtests.test(file), registry.undone():
            append_to(place_of(registry, file))
            with pytest.raises(ChangedError, match="files are not those that were trained") as caught:
                registry.load()
            assert f"{file} changed" in str(caught.value)
            assert f"{file} changed" in registry.findings()


def test_artifact_swapped_before_approval_with_manifest_and_tag(registry: Registry) -> None:
    registry.train(0)
    registry.train(1)
    shutil.copy(registry.model_folder("2") / "model.skops", registry.model_folder("1"))
    registry.forge_manifest()
    with pytest.raises(ChangedError, match="manifest is not the one that was recorded") as caught:
        registry.approve()
    assert "in the evidence record" in str(caught.value)
    assert "version 1: The manifest is not the one that was recorded" in registry.findings()


def test_artifact_swapped_after_approval_with_manifest_and_tag(registry: Registry) -> None:
    registry.train(0)
    registry.train(1)
    registry.approve("1")
    shutil.copy(registry.model_folder("2") / "model.skops", registry.model_folder("1"))
    registry.forge_manifest()
    with pytest.raises(ChangedError, match="manifest is not the one that was recorded") as caught:
        registry.load()
    assert "in the approval" in str(caught.value)
    assert "version 1: The manifest is not the one that was recorded" in registry.findings()


def test_manifest_taken_away(registry: Registry) -> None:
    registry.train()
    registry.approve()
    (registry.run_folder() / "manifest.json").unlink()
    with pytest.raises(IncompleteError, match="lacks files that must travel with it"):
        registry.load()
    assert "lacks files that must travel with it" in registry.findings()


def test_version_deleted_and_made_anew_under_its_number(registry: Registry) -> None:
    """The approval of version 1 is replayed for another version 1, tags and alias with it."""
    registry.train(0)
    registry.approve("1")
    tags = registry.tags("1")
    registry.client.delete_registered_model(registry.use_case)
    registry.train(1)
    registry.tag("1", {**tags, "rai.manifest": registry.tags("1")["rai.manifest"]})
    registry.move_alias("1")
    with pytest.raises(NotApprovedError) as caught:
        registry.load()
    assert "the last approval on record is of version 1, run " in str(caught.value)
    findings = registry.findings()
    assert "was approved on" in findings and "but MLflow has no such version" in findings


def test_versions_deleted_to_hide_what_was_decided(registry: Registry) -> None:
    registry.train()
    registry.reject()
    registry.client.delete_registered_model(registry.use_case)
    assert "was rejected on" in registry.findings()


def add_file(folder: Path) -> None:
    (folder / "setup.py").write_text("raise SystemExit")


def add_pickle(folder: Path) -> None:
    (folder / "model.pkl").write_bytes(pickle.dumps(print))


def swap_for_pickle(folder: Path) -> None:
    (folder / "model.skops").unlink()
    (folder / "python_model.pkl").write_bytes(pickle.dumps(print))


def test_file_added_to_the_model(registry: Registry, subtests: pytest.Subtests) -> None:
    registry.train()
    registry.approve()
    for change in (add_file, add_pickle, swap_for_pickle):
        with subtests.test(change.__name__), registry.undone():
            change(registry.model_folder())
            with pytest.raises(ChangedError) as caught:
                registry.load()
            assert "was added" in str(caught.value)
            assert "was added" in registry.findings()


def test_loader_of_the_model_exchanged(registry: Registry) -> None:
    """MLflow imports and runs the module that MLmodel names."""
    registry.train()
    registry.approve()
    file = registry.model_folder() / "MLmodel"
    file.write_text(file.read_text().replace("loader_module: mlflow.sklearn", "loader_module: antigravity"))
    with pytest.raises(ChangedError) as caught:
        registry.load()
    assert "model/MLmodel changed" in str(caught.value)
