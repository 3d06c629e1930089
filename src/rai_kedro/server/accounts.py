"""The accounts of the server: their passwords, made once and kept in files of their own, and what each may do."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rai_kedro.errors import RaiError
from rai_kedro.files import write_text
from rai_kedro.release import APPROVED, PRODUCTION, Tag, find_refusal
from rai_kedro.server.roles import REVIEWER, TRAINER, WORKSPACE

if TYPE_CHECKING:
    from mlflow.server.auth.client import AuthServiceClient

ADMIN: Final = "admin"
# What each account is for, and what its role may do with every object of a kind. Runs and versions follow these.
ACCOUNTS: Final = {
    TRAINER: "trains, scores and monitors; decides on no version and deletes nothing",
    REVIEWER: "approves, rejects and goes back to an older version",
    ADMIN: "adds accounts and gives them roles; for nothing else",
}
_GRANTS: Final = {
    TRAINER: {"experiment": "EDIT", "registered_model": "EDIT"},
    REVIEWER: {"experiment": "EDIT", "registered_model": "MANAGE"},
}
_PASSWORD: Final = re.compile(r"^export MLFLOW_TRACKING_PASSWORD=(\S+)$", re.MULTILINE)
_PATIENCE_S: Final = 30
_KEY_FILE: Final = "secret_key"


class ServerError(RaiError):
    """The server cannot be started as asked."""


def account_file(folder: Path, account: str) -> Path:
    """Return the file of an account's login, which a shell reads with ``. <file>``."""
    return folder / f"{account}.env"


def read_passwords(folder: Path) -> dict[str, str]:
    """Return the password of every account; what is missing is made. Only their owner can read the files."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return {account: _read_or_make(account_file(folder, account), account) for account in ACCOUNTS}


def read_secret_key(folder: Path) -> str:
    """Return the key that signs the forms of MLflow's pages, made if missing."""
    file = folder / _KEY_FILE
    if not file.exists():
        write_text(file, secrets.token_urlsafe(32))
    file.chmod(0o600)
    return file.read_text(encoding="utf-8").strip()


def _read_or_make(file: Path, account: str) -> str:
    if not file.exists():
        lines = (
            f"# The MLflow server's account '{account}': {ACCOUNTS[account]}. In a shell: . {file.name}",
            f"export MLFLOW_TRACKING_USERNAME={account}",
            f"export MLFLOW_TRACKING_PASSWORD={secrets.token_urlsafe(24)}\n",
        )
        write_text(file, "\n".join(lines))
    file.chmod(0o600)
    found = _PASSWORD.search(file.read_text(encoding="utf-8"))
    if found is None:
        raise ServerError(
            f"There is no password of account '{account}' in its file.",
            where=str(file),
            remedy="restore the file; its last line is export MLFLOW_TRACKING_PASSWORD=… without blanks or quotes",
        )
    return found[1]


def prepare_accounts(address: str, passwords: Mapping[str, str]) -> None:
    """Make the roles and accounts that a running server has not yet, and try that each can log in.

    A role that is there keeps its permissions, and an account its password.

    Raises:
        ServerError: An account has another password than its file says, or a trainer is let decide.
    """
    from mlflow import MlflowException
    from mlflow.server import get_app_client

    client = get_app_client("basic-auth", address)
    for account in (ADMIN, *_GRANTS):
        try:
            with _logged_in(ADMIN, passwords):
                if account != ADMIN:
                    _prepare(client, account, passwords[account])
            with _logged_in(account, passwords):
                client.list_user_roles(account)
        except MlflowException as error:
            if find_refusal(error) != HTTPStatus.UNAUTHORIZED:
                raise
            raise ServerError(
                f"The server knows another password of account '{account}' than its file says.",
                where=address,
                remedy="restore the files in conf/local/server, or make the accounts anew (docs/server.md)",
            ) from error
    _require_guarded(address, passwords[TRAINER])


def _prepare(client: AuthServiceClient, account: str, password: str) -> None:
    from mlflow import MlflowException

    role = next((role for role in client.list_roles(WORKSPACE) if role.name == account), None)
    if role is None:
        role = client.create_role(workspace=WORKSPACE, name=account, description=ACCOUNTS[account])
        for kind, permission in _GRANTS[account].items():
            client.add_role_permission(role.id, kind, resource_pattern="*", permission=permission)
    try:
        client.get_user(account)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        client.create_user(account, password)
        client.assign_role(account, role.id)


def _require_guarded(address: str, password: str) -> None:
    """Try what no trainer may do, on a model that is not there: another MLflow could answer by other names."""
    import requests

    version = {"name": "no-such-model", "version": "1"}
    attempts = {
        "registered-models/alias": {**version, "alias": PRODUCTION},
        "model-versions/set-tag": {**version, "key": Tag.REVIEW, "value": APPROVED},
    }
    for place, body in attempts.items():
        answer = requests.post(
            f"{address}/api/2.0/mlflow/{place}", json=body, auth=(TRAINER, password), timeout=_PATIENCE_S
        )
        if answer.status_code != HTTPStatus.FORBIDDEN or REVIEWER not in answer.text:
            raise ServerError(
                "The server would let a trainer decide, so it was stopped.",
                where=f"{address}, {place}",
                example=f"HTTP {answer.status_code} {answer.text[:300]}",
                remedy="install the locked releases with `make`; another MLflow may name its functions otherwise",
            )


@contextmanager
def _logged_in(account: str, passwords: Mapping[str, str]) -> Iterator[None]:
    login = {"MLFLOW_TRACKING_USERNAME": account, "MLFLOW_TRACKING_PASSWORD": passwords[account]}
    before = {name: os.environ.get(name) for name in login}
    os.environ.update(login)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
