"""The three web pages on which the results of a project are looked at."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

HOST = "127.0.0.1"
_WORKSPACE = "data/08_reporting/evidently"


@dataclass(frozen=True)
class Viewer:
    """A web page on the project's results, served by a program of its own."""

    name: str
    port: int  # TCP, on 127.0.0.1
    command: tuple[str, ...]
    shows: str  # what is to be seen there
    environment: Mapping[str, str] = field(default_factory=dict)  # beside our own

    @property
    def url(self) -> str:
        """Address of the page."""
        return f"http://{HOST}:{self.port}"


def list_viewers(*, mlflow_port: int = 5000, evidently_port: int = 8000, viz_port: int = 4141) -> list[Viewer]:
    """Return the three viewers of a project; their commands have to be run in the project's folder."""
    programs = Path(sys.executable).parent
    store = "server --backend-store-uri sqlite:///mlflow.db --default-artifact-root mlruns --no-serve-artifacts"
    graph = f"from rai_kedro.ui.viewers import serve_graph; serve_graph({viz_port})"
    return [
        Viewer(
            "MLflow",
            mlflow_port,
            (str(programs / "mlflow"), *store.split(), "--workers", "1", *_address(mlflow_port)),
            "runs, figures, and the registered model with its versions and approvals",
            # Its background jobs serve language-model traces; without them it is eight processes fewer.
            {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        ),
        Viewer(
            "Evidently",
            evidently_port,
            (str(programs / "evidently"), "ui", "--workspace", _WORKSPACE, *_address(evidently_port)),
            "drift of features and predictions, month by month",
        ),
        Viewer(
            "Kedro-Viz",
            viz_port,
            (sys.executable, "-c", graph),
            "the pipelines, with previews of tables and figures",
        ),
    ]


def _address(port: int) -> tuple[str, ...]:
    return ("--host", HOST, "--port", str(port))


def serve_graph(port: int) -> None:
    """Serve Kedro-Viz for the project in the current folder until the process is stopped.

    ``kedro viz run`` asks PyPI for a newer release at its start and whenever its page is opened, and no option turns
    that off. Here the answer is that of pages published without a server: the installed release, nobody asked.
    """
    from kedro_viz.api.rest import router
    from kedro_viz.api.rest.responses.version import get_static_version_response
    from kedro_viz.server import run_server

    router.get_version_response = get_static_version_response
    run_server(host=HOST, port=port, project_path=str(Path.cwd()), env=os.environ.get("KEDRO_ENV"))
