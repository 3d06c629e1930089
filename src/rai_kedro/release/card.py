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
from rai_kedro.release.store import read_artifact
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


def card_file(version: str, ending: str = "json") -> str:
    """Return the name of one of a card's files."""
    return f"model_card_v{version}.{ending}"


def require_no_card(name: str, version: str, folder: Path | None = None) -> None:
    """Refuse a second card: what is reviewed must stay what was read.

    A card in ``folder`` on which somebody has decided is not written over, even where MLflow has forgotten its version.

    Raises:
        ReleaseError: There is such a card.
    """
    from mlflow import MlflowClient

    tags = find_version(MlflowClient(), name, version).tags
    if Tag.CARD in tags:
        raise ReleaseError(
            f"Version {version} of {name} has its model card already; a card is written once.",
            where=f"registered model {name}, tag {Tag.CARD}: {tags[Tag.CARD]}",
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

    Args:
        name: Registered model.
        version: Version number.
        run_id: Run that trained it.
        title: First words of the description.
        files: The first is for people; one is ``model_card_v<version>.json``, which gets the digests of the others.

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


def digest_card(client: MlflowClient, name: str, version: str, run_id: str) -> str:
    """Return the SHA-256 (hex) of the JSON of the card that is attached to a version."""
    artifact = f"{CARD_FOLDER}/{card_file(version)}"
    content, found = None, f"it has no tag {Tag.CARD}"
    if Tag.CARD in find_version(client, name, version).tags:
        content, found = read_artifact(client, run_id, artifact), f"its run has no artifact {artifact}"
    if content is None:
        raise IncompleteError(
            f"Version {version} of {name} has no model card, so nobody can have read it.",
            where=f"registered model {name}, run {run_id}",
            example=found,
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

    number, run_id, unmarked = str(version.version), version.run_id or "", []
    description = (version.description or "").partition(_REVIEW_MARK)[0]
    client.update_model_version(
        version.name, number, description=f"{description}{_REVIEW_MARK}{escape_markdown(status)}"
    )
    digests = read_page_digests(client, version) or {}
    for ending in STATUS_LINES:
        name = card_file(number, ending)
        local = project_folder() / Path(version.tags.get(Tag.CARD, "")).with_name(name)
        try:
            page = _find_whole_page(client, run_id, local, digests.get(name))
            client.log_text(run_id, mark_page(page, ending, status), f"{CARD_FOLDER}/{name}")
            if local.is_file():
                write_text(local, mark_page(local.read_text(encoding="utf-8"), ending, status))
        except (MlflowException, OSError, ValueError):
            unmarked.append(name)
    return f"\nThe decision could not be shown in {' and '.join(unmarked)}; it is on record." if unmarked else ""


def digest_page(text: str, ending: str) -> str:
    """Return the SHA-256 (hex) of a page without what its status line says; ValueError if it has no such line."""
    return hashlib.sha256(_replace_status(text, ending, "").encode()).hexdigest()


def mark_page(text: str, ending: str, status: str) -> str:
    """Return a page with a status in its line; ValueError if the page has none."""
    return _replace_status(text, ending, escape_html(status) if ending == "html" else escape_markdown(status))


def find_changed_page(client: MlflowClient, version: ModelVersion) -> str | None:
    """Say which page in MLflow is first not as the card's JSON has digested it, and how; None if all are."""
    digests = read_page_digests(client, version)
    if digests is None:
        return "the model card holds no digests of its pages"
    for name, digest in digests.items():
        page = _fetch_page(client, version.run_id or "", name)
        if page is None:
            return f"{name}, the model card that people read, is gone"
        if not _is_page(page, name, digest):
            return f"{name}, the model card that people read, was changed beyond its status line"
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


def read_page_digests(client: MlflowClient, version: ModelVersion) -> dict[str, str] | None:
    """Return the SHA-256 of each page by name, as the card's JSON has them; None if it has none that can be read."""
    content = read_card(client, version)
    pages = content.get(_PAGES) if isinstance(content, dict) else None
    return pages if isinstance(pages, dict) else None


def read_card(client: MlflowClient, version: ModelVersion) -> Any:
    """Return the card's JSON as MLflow holds it; None if it is not there or cannot be read."""
    content = read_artifact(client, version.run_id or "", f"{CARD_FOLDER}/{card_file(str(version.version))}")
    try:
        return None if content is None else json.loads(content)
    except ValueError:
        return None


def _bind_pages(record: Path, pages: Iterable[Path]) -> None:
    """Write the digests of a card's pages into its JSON, so that who approves the JSON approves the pages."""
    content = json.loads(record.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{record.name} holds no JSON object")
    content[_PAGES] = {page.name: digest_page(page.read_text(encoding="utf-8"), _ending(page.name)) for page in pages}
    write_text(record, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _find_whole_page(client: MlflowClient, run_id: str, local: Path, digest: str | None) -> str:
    """Return the page in MLflow; the one on disk where a mark that was cut off left only that whole."""
    page = _fetch_page(client, run_id, local.name)
    if (page is None or not _is_page(page, local.name, digest)) and local.is_file():
        kept = local.read_text(encoding="utf-8")
        if _is_page(kept, local.name, digest):
            return kept
    if page is None:
        raise FileNotFoundError(local.name)
    return page


def _fetch_page(client: MlflowClient, run_id: str, name: str) -> str | None:
    content = read_artifact(client, run_id, f"{CARD_FOLDER}/{name}")
    return None if content is None else content.decode("utf-8", errors="replace")


def _is_page(text: str, name: str, digest: str | None) -> bool:
    try:
        return digest_page(text, _ending(name)) == digest
    except ValueError:
        return False


def _ending(name: str) -> str:
    return name.rpartition(".")[2]


def _replace_status(text: str, ending: str, shown: str) -> str:
    line = STATUS_LINES.get(ending)
    text, count = line.subn(lambda _: shown, text, count=1) if line else (text, 0)
    if not count:
        raise ValueError(f"a page .{ending} has no status line")
    return text
