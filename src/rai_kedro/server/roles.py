"""Who may decide on a version, where MLflow's own permissions cannot tell.

In MLflow, whoever registers versions needs EDIT of the model, and EDIT also moves its aliases, sets every tag and
renames the model; who made it may even delete it. So before MLflow looks at permissions, `authorize` looks at what is
asked: a decision takes the role ``reviewer``. MLflow calls it for every request (setting ``authorization_function``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from rai_kedro.release import CANDIDATE, DECIDED

if TYPE_CHECKING:
    from flask import Response
    from werkzeug.datastructures import Authorization

TRAINER: Final = "trainer"
REVIEWER: Final = "reviewer"
WORKSPACE: Final = "default"  # MLflow's only one, unless it is told otherwise


def authorize() -> Authorization | Response:
    """Let MLflow check the login, then refuse decisions to whoever has not the role; MLflow decides on the rest."""
    from flask import Response, jsonify, make_response
    from mlflow.server import auth

    login = auth.authenticate_request_basic_auth()
    if isinstance(login, Response):  # which asks to log in
        return login
    decision = _find_decision()
    if decision is None or _may_decide(str(login.username)):
        return login
    message = f"account '{login.username}' may not {decision}; that takes the role '{REVIEWER}'"
    return make_response(jsonify(error_code="PERMISSION_DENIED", message=message), 403)


def _may_decide(username: str) -> bool:
    from mlflow.server.auth import store

    user = store.get_user(username)
    roles = store.list_user_roles(user.id)
    return user.is_admin or any((role.name, role.workspace) == (REVIEWER, WORKSPACE) for role in roles)


def _find_decision() -> str | None:
    """Say what of a request is a reviewer's; None if MLflow's permissions suffice.

    Requests are told by the function that answers them, since each has several addresses, and read as it reads them.
    """
    from flask import request
    from mlflow.protos import model_registry_pb2
    from mlflow.server.handlers import _get_request_message

    if request.endpoint in _DESTROYS:
        return _DESTROYS[request.endpoint]
    if request.endpoint not in _DECIDES:
        return None
    kind, judge = _DECIDES[request.endpoint]
    return judge(_get_request_message(getattr(model_registry_pb2, kind)()))  # type: ignore[no-untyped-call]


def _judge_alias(asked: Any) -> str | None:
    return None if asked.alias == CANDIDATE else f"move alias '{asked.alias}' of {asked.name}"


def _judge_tag(asked: Any) -> str | None:
    return _judge_tags(asked.name, asked.key)


def _judge_version(asked: Any) -> str | None:
    return _judge_tags(asked.name, *(tag.key for tag in asked.tags))


def _judge_tags(model: str, *keys: str) -> str | None:
    # Some databases do not tell capitals or blanks at the end apart.
    decided = [key for key in keys if key.strip().lower() in DECIDED]
    return f"set or remove tag '{decided[0]}' of a version of {model}" if decided else None


_DESTROYS: Final = {
    # One of MLflow's own turns a model into a prompt, to which nobody here has access.
    "_set_registered_model_tag": "tag a registered model",
    "_delete_registered_model_tag": "tag a registered model",
    "_rename_registered_model": "rename a registered model",
    "_delete_registered_model": "delete a registered model",
    "_delete_model_version": "delete a version",
    "_delete_logged_model": "delete a model",
    "_delete_run": "delete a run",
    "_delete_experiment": "delete an experiment",
}
_DECIDES: Final[dict[str, tuple[str, Callable[[Any], str | None]]]] = {
    "_set_registered_model_alias": ("SetRegisteredModelAlias", _judge_alias),
    "_delete_registered_model_alias": ("DeleteRegisteredModelAlias", _judge_alias),
    "_set_model_version_tag": ("SetModelVersionTag", _judge_tag),
    "_delete_model_version_tag": ("DeleteModelVersionTag", _judge_tag),
    "_create_model_version": ("CreateModelVersion", _judge_version),
}
