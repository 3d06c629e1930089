"""The governance stage."""

from rai_kedro.pipelines.governance.pipeline import create_pipeline

__all__ = ["create_pipeline"]
