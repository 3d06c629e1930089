"""Responsible-AI control for supervised models on tabular data, as a Kedro project."""

import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036 - pip would have refused it; somebody who put the source on the path did not ask pip
    raise RuntimeError(f"rai_kedro needs Python 3.11 to 3.14; this is {sys.version.split()[0]} ({sys.executable}).")

__version__ = "0.1.0"

# Nothing calls home as shipped; whoever wants a library's telemetry sets its variable.
# MLflow heeds DO_NOT_TRACK only if it is the word "true".
for _switch in ("DO_NOT_TRACK", "KEDRO_DISABLE_TELEMETRY", "MLFLOW_DISABLE_TELEMETRY"):
    os.environ.setdefault(_switch, "true")
