"""A look at the environment a run happens in, before anything else is done."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, cast

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl

if TYPE_CHECKING:
    from kedro.config import OmegaConfigLoader


class EnvironmentHook:
    """Stops early, with a clear word, where the MLflow server of an environment is not there."""

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Ask for the MLflow server before kedro-mlflow does, which would retry for minutes."""
        from rai_kedro.release.server import check_server

        _quieten_libraries()
        loader = cast("OmegaConfigLoader", context.config_loader)
        loader.config_patterns.setdefault("mlflow", ["mlflow*", "mlflow*/**", "**/mlflow*"])
        uri = loader["mlflow"].get("server", {}).get("mlflow_tracking_uri")
        if uri:
            check_server(uri, settings_file=f"conf/{context.env or 'local'}/mlflow.yml")


def _quieten_libraries() -> None:
    """Leave out what libraries tell their own developers at every command.

    kedro-mlflow and MLflow set their levels when they are imported, for which conf/logging.yml comes too early.
    """
    logging.getLogger("kedro_mlflow").setLevel(logging.CRITICAL)
    logging.getLogger("mlflow").setLevel(logging.WARNING)
