"""Name and tags by which a person finds an MLflow run again, and the end of runs that were killed."""

from __future__ import annotations

import os
import subprocess
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline

from rai_kedro.release import GIT_COMMIT_TAG
from rai_kedro.words import UNCOMMITTED

_STAGES = ("simulation", "ingestion", "governance", "training", "monitoring")


class RunTagsHook:
    """Names the run after use case and stages, tags it with commit and environment, and closes killed ones."""

    @hook_impl(trylast=True)
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline) -> None:
        """Tag the run that kedro-mlflow has just opened."""
        import mlflow

        from rai_kedro.release import PROCESS_TAG, close_killed_runs, name_process

        run = mlflow.active_run()
        if run is None:
            return
        # MLflow's own variable: datasets that save from another thread or process find the run by it.
        os.environ["MLFLOW_RUN_ID"] = run.info.run_id
        use_cases = sorted({(node.namespace or "").partition(".")[0] for node in pipeline.nodes} - {""})
        use_case = ", ".join(use_cases)
        stages = ", ".join(stage for stage in _STAGES if pipeline.only_nodes_with_tags(stage).nodes)
        mlflow.set_tags(
            {
                "mlflow.runName": f"{use_case}: {stages}",
                "rai.use_case": use_case,
                "rai.stages": stages,
                "rai.environment": run_params.get("env") or "local",
                PROCESS_TAG: name_process(),
                **_commit(run_params["project_path"]),
            }
        )
        close_killed_runs(mlflow.MlflowClient(), use_case, run.info.run_id)

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Forget the run."""
        os.environ.pop("MLFLOW_RUN_ID", None)

    @hook_impl(tryfirst=True)
    def on_pipeline_error(self, error: Exception) -> None:
        """Forget the run; where MLflow's server is gone, let nobody wait for it again."""
        from rai_kedro.commands.errors import is_server_lost
        from rai_kedro.release import give_up_on_server

        os.environ.pop("MLFLOW_RUN_ID", None)
        if is_server_lost(error):
            give_up_on_server()


def _commit(project_path: str) -> dict[str, str]:
    """Return the commit as a tag; nothing where the code is not under version control."""
    git = ["git", "-C", project_path]
    try:
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)  # noqa: S603
        changes = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {GIT_COMMIT_TAG: commit.stdout.strip() + (UNCOMMITTED if changes.stdout.strip() else "")}
