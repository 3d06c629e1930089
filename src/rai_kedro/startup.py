"""What has to be set before Kedro loads its plugins; called through the entry point ``kedro.init``."""

import atexit
import gc
import logging

_GC_THRESHOLDS = (50_000, 20, 100)


def prepare() -> None:
    """Send warnings through the log, where conf/logging.yml decides what is shown, and collect garbage less often.

    Loading kedro-mlflow raises a warning meant for its own authors, at every command and past every warning filter.
    """
    logging.captureWarnings(capture=True)
    # Imports make over a million objects that stay until the end. With Python's own thresholds the collector walks
    # through them over a thousand times, and a last time when the process ends; what it would free then, the
    # operating system frees. Together that is four of thirty seconds (docs/benchmarks.md).
    gc.set_threshold(*_GC_THRESHOLDS)
    atexit.register(gc.freeze)
