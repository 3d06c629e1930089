"""Who may write to the disk, the record and MLflow's database, and has no reviewer's key."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
import skops.io as sio
import yaml
from sklearn.neighbors import KNeighborsRegressor

from rai_kedro.monitoring import MonthDigests
from rai_kedro.release import (
    ChangedError,
    EvidenceError,
    IncompleteError,
    ModelRefusedError,
    MonthStores,
    NotApprovedError,
    ReleaseError,
    Reviewers,
    SigningError,
    SigningKey,
    Trust,
    append_evidence,
    load_production,
    read_evidence,
    sign,
    verify,
)
from rai_kedro.release.anchors import Places
from rai_kedro.release.decisions import Review, read_decision, sign_review, tags_of
from rai_kedro.release.record import check_chain

from .conftest import Registry
from .test_trainer import TED, with_trainer

Lines = list[bytes]


# ---- the record --------------------------------------------------------------------------------------------


def edit(lines: Lines) -> Lines:
    return [lines[0], lines[1].replace(b"Ada Reviewer", b"Eve Reviewer").replace(b'"approve"', b'"reject"'), *lines[2:]]


def cut_from_the_middle(lines: Lines) -> Lines:
    return [lines[0], *lines[2:]]


def move(lines: Lines) -> Lines:
    return [lines[1], lines[0], *lines[2:]]


def double(lines: Lines) -> Lines:
    return [lines[0], *lines]


CHANGES = (
    (edit, 2, "its content does not match its hash"),
    (cut_from_the_middle, 2, "its sequence is 3, expected 2"),
    (move, 1, "its sequence is 2, expected 1"),
    (double, 2, "its sequence is 1, expected 2"),
)


def test_entry_edited_cut_moved_or_doubled(registry: Registry, subtests: pytest.Subtests) -> None:
    registry.train(0)
    registry.approve()
    registry.train(1)
    lines = registry.lines()
    for change, line, why in CHANGES:
        with subtests.test(change.__name__):
            registry.record.write_bytes(b"".join(change(lines)))
            with pytest.raises(EvidenceError, match=f"does not hold at line {line}: {why}"):
                registry.load()
            assert f"line {line} does not hold: {why}" in registry.findings()


def test_rejection_cut_off_the_end(registry: Registry) -> None:
    registry.train()
    registry.approve()
    registry.reject()
    registry.record.write_bytes(b"".join(registry.lines()[:-1]))
    registry.move_alias("1")
    with pytest.raises(NotApprovedError) as caught:
        registry.load()
    assert "tag rai.review is 'rejected'" in str(caught.value)
    assert "rai.review is 'rejected' on the version and 'approved' on record" in registry.findings()


def test_record_taken_away(registry: Registry) -> None:
    registry.train()
    registry.approve()
    registry.record.unlink()
    with pytest.raises(EvidenceError, match="there is no evidence record of it"):
        registry.load()
    assert "versions are reviewed, but there is no such file" in registry.findings()


def test_record_rewritten_with_a_new_chain(registry: Registry) -> None:
    """An entry before the approval is left out; the approval says which line it was signed for."""
    registry.train(0)
    registry.train(1)
    registry.approve("1")
    entries = read_evidence(registry.record)
    registry.rewrite(lambda entry: None if entry == entries[1] else dict(entry.body))
    assert check_chain(registry.record).ok
    with pytest.raises(NotApprovedError) as caught:
        registry.load()
    assert "it was signed for line 3 of a record, not for this place" in str(caught.value)
    assert "it was signed for line 3 of a record" in registry.findings()


FORGED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("month", {"month": "2024-05"}),
    ("rescore", {"months": "all"}),
    ("add-month", {"features": "5e88"}),
    ("trained", {"version": "2", "months": ["2024-05"]}),
    ("anchor", {"file": 5}),
    ("anchor", {"git_tag": "--help"}),
    ("anchor", {"sequence": "1", "head": "5e88", "file": "anchors.jsonl"}),
)


def test_entry_of_a_form_that_nobody_writes(tmp_path: Path, subtests: pytest.Subtests) -> None:
    """It cannot make the check of all others end in a crash."""
    stores = MonthStores({}, {}, {}, lambda _: MonthDigests())
    for number, (kind, body) in enumerate(FORGED):
        with subtests.test(f"{kind} {body}"):
            record = tmp_path / f"{number}.jsonl"
            append_evidence(record, kind, body, "2024-06-01T12:00:00+00:00")
            places = Places(record, "toy", tmp_path, tmp_path / "none.pem")
            found = verify(record, use_case="toy", stores=stores, places=places).findings
            assert f"Line 1 of the record is no readable entry '{kind}'" in "\n".join(map(str, found))


def test_anchor_said_to_be_in_a_device(tmp_path: Path) -> None:
    """Reading it would never end."""
    record, body = tmp_path / "toy.jsonl", {"sequence": 1, "head": "5e88", "file": "/dev/zero"}
    append_evidence(record, "anchor", body, "2024-06-01T12:00:00+00:00")
    notes = verify(record, use_case="toy", places=Places(record, "toy", tmp_path, tmp_path / "none.pem")).notes
    assert notes == ("the anchors in /dev/zero could not be looked at: it is no file",)


# ---- forged approvals --------------------------------------------------------------------------------------


def forge_approval(registry: Registry, body: Callable[[Review], dict[str, Any]], **said: Any) -> None:
    """Append an approval of version 1, make its tags and move the alias: record and tags agree."""
    manifest = registry.run_folder() / "manifest.json"
    entries = read_evidence(registry.record)
    now = registry.ask().reviewed_at.isoformat()
    review = Review.from_dict(
        {
            "use_case": registry.use_case,
            "version": "1",
            "manifest": _digest(manifest),
            "run_id": registry.client.get_model_version(registry.use_case, "1").run_id,
            "decision": "approved",
            "reviewer": "Ada Reviewer",
            "statement": "figures and card read",
            "reviewed_at": now,
            "fairness_gate": "pass",
            "sequence": len(entries) + 1,
            "previous": entries[-1].hash,
            **said,
        }
    )
    entry = registry.append("approve", body(review), now)
    read = read_decision(entry)
    registry.tag("1", tags_of(read[0] if read else review, entry))
    registry.move_alias("1")


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_record_and_tags_rewritten_together_without_a_signature(registry: Registry) -> None:
    registry.train()
    forge_approval(registry, lambda review: review.to_dict())
    with pytest.raises(NotApprovedError) as caught:
        registry.load()
    assert "the record holds no approval that stands" in str(caught.value)
    assert "line 2 is no readable decision on this use case" in registry.findings()


def test_record_and_tags_rewritten_together_signed_with_a_key_of_ones_own(registry: Registry) -> None:
    registry.train()
    own = SigningKey.generate()
    forge_approval(registry, lambda review: sign_review(review, own))
    with pytest.raises(NotApprovedError) as caught:
        registry.load()
    assert "line 2, by Ada Reviewer: The key of the signature is nobody's." in str(caught.value)
    assert "The key of the signature is nobody's." in registry.findings()


def test_approval_forged_under_the_name_of_a_reviewers_key(registry: Registry) -> None:
    """The envelope names Ada's key, and another key signed it."""
    registry.train()
    own, ada = SigningKey.generate(), registry.ask().key

    def forge(review: Review) -> dict[str, Any]:
        envelope = sign(review.to_statement(), own).to_dict()
        envelope["signatures"][0]["keyid"] = ada.keyid
        return {"envelope": envelope}

    forge_approval(registry, forge)
    with pytest.raises(NotApprovedError) as caught:
        registry.load()
    assert "The signature does not fit" in str(caught.value)
    assert "The signature does not fit" in registry.findings()


def test_signed_approval_given_other_words(registry: Registry) -> None:
    """The accepted risk is written into an approval that Ada signed."""
    registry.train()
    registry.approve()

    def change(entry: Any) -> dict[str, Any]:
        if entry.kind != "approve":
            return dict(entry.body)
        envelope = json.loads(json.dumps(entry.body["envelope"]))
        said = base64.b64decode(envelope["payload"]).replace(b"figures and card read", b"all is well")
        return {"envelope": {**envelope, "payload": base64.b64encode(said).decode()}}

    registry.rewrite(change)
    with pytest.raises(NotApprovedError) as caught:
        registry.load()
    assert "The signature does not fit: what was signed was changed" in str(caught.value)


def test_approval_replayed_later_in_the_record(registry: Registry) -> None:
    """Version 2 took the place of version 1; the old approval is appended once more."""
    registry.train(0)
    registry.train(1)
    first = registry.approve("1")
    registry.approve("2")
    old = next(entry for entry in read_evidence(registry.record) if entry.kind == "approve")
    entry = registry.append("approve", dict(old.body), old.recorded_at)
    registry.tag("1", tags_of(first.review, entry))
    registry.move_alias("1")
    with pytest.raises(NotApprovedError) as caught:
        registry.load()
    assert "the last approval on record is of version 2" in str(caught.value)
    assert f"line {entry.sequence}, approved by Ada Reviewer: it was signed for line 3" in registry.findings()


def test_approval_replayed_in_the_record_of_another_use_case(registry: Registry) -> None:
    registry.train()
    registry.approve()
    other = registry.record.with_name("other.jsonl")
    shutil.copy(registry.record, other)
    registry.train(1)
    with pytest.raises(Exception, match="No version of model other is registered"):
        load_production(registry.client, "other", other, registry.trust)
    assert "is no readable decision on this use case" in "\n".join(
        map(str, verify(other, trust=registry.trust).findings)
    )


def test_rejection_hidden_by_a_later_approval(registry: Registry) -> None:
    """A rejection outranks, wherever it stands in the record."""
    registry.train()
    registry.approve()
    registry.reject()
    ada = registry.ask().key
    forge_approval(registry, lambda review: sign_review(review, ada))
    with pytest.raises(NotApprovedError) as caught:
        registry.load()
    assert "the record holds no approval that stands" in str(caught.value)
    assert "but no approval counts" in registry.findings()


# ---- swapped before the approval, with everything that is not signed -----------------------------------------


def swap_before_approval(registry: Registry) -> None:
    shutil.copy(registry.model_folder("2") / "model.skops", registry.model_folder("1"))
    registry.forge_everything()


def test_model_swapped_before_approval_with_manifest_tag_and_record(registry: Registry) -> None:
    """What no signature covers yet, whoever holds the disk may rewrite; `verify` says that it could not see that."""
    registry.train(0)
    registry.train(1)
    swap_before_approval(registry)
    assert registry.approve().recorded
    found = registry.verify()
    assert (found.findings, found.anchors) == ((), ())
    assert "no person signed the training of versions 1, 2" in "\n".join(found.notes)
    assert "anchor" in found.hidden


def test_model_swapped_before_approval_when_the_head_was_kept_elsewhere(registry: Registry) -> None:
    registry.train(0)
    registry.train(1)
    registry.keep_head()
    swap_before_approval(registry)
    assert "anchors.jsonl" in registry.findings() and "line 2" in registry.findings()


def test_model_swapped_before_approval_of_a_training_that_was_signed(registry: Registry) -> None:
    """Manifest, tag and entry are of one piece again; the trainer's signature is of another, or is gone."""
    signed = with_trainer(registry)
    signed.train(0, key=TED)
    signed.train(1, key=TED)
    swap_before_approval(signed)
    with pytest.raises(ChangedError, match="is not what its trainer signed"):
        signed.approve()
    assert "training of version 1: Ted Trainer signed another manifest" in signed.findings()
    signed.rewrite(lambda entry: {name: one for name, one in entry.body.items() if name != "envelope"})
    with pytest.raises(ReleaseError, match="its training is signed by nobody"):
        signed.approve()


def test_facts_of_a_training_rewritten_in_the_record(registry: Registry) -> None:
    """The digest stays; who trained, or on which months, becomes another."""
    registry.train()
    registry.rewrite(lambda entry: {**entry.body, "trained_by": "somebody else"})
    with pytest.raises(ChangedError, match="trained_by is another in line 1"):
        registry.approve()


def test_model_swapped_after_approval_with_manifest_tag_and_record(registry: Registry) -> None:
    """The signature covers the manifest: what was signed is not what is there."""
    registry.train(0)
    registry.train(1)
    registry.approve("1")
    shutil.copy(registry.model_folder("2") / "model.skops", registry.model_folder("1"))
    registry.forge_everything()
    with pytest.raises(NotApprovedError) as caught:
        registry.load()
    assert "not for this place" in str(caught.value)
    assert "it was signed for line 3" in registry.findings()


@pytest.mark.parametrize("kept", [False, True], ids=["nothing kept elsewhere", "head kept elsewhere"])
def test_rejection_undone_with_record_and_tags(registry: Registry, kept: bool) -> None:
    """The end of the record and its tags go back to the approval: only a hash kept elsewhere shows that."""
    registry.train()
    registry.approve()
    before, lines = registry.tags("1"), registry.lines()
    registry.reject()
    if kept:
        registry.keep_head()
    registry.record.write_bytes(b"".join(lines))
    registry.tag("1", before)
    registry.move_alias("1")
    assert registry.load().version == "1"
    assert ("anchors.jsonl" in registry.findings()) is kept
    assert registry.verify().hidden


# ---- hostile models, with everything rewritten so that digests agree -----------------------------------------


def name_loader(folder: Path) -> None:
    change_mlmodel(folder, lambda said: said["flavors"]["python_function"].update(loader_module="antigravity"))


def name_code(folder: Path) -> None:
    change_mlmodel(folder, lambda said: said["flavors"]["python_function"].update(code="code"))


def name_flavor(folder: Path) -> None:
    change_mlmodel(folder, lambda said: said["flavors"].update(spark={}))


def trust_types(folder: Path) -> None:
    change_mlmodel(folder, lambda said: said["flavors"]["sklearn"].update(skops_trusted_types=["builtins.eval"]))


def name_pickle(folder: Path) -> None:
    change_mlmodel(folder, lambda said: said["flavors"]["sklearn"].update(pickled_model="model.pkl"))


def add_code(folder: Path) -> None:
    (folder / "code").mkdir()
    (folder / "code" / "evil.py").write_text("raise SystemExit")


def add_pickle(folder: Path) -> None:
    (folder / "model.pkl").write_bytes(pickle.dumps(print))


def bomb_of_aliases(folder: Path) -> None:
    pairs = zip("abcdefgh", "bcdefghi", strict=True)
    lines = [f"{name}: &{name} [{', '.join([f'*{one}'] * 10)}]" for one, name in pairs]
    (folder / "MLmodel").write_text("\n".join(["a: &a [x,x,x,x,x,x,x,x,x,x]", *lines]))


def no_table(folder: Path) -> None:
    (folder / "MLmodel").write_text("flavors: [sklearn]")


def foreign_type(folder: Path) -> None:
    sio.dump(KNeighborsRegressor(algorithm="kd_tree").fit([[0.0], [1.0]] * 5, [0.0, 1.0] * 5), folder / "model.skops")


def pickle_as_skops(folder: Path) -> None:
    (folder / "model.skops").write_bytes(pickle.dumps(print))


def cloudpickle_as_skops(folder: Path) -> None:
    import cloudpickle

    (folder / "model.skops").write_bytes(cloudpickle.dumps(lambda: None))


def zip_bomb(folder: Path) -> None:
    with ZipFile(folder / "model.skops", "a", ZIP_DEFLATED) as file:
        file.writestr("0.npy", bytes(50_000_000))


def sparse_zip_bomb(folder: Path) -> None:
    """A compressed matrix inside a file that compresses nothing."""
    inner = folder.parent / "bomb.npz"
    with ZipFile(inner, "w", ZIP_DEFLATED) as file, file.open("data.npy", "w", force_zip64=True) as stream:
        for _ in range(300):
            stream.write(bytes(2**20))
    with ZipFile(folder / "model.skops", "a") as file:
        file.write(inner, "0.npz")


def change_mlmodel(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    file = folder / "MLmodel"
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    change(content)
    file.write_text(yaml.safe_dump(content), encoding="utf-8")


HOSTILE = [
    (name_loader, "MLmodel names another loader: antigravity"),
    (name_code, "MLmodel names code of its own: code"),
    (name_flavor, "it has other flavors: spark"),
    (trust_types, "MLmodel trusts other types: builtins.eval"),
    (name_pickle, "MLmodel names another file: model.pkl"),
    (add_code, "it holds other files: code/evil.py"),
    (add_pickle, "it holds other files: model.pkl"),
    (bomb_of_aliases, "unfold into more than 200,000 values"),
    (no_table, "MLmodel file cannot be read"),
    (foreign_type, "sklearn.neighbors._kd_tree.KDTree"),
    (pickle_as_skops, "The stored model cannot be read"),
    (cloudpickle_as_skops, "The stored model cannot be read"),
    (zip_bomb, "as a zip bomb does"),
    (sparse_zip_bomb, "as a zip bomb does"),
]


@pytest.mark.slow
def test_hostile_model(registry: Registry, subtests: pytest.Subtests) -> None:
    """Of a version that nobody approved yet, with record, manifest and tag rewritten so that every digest agrees."""
    registry.train()
    for change, named in HOSTILE:
        with subtests.test(change.__name__), registry.undone():
            change(registry.model_folder())
            registry.forge_everything()
            with pytest.raises(ModelRefusedError) as caught:
                registry.approve()
            assert named in str(caught.value)
            assert "do next:" in str(caught.value)


def test_path_in_the_manifest_that_leaves_the_run(registry: Registry, subtests: pytest.Subtests) -> None:
    registry.train()
    for path in ("../../../../../../etc/hostname", "/etc/hostname", "reports/../../manifest.json", "reports\\..\\x"):
        with subtests.test(path), registry.undone():
            registry.forge_everything(files={path: "0" * 64})
            with pytest.raises(ReleaseError) as caught:
                registry.approve()
            assert f"the path {path!r} leaves the run" in str(caught.value)
            assert "leaves the run" in registry.findings()


def test_manifest_nested_without_end(registry: Registry) -> None:
    registry.train()
    (registry.run_folder() / "manifest.json").write_bytes(b"[" * 200_000 + b"]" * 200_000)
    with pytest.raises(IncompleteError, match="lacks files that must travel with it"):
        registry.approve()
    assert "lacks files that must travel with it" in registry.findings()


def test_card_on_disk_edited_before_approval(registry: Registry, tmp_path: Path) -> None:
    registry.train()
    page = tmp_path / "model_card_v1.html"
    page.write_text(page.read_text().replace("It fails.", "It passes."))
    with pytest.raises(ChangedError, match="cannot be approved on what its model card shows") as caught:
        registry.approve()
    assert "model_card_v1.html" in str(caught.value)


def test_card_on_disk_edited_after_approval(registry: Registry, tmp_path: Path, subtests: pytest.Subtests) -> None:
    registry.train()
    registry.approve()
    for page in (tmp_path / f"model_card_v1.{ending}" for ending in ("html", "md", "json")):
        with subtests.test(page.name):
            before = page.read_text()
            page.write_text(before + "Flawless.")
            assert page.name in registry.findings()
            page.write_text(before)


def test_key_that_others_may_read(tmp_path: Path) -> None:
    path = tmp_path / "ada.key"
    SigningKey.generate().save(path, None)
    path.chmod(0o644)
    with pytest.raises(SigningError, match="Others may read the private key"):
        SigningKey.load(path)


def test_approval_loaded_where_nobody_is_trusted(registry: Registry) -> None:
    """An empty list of reviewers trusts nobody, rather than everybody."""
    registry.train()
    registry.approve()
    with pytest.raises(NotApprovedError) as caught:
        dataclasses.replace(registry, trust=Trust(Reviewers(), "prod")).load()
    assert "The key of the signature is nobody's." in str(caught.value)
