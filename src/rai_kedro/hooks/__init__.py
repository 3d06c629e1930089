"""What happens around a run: carbon, tags, a check of the environment, progress.

Nothing here protects anything: a runner may skip hooks. Contract and approval are enforced by nodes and datasets.
"""

from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node


def use_case_of(node: Node) -> str:
    """Return the use case of a node, the first part of its namespace; empty where it has none."""
    return (node.namespace or "").partition(".")[0]


def use_cases_of(pipeline: Pipeline) -> list[str]:
    """Return the use cases of a pipeline's nodes, sorted."""
    return sorted({use_case_of(node) for node in pipeline.nodes} - {""})
