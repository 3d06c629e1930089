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
from typing import Final

from rai_kedro.files import project_folder, write_text
from rai_kedro.release.versions import (
    APPROVED,
    CARD_FOLDER,
    REJECTED,
    ChangedError,
    IncompleteError,
    ReleaseError,
    Tag,
    Version,
    card_file,
    find_version,
    parse_json,
)
from rai_kedro.words import escape_html, escape_markdown, make_visible

# The one line of each page that says where the version stands; see the templates of the reports.
STATUS_LINES: Final = {
    "html": re.compile(r'(?<=<p class="status">)[^<]*(?=</p>)'),
    "md": re.compile(r"(?<=^\*\*Status: ).*(?=\*\*$)", re.MULTILINE),
}
_PAGES: Final = "pages"
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


def digest_card(version: Version) -> str:
    """Return the SHA-256 (hex) of the JSON of the card that is attached to a version."""
    if Tag.CARD not in version.tags or version.card is None:
        found = f"its run has no artifact {CARD_FOLDER}/{card_file(version.number)}"
        raise version.refusal(
            IncompleteError,
            "has no model card, so nobody can have read it.",
            example=found if Tag.CARD in version.tags else f"it has no tag {Tag.CARD}",
            remedy=f"restore the run's artifacts; or {version.retrain}, the whole stage, and have that one reviewed",
        )
    return hashlib.sha256(version.card).hexdigest()


def mark_card(version: Version, status: str) -> str:
    """Show a decision on the card's pages, in MLflow and on disk, and in the version's description.

    The JSON form, which is what was reviewed, stays as it was. Pages are for reading; the evidence record is what
    counts. So a page that cannot be marked stops nothing, and is named in the sentence returned (else empty).
    """
    from mlflow.exceptions import MlflowException

    client, unmarked = version.client, []
    description = version.description.partition(_REVIEW_MARK)[0] + _REVIEW_MARK + escape_markdown(status)
    client.update_model_version(version.use_case, version.number, description=description)
    digests = _read_page_digests(version) or {}
    for name in (card_file(version.number, ending) for ending in STATUS_LINES):
        shown = escape_html(status) if name.endswith(".html") else escape_markdown(status)
        local = project_folder() / Path(version.tags.get(Tag.CARD, "")).with_name(name)
        try:
            page = _find_whole_page(version, local, digests.get(name))
            client.log_text(version.run_id, _replace_status(page, name, shown), f"{CARD_FOLDER}/{name}")
            if local.is_file():
                write_text(local, _replace_status(local.read_text(encoding="utf-8"), name, shown))
        except (MlflowException, OSError, ValueError):
            unmarked.append(name)
    return f"\nThe decision could not be shown in {' and '.join(unmarked)}; it is on record." if unmarked else ""


def find_changed_page(version: Version) -> str | None:
    """Say which page in MLflow is first not as the card's JSON has digested it, and how; None if all are."""
    digests = _read_page_digests(version)
    if digests is None:
        return "the model card holds no digests of its pages"
    for name, digest in digests.items():
        page = _fetch_page(version, name)
        if page is None or not _is_page(page, name, digest):
            found = "is gone" if page is None else "was changed beyond its status line"
            return f"{name}, the model card that people read, {found}"
    return None


def require_same_pages(version: Version) -> None:
    """Refuse a version whose card reads otherwise than it was written."""
    trouble = find_changed_page(version)
    if trouble:
        raise version.refusal(
            ChangedError,
            "cannot be approved on what its model card shows.",
            example=trouble,
            remedy="find out who changed it and restore it (training keeps a copy beside the other reports); "
            f"or {version.retrain} and have that one reviewed",
        )


def _read_page_digests(version: Version) -> dict[str, str] | None:
    """Return the SHA-256 of each page by name, as the card's JSON has them; None if it has none that can be read."""
    content = parse_json(version.card)
    pages = content.get(_PAGES) if isinstance(content, dict) else None
    return pages if isinstance(pages, dict) else None


def _bind_pages(record: Path, pages: Iterable[Path]) -> None:
    """Write the digests of a card's pages into its JSON, so that who approves the JSON approves the pages."""
    content = json.loads(record.read_text(encoding="utf-8"))
    content[_PAGES] = {page.name: _digest_page(page.read_text(encoding="utf-8"), page.name) for page in pages}
    write_text(record, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _find_whole_page(version: Version, local: Path, digest: str | None) -> str:
    """Return the page in MLflow; the one on disk where a mark that was cut off left only that whole."""
    page = _fetch_page(version, local.name)
    kept = local.read_text(encoding="utf-8") if local.is_file() else None
    whole = next((text for text in (page, kept) if text is not None and _is_page(text, local.name, digest)), page)
    if whole is None:
        raise FileNotFoundError(local.name)
    return whole


def _fetch_page(version: Version, name: str) -> str | None:
    content = version.read(f"{CARD_FOLDER}/{name}")
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
