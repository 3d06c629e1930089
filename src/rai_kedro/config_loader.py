"""Kedro's configuration loader, which leaves out a use case that cannot be read: one never stops another."""

from __future__ import annotations

from pathlib import Path

from kedro.config import OmegaConfigLoader

from rai_kedro.contract import find_fault


class ProjectConfigLoader(OmegaConfigLoader):
    """Reads every configuration file but those of a use case whose base cannot be read.

    Its pipelines are still registered, and say what is wrong with it (`rai_kedro.pipeline_registry`).
    """

    def _is_valid_config_path(self, path: Path) -> bool:
        if not super()._is_valid_config_path(path):
            return False
        environment = Path(self.conf_source) / self.base_env
        folder = environment / path.parent.name
        is_of_use_case = path.parent.parent.parent == Path(self.conf_source) and (folder / "catalog.yml").is_file()
        return not (is_of_use_case and find_fault(folder) is not None)
