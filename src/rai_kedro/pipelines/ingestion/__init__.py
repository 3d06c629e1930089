"""The ingestion stage: monthly stores from a file of one's own. Nothing in it is simulated."""

from rai_kedro.pipelines.ingestion.pipeline import create_pipeline

__all__ = ["create_pipeline"]
