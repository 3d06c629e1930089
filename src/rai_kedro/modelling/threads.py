"""How many threads a fit or a prediction is given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

# On fewer rows the threads of a gradient boosting wait for each other longer than they work.
_ROWS_FOR_THREADS = 20_000


@contextmanager
def limit_threads(rows: int) -> Iterator[None]:
    """Fit or predict small data in one thread.

    Args:
        rows: How many rows there are.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(limits=1 if rows < _ROWS_FOR_THREADS else None):
        yield
