"""Mitigations on the same rows: fitted, held against each other and against the true need, and one chosen."""

from rai_kedro.mitigation.comparison.comparing import (
    Comparison,
    ComparisonRequest,
    ConfiguredMethod,
    Rows,
    Uncompared,
    compare_methods,
)

__all__ = ["Comparison", "ComparisonRequest", "ConfiguredMethod", "Rows", "Uncompared", "compare_methods"]
