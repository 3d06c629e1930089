"""A process that has the heavy libraries loaded and forks a real ``kedro`` command for each request.

Every command of the tests runs in a process of its own, through Kedro's own entry point, with its own exit code
and output, and can be killed. Only the seconds that importing Evidently and MLflow takes are paid once. Nothing of
the project is loaded before the fork, so each command reads code and configuration anew.

Protocol: one JSON request a line on stdin; two JSON answers a line on stdout, ``{"pid": …}`` when the command has
started and ``{"code": …}`` when it has ended (negative: the signal that ended it).
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from importlib import import_module
from typing import Any

_HEAVY = (
    "codecarbon",
    "evidently.metrics",
    "evidently.tests",
    "evidently.ui.workspace",
    "kedro.framework.cli.cli",
    "kedro_datasets.plotly",
    "kedro_mlflow.framework.hooks.mlflow_hook",
    "kedro_mlflow.io.artifacts",
    "kedro_mlflow.io.metrics",
    "mlflow.sklearn",
    "pandera.pandas",
    "plotly.graph_objects",
    "sklearn.linear_model",
    "skops.io",
)


def main() -> None:
    for name in _HEAVY:
        import_module(name)
    _answer({"ready": True})
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _run(request)
        _answer({"pid": pid})
        _answer({"code": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])})


def _answer(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


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


def _start_kedro() -> None:
    from kedro.framework.cli.cli import main as kedro
    from kedro.framework.project import LOGGING
    from omegaconf import OmegaConf

    # Kedro configured its logging when it was imported, outside any project; a command does so inside one.
    LOGGING.configure(OmegaConf.to_container(OmegaConf.load("conf/logging.yml")))
    kedro()


if __name__ == "__main__":
    main()
