"""What works on the blocks of a month: this process, or a Spark cluster. An environment says which."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar

from kedro.io import AbstractDataset

from rai_kedro.datasets.base import ReadOnly
from rai_kedro.errors import RaiError

if TYPE_CHECKING:
    import pyarrow as pa

_Result = TypeVar("_Result")
NAMES = ("blocks", "pandas", "spark")


class Engine(Protocol):
    """Does work on the blocks of a month."""

    @property
    def on_disk(self) -> bool | None:
        """Whether months are read in parts: True always, False never, None where they have more than one block."""

    def run(self, tasks: Sequence[Callable[[], _Result]]) -> Iterator[_Result]:
        """Yield what each task returns, in their order."""


@dataclass(frozen=True)
class LocalEngine:
    """Works on one block after the other, in this process."""

    on_disk: bool | None = None

    def run(self, tasks: Sequence[Callable[[], _Result]]) -> Iterator[_Result]:
        """Yield what each task returns, in their order."""
        return (task() for task in tasks)


@dataclass(frozen=True)
class SparkEngine:
    """Sends blocks to the executors of a Spark cluster, which read them from the disk that all of them see.

    Spark carries the blocks' numbers and what came of each. It reads no file and writes none: so there is no overwrite
    mode that could lose a month, and a block is worked on by the same code as on one machine.
    """

    options: dict[str, str] = field(default_factory=dict)
    on_disk: bool | None = True

    def run(self, tasks: Sequence[Callable[[], _Result]]) -> Iterator[_Result]:
        """Yield what each task returns, in their order; as many are under way as there are two for each slot."""
        session = _start_spark(self.options)
        slots = 2 * int(session.sparkContext.defaultParallelism)
        for start in range(0, len(tasks), slots):
            yield from _run_wave(session, tasks[start : start + slots])


class EngineDataset(ReadOnly, AbstractDataset[NoReturn, Engine]):
    """The engine that an environment names in its ``globals.yml``.

    Examples:
        In the catalogue::

            "{use_case}.engine":
              type: rai_kedro.datasets.engine.EngineDataset
              name: ${globals:engine.name, blocks}
              options: ${globals:engine.options, null}

    Args:
        name: ``blocks``: months of more than one block are read in parts; ``pandas``: every month is read at once;
            ``spark``: blocks are worked on by a Spark cluster.
        options: Of Spark, e.g. ``spark.master``.
    """

    refusal = "The engine is named by the environment, in globals.yml; a run never writes it."

    def __init__(
        self, *, name: str, options: dict[str, Any] | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        if name not in NAMES or (options and name != "spark"):
            raise RaiError(
                "The environment names no engine that there is." if name not in NAMES else "Only Spark has options.",
                where="globals.yml, engine",
                example=f"name: {name!r}, options: {options or {}}",
                remedy=f"name one of {', '.join(NAMES)}; 'options' are those of Spark, e.g. spark.master: local[2]",
            )
        self._name, self._options, self.metadata = name, {**(options or {})}, metadata

    def load(self) -> Engine:
        """Return the engine; Spark itself starts when it has work."""
        if self._name == "spark":
            return SparkEngine({name: str(value) for name, value in self._options.items()})
        return LocalEngine(False if self._name == "pandas" else None)

    def _describe(self) -> dict[str, Any]:
        return {"name": self._name, "options": self._options}


def _start_spark(options: dict[str, str]) -> Any:
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise _no_spark("pyspark is not installed") from error
    # Executors on this machine run the Python that this one is.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("rai_kedro")
    for name, value in {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        **options,
    }.items():
        builder = builder.config(name, value)
    try:
        return builder.getOrCreate()
    except Exception as error:  # py4j's, Java's: whatever it is, there is no Spark
        raise _no_spark(str(error).splitlines()[0][:200]) from error


def _no_spark(why: str) -> RaiError:
    return RaiError(
        "Spark cannot be started.",
        where="globals.yml, engine",
        example=why,
        remedy="install it (pip install 'rai-kedro[spark]', and Java 17), correct the options, or name another engine",
    )


def _run_wave(session: Any, tasks: Sequence[Callable[[], _Result]]) -> Iterator[_Result]:
    def work(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for batch in batches:
            for number in batch.column(0).to_pylist():
                try:
                    outcome = pickle.dumps((tasks[number](), None))
                except Exception as error:  # told to the one who waits, as if it had happened there
                    outcome = pickle.dumps((None, _picklable(error)))
                columns = [pa.array([number], pa.int64()), pa.array([outcome], pa.binary())]
                yield pa.RecordBatch.from_arrays(columns, names=["number", "outcome"])

    numbers = session.range(0, len(tasks), 1, len(tasks))
    done = numbers.mapInArrow(work, "number long, outcome binary").collect()
    for row in sorted(done, key=lambda one: one["number"]):
        result, error = pickle.loads(row["outcome"])  # noqa: S301 - what our own executors made
        if error is not None:
            raise error
        yield result


def _picklable(error: Exception) -> Exception:
    """Return an error as it is where it survives being sent, else its text."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - made here
    except Exception:  # whatever keeps it from being sent
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
