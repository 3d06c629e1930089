"""Where MLflow keeps its runs: is the store there and whole, and does it lie where the project lies?

Asked before MLflow itself, which retries a server for minutes and answers a locked database with its own internals.
MLflow writes absolute artifact places into its local database; here they follow a project folder that was moved or
copied, so that a moved project just works and a copy never writes into its original. Servers keep their own places.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from rai_kedro.errors import RaiError
from rai_kedro.files import is_alive

if TYPE_CHECKING:
    from mlflow import MlflowClient

# How long a database that another program holds is waited for.
PATIENCE_S: Final = 20.0
PROJECT_TAG: Final = "rai.project_folder"
PROCESS_TAG: Final = "rai.process"
_SERVER_ERROR: Final = 500
_REFUSALS: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_SQLITE: Final = ("sqlite:///", "sqlite+pysqlite:///")
# Larger databases would make every command wait; their damage is met where it is read.
_CHECKED_WHOLE_BYTES: Final = 50_000_000
# Tables and columns of MLflow's database that hold absolute places of artifacts.
_PLACES: Final = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
    ("model_versions", "source"),
)


class StoreError(RaiError):
    """MLflow's server, database or folder cannot be used."""


def place_store(tracking_uri: str, project: Path) -> str:
    """Return MLflow's address with a local relative path counted from the project, not from the working directory."""
    prefix = _sqlite_prefix(tracking_uri)
    is_path = bool(tracking_uri) and urlsplit(tracking_uri).scheme == ""
    path = find_database(tracking_uri) or (Path(tracking_uri) if is_path else None)
    is_relative = path is not None and not path.is_absolute()
    return f"{prefix}{project / tracking_uri.removeprefix(prefix)}" if is_relative else tracking_uri


def find_database(tracking_uri: str) -> Path | None:
    """Return the file of an SQLite address; None for any other address and for a database in memory."""
    prefix = _sqlite_prefix(tracking_uri)
    name = tracking_uri.removeprefix(prefix).partition("?")[0] if prefix else ""
    return None if name in {"", ":memory:"} else Path(name)


def _sqlite_prefix(tracking_uri: str) -> str:
    return next((prefix for prefix in _SQLITE if tracking_uri.startswith(prefix)), "")


def bound_retries() -> None:
    """Let MLflow give up on a silent server within about a minute instead of eight; a user's own settings stand."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")


def give_up_on_server() -> None:
    """Stop asking a server that did not answer: what ends a run would each wait for it anew."""
    os.environ.update(MLFLOW_HTTP_REQUEST_MAX_RETRIES="0", MLFLOW_HTTP_REQUEST_TIMEOUT="3")


def find_refusal(error: BaseException) -> HTTPStatus | None:
    """Return 401 or 403 where MLflow's server knows not who asks, or refuses it; None for any other error."""
    status = getattr(getattr(error, "response", None), "status_code", None)  # of an artifact, which requests fetch
    if type(error).__name__ in {"MlflowException", "RestException"}:
        status = error.get_http_status_code()  # type: ignore[attr-defined]
    return next((refusal for refusal in _REFUSALS if refusal == status), None)


def explain_refusal(error: BaseException, refusal: HTTPStatus) -> StoreError:
    """Make one readable error of what MLflow's server refused: to which account, and what that may not do."""
    import mlflow
    from mlflow.utils.credentials import read_mlflow_creds

    account, where = read_mlflow_creds().username, mlflow.get_tracking_uri()
    if refusal == HTTPStatus.FORBIDDEN:
        return StoreError(
            f"The account '{account}' may not do this on the MLflow server.",
            where=where,
            example=" ".join(str(error).removeprefix("PERMISSION_DENIED: ").split())[:300],
            remedy="use an account that may, or ask whoever runs the server for the role (docs/server.md)",
        )
    found = f"user name '{account}': no such account, or another password" if account else "no user name is set"
    return StoreError(
        "The MLflow server refuses this login." if account else "The MLflow server asks who you are.",
        where=where,
        example=found,
        remedy="set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or both under `mlflow:` in "
        "conf/<environment>/credentials.yml, which outranks them (docs/server.md)",
    )


def keep_artifacts_in(project: Path) -> None:
    """Let MLflow's local database keep new artifacts in the project's ``mlruns``, not in the working directory's."""
    from mlflow.tracking._tracking_service import utils

    def open_store(store_uri: str, artifact_uri: str | None = None) -> Any:
        return utils._get_sqlalchemy_store(  # type: ignore[no-untyped-call]
            store_uri, artifact_uri or str(project.resolve() / "mlruns")
        )

    utils._tracking_store_registry.register("sqlite", open_store)  # type: ignore[no-untyped-call]


def check_server(
    tracking_uri: str, timeout_s: float = 3.0, settings_file: str = "conf/<environment>/globals.yml"
) -> None:
    """Check in a few seconds that MLflow's store can be used, or raise StoreError.

    An ``http(s)`` server must answer within ``timeout_s``; the folder of a database or file store must be writable, and
    an SQLite database whole and free. Other addresses are not looked at; a relative path counts from the working
    directory.
    """
    scheme = urlsplit(tracking_uri).scheme
    where = f"{tracking_uri} (mlflow_uri in {settings_file})"
    database = find_database(tracking_uri)
    if scheme in {"http", "https"}:
        _check_http(tracking_uri, timeout_s, where)
    elif database is not None:
        _check_sqlite(database, where)
    elif scheme in {"", "file"}:
        folder = Path(unquote(urlsplit(tracking_uri).path)).absolute()
        _check_folder(next(parent for parent in (folder, *folder.parents) if parent.exists()), where)


def make_database(database: Path) -> None:
    """Let MLflow make its local database, if there is none: elsewhere, and whole when it is put in place.

    MLflow makes it in place by many steps; killed among them, it would open it never again.
    """
    if database.exists():
        return
    from mlflow.store.db import utils as untyped

    utils: Any = untyped
    with tempfile.TemporaryDirectory(prefix=".mlflow_", dir=database.parent) as folder:
        made = Path(folder, database.name)
        engine = utils.create_sqlalchemy_engine_with_retry(f"sqlite:///{made}")
        try:
            utils._initialize_tables(engine)
        finally:
            engine.dispose()
        with suppress(FileExistsError):  # of another command that was faster
            os.link(made, database)


def follow_project(database: Path, project: Path) -> str | None:
    """Let the artifact places in MLflow's database follow a project folder that was moved or copied.

    The database remembers the project's folder in a tag of its first experiment. Where that is another folder than
    the present one, every place below it is rewritten, all in one transaction. Nothing happens while the database is
    not there or not yet MLflow's. What was done is returned as a sentence; None if the project is where it was.
    """
    if not database.is_file():
        return None
    new = str(project.resolve())
    with _connect(database) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables >= {"experiment_tags", *(table for table, _ in _PLACES)}:
            return None
        connection.execute("BEGIN IMMEDIATE")  # the tag is read inside: another process may be moving the same places
        (first,) = connection.execute("SELECT min(experiment_id) FROM experiments").fetchone()
        query = "SELECT value FROM experiment_tags WHERE key = ? AND experiment_id = ?"
        (old,) = connection.execute(query, (PROJECT_TAG, first)).fetchone() or (None,)
        if first is None or old == new:
            return None
        moved = _move_places(connection, old, new) if old else 0
        connection.execute(
            "INSERT OR REPLACE INTO experiment_tags (key, value, experiment_id) VALUES (?, ?, ?)",
            (PROJECT_TAG, new, first),
        )
        connection.commit()
    if not moved:
        return None
    return f"This project was last used in {old}; MLflow's {moved} artifact places now point to {new}."


def close_killed_runs(client: MlflowClient, use_case: str, own_run: str) -> None:
    """Mark runs of a use case as KILLED whose process on this machine is gone; MLflow would show them as running.

    Looks in the experiment of ``own_run``, which has just begun.
    """
    experiment = client.get_run(own_run).info.experiment_id
    query = f"attributes.status = 'RUNNING' and tags.`rai.use_case` = '{use_case}'"
    for run in client.search_runs([experiment], filter_string=query):
        if _is_dead(run.data.tags.get(PROCESS_TAG, "")):
            client.set_terminated(run.info.run_id, status="KILLED")


def name_process() -> str:
    """Name this process so that another one can tell whether it still runs: machine, number and start."""
    return f"{os.uname().nodename} {os.getpid()} {_start_of(os.getpid())}"


def _is_dead(process: str) -> bool:
    """Say whether a process of this machine is gone; of another machine's nothing is known."""
    machine, number, start = process.split(" ") if process.count(" ") == 2 else ("", "", "")  # noqa: PLR2004
    return machine == os.uname().nodename and number.isdigit() and _start_of(int(number)) != start


def _start_of(process: int) -> str:
    """Return when a process began, in a form that only compares; empty if there is none.

    A number alone can belong to a later process. Where the system has no ``/proc``, it has to do.
    """
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return "running" if is_alive(process) else ""


def _move_places(connection: sqlite3.Connection, old: str, new: str) -> int:
    moved = 0
    for before, after in ((old, new), (Path(old).as_uri(), Path(new).as_uri())):
        for table, column in _PLACES:
            # Names from the constant above; values are bound. Places below the new folder stay, should it lie in the
            # old one.
            statement = (
                f"UPDATE {table} SET {column} = ? || substr({column}, ?) "  # noqa: S608
                f"WHERE substr({column}, 1, ?) = ? AND substr({column}, 1, ?) <> ?"
            )
            length = len(before)
            values = (after, length + 1, length + 1, f"{before}/", len(after) + 1, f"{after}/")
            moved += connection.execute(statement, values).rowcount
    return moved


def _connect(database: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(database, timeout=PATIENCE_S, isolation_level=None))


def _check_http(tracking_uri: str, timeout_s: float, where: str) -> None:
    answers: list[str | None] = []
    # In a thread: no time limit of `requests` covers the name look-up, which can block for much longer.
    asking = threading.Thread(target=lambda: answers.append(_ask(tracking_uri, timeout_s)), daemon=True)
    asking.start()
    asking.join(timeout_s + 0.5)
    trouble = answers[0] if answers else f"no answer within {timeout_s:g} s"
    if trouble:
        raise StoreError(
            "The MLflow server does not answer.",
            where=where,
            example=trouble,
            remedy="start the server or correct the address; for a local database without a server set "
            "`mlflow_uri: sqlite:///mlflow.db`",
        )


def _ask(tracking_uri: str, timeout_s: float) -> str | None:
    """Return what is wrong, or None. A refusal (401, 403) is an answer: the server is there."""
    import requests

    # Certificates as MLflow checks them, by the same variables.
    is_unchecked = os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in {"true", "1"}
    verify = not is_unchecked and (os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or True)
    try:
        response = requests.get(f"{tracking_uri.rstrip('/')}/health", timeout=timeout_s, verify=verify)
    except requests.exceptions.RequestException as error:
        innermost: BaseException = error
        while innermost.__context__ is not None:
            innermost = innermost.__context__
        return f"{type(error).__name__}: {innermost}"
    if response.status_code >= _SERVER_ERROR:
        return f"HTTP {response.status_code} {response.reason}"
    return None


def _check_sqlite(database: Path, where: str) -> None:
    if not database.parent.is_dir():
        raise StoreError(
            "The folder of the MLflow database does not exist.",
            where=where,
            example=str(database.parent.absolute()),
            remedy="make the folder, correct the address, or run the command in the project's folder",
        )
    # SQLite also writes its journal beside the database, so the folder must be writable in any case.
    _check_folder(database.parent, where)
    if not database.exists():
        return
    with _must_be_writable("The MLflow database", database, where), database.open("r+b"):
        pass
    try:
        with _connect(database) as connection:
            connection.execute("BEGIN IMMEDIATE")
            if database.stat().st_size <= _CHECKED_WHOLE_BYTES:
                (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
                if answer != "ok":
                    raise sqlite3.DatabaseError(answer)
            connection.rollback()
    except sqlite3.Error as error:
        raise explain_sqlite(error, where) from error


def explain_sqlite(error: sqlite3.Error, where: str | None = None) -> StoreError:
    """Make one readable error of what SQLite says of MLflow's database."""
    said = str(error).strip()
    if "locked" in said or "busy" in said:
        what, example = "is in use by another program", f"{said}; waited for {PATIENCE_S:g} s"
        remedy = (
            "close the program that holds it (a database browser, a backup, a hanging command), then run the same "
            "command again; nothing was changed"
        )
    elif "full" in said or "disk I/O" in said or "readonly" in said:
        what, example = "cannot be written", said
        remedy = (
            "free space on the disk, lift the limit on the size of files (`ulimit -f`) or make the file writable, then "
            "run the same command again"
        )
    else:
        what, example = "is damaged or no database", said.partition("\n")[0] or type(error).__name__
        remedy = (
            "restore the file from a backup; or move it aside, train anew with `kedro run` and have the version "
            "reviewed; the evidence record is not touched by this"
        )
    return StoreError(f"The MLflow database {what}.", where=where, example=example, remedy=remedy)


def _check_folder(folder: Path, where: str) -> None:
    # Permission bits do not tell (root, read-only mounts); a file that vanishes again does.
    with _must_be_writable("The folder of the MLflow store", folder, where), tempfile.TemporaryFile(dir=folder):
        pass


@contextmanager
def _must_be_writable(what: str, path: Path, where: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{what} cannot be written: {error.strerror or error}.",
            where=where,
            example=str(path.absolute()),
            remedy="make it writable for this user, or set another address",
        ) from error
