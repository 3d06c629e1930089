"""What a person sees of a run: one line a node, a bar over its months, and where to look when it is done."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from rai_kedro import release
from rai_kedro.commands.status import read_month
from rai_kedro.commands.terminal import TerminalFormatter
from rai_kedro.errors import RaiError
from rai_kedro.files import project_folder
from rai_kedro.months import month_of_key, say_period
from rai_kedro.words import count_of

if TYPE_CHECKING:
    from rich.progress import Progress

_log = logging.getLogger(__name__)


class ProgressHook:
    """Counts nodes and months while they run and ends with a short table."""

    def __init__(self) -> None:
        self._bar = MonthsBar()
        self._total = 0
        self._done = 0
        self._run_started = 0.0

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline) -> None:
        """Remember how much there is to do."""
        self._total, self._done = len(pipeline.nodes), 0
        self._run_started = time.perf_counter()
        lay_out_for_terminal()
        names = run_params.get("pipeline_names") or ["__default__"]
        _log.info("%s: %d nodes, environment '%s'", " + ".join(names), self._total, run_params.get("env") or "local")

    @hook_impl
    def before_node_run(self, node: Node, inputs: Mapping[str, Any]) -> None:
        """Say which node starts; its time follows with the next line of the log."""
        self._bar.stop()
        self._done += 1
        _log.info("[%2d/%d] %s", self._done, self._total, node.name)
        self._bar.start(count_months(inputs))

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any) -> None:
        """Move the bar on by the months just saved."""
        if dataset_name.endswith("_store"):
            self._bar.advance(len(data))

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Take the bar away."""
        self._bar.stop()

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Print what happened and where to look."""
        self._bar.stop()
        for line in describe_run(pipeline, catalog, time.perf_counter() - self._run_started):
            _log.info("%s", line)


def lay_out_for_terminal() -> None:
    """Fold and colour the log where a person watches it; once, however many runs a process makes."""
    for handler in logging.getLogger().handlers:
        plain, stream = handler.formatter, getattr(handler, "stream", None)
        if isinstance(plain, logging.Formatter) and not isinstance(plain, TerminalFormatter) and stream is sys.stdout:
            handler.setFormatter(TerminalFormatter(plain, stream) if stream.isatty() else plain)


class MonthsBar:
    """A bar over the months of one node, on a terminal only; the lines of the log go above it."""

    def __init__(self) -> None:
        self._shown: Progress | None = None
        self._redirected: list[logging.StreamHandler[Any]] = []

    def start(self, months: int) -> None:
        """Show an empty bar, if there is more than one month to wait for and somebody to see it."""
        if months <= 1 or not sys.stdout.isatty():
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

        handlers = [one for one in logging.getLogger().handlers if isinstance(one, logging.StreamHandler)]
        self._redirected = [one for one in handlers if one.stream is sys.stdout]
        self._shown = Progress(BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), transient=True)
        self._shown.add_task("months", total=months)
        self._shown.start()
        # While it is shown, rich puts a stream of its own there, which keeps the bar below what is written.
        for handler in self._redirected:
            handler.setStream(sys.stdout)

    def advance(self, months: int) -> None:
        """Count months as done."""
        if self._shown:
            self._shown.advance(self._shown.task_ids[0], months)

    def stop(self) -> None:
        """Take the bar away, if there is one."""
        if self._shown:
            self._shown.stop()
            for handler in self._redirected:
                handler.setStream(sys.stdout)
        self._shown = None


def count_months(inputs: Mapping[str, Any]) -> int:
    """Return how many months a node is likely to go through, by what it is handed; 0 for a node of another kind."""
    keys = {name.rpartition(".")[2]: value for name, value in inputs.items()}
    history = keys.get("drift_history", keys.get("outcome_history"))
    if history is not None:
        return len(set(keys["prediction_store"]) - set(history))
    return len(keys.get("months_to_score", ())) if "scoring_model" in keys else 0


def describe_run(pipeline: Pipeline, catalog: DataCatalog, seconds: float) -> list[str]:
    """Say in a few lines what a run made and where it is to be seen."""
    lines = ["", f"done in {seconds:.1f} s"]
    for name in sorted(pipeline.all_outputs()):
        describe = _DESCRIBERS.get(name.rpartition(".")[2])
        if describe is not None:
            lines += describe(name.partition(".")[0], catalog, name)
    return lines


def _describe_stores(use_case: str, catalog: DataCatalog, name: str) -> list[str]:
    months = [month_of_key(key) for key in catalog.load(name)]
    if not months:
        return []
    return [
        _row(
            "snapshots",
            f"{say_period(count_of(len(months), 'month'), months[0])}, {months[0]} to {months[-1]}",
            _path(catalog, name),
        )
    ]


def _describe_governance(use_case: str, catalog: DataCatalog, name: str) -> list[str]:
    return [_row("governance", "risk register and data profile", _path(catalog, name))]


def _describe_candidate(use_case: str, catalog: DataCatalog, name: str) -> list[str]:
    from mlflow import MlflowClient

    version = catalog.load(name)
    # As an approval asks it, so that what is proposed here is what works.
    try:
        report = release.ask_gates(release.find_version(MlflowClient(), version.name, version.version))
    except RaiError as error:  # the run has ended well; what is missing is told to whoever approves
        return [_row("candidate", f"{version.name} version {version.version}", error.what)]
    gates = [_row("" if number else "gates", said, "") for number, said in enumerate(release.describe_gates(report))]
    risk = bool(report.with_consequence("accept_risk"))
    return [
        _row("candidate", f"{version.name} version {version.version}", "MLflow, alias 'candidate'"),
        *gates,
        _row("", "once more:", f"kedro rai gate --use-case {use_case}"),
        *(
            [_row("", "cannot be approved: mend what blocks it and train again", "")]
            if report.with_consequence("block")
            else [
                _row("", "waits for a review:", ""),
                f"{'':<14}{release.approve_command(version.name, version.version, passed=not risk)}",
            ]
        ),
    ]


def _describe_card(use_case: str, catalog: DataCatalog, name: str) -> list[str]:
    version = catalog.load(f"{use_case}.candidate_model").version
    return [_row("model card", f"version {version}", f"{_path(catalog, name)}/model_card_v{version}.html")]


def _describe_timeline(use_case: str, catalog: DataCatalog, name: str) -> list[str]:
    timeline = catalog.load(name)
    rows = [
        (
            "" if n else say_period("months", of["month"]),
            f"{of['month']}  version {of['model_version']}  {read_month(of)['summary']}",
            "",
        )
        for n, of in enumerate(timeline["months"])
    ]
    stale = [month["month"] for month in timeline["months"] if month["stale"]]
    if stale:
        rows.append(("stale", ", ".join(stale), f"kedro rai rescore --use-case {use_case} --month {stale[0]}"))
    rows += [("", timeline["advice"], "")] if timeline["advice"] else []
    rows.append(("", "all of it", _path(catalog, f"{use_case}.monitoring_page")))
    rows.append(("", "timeline and monthly reports", _path(catalog, f"{use_case}.evidently_workspace")))
    return [_row(*row) for row in rows]


def _row(topic: str, what: str, where: str) -> str:
    return f"  {topic:<11} {what:<46} {where}".rstrip()


def _path(catalog: DataCatalog, name: str) -> str:
    description = catalog.get(name)._describe()  # type: ignore[union-attr]
    path, project = Path(str(description.get("filepath", ""))), project_folder()
    return str(path.relative_to(project) if path.is_relative_to(project) else path)


_DESCRIBERS = {
    "feature_store": _describe_stores,
    "governance_page": _describe_governance,
    "candidate_model": _describe_candidate,
    "model_card": _describe_card,
    "monitoring_timeline": _describe_timeline,
}
