"""Checks of the environment a run happens in: its flags and its MLflow server."""

from __future__ import annotations

import logging
from copy import copy
from typing import TYPE_CHECKING, Any, cast

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl

from rai_kedro.catalogue.environments import compare_flags
from rai_kedro.catalogue.reading import rai_block

if TYPE_CHECKING:
    from kedro.config import OmegaConfigLoader


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
        loader = cast("OmegaConfigLoader", context.config_loader)
        # A copy, not a second loader: a new one would take over the process-wide resolver of `globals:`, and
        # with it every path and address of this environment.
        base = copy(loader)
        base.data.clear()
        base.env = loader.base_env
        self._base = {name: rai_block(entry) for name, entry in base["catalog"].items()}
        loader.config_patterns.setdefault("mlflow", ["mlflow*", "mlflow*/**", "**/mlflow*"])
        uri = loader["mlflow"].get("server", {}).get("mlflow_tracking_uri")
        if uri:
            check_server(uri, settings_file=f"conf/{self._env}/mlflow.yml")

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
