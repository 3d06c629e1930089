"""The model card of a version: written once, attached to its run, and digested for the review.

What is approved is the card's JSON, and with it the pages for people: it holds their digests. A decision is shown in
one line of each page, so a page is digested without what stands in that line. The line may hold text only: markup in
it would be a place for a whole other page.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rai_kedro.files import project_folder, write_text
from rai_kedro.release.store import parse_json, read_artifact
from rai_kedro.release.versions import (
    APPROVED,
    REJECTED,
    ChangedError,
    IncompleteError,
    ReleaseError,
    Tag,
    find_version,
)
from rai_kedro.words import escape_html, escape_markdown, make_visible

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CARD_FOLDER: Final = "model_card"
# The one line of each page that says where the version stands; see the templates of the reports.
STATUS_LINES: Final = {
    "html": re.compile(r'(?<=<p class="status">)[^<]*(?=</p>)'),
    "md": re.compile(r"(?<=^\*\*Status: ).*(?=\*\*$)", re.MULTILINE),
}
_PAGES: Final = "pages"
_REVIEW_MARK: Final = "\n\nReview: "


def card_file(version: object, ending: str = "json") -> str:
    """Return the name of one of a card's files."""
    return f"model_card_v{version}.{ending}"


def require_no_card(name: str, version: str, folder: Path | None = None) -> None:
    """Refuse a second card: what is reviewed must stay what was read.

    A card in ``folder`` on which somebody has decided is not written over, even where MLflow has forgotten its version.

    Raises:
        ReleaseError: There is such a card.
    """
    from mlflow import MlflowClient

    card = find_version(MlflowClient(), name, version).tags.get(Tag.CARD)
    if card is not None:
        raise ReleaseError(
            f"Version {version} of {name} has its model card already; a card is written once.",
            where=f"registered model {name}, tag {Tag.CARD}: {card}",
            remedy=f"train a new version with `kedro run --pipelines {name}`: it gets a card of its own",
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


def attach_card(name: str, version: str, run_id: str, title: str, files: Sequence[Path]) -> None:
    """Log the card's files to the version's run and let the version's description point to them.

    Tag ``rai.card`` comes last: a card that was cut off before it can be written again.

    Of ``files`` the first is for people, and named in the version's description after ``title``; one is
    ``model_card_v<version>.json``, which gets the digests of the others.

    Raises:
        ReleaseError: The version has a card.
        ValueError: The JSON form is not among the files, or a page has no line for its status.
    """
    from mlflow import MlflowClient

    record = next((file for file in files if file.name == card_file(version)), None)
    if record is None:
        raise ValueError(f"a card's files must contain {card_file(version)}")
    require_no_card(name, version)
    _bind_pages(record, [file for file in files if file != record])
    client = MlflowClient()
    # Relative to the project, so that a moved or copied project still finds its cards.
    project = project_folder()
    page = str(files[0].relative_to(project) if files[0].is_relative_to(project) else files[0])
    for file in files:
        client.log_artifact(run_id, str(file), artifact_path=CARD_FOLDER)
    description = (
        f"{title}\n\nModel card: artifact `{CARD_FOLDER}/{files[0].name}` of run `{run_id}`, and the file `{page}`."
    )
    client.update_model_version(name, version, description=description)
    client.set_model_version_tag(name, version, Tag.CARD_DIGEST, hashlib.sha256(record.read_bytes()).hexdigest())
    client.set_model_version_tag(name, version, Tag.CARD, page)


def digest_card(client: MlflowClient, version: ModelVersion) -> str:
    """Return the SHA-256 (hex) of the JSON of the card that is attached to a version."""
    artifact, name = f"{CARD_FOLDER}/{card_file(version.version)}", version.name
    content = read_artifact(client, version.run_id, artifact) if Tag.CARD in version.tags else None
    if content is None:
        raise IncompleteError(
            f"Version {version.version} of {name} has no model card, so nobody can have read it.",
            where=f"registered model {name}, run {version.run_id}",
            example=f"its run has no artifact {artifact}" if Tag.CARD in version.tags else f"it has no tag {Tag.CARD}",
            remedy=f"restore the run's artifacts; or train a new version with `kedro run --pipelines {name}`, "
            "the whole stage, and have that one reviewed",
        )
    return hashlib.sha256(content).hexdigest()


def mark_card(client: MlflowClient, version: ModelVersion, status: str) -> str:
    """Show a decision on the card's pages, in MLflow and on disk, and in the version's description.

    The JSON form, which is what was reviewed, stays as it was. Pages are for reading; the evidence record is what
    counts. So a page that cannot be marked stops nothing, and is named in the sentence returned (else empty).
    """
    from mlflow.exceptions import MlflowException

    number, unmarked = str(version.version), []
    description = (version.description or "").partition(_REVIEW_MARK)[0]
    client.update_model_version(
        version.name, number, description=f"{description}{_REVIEW_MARK}{escape_markdown(status)}"
    )
    digests = _read_page_digests(client, version) or {}
    for name in (card_file(number, ending) for ending in STATUS_LINES):
        shown = escape_html(status) if name.endswith(".html") else escape_markdown(status)
        local = project_folder() / Path(version.tags.get(Tag.CARD, "")).with_name(name)
        try:
            page = _find_whole_page(client, version, local, digests.get(name))
            client.log_text(version.run_id or "", _replace_status(page, name, shown), f"{CARD_FOLDER}/{name}")
            if local.is_file():
                write_text(local, _replace_status(local.read_text(encoding="utf-8"), name, shown))
        except (MlflowException, OSError, ValueError):
            unmarked.append(name)
    return f"\nThe decision could not be shown in {' and '.join(unmarked)}; it is on record." if unmarked else ""


def find_changed_page(client: MlflowClient, version: ModelVersion) -> str | None:
    """Say which page in MLflow is first not as the card's JSON has digested it, and how; None if all are."""
    digests = _read_page_digests(client, version)
    if digests is None:
        return "the model card holds no digests of its pages"
    for name, digest in digests.items():
        page = _fetch_page(client, version, name)
        if page is None or not _is_page(page, name, digest):
            found = "is gone" if page is None else "was changed beyond its status line"
            return f"{name}, the model card that people read, {found}"
    return None


def require_same_pages(client: MlflowClient, version: ModelVersion) -> None:
    """Refuse a version whose card reads otherwise than it was written."""
    trouble = find_changed_page(client, version)
    if trouble:
        raise ChangedError(
            f"Version {version.version} of {version.name} cannot be approved on what its model card shows.",
            where=f"registered model {version.name}, run {version.run_id}, artifacts {CARD_FOLDER}",
            example=trouble,
            remedy="find out who changed it and restore it (training keeps a copy beside the other reports); "
            f"or train a new version with `kedro run --pipelines {version.name}` and have that one reviewed",
        )


def _read_page_digests(client: MlflowClient, version: ModelVersion) -> dict[str, str] | None:
    """Return the SHA-256 of each page by name, as the card's JSON has them; None if it has none that can be read."""
    content = read_card(client, version)
    pages = content.get(_PAGES) if isinstance(content, dict) else None
    return pages if isinstance(pages, dict) else None


def read_card(client: MlflowClient, version: ModelVersion) -> Any:
    """Return the card's JSON as MLflow holds it; None if it is not there or cannot be read."""
    return parse_json(read_artifact(client, version.run_id, f"{CARD_FOLDER}/{card_file(version.version)}"))


def _bind_pages(record: Path, pages: Iterable[Path]) -> None:
    """Write the digests of a card's pages into its JSON, so that who approves the JSON approves the pages."""
    content = json.loads(record.read_text(encoding="utf-8"))
    content[_PAGES] = {page.name: _digest_page(page.read_text(encoding="utf-8"), page.name) for page in pages}
    write_text(record, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _find_whole_page(client: MlflowClient, version: ModelVersion, local: Path, digest: str | None) -> str:
    """Return the page in MLflow; the one on disk where a mark that was cut off left only that whole."""
    page = _fetch_page(client, version, local.name)
    kept = local.read_text(encoding="utf-8") if local.is_file() else None
    whole = next((text for text in (page, kept) if text is not None and _is_page(text, local.name, digest)), page)
    if whole is None:
        raise FileNotFoundError(local.name)
    return whole


def _fetch_page(client: MlflowClient, version: ModelVersion, name: str) -> str | None:
    content = read_artifact(client, version.run_id, f"{CARD_FOLDER}/{name}")
    return None if content is None else content.decode("utf-8", errors="replace")


def _is_page(text: str, name: str, digest: str | None) -> bool:
    try:
        return _digest_page(text, name) == digest
    except ValueError:
        return False


def _digest_page(text: str, name: str) -> str:
    """Return the SHA-256 (hex) of a page without what its status line says."""
    return hashlib.sha256(_replace_status(text, name, "").encode()).hexdigest()


def _replace_status(text: str, name: str, shown: str) -> str:
    line = STATUS_LINES.get(name.rpartition(".")[2])
    text, count = line.subn(lambda _: shown, text, count=1) if line else (text, 0)
    if not count:
        raise ValueError(f"{name} has no status line")
    return text
