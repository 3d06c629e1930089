"""Is the MLflow server or database there? Asked before MLflow itself, which retries for minutes."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from rai_kedro.errors import RaiError

_SERVER_ERROR: Final = 500
_SQLITE: Final = ("sqlite:///", "sqlite+pysqlite:///")


class ServerUnreachableError(RaiError):
    """The MLflow server does not answer."""


class TrackingStoreError(RaiError):
    """The local MLflow database or folder cannot be used."""


def check_server(
    tracking_uri: str, timeout_s: float = 3.0, settings_file: str = "conf/<environment>/mlflow.yml"
) -> None:
    """Check in a few seconds that MLflow's store can be used.

    An ``http(s)`` server must answer. The folder of an SQLite database or of a file store must exist and be
    writable, and so must the database if it is there already. Other addresses are not looked at.

    Args:
        tracking_uri: MLflow's tracking URI; a relative path counts from the working directory, as it does in
            MLflow.
        timeout_s: Longest wait for a server, in seconds.
        settings_file: The file that sets the URI, for the message.

    Raises:
        ServerUnreachableError: The server does not answer, or answers with an error of its own.
        TrackingStoreError: Database or folder is missing or read-only.
    """
    scheme = urlsplit(tracking_uri).scheme
    where = f"{tracking_uri} (mlflow_tracking_uri in {settings_file})"
    if scheme in {"http", "https"}:
        _check_http(tracking_uri, timeout_s, where)
    elif tracking_uri.startswith(_SQLITE):
        _check_sqlite(tracking_uri, where)
    elif scheme in {"", "file"}:
        _check_folder(_nearest_existing(Path(unquote(urlsplit(tracking_uri).path))), where)


def _check_http(tracking_uri: str, timeout_s: float, where: str) -> None:
    answers: list[str | None] = []
    # In a thread: no time limit of `requests` covers the name look-up, which can block for much longer.
    asking = threading.Thread(target=lambda: answers.append(_ask(tracking_uri, timeout_s)), daemon=True)
    asking.start()
    asking.join(timeout_s + 0.5)
    trouble = answers[0] if answers else f"no answer within {timeout_s:g} s"
    if trouble:
        raise ServerUnreachableError(
            "The MLflow server does not answer.",
            where=where,
            example=trouble,
            remedy="start the server or correct the address; for a local database without a server set "
            "`mlflow_tracking_uri: sqlite:///mlflow.db`",
        )


def _ask(tracking_uri: str, timeout_s: float) -> str | None:
    """Return what is wrong, or None. A refusal (401, 403) is an answer: the server is there."""
    import requests

    try:
        response = requests.get(f"{tracking_uri.rstrip('/')}/health", timeout=timeout_s, verify=_verification())
    except requests.exceptions.RequestException as error:
        return f"{type(error).__name__}: {_innermost(error)}"
    if response.status_code >= _SERVER_ERROR:
        return f"HTTP {response.status_code} {response.reason}"
    return None


def _verification() -> bool | str:
    """Check certificates as MLflow does, by the same variables."""
    if os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in {"true", "1"}:
        return False
    return os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or True


def _innermost(error: BaseException) -> BaseException:
    while error.__context__ is not None:
        error = error.__context__
    return error


def _check_sqlite(tracking_uri: str, where: str) -> None:
    prefix = next(prefix for prefix in _SQLITE if tracking_uri.startswith(prefix))
    name = tracking_uri.removeprefix(prefix).partition("?")[0]
    if name in {"", ":memory:"}:
        return
    database = Path(name)
    if not database.parent.is_dir():
        raise TrackingStoreError(
            "The folder of the MLflow database does not exist.",
            where=where,
            example=str(database.parent.absolute()),
            remedy="make the folder, correct the address, or run the command in the project's folder",
        )
    # SQLite also writes its journal beside the database, so the folder must be writable in any case.
    _check_folder(database.parent, where)
    if database.exists():
        try:
            with database.open("r+b"):
                pass
        except OSError as error:
            raise _unusable("The MLflow database cannot be written", database, error, where) from error


def _check_folder(folder: Path, where: str) -> None:
    try:
        # Permission bits do not tell (root, read-only mounts); a file that vanishes again does.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _unusable("The folder of the MLflow store cannot be written", folder, error, where) from error


def _unusable(what: str, path: Path, error: OSError, where: str) -> TrackingStoreError:
    return TrackingStoreError(
        f"{what}: {error.strerror or error}.",
        where=where,
        example=str(path.absolute()),
        remedy="make it writable for this user, or set another address",
    )


def _nearest_existing(path: Path) -> Path:
    path = path.absolute()
    return next(parent for parent in (path, *path.parents) if parent.exists())
