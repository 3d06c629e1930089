"""The model card of a version: written once, and the last thing of a training before its manifest.

What is stored in MLflow is never touched again. The copy on disk says in one line where the version stands; with the
line of the training put back, its digest is that of the manifest. The line may hold text only: markup in it would be a
place for a whole other page.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rai_kedro.files import project_folder, write_text
from rai_kedro.release.gate import ASSESSMENT_FILE, GATE_FILE, GATES_FILE
from rai_kedro.release.manifest import Manifest, digest_artifacts, read_manifest, store_manifest
from rai_kedro.release.training import TrainerKey, describe_trainer, record_training
from rai_kedro.release.versions import (
    APPROVED,
    CARD_FOLDER,
    REJECTED,
    ReleaseError,
    Tag,
    Version,
    card_file,
    find_version,
)
from rai_kedro.words import escape_html, escape_markdown, make_visible

# The one line of each page that says where the version stands; see the templates of the reports.
STATUS_LINES: Final = {
    "html": re.compile(r'(?<=<p class="status">)[^<]*(?=</p>)'),
    "md": re.compile(r"(?<=^\*\*Status: ).*(?=\*\*$)", re.MULTILINE),
}
_REVIEW_MARK: Final = "\n\nReview: "


def require_no_card(name: str, version: str, folder: Path | None = None) -> None:
    """Refuse a second card: what is reviewed must stay what was read.

    A card in ``folder`` on which somebody has decided is not written over, even where MLflow has forgotten its version.
    """
    from mlflow import MlflowClient

    known = find_version(MlflowClient(), name, version)
    if Tag.CARD in known.tags:
        raise known.refusal(
            ReleaseError,
            "has its model card already; a card is written once.",
            example=f"tag {Tag.CARD}: {known.tags[Tag.CARD]}",
            remedy=f"{known.retrain}: it gets a card of its own",
        )
    page = folder / card_file(version, "md") if folder else None
    line = STATUS_LINES["md"].search(page.read_text(encoding="utf-8")) if page and page.is_file() else None
    if line and line.group().startswith((APPROVED, REJECTED)):
        raise ReleaseError(
            "There is a model card of another version with this number, and a decision was made on it.",
            where=str(page),
            example=make_visible(line.group()),
            remedy="restore MLflow's database, in which that version is registered; or move the cards of this folder "
            "aside (keep them) if it is gone for good, and train again",
        )


def name_trainer(name: str, version: str, key: TrainerKey | None) -> str:
    """Say for a version's card who trained it, and whose word that is."""
    from mlflow import MlflowClient

    account = read_manifest(find_version(MlflowClient(), name, version)).trained_by
    person = key.name if key and not key.demo else ""
    return describe_trainer(account, person, demo=key is not None and key.demo)


def attach_card(  # noqa: PLR0913 - every part by its name
    name: str, version: str, title: str, files: Sequence[Path], evidence: Path, *, key: TrainerKey | None = None
) -> Manifest:
    """Log the card's files to the version's run, finish its manifest, put that on record, signed, and tag the version.

    Of ``files`` the first is for people, and named in the version's description after ``title``. Tag ``rai.card`` comes
    last: a training that was cut off before can be reviewed by nobody.

    Raises:
        ReleaseError: The version has a card.
        ValueError: The JSON form is not among the files, or a page has no line for its status.
    """
    from mlflow import MlflowClient

    if not any(file.name == card_file(version) for file in files):
        raise ValueError(f"a card's files must contain {card_file(version)}")
    for file in files:
        if file.name != card_file(version):
            _replace_status(file.read_text(encoding="utf-8"), file.name, "")
    require_no_card(name, version)
    client = MlflowClient()
    # Relative to the project, so that a moved or copied project still finds its cards.
    project = project_folder()
    page = str(files[0].relative_to(project) if files[0].is_relative_to(project) else files[0])
    known = find_version(client, name, version)
    run_id = known.run_id
    for file in files:
        client.log_artifact(run_id, str(file), artifact_path=CARD_FOLDER)
    judged = digest_artifacts(client, run_id, (GATE_FILE, ASSESSMENT_FILE, GATES_FILE))
    shown = {f"{CARD_FOLDER}/{file.name}": hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    unfinished = read_manifest(known)
    manifest = unfinished.model_copy(update={"version": version, "files": {**unfinished.files, **judged, **shown}})
    store_manifest(client, manifest)
    record_training(evidence, manifest, key)
    description = (
        f"{title}\n\nModel card: artifact `{CARD_FOLDER}/{files[0].name}` of run `{run_id}`, and the file `{page}`."
    )
    client.update_model_version(name, version, description=description)
    client.set_model_version_tag(name, version, Tag.MANIFEST, manifest.digest)
    client.set_model_version_tag(name, version, Tag.CARD, page)
    return manifest


def mark_card(version: Version, status: str) -> str:
    """Show a decision on the card's pages on disk and in the version's description; MLflow keeps the card as trained.

    Pages are for reading; the evidence record is what counts. So a page that cannot be marked stops nothing, and is
    named in the sentence returned (else empty).
    """
    description = version.description.partition(_REVIEW_MARK)[0] + _REVIEW_MARK + escape_markdown(status)
    version.client.update_model_version(version.use_case, version.number, description=description)
    unmarked = []
    for ending in STATUS_LINES:
        page = _page_on_disk(version, ending)
        shown = escape_html(status) if ending == "html" else escape_markdown(status)
        try:
            if page.is_file():
                write_text(page, _replace_status(page.read_text(encoding="utf-8"), page.name, shown))
        except (OSError, ValueError):
            unmarked.append(page.name)
    return f"\nThe decision could not be shown in {' and '.join(unmarked)}; it is on record." if unmarked else ""


def find_changed_page(
    version: Version, manifest: Manifest, decided: Sequence[str] | None = None, folder: Path | None = None
) -> str | None:
    """Say which page on disk is first not the one that was trained, but for its status line; None if all there are.

    The status line has to be the trained one or one of ``decided``, as `describe_review` words the decisions on record;
    None leaves it out. With ``folder``, pages are looked for there, too: the tag that says where is nobody's signature.
    """
    for ending in (*STATUS_LINES, "json"):
        own = _page_on_disk(version, ending)
        for page in dict.fromkeys([own, folder / own.name] if folder else [own]):
            name = f"{CARD_FOLDER}/{page.name}"
            if not page.is_file():
                continue
            if _digest_as_trained(version, page, name) != manifest.files.get(name):
                return f"{page.name}, the model card on disk, was changed beyond its status line"
            if decided is not None and (shown := _find_foreign_status(version, page, name, decided)):
                return f"{page.name}, the model card on disk, has a status that nobody decided: {shown[:100]}"
    return None


def _find_foreign_status(version: Version, page: Path, name: str, decided: Sequence[str]) -> str:
    line = STATUS_LINES.get(page.suffix[1:])
    found = line.search(page.read_text(encoding="utf-8")) if line else None
    if line is None or found is None:
        return ""
    trained = line.search((version.read(name) or b"").decode("utf-8", errors="replace"))
    escape = escape_html if page.suffix == ".html" else escape_markdown
    known = {*map(escape, decided), *([trained.group()] if trained else [])}
    return "" if found.group() in known else make_visible(found.group())


def _page_on_disk(version: Version, ending: str) -> Path:
    return project_folder() / Path(version.tags.get(Tag.CARD, "")).with_name(card_file(version.number, ending))


def _digest_as_trained(version: Version, page: Path, name: str) -> str:
    """Return the digest of a page on disk with the status that the card in MLflow has."""
    text, line = page.read_text(encoding="utf-8"), STATUS_LINES.get(page.suffix[1:])
    stored = (version.read(name) or b"").decode("utf-8", errors="replace")
    trained = line.search(stored) if line else None
    if trained:
        text = _replace_status(text, page.name, trained.group()) if line and line.search(text) else ""
    return hashlib.sha256(text.encode()).hexdigest()


def _replace_status(text: str, name: str, shown: str) -> str:
    line = STATUS_LINES.get(name.rpartition(".")[2])
    text, count = line.subn(lambda _: shown, text, count=1) if line else (text, 0)
    if not count:
        raise ValueError(f"{name} has no status line")
    return text
