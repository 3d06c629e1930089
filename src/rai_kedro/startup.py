"""What has to be set before Kedro loads its plugins; called through the entry point ``kedro.init``."""

import logging


def prepare() -> None:
    """Send warnings through the log, where conf/logging.yml decides what is shown.

    Loading kedro-mlflow raises a warning meant for its own authors, at every command and past every warning filter.
    """
    logging.captureWarnings(capture=True)
