"""Before anything else is done: a look at the environment a run happens in, and the locks of its use cases."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from rai_kedro import release
from rai_kedro.commands.project import lock_path, require_readable
from rai_kedro.files import locked
from rai_kedro.hooks import use_cases_of

if TYPE_CHECKING:
    from kedro.config import OmegaConfigLoader

# What changes the months or the production model of a use case happens one at a time.
_LOCKED_STAGES = ("simulation", "ingestion", "monitoring")


class EnvironmentHook:
    """Puts MLflow's local store where the project is, and stops early where a store cannot be used."""

    def __init__(self) -> None:
        self._database: Path | None = None
        self._project = Path()

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Look at MLflow's store before kedro-mlflow does, which would retry for minutes.

        Its address counts from the project, whatever the working directory; kedro-mlflow reads what is set here.
        """
        _quieten_libraries()
        loader = cast("OmegaConfigLoader", context.config_loader)
        loader.config_patterns.setdefault("mlflow", ["mlflow*", "mlflow*/**", "**/mlflow*"])
        settings: dict[str, Any] = loader["mlflow"]
        uri = settings.get("server", {}).get("mlflow_tracking_uri")
        if not uri:
            return
        self._project = Path(context.project_path)
        uri = release.store.place_store(uri, self._project)
        settings["server"]["mlflow_tracking_uri"] = uri
        loader["mlflow"] = settings
        release.store.bound_retries()
        release.store.check_server(
            uri,
            settings_file=f"conf/{context.env}/globals.yml or conf/base/globals.yml"
            if context.env
            else "conf/base/globals.yml",
        )
        self._database = release.store.find_database(uri)
        if self._database is not None:
            release.store.make_database(self._database)
            release.store.keep_artifacts_in(self._project)
            self.after_catalog_created()

    @hook_impl
    def after_catalog_created(self) -> None:
        """Note the project's folder in the local database, which MLflow may have made just now."""
        moved = release.follow_project(self._database, self._project) if self._database else None
        if moved:
            click.echo(moved, err=True)


def _quieten_libraries() -> None:
    """Leave out what libraries tell their own developers at every command.

    kedro-mlflow and MLflow set their levels when they are imported, for which conf/logging.yml comes too early.
    """
    logging.getLogger("kedro_mlflow").setLevel(logging.CRITICAL)
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    # What a database refuses is explained on one screen (commands/errors.py); this shows it with rows and traceback.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)


class UseCaseLockHook:
    """Holds the lock of each use case while a run writes its months or monitors them."""

    def __init__(self) -> None:
        self._held = ExitStack()

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Take the locks before anything is opened; another holder is named, and nothing is run.

        Nor is a use case of which the environment says something that cannot be read, nor a training whose signature
        would fail at its end.
        """
        self._held.close()  # a run that was interrupted in this process has told no hook
        for use_case in use_cases_of(pipeline):
            require_readable(use_case, run_params.get("env"))
        with ExitStack() as taken:
            for use_case in use_cases_of(pipeline.only_nodes_with_tags(*_LOCKED_STAGES)):
                taken.enter_context(locked(lock_path(catalog, use_case)))
            for name in pipeline.outputs():
                if name.endswith(".model_card"):
                    cards: Any = catalog[name]
                    cards.find_key()
            self._held = taken.pop_all()

    @hook_impl(trylast=True)
    def after_pipeline_run(self) -> None:
        """Let go, however the run ended."""
        self._held.close()

    on_pipeline_error = after_pipeline_run
