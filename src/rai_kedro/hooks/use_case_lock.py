"""One at a time: what changes the months or the production model of a use case."""

from __future__ import annotations

from contextlib import ExitStack

from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from rai_kedro.commands.project import lock_path
from rai_kedro.files import locked

_STAGES = ("simulation", "ingestion", "monitoring")


class UseCaseLockHook:
    """Holds the lock of each use case while a run writes its months or monitors them."""

    def __init__(self) -> None:
        self._held = ExitStack()

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Take the locks before anything is opened; another holder is named, and nothing is run."""
        self._held.close()  # a run that was interrupted in this process has told no hook
        nodes = pipeline.only_nodes_with_tags(*_STAGES).nodes
        with ExitStack() as taken:
            for use_case in sorted({(node.namespace or "").partition(".")[0] for node in nodes} - {""}):
                taken.enter_context(locked(lock_path(catalog, use_case)))
            self._held = taken.pop_all()

    @hook_impl(trylast=True)
    def after_pipeline_run(self) -> None:
        """Let go."""
        self._held.close()

    @hook_impl(trylast=True)
    def on_pipeline_error(self) -> None:
        """Let go."""
        self._held.close()
