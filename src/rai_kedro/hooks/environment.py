"""Checks of the environment a run happens in: its flags and its MLflow server."""

from __future__ import annotations

import logging
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl

from rai_kedro.catalogue.environments import compare_flags
from rai_kedro.catalogue.reading import rai_block


class EnvironmentHook:
    """Stops early, with a clear word, where an environment contradicts the contract or its server is not there.

    The lanes do not depend on this: the contract is always read from the base folder. What this prevents is a
    catalogue that *shows* other flags than those that hold.
    """

    def __init__(self) -> None:
        self._base: dict[str, Any] = {}
        self._env = "local"

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Ask for the MLflow server before kedro-mlflow does, which would retry for minutes."""
        from rai_kedro.registry.server import check_server

        _quieten_libraries()
        self._env = context.env or "local"
        loader = context.config_loader
        base = type(loader)(
            conf_source=loader.conf_source, env="base", base_env="base", default_run_env="base"
        )
        self._base = {name: rai_block(entry) for name, entry in base["catalog"].items()}
        loader.config_patterns.setdefault("mlflow", ["mlflow*", "mlflow*/**", "**/mlflow*"])
        uri = loader["mlflow"].get("server", {}).get("mlflow_tracking_uri")
        if uri:
            check_server(uri)

    @hook_impl
    def after_catalog_created(self, conf_catalog: dict[str, Any]) -> None:
        """Refuse an environment whose catalogue says something else of a column than the base does."""
        merged = {name: rai_block(entry) for name, entry in conf_catalog.items()}
        compare_flags(self._base, merged, environment=self._env)


def _quieten_libraries() -> None:
    """Leave out what libraries tell their own developers at every command.

    kedro-mlflow and MLflow set their levels when they are imported, for which conf/logging.yml comes too early.
    """
    logging.getLogger("kedro_mlflow").setLevel(logging.CRITICAL)
    logging.getLogger("mlflow").setLevel(logging.WARNING)
