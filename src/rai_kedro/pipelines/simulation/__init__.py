"""The simulation stage."""

from rai_kedro.pipelines.simulation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
