"""What a person sees of a run: one line a node, and where to look when it is done."""

from __future__ import annotations

import logging
import time
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

_log = logging.getLogger(__name__)


class ProgressHook:
    """Counts nodes while they run and ends with a short table."""

    def __init__(self) -> None:
        self._total = 0
        self._done = 0
        self._started = 0.0
        self._run_started = 0.0

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline) -> None:
        """Remember how much there is to do."""
        self._total, self._done = len(pipeline.nodes), 0
        self._run_started = time.perf_counter()
        names = run_params.get("pipeline_names") or ["__default__"]
        _log.info("%s: %d nodes, environment '%s'", " + ".join(names), self._total, run_params.get("env") or "local")

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Say which node starts; its time follows with the next line of the log."""
        self._done += 1
        _log.info("[%2d/%d] %s", self._done, self._total, node.name)

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Print what happened and where to look."""
        from rai_kedro.hooks.summary import describe_run

        for line in describe_run(pipeline, catalog, time.perf_counter() - self._run_started):
            _log.info("%s", line)
