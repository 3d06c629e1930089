"""What has to be set before Kedro loads its plugins; called through the entry point ``kedro.init``."""

import atexit
import gc
import logging
import os
import sys
from io import TextIOWrapper
from pathlib import Path

from rai_kedro.files import project_folder

_GC_THRESHOLDS = (50_000, 20, 100)


def prepare() -> None:
    """Set up logging and output for the project, and collect garbage less often.

    Loading kedro-mlflow raises a warning meant for its own authors, at every command and past every warning filter:
    warnings go through the log, where conf/logging.yml decides what is shown.
    """
    _log_as_project()
    logging.captureWarnings(capture=True)
    for stream in (sys.stdout, sys.stderr):
        # A locale without UTF-8 must not end a command at a dash or at somebody's name.
        if isinstance(stream, TextIOWrapper) and stream.encoding.lower().replace("-", "") != "utf8":
            stream.reconfigure(errors="backslashreplace")
    # Imports make over a million objects that stay until the end. With Python's own thresholds the collector walks
    # through them over a thousand times, and a last time when the process ends; what it would free then, the
    # operating system frees. Together that is four of thirty seconds (docs/benchmarks.md).
    gc.set_threshold(*_GC_THRESHOLDS)
    atexit.register(gc.freeze)


def _log_as_project() -> None:
    """Log as conf/logging.yml says in every folder of the project; Kedro reads it in the project's own folder only."""
    settings = project_folder() / "conf" / "logging.yml"
    if Path("conf/logging.yml").exists() or "KEDRO_LOGGING_CONFIG" in os.environ or not settings.is_file():
        return
    from kedro.framework.project import LOGGING
    from yaml import safe_load

    LOGGING.configure(safe_load(settings.read_text(encoding="utf-8")))
