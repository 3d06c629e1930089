"""Known errors in one screen."""

from __future__ import annotations

from collections.abc import Iterator

from rai_kedro.errors import RaiError


def explain(error: BaseException) -> str | None:
    """Return what a person needs to know of an error.

    Args:
        error: Whatever a command raised.

    Returns:
        One screen of text; None for an error that nobody foresaw, whose traceback is needed.
    """
    chain = list(_chain(error))
    for cause in chain:
        if isinstance(cause, RaiError):
            return str(cause)
    return next((text for cause in chain if (text := _foresee(cause))), None)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _foresee(error: BaseException) -> str | None:
    from kedro.config import MissingConfigException
    from kedro.io import DatasetError
    from kedro.validation import ParameterValidationError
    from yaml import YAMLError

    if isinstance(error, ParameterValidationError):
        return str(
            RaiError(
                "The parameters are not valid.",
                where="conf, parameters.yml",
                example=str(error),
                remedy=_MEND,
            )
        )
    if isinstance(error, YAMLError):
        return str(RaiError("A configuration file is not valid YAML.", example=str(error), remedy=_MEND))
    if isinstance(error, DatasetError | MissingConfigException):
        return str(RaiError("Data or configuration could not be read or written.", example=str(error), remedy=_LOOK))
    if isinstance(error, AttributeError) and "multiprocessing" in str(error):
        example = str(error).splitlines()[0]
        return str(RaiError("This pipeline cannot run in several processes.", example=example, remedy=_ONE_PROCESS))
    if isinstance(error, ValueError) and "Failed to find the pipeline named" in str(error):
        return str(RaiError(str(error), remedy="kedro registry list  names all pipelines"))
    return None


_MEND = "mend that line and run again; nothing was run or written"
_ONE_PROCESS = "leave --runner out, or take ThreadRunner: kedro-mlflow's artifact datasets live in one process"
_LOOK = "see that the file or store named above is there and may be read and written"
