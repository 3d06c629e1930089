"""What MLflow shows of a run: experiment, name, tags, every parameter; and the end of runs that were killed."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from threading import Lock
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline
from pydantic import BaseModel

from rai_kedro import release
from rai_kedro.hooks import use_cases_of
from rai_kedro.pipelines import STAGES
from rai_kedro.release import Tag
from rai_kedro.words import UNCOMMITTED

_PREFIX = "params:"
# MLflow's limits: characters of a name, longest value, most parameters in one request.
_NAME = re.compile(r"[^/\w.\- :]")
_LONGEST = 6_000
_AT_ONCE = 100


class ExperimentHook:
    """Gives each use case an experiment of its own, beside that of the project, in which runs of several stand."""

    @hook_impl(trylast=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Note what kedro-mlflow read of its settings; a caller without it has none."""
        self._context, self._settings = context, getattr(context, "mlflow", None)
        self._project = self._settings.tracking.experiment.name if self._settings else ""

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Name the experiment just before kedro-mlflow opens the run; whoever has one open already keeps it."""
        import mlflow

        if self._settings is None or mlflow.active_run() is not None:
            return
        use_cases = use_cases_of(pipeline)
        name = f"{self._project}.{use_cases[0]}" if len(use_cases) == 1 else self._project
        if name != self._settings.tracking.experiment.name:
            self._settings.tracking.experiment.name = name
            self._settings.setup(self._context)


class RunTagsHook:
    """Names the run after use case and stages, tags it with commit and environment, and closes killed ones."""

    @hook_impl(trylast=True)
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline) -> None:
        """Tag the run that kedro-mlflow has just opened."""
        import mlflow

        run = mlflow.active_run()
        if run is None:
            return
        # MLflow's own variable: datasets that save from another thread or process find the run by it.
        os.environ["MLFLOW_RUN_ID"] = run.info.run_id
        use_case = ", ".join(use_cases_of(pipeline))
        stages = ", ".join(stage for stage in STAGES if pipeline.only_nodes_with_tags(stage).nodes)
        mlflow.set_tags(
            {
                "mlflow.runName": f"{use_case}: {stages}",
                Tag.USE_CASE: use_case,
                "rai.stages": stages,
                "rai.environment": run_params.get("env") or "local",
                release.PROCESS_TAG: release.name_process(),
                **read_commit(run_params["project_path"]),
            }
        )
        release.close_killed_runs(mlflow.MlflowClient(), use_case, run.info.run_id)

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Forget the run."""
        os.environ.pop("MLFLOW_RUN_ID", None)

    @hook_impl(tryfirst=True)
    def on_pipeline_error(self, error: Exception) -> None:
        """Forget the run; where MLflow's server is gone, let nobody wait for it again."""
        from rai_kedro.commands.errors import is_server_lost

        os.environ.pop("MLFLOW_RUN_ID", None)
        if is_server_lost(error):
            release.give_up_on_server()


def read_commit(project_path: str) -> dict[str, str]:
    """Return the commit as a tag; nothing where the code is not under version control."""
    git = ["git", "-C", project_path]
    try:
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)  # noqa: S603
        changes = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {Tag.GIT_COMMIT: commit.stdout.strip() + (UNCOMMITTED if changes.stdout.strip() else "")}


class RunParametersHook:
    """Logs typed parameters leaf by leaf, each section once in a run.

    kedro-mlflow logs what nodes are handed, at every node anew: of a typed section that would be its ``repr`` in one
    line. What it is shown here of such a section is an empty mapping, which it logs as nothing.
    """

    def __init__(self) -> None:
        self._logged: set[str] = set()
        self._lock = Lock()  # of threads that run nodes: MLflow refuses a parameter that two log at once

    @hook_impl
    def before_pipeline_run(self) -> None:
        """Forget what the last run logged."""
        self._logged.clear()

    @hook_impl(hookwrapper=True)
    def before_node_run(self, inputs: dict[str, Any]) -> Iterator[None]:
        """Hide typed sections from kedro-mlflow, and log the leaves of those that are new in this run."""
        typed = {name: one for name, one in inputs.items() if name.startswith(_PREFIX) and isinstance(one, BaseModel)}
        # A leaf that is handed in by itself is logged as its section logs it, or MLflow refuses the second.
        lists = {name: one for name, one in inputs.items() if name.startswith(_PREFIX) and isinstance(one, tuple)}
        # Kedro hands hooks a copy: the node gets its section whatever happens here.
        inputs.update({name: {} for name in typed} | {name: list(one) for name, one in lists.items()})
        yield
        inputs.update(typed | lists)
        with self._lock:
            new = {name: one for name, one in typed.items() if name not in self._logged}
            if new:
                self._log(new)

    def _log(self, sections: Mapping[str, BaseModel]) -> None:
        import mlflow

        if mlflow.active_run() is None:
            return
        leaves = [leaf for name, one in sections.items() for leaf in list_leaves(name.removeprefix(_PREFIX), one)]
        for start in range(0, len(leaves), _AT_ONCE):
            mlflow.log_params(dict(leaves[start : start + _AT_ONCE]))
        self._logged.update(sections)


def list_leaves(name: str, section: BaseModel) -> list[tuple[str, str]]:
    """Return every leaf of a section under the key it has in the YAML, in a form that MLflow takes."""
    leaves = _flatten(name, section.model_dump(mode="json", by_alias=True))
    return [(_NAME.sub("_", path), str(value)[:_LONGEST]) for path, value in leaves]


def _flatten(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list) and any(isinstance(one, dict) for one in value):
        value = dict(enumerate(value))
    if isinstance(value, dict) and value:
        for key, one in value.items():
            yield from _flatten(f"{path}.{key}", one)
    else:
        yield path, value
