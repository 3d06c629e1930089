"""What has to be set before Kedro loads its plugins; called through the entry point ``kedro.init``."""

import atexit
import gc
import locale
import logging
import os
import sys
from pathlib import Path

from rai_kedro.files import project_folder, shipped_folder

_GC_THRESHOLDS = (50_000, 20, 100)


def prepare() -> None:
    """Set up logging and output for the project, and collect garbage less often.

    Loading kedro-mlflow raises a warning meant for its own authors, at every command and past every warning filter:
    warnings go through the log, where conf/logging.yml decides what is shown.
    """
    _require_utf8()
    _log_as_project()
    logging.captureWarnings(capture=True)
    # Imports make over a million objects that stay until the end. With Python's own thresholds the collector walks
    # through them over a thousand times, and a last time when the process ends; what it would free then, the
    # operating system frees. Together that is four of thirty seconds (docs/benchmarks.md).
    gc.set_threshold(*_GC_THRESHOLDS)
    atexit.register(gc.freeze)


def _require_utf8() -> None:
    """Start the command anew in Python's UTF-8 mode where the locale has no UTF-8.

    Kedro's datasets write text in the encoding of the locale: files would differ by machine, and a dash or somebody's
    name would end a run. Only a command is started anew, never a notebook or a program that uses this package.
    """
    is_command = Path(sys.argv[0]).name in {"kedro", "rai-kedro"} and bool(sys.orig_argv)
    if not is_command or locale.getpreferredencoding(do_setlocale=False).lower().replace("-", "") == "utf8":
        return
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, "PYTHONUTF8": "1"})  # noqa: S606


def _log_as_project() -> None:
    """Log as conf/logging.yml says in every folder of the project, and outside of one as every project begins.

    Kedro reads it in the project's own folder only.
    """
    places = [folder / "conf" / "logging.yml" for folder in (project_folder(), shipped_folder())]
    settings = next((one for one in places if one.is_file()), None)
    if Path("conf/logging.yml").exists() or "KEDRO_LOGGING_CONFIG" in os.environ or settings is None:
        return
    # Kedro, if it is not loaded yet, else says on stdout which settings it found, amid what a program reads.
    os.environ["KEDRO_LOGGING_CONFIG"] = str(settings)
    from kedro.framework.project import LOGGING

    del os.environ["KEDRO_LOGGING_CONFIG"]
    from yaml import safe_load

    LOGGING.configure(safe_load(settings.read_text(encoding="utf-8")))
