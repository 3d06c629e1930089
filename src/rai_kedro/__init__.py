"""Responsible-AI control for supervised models on tabular data, as a Kedro project."""

import os

__version__ = "0.1.0"

# Nothing calls home as shipped; whoever wants a library's telemetry sets its variable.
# MLflow heeds DO_NOT_TRACK only if it is the word "true".
for _switch in ("DO_NOT_TRACK", "KEDRO_DISABLE_TELEMETRY", "MLFLOW_DISABLE_TELEMETRY"):
    os.environ.setdefault(_switch, "true")
