"""The three web pages on which the results of a project are looked at."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rai_kedro.contract import find_use_cases
from rai_kedro.ui.guard import guard

HOST = "127.0.0.1"
_WORKSPACE = "data/08_reporting/evidently"
# Evidently's page asks by POST for the figures of a panel, since a GET could not hold the list of them.
_PANEL_FIGURES = r"/api/v2/snapshots/[0-9a-f-]+/data_series_batch"


@dataclass(frozen=True)
class Viewer:
    """A web page on the project's results, served by a program of its own."""

    name: str
    port: int  # TCP, on 127.0.0.1
    command: tuple[str, ...]
    shows: str  # what is to be seen there
    environment: Mapping[str, str] = field(default_factory=dict)  # beside our own
    health: str = ""  # path that answers as soon as it serves; its first page if empty

    @property
    def url(self) -> str:
        """Address of the page."""
        return f"http://{HOST}:{self.port}"


def list_viewers(*, mlflow_port: int = 5000, evidently_port: int = 8000, viz_port: int = 4141) -> list[Viewer]:
    """Return the three viewers of a project; their commands have to be run in the project's folder."""
    programs = Path(sys.executable).parent
    store = "server --backend-store-uri sqlite:///mlflow.db --default-artifact-root mlruns --no-serve-artifacts"
    return [
        Viewer(
            "MLflow",
            mlflow_port,
            (str(programs / "mlflow"), *store.split(), "--workers", "1", *mlflow_address(mlflow_port)),
            "runs, figures, and the registered model with its versions and approvals",
            # Its background jobs serve language-model traces; without them it is eight processes fewer.
            {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        ),
        Viewer(
            "Evidently",
            evidently_port,
            _serving(serve_reports.__name__, evidently_port),
            "the months in production: verdict, drift, performance, fairness, carbon",
        ),
        Viewer(
            "Kedro-Viz",
            viz_port,
            _serving(serve_graph.__name__, viz_port),
            "the pipelines, with previews of tables and figures",
        ),
    ]


def mlflow_address(port: int) -> tuple[str, ...]:
    """Return the options of ``mlflow server`` for a port of this machine."""
    # MLflow's own guard lets any address of a private network pass if it is not told better.
    allowed = f"{HOST}:{port},localhost:{port}"
    return ("--host", HOST, "--port", str(port), "--allowed-hosts", allowed)


def _serving(function: str, port: int) -> tuple[str, ...]:
    return (sys.executable, "-c", f"from rai_kedro.ui import viewers; viewers.{function}({port})")


def serve_reports(port: int, workspace: str = _WORKSPACE) -> None:
    """Serve an Evidently workspace of the project in the current folder until the process is stopped.

    ``evidently ui`` answers any name that points to this machine, and deletes a project for whoever asks.
    """
    import uvicorn
    from evidently.ui.service.app import create_app, get_config

    pages = create_app(get_config(host=HOST, port=port, workspace=workspace))
    uvicorn.run(guard(pages, port, reads_by_post=_PANEL_FIGURES), host=HOST, port=port)


def serve_graph(port: int) -> None:
    """Serve Kedro-Viz for the project in the current folder until the process is stopped.

    ``kedro viz run`` asks PyPI for a newer release at its start and whenever its page is opened, and no option turns
    that off. Here the answer is that of pages published without a server: the installed release, nobody asked. Its
    page could also publish the graph to a cloud, for whoever asks. It opens on all use cases side by side.
    """
    import uvicorn
    from kedro.pipeline import Pipeline
    from kedro_viz.api.apps import create_api_app_from_project
    from kedro_viz.api.rest import router
    from kedro_viz.api.rest.responses.version import get_static_version_response
    from kedro_viz.data_access import data_access_manager
    from kedro_viz.integrations.kedro.data_loader import load_data
    from kedro_viz.server import populate_data

    router.get_version_response = get_static_version_response
    catalog, pipelines, extras = load_data(Path.cwd(), os.environ.get("KEDRO_ENV"))
    use_cases = find_use_cases(Path.cwd() / "conf" / "base")
    together = sum((pipelines[name] for name in use_cases if name in pipelines), start=Pipeline([]))
    populate_data(data_access_manager, catalog, {**pipelines, "__default__": together}, extras)
    uvicorn.run(guard(create_api_app_from_project(Path.cwd()), port), host=HOST, port=port, log_config=None)
