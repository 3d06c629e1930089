"""A process that has the heavy libraries loaded and forks a real ``kedro`` command for each request.

Every command of the tests runs in a process of its own, through Kedro's own entry point, with its own exit code
and output, and can be killed. Only the seconds that importing Evidently and MLflow takes are paid once. Nothing of
the project is loaded before the fork, so each command reads code and configuration anew.

Protocol, one line each: a JSON request on stdin, ``{"pid": …}`` on stdout when the command has started; an empty
line on stdin, ``{"code": …}`` on stdout when it has ended (negative: the signal that ended it). Until that empty line
a command that has ended keeps its process id, so that a signal meant for it never meets another process.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import sqlite3
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

_HEAVY = (
    "IPython.terminal.embed",
    "alembic",
    "codecarbon",
    "evidently.metrics",
    "evidently.tests",
    "evidently.ui.workspace",
    "git",
    "kedro.framework.cli.cli",
    "kedro_datasets.json",
    "kedro_datasets.pandas",
    "kedro_datasets.plotly",
    "kedro_mlflow.framework.hooks.mlflow_hook",
    "kedro_mlflow.io.artifacts",
    "kedro_mlflow.io.metrics",
    "kedro_viz.integrations.kedro.hooks",
    "mlflow.sklearn",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_workspace_store",
    "plotly.graph_objects",
    "sklearn.linear_model",
    "skops.io",
)
# linux/capability.h
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1 << 1, 1 << 2


def main() -> None:
    # Libraries may print while they are imported: the answers keep the real stdout for themselves.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for name in _HEAVY:
        import_module(name)
    # Nobody waits for the disk: the databases have to outlast a killed process, not a power cut.
    event.listen(Engine, "connect", _wait_for_no_disk)
    answers.write(_line({"ready": True}))
    while line := sys.stdin.readline():
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _run(request)
        answers.write(_line({"pid": pid}))
        sys.stdin.readline()
        answers.write(_line({"code": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}))


def _wait_for_no_disk(connection: Any, _: Any) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=OFF")


def _line(message: dict[str, Any]) -> str:
    return json.dumps(message) + "\n"


def _run(request: dict[str, Any]) -> None:
    """Become ``kedro <arguments>`` in the project's folder; never returns."""
    code = 1
    try:
        output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(request["folder"])
        os.environ.update(request["environment"])
        if request["file_limit"] is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (request["file_limit"],) * 2)
        _obey_permissions()
        sys.argv = ["kedro", *request["arguments"]]
        _start_kedro()
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _obey_permissions() -> None:
    """Let file permissions hold for root too, by giving up the two capabilities that pass them over."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable: low words, then high words
    if libc.capget(header, sets) != 0:
        raise OSError(ctypes.get_errno(), "capget")
    for index in range(3):
        sets[index] &= ~(_CAP_DAC_OVERRIDE | _CAP_DAC_READ_SEARCH)
    if libc.capset(header, sets) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def _start_kedro() -> None:
    from kedro.framework.cli.cli import main as kedro
    from kedro.framework.project import LOGGING
    from omegaconf import OmegaConf

    # Kedro configured its logging when it was imported, outside any project; a command does so inside one.
    if Path("conf/logging.yml").exists():
        LOGGING.configure(OmegaConf.to_container(OmegaConf.load("conf/logging.yml")))
    kedro()


if __name__ == "__main__":
    main()
