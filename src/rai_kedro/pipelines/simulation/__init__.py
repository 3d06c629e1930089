"""The simulation stage of the built-in use cases: months that are made, not taken."""

from rai_kedro.pipelines.simulation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
