"""Known errors in one screen."""

from __future__ import annotations

import errno
import re
import sqlite3
from collections.abc import Iterator

from rai_kedro import release
from rai_kedro.commands.project import DRAFT_ONE
from rai_kedro.contract import find_use_cases
from rai_kedro.errors import RaiError
from rai_kedro.files import project_folder
from rai_kedro.pipelines import STAGES
from rai_kedro.words import list_some


def explain(error: BaseException) -> str | None:
    """Return one screen on an error; None if nobody foresaw it, so that its traceback is needed."""
    chain = list(_chain(error))
    known = next((cause for cause in chain if isinstance(cause, RaiError)), None)
    # What lies deepest is what happened: Kedro and MLflow wrap a full disk into errors of their own.
    ways = (_foresee_of_store, _foresee_of_settings, _foresee_of_kedro)
    foreseen = (foresee(cause) for cause in reversed(chain) for foresee in ways)
    known = known or next((found for found in foreseen if found), None)
    return str(known) if known else None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def is_server_lost(error: BaseException) -> bool:
    """Say whether an error, or what it came from, is a server that MLflow reached before and does not reach now."""
    return any(
        (type(cause).__module__.startswith(("requests.", "urllib3.")) and "Connect" in type(cause).__name__)
        or (
            type(cause).__name__ == "MlflowException"
            and "API request to" in str(cause)
            and not release.find_refusal(cause)
        )
        for cause in _chain(error)
    )


def _foresee_of_store(error: BaseException) -> RaiError | None:
    """Explain what a disk, a database or a server answers in the middle of a command."""
    if refusal := release.find_refusal(error):
        return release.explain_refusal(error, refusal)
    if is_server_lost(error):
        said = " ".join(str(error).split())[:300]
        return RaiError("The MLflow server stopped answering.", example=said, remedy=_SERVER_LOST)
    if isinstance(error, sqlite3.Error):
        from rai_kedro.release import explain_sqlite

        return explain_sqlite(error)
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        what = f"A file could not be written: {error.strerror}."
        return RaiError(what, where=str(error.filename) if error.filename else None, remedy=_ROOM)
    return None


def _foresee_of_settings(error: BaseException) -> RaiError | None:
    from kedro.validation import ParameterValidationError
    from yaml import YAMLError

    if isinstance(error, ParameterValidationError):
        return _read_parameter_errors(str(error))
    if isinstance(error, YAMLError):
        return RaiError("A configuration file is not valid YAML.", example=str(error), remedy=_MEND)
    if isinstance(error, KeyError) and (missing := _CREDENTIALS.search(str(error))):
        return RaiError(
            f"The catalogue asks for credentials '{missing[1]}', and there are none.",
            where="conf/<environment>/credentials.yml",
            remedy=f"write '{missing[1]}' there, for the environment that you run; git ignores the file",
        )
    return None


def _foresee_of_kedro(error: BaseException) -> RaiError | None:
    from kedro.config import MissingConfigException
    from kedro.io import DatasetError

    if isinstance(error, DatasetError | MissingConfigException):
        if isinstance(error, MissingConfigException) and not (project_folder() / "conf" / "base").is_dir():
            return RaiError("There is no project here.", where=str(project_folder()), remedy=_GO_TO_PROJECT)
        return RaiError("Data or configuration could not be read or written.", example=str(error), remedy=_LOOK)
    if isinstance(error, AttributeError) and "multiprocessing" in str(error):
        example = str(error).splitlines()[0]
        return RaiError("This pipeline cannot run in several processes.", example=example, remedy=_ONE_PROCESS)
    found = _NO_PIPELINE.match(str(error)) if isinstance(error, ValueError) else None
    return _explain_pipeline(found["name"]) if found else None


def _explain_pipeline(name: str) -> RaiError:
    """Explain that there is no pipeline of a name, which may be that of a stage and of no use case."""
    known = find_use_cases(project_folder() / "conf" / "base")
    if not known:
        return RaiError("There is no use case yet, and so no pipeline.", remedy=DRAFT_ONE)
    there = f"there are: {list_some(known, _SHOWN)}"
    if name not in ("__default__", *STAGES):
        listed = "give a use case, or one with a stage (NAME.training); kedro registry list  names all pipelines"
        return RaiError(f"There is no pipeline '{name}'.", where="--pipelines", example=there, remedy=listed)
    named = f"kedro run --pipelines {known[0]}" + (f".{name}" if name in STAGES else "")
    return RaiError(
        "It has to be said which use case is meant.", where="--pipelines", example=there, remedy=f"for example: {named}"
    )


def _read_parameter_errors(text: str) -> RaiError:
    """Make one error of Kedro's text, which holds pydantic's: each wrong key by its path, and what is wrong with it."""
    found, use_case, at, model, key = [], "", "", "", ""
    for line in text.splitlines():
        if start := _PARAMETER.match(line):
            at, model, key = start["name"], start["model"] or "", ""
            use_case = use_case or at.partition(".")[0]
        elif detail := _DETAIL.match(line):
            path = f"{at}.{key}" if key else at
            allowed = _list_keys(model) if detail["kind"] == "extra_forbidden" and "." not in key else ""
            found.append(f"{path}: {detail['message'].removeprefix('Value error, ')}{allowed}")
            key = ""
        elif at and line and not line.startswith(" "):
            key = line.strip()
    if not found:
        return RaiError("The parameters are not valid.", where="conf, parameters.yml", example=text, remedy=_MEND)
    path, _, message = found[0].partition(": ")
    more = "\n             ".join(found[1:_SHOWN])
    return RaiError(
        "The parameters are not valid.",
        where=f"conf/base/{use_case}/parameters.yml (or that of the environment), {path}",
        how_many=f"{len(found)} findings" if len(found) > 1 else None,
        example=message + (f"\n             {more}" if more else ""),
        remedy=_MEND,
    )


def _list_keys(model: str) -> str:
    """Return the keys of a model of parameters, by the name of its class; nothing if there is none of that name."""
    from pydantic import BaseModel

    known = list(BaseModel.__subclasses__())
    for kind in known:
        known += [one for one in kind.__subclasses__() if one not in known]
    keys = next((list(kind.model_fields) for kind in known if kind.__name__ == model), [])
    return f"; there are: {', '.join(keys)}" if keys else ""


_SHOWN = 6
_NO_PIPELINE = re.compile(r"Failed to find the pipeline named '(?P<name>[^']*)'")
_CREDENTIALS = re.compile("Unable to find credentials '([^']*)'")
_PARAMETER = re.compile(r"- Parameter '(?P<name>[^']+)'(?:: Failed to instantiate (?P<model>\w+))?")
_DETAIL = re.compile(r"  (?P<message>\S.*?)(?: \[type=(?P<kind>\w+), input_value=.*)?$")
_GO_TO_PROJECT = "run this in the folder of a project, or make one: rai-kedro rai init DIR"
_MEND = "mend that line and run again; nothing was run or written"
_ONE_PROCESS = "leave --runner out, or take ThreadRunner: kedro-mlflow's artifact datasets live in one process"
_SERVER_LOST = (
    "see that the server runs and the network holds, then run the same command again; what was finished stays, and "
    "the run that was cut off is closed at its next start"
)
_NO_ROOM = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS}
_ROOM = "free space on the disk, or lift the limit on the size of files (`ulimit -f`), then run the same command again"
_LOOK = "see that the file or store named above is there and may be read and written"
