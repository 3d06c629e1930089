"""Switches off what MLflow prints that no reader of a run can use."""

from __future__ import annotations

import os
import warnings


def silence_mlflow() -> None:
    """Switch off MLflow's progress bars and its hint about integer columns; a user's own setting stands.

    The bars are drawn for every copy of a few small files. The hint tells the reader to declare integer
    columns as floats in case they have missing values; here the column contract says what may be missing, and
    enforces it.
    """
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # A lasting filter and not `catch_warnings`, which is not safe with the threads of a ThreadRunner.
    warnings.filterwarnings("ignore", message="Hint: Inferred schema contains integer column", category=UserWarning)
