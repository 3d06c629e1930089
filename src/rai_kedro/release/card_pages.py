"""The pages of a model card, which people read: held against the digests in the card's JSON, which is approved.

A decision is shown in one line of each page, so a page is digested without what stands in that line. The line may hold
text only: markup in it would be a place for a whole other page.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rai_kedro.errors import RaiError
from rai_kedro.release.store import silence_mlflow

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CARD_FOLDER: Final = "model_card"
# The one line of each page that says where the version stands; see the templates of the reporting room.
STATUS_LINES: Final = {
    "html": re.compile(r'(?<=<p class="status">)[^<]*(?=</p>)'),
    "md": re.compile(r"(?<=^\*\*Status: ).*(?=\*\*$)", re.MULTILINE),
}
_PAGES: Final = "pages"


class CardPageChangedError(RaiError):
    """A page that people read is not the one that was written with its card."""


def card_file(version: str, ending: str = "json") -> str:
    """Return the name of one of a card's files."""
    return f"model_card_v{version}.{ending}"


def bind_pages(record: Path, pages: Iterable[Path]) -> None:
    """Write the digests of a card's pages into its JSON, so that who approves the JSON approves the pages.

    Args:
        record: The card's JSON, an object; rewritten with key ``pages``: SHA-256 (hex) by file name.
        pages: The card's HTML and Markdown.

    Raises:
        ValueError: The record is no JSON object, or a page has no status line.
    """
    content = json.loads(record.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{record.name} holds no JSON object")
    content[_PAGES] = {page.name: digest_page(page) for page in pages}
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    temporary = record.with_name(f"{record.name}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(record)


def digest_page(page: Path) -> str:
    """Return the SHA-256 (hex) of a page without what its status line says; raise ValueError if it has no such line."""
    return hashlib.sha256(_replace_status(page, "").encode()).hexdigest()


def mark_page(page: Path, status: str) -> None:
    """Put a status into its line; raise ValueError if the page has none."""
    words = " ".join(status.split())
    escaped = html.escape(words) if page.suffix == ".html" else re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", words)
    text = _replace_status(page, escaped)
    temporary = page.with_name(f"{page.name}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(page)


def find_changed_page(client: MlflowClient, version: ModelVersion) -> str | None:
    """Hold the pages in MLflow against the digests in the card's JSON.

    Args:
        client: MLflow client.
        version: The version as MLflow gives it; its card's JSON is compared with the approved one elsewhere.

    Returns:
        What is wrong with the first page that is not as it was written, in one sentence; None if all are.
    """
    digests = read_page_digests(client, version)
    if digests is None:
        return "the model card holds no digests of its pages"
    with tempfile.TemporaryDirectory(prefix="rai-pages-") as folder:
        for name, digest in digests.items():
            page = fetch_page(client, version, name, Path(folder))
            if page is None:
                return f"{name}, the model card that people read, is gone"
            if not is_page(page, digest):
                return f"{name}, the model card that people read, was changed beyond its status line"
    return None


def require_same_pages(client: MlflowClient, version: ModelVersion) -> None:
    """Refuse a version whose card reads otherwise than it was written.

    Raises:
        CardPageChangedError: A page differs or is gone, or its digest was never noted.
    """
    trouble = find_changed_page(client, version)
    if trouble:
        raise CardPageChangedError(
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
    with tempfile.TemporaryDirectory(prefix="rai-card-") as folder:
        file = fetch_page(client, version, card_file(str(version.version)), Path(folder))
        try:
            return None if file is None else json.loads(file.read_bytes())
        except ValueError:
            return None


def fetch_page(client: MlflowClient, version: ModelVersion, name: str, folder: Path) -> Path | None:
    """Copy one of a card's files from MLflow; None if it is not there."""
    from mlflow.exceptions import MlflowException

    silence_mlflow()
    try:
        return Path(client.download_artifacts(version.run_id or "", f"{CARD_FOLDER}/{name}", str(folder)))
    except (MlflowException, OSError):
        return None


def is_page(page: Path, digest: str | None) -> bool:
    """Return whether a file is the page that was written with its card."""
    try:
        return digest_page(page) == digest
    except (OSError, ValueError):
        return False


def _replace_status(page: Path, shown: str) -> str:
    line, count = STATUS_LINES.get(page.suffix.removeprefix(".")), 0
    if line is not None:
        text, count = line.subn(lambda _: shown, page.read_text(encoding="utf-8"), count=1)
    if not count:
        raise ValueError(f"{page.name} has no status line")
    return text
