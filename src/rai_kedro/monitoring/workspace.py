"""Keep the months of a registered model in a local Evidently workspace, with a dashboard over them.

One project for each registered model, one run for each month and model version. Their ids are derived from
their names, so that publishing again replaces and never doubles, and no search through the workspace can
fail on a project that somebody else left damaged. ``evidently ui --workspace <path>`` shows them.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

from rai_kedro.files import move_into_place, staging_folder
from rai_kedro.monitoring.results import MonthDrift

if TYPE_CHECKING:
    from evidently import Run
    from evidently.sdk.models import ProjectModel
    from evidently.ui.workspace import Workspace


@dataclass(frozen=True)
class MonthReport:
    """What is published of one month: the decisions, Evidently's run that made them, the model's MLflow run."""

    drift: MonthDrift
    snapshot: Run
    run_id: str


NAMESPACE = UUID("7c9d3a52-6f0e-5d0b-9c36-3f6a5f1d8e21")
"""Fixed and arbitrary; ids of projects are derived from it (UUID version 5, RFC 9562)."""


def project_id(project_name: str) -> UUID:
    """Return the id of the project of a registered model.

    Args:
        project_name: Name of the registered model.

    Returns:
        Always the same id for the same name.
    """
    return uuid5(NAMESPACE, project_name)


def publish_month(
    workspace_path: Path, project_name: str, month_report: MonthDrift, snapshot: Run, *, run_id: str
) -> Path:
    """Put one month into the workspace; a month already there under this model version is replaced.

    Args:
        workspace_path: Folder of the workspace; made if absent.
        project_name: Name of the registered model; its project is made if absent.
        month_report: The month's decisions.
        snapshot: Evidently's run that made them; its timestamp is where the month stands on the time axis.
        run_id: MLflow run of the model version.

    Returns:
        The stored run's file.
    """
    from evidently.ui.storage.local.base import SNAPSHOTS_DIR_NAME

    project = ensure_project(workspace_path, project_name)
    stored_id = uuid5(project_id(project_name), f"{month_report.month}/{month_report.model_version}")
    with staging_folder(workspace_path, str(stored_id)) as staging:
        written = _stage(staging).add_run(project_id(project_name), _label(snapshot, month_report, run_id))
        target: Path = project / SNAPSHOTS_DIR_NAME / f"{stored_id}.json"
        move_into_place(Path(written.url), target)
    return target


def rebuild_dashboard(workspace_path: Path, project_name: str, month_report: MonthDrift) -> None:
    """Replace the project's dashboard: an overview of all columns, and a panel for each column.

    The whole dashboard is written at once, because Evidently's calls that change one (``add_panel``,
    ``delete_panel``, ``clear_tab``) double, lose or leave behind panels.

    Args:
        workspace_path: Folder of the workspace; made if absent.
        project_name: Name of the registered model; its project is made if absent.
        month_report: A month that names the tested columns and the family-wise rate, usually the latest.
    """
    from evidently.ui.storage.local.base import DASHBOARD_FILE_NAME

    from rai_kedro.monitoring.dashboard import lay_out_dashboard

    project = ensure_project(workspace_path, project_name)
    dashboard = lay_out_dashboard(project_id(project_name), month_report)
    with staging_folder(workspace_path, f"{project.name}-dashboard") as staging:
        staged = _stage(staging)
        staged.add_project(_project_model(project_name))
        staged.save_dashboard(project_id(project_name), dashboard)
        move_into_place(staging / project.name / DASHBOARD_FILE_NAME, project / DASHBOARD_FILE_NAME)


def ensure_project(workspace_path: Path, project_name: str) -> Path:
    """Make the project of a registered model, once.

    Args:
        workspace_path: Folder of the workspace; made if absent.
        project_name: Name of the registered model.

    Returns:
        The project's folder.
    """
    from evidently.ui.storage.local.base import PROJECT_FILE_NAME

    project = workspace_path / str(project_id(project_name))
    if not _is_readable(project / PROJECT_FILE_NAME):
        with staging_folder(workspace_path, project.name) as staging:
            _stage(staging).add_project(_project_model(project_name))
            if project.exists():  # left half removed or half written: its runs may stay, they are whole
                move_into_place(staging / project.name / PROJECT_FILE_NAME, project / PROJECT_FILE_NAME)
            else:
                move_into_place(staging / project.name, project)
    return project


def remove_project(workspace_path: Path, project_name: str) -> bool:
    """Remove a registered model's project with all its runs.

    Args:
        workspace_path: Folder of the workspace.
        project_name: Name of the registered model.

    Returns:
        Whether there was anything to remove.
    """
    from evidently.ui.storage.local.base import PROJECT_FILE_NAME, SNAPSHOTS_DIR_NAME

    project = workspace_path / str(project_id(project_name))
    if not project.exists():
        return False
    # The runs go first, so that a project removed only half cannot come back to life with old runs.
    shutil.rmtree(project / SNAPSHOTS_DIR_NAME, ignore_errors=True)
    (project / PROJECT_FILE_NAME).unlink(missing_ok=True)
    shutil.rmtree(project)
    return True


def save_html(snapshot: Run, path: Path) -> Path:
    """Write a month's report as one self-contained HTML file, whole or not at all.

    Args:
        snapshot: Evidently's run.
        path: The file; its folder is made if absent, an older file is replaced.

    Returns:
        The file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with staging_folder(path, "html") as staging:
        snapshot.save_html(str(staging / path.name))
        move_into_place(staging / path.name, path)
    return path


def _stage(folder: Path) -> Workspace:
    from evidently.ui.workspace import Workspace as EvidentlyWorkspace

    return EvidentlyWorkspace(str(folder))


def _project_model(project_name: str) -> ProjectModel:
    from evidently.sdk.models import ProjectModel as EvidentlyProject

    return EvidentlyProject(
        id=project_id(project_name),
        name=project_name,
        description=f"Drift of the data that the production model {project_name} predicts on, month by month",
    )


def _is_readable(file: Path) -> bool:
    try:
        return isinstance(json.loads(file.read_text(encoding="utf-8")), dict)
    except (FileNotFoundError, json.JSONDecodeError):
        return False


def _label(snapshot: Run, drift: MonthDrift, run_id: str) -> Run:
    """Copy a run, adding what is only known when it is published; its results are shared, not copied."""
    from evidently import Run as EvidentlyRun

    labels = {
        "month": drift.month,
        "model_version": drift.model_version,
        "run_id": run_id,
        "verdict": "drift" if drift.verdict else "no drift found",
        "drifted_columns": ", ".join(drift.drifted_columns),
        "family_wise_rate": f"{drift.family_wise_rate:g}",
    }
    model = snapshot.to_snapshot_model()
    tags = [
        f"month={drift.month}",
        f"model_version={drift.model_version}",
        f"run_id={run_id}",
        labels["verdict"],
    ]
    return EvidentlyRun.load_model(model.copy(update={"metadata": labels, "tags": tags}))
