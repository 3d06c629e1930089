"""Keep the months of a registered model in a local Evidently workspace, with a dashboard over them.

One project for each registered model, one run for each month and model version. Their ids are derived from their names,
so that publishing again replaces and never doubles. A run is made from the stored result alone, so a workspace that was
lost is made again without the data. ``evidently ui --workspace <path>`` shows it.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from rai_kedro.files import move_into_place, staging_folder
from rai_kedro.monitoring.timeline import MonthRecord

if TYPE_CHECKING:
    from evidently import Run
    from evidently.sdk.models import ProjectModel
    from evidently.ui.workspace import Workspace

NAMESPACE = UUID("7c9d3a52-6f0e-5d0b-9c36-3f6a5f1d8e21")
"""Fixed and arbitrary; ids of projects are derived from it (UUID version 5, RFC 9562)."""
# Evidently's names, without importing it to see whether anything is there.
# The lines of a saved report on which Evidently puts what was measured.
_EMBEDDED = re.compile(r"^    var (additional_graphs_)?(metric_[0-9a-z]+) = ")
# Random names of parts (UUID version 7); a quotation mark in text of the data would be escaped.
_RANDOM = re.compile(r'(?<="id": ")[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}(?=")')
_SNAPSHOTS, _PROJECT, _DASHBOARD = "snapshots", "metadata.json", "dashboard.json"


def project_id(project_name: str) -> UUID:
    """Return the id of the project of a registered model: always the same for the same name."""
    return uuid5(NAMESPACE, project_name)


def publish_month(workspace_path: Path, project_name: str, record: MonthRecord) -> Run:
    """Put one month into the workspace, replacing what was there of it, and return Evidently's run that shows it.

    Workspace and project are made if absent.
    """
    from evidently.legacy.utils import NumpyEncoder

    from rai_kedro.monitoring.evidently_run import make_run

    run = make_run(record)
    ensure_project(workspace_path, project_name)
    target = _snapshot(workspace_path, project_name, record.month, record.model_version)
    model = run.to_snapshot_model().copy(update={"id": UUID(target.stem)})
    with staging_folder(workspace_path, target.stem) as staging:
        # As Evidently's own storage writes it, but in one piece, which takes a fifth of the time.
        staged = staging / target.name
        staged.write_text(_settle(json.dumps(model.dict(), cls=NumpyEncoder)), encoding="utf-8")
        move_into_place(staged, target)
    return run


def find_published(workspace_path: Path, project_name: str) -> dict[tuple[str, str], str]:
    """Return the months and model versions in the workspace, each with the digest of the record that it shows.

    None if the project is damaged; a run that cannot be read is left out.
    """
    project = workspace_path / str(project_id(project_name))
    if any(_read(project / name) is None for name in (_PROJECT, _DASHBOARD)):
        return {}
    runs = (_read(file) for file in sorted((project / _SNAPSHOTS).glob("*.json")))
    of = [run["metadata"] for run in runs if run and isinstance(run.get("metadata"), dict)]
    return {(one["month"], one["model_version"]): one.get("digest", "") for one in of}


def withdraw_month(workspace_path: Path, project_name: str, month: str, model_version: str) -> None:
    """Remove one month, if it is there."""
    _snapshot(workspace_path, project_name, month, model_version).unlink(missing_ok=True)


def rebuild_dashboard(workspace_path: Path, project_name: str, records: Sequence[MonthRecord]) -> None:
    """Replace the project's dashboard by one that shows these months, which are all there are.

    The whole dashboard is written at once, because Evidently's calls that change one (``add_panel``,
    ``delete_panel``, ``clear_tab``) double, lose or leave behind panels.
    """
    from rai_kedro.monitoring.evidently_dashboard import lay_out

    project = ensure_project(workspace_path, project_name)
    dashboard = lay_out(project_id(project_name), records)
    with staging_folder(workspace_path, f"{project.name}-dashboard") as staging:
        staged = _stage(staging)
        staged.add_project(_project_model(project_name))
        staged.save_dashboard(project_id(project_name), dashboard)
        move_into_place(staging / project.name / _DASHBOARD, project / _DASHBOARD)


def ensure_project(workspace_path: Path, project_name: str) -> Path:
    """Make the project of a registered model, once, and return its folder."""
    project = workspace_path / str(project_id(project_name))
    if _read(project / _PROJECT) is None:
        with staging_folder(workspace_path, project.name) as staging:
            _stage(staging).add_project(_project_model(project_name))
            if project.exists():  # left half removed or half written: its runs may stay, they are whole
                move_into_place(staging / project.name / _PROJECT, project / _PROJECT)
            else:
                move_into_place(staging / project.name, project)
    return project


def remove_project(workspace_path: Path, project_name: str) -> bool:
    """Remove a registered model's project with all its runs, and return whether there was one."""
    project = workspace_path / str(project_id(project_name))
    if not project.exists():
        return False
    # The runs go first, so that a project removed only half cannot come back to life with old runs.
    shutil.rmtree(project / _SNAPSHOTS, ignore_errors=True)
    (project / _PROJECT).unlink(missing_ok=True)
    shutil.rmtree(project)
    return True


def save_html(snapshot: Run, path: Path) -> Path:
    """Write a run as one self-contained HTML file, whole or not at all, and return the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with staging_folder(path, "html") as staging:
        snapshot.save_html(str(staging / path.name))
        _settle_page(staging / path.name)
        move_into_place(staging / path.name, path)
    return path


def _settle_page(page: Path) -> None:
    """Escape data where Evidently writes it into a script, and name the parts of the page the same every time."""
    lines = page.read_text(encoding="utf-8").split("\n")
    drawn = next((found[2] for found in map(_EMBEDDED.match, lines) if found), "")
    safe = (_settle(line.replace("<", "\\u003c")) if _EMBEDDED.match(line) else line for line in lines)
    text = "\n".join(safe)
    page.write_text(text.replace(drawn, "metric_month") if drawn else text, encoding="utf-8")


def _settle(text: str) -> str:
    """Number the parts of a run, which Evidently names at random: what is shown twice is the same file."""
    found = list(dict.fromkeys(_RANDOM.findall(text)))
    numbers = {name: str(uuid5(NAMESPACE, str(number))) for number, name in enumerate(found)}
    return _RANDOM.sub(lambda one: numbers[one[0]], text)


def _snapshot(workspace_path: Path, project_name: str, month: str, model_version: str) -> Path:
    project = project_id(project_name)
    return workspace_path / str(project) / _SNAPSHOTS / f"{uuid5(project, f'{month}/{model_version}')}.json"


def _stage(folder: Path) -> Workspace:
    from evidently.ui.workspace import Workspace as EvidentlyWorkspace

    return EvidentlyWorkspace(str(folder))


def _project_model(project_name: str) -> ProjectModel:
    from evidently.sdk.models import ProjectModel as EvidentlyProject

    return EvidentlyProject(
        id=project_id(project_name),
        name=project_name,
        description=f"The model {project_name} in production, month by month: verdict and what it rests on",
    )


def _read(file: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return content if isinstance(content, dict) else None
