"""Energy and emissions of training and of scoring each month, measured with CodeCarbon.

Nodes to measure carry the tag ``carbon.training``, ``carbon.mitigation`` or ``carbon.inference``. What is measured is
written to the catalogue entries ``<use_case>.training_carbon`` (of the first two) and ``<use_case>.inference_carbon``,
and to MLflow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from rai_kedro.hooks import use_case_of

if TYPE_CHECKING:
    from codecarbon import OfflineEmissionsTracker

_INFERENCE = "carbon.inference"
_FITTING = {"carbon.training": "training", "carbon.mitigation": "mitigation"}
NOT_MEASURED = "the runner did not run the carbon hook around this task (some runners skip the hooks of nodes)"
_SCOPE = "processor and memory of this machine during the task; not data storage, network, cooling or manufacture"
_BY_COUNTERS = "measured by the processor's power counters"
_ESTIMATED = "estimated from processor load and assumed power draw, since this machine gives no power counters"


class CarbonHook:
    """Measures tagged nodes as separate CodeCarbon tasks; a node that scores months, as one task a month."""

    def __init__(self) -> None:
        self._country = "USA"
        self._tracker: OfflineEmissionsTracker | None = None
        self._catalog: DataCatalog | None = None
        self._measuring = False

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Take the country from the environment's globals."""
        self._country = str(context.config_loader["globals"].get("country", self._country))

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Forget the last training's record, so that a card never carries the carbon of another run."""
        self._catalog = catalog
        nothing: dict[str, dict[str, Any]] = {}
        for node in pipeline.only_nodes_with_tags(*_FITTING).nodes:
            name = f"{use_case_of(node)}.training_carbon"
            nothing.setdefault(name, {})[str(_task(node))] = {"reason": NOT_MEASURED}
        for name, records in nothing.items():
            if name in catalog:
                catalog.save(name, records)

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Start a task where a measured node starts."""
        if {*_FITTING, _INFERENCE} & node.tags:
            self._start()

    @hook_impl
    def after_node_run(self, node: Node, catalog: DataCatalog) -> None:
        """Close the task of a fit; a node that scores months has not begun yet when Kedro calls this."""
        if (task := _task(node)) and (record := self._stop()):
            _add(catalog, f"{use_case_of(node)}.training_carbon", {task: record})
            _log_metrics(task, record)

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any, node: Node) -> None:
        """Close the task of a month when its predictions are saved, and start that of the next."""
        if _INFERENCE not in node.tags or not dataset_name.endswith("prediction_store") or self._catalog is None:
            return
        # A month that was passed over saves nothing, and its task is dropped.
        if (record := self._stop()) and data:
            _add(self._catalog, f"{use_case_of(node)}.inference_carbon", dict.fromkeys(data, record))
        self._start()

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Drop the task of a node that failed, or that waited for a month which did not come."""
        self._stop()

    on_pipeline_error = after_pipeline_run

    def _start(self) -> None:
        if self._tracker is None:
            self._tracker = _make_tracker(self._country)
        self._stop()
        self._tracker.start_task()
        self._measuring = True

    def _stop(self) -> dict[str, Any] | None:
        if self._tracker is None or not self._measuring:
            return None
        self._measuring = False
        measured = self._tracker.stop_task()
        return {
            "energy_kwh": float(measured.energy_consumed),
            "emissions_g": float(measured.emissions) * 1000,
            "duration_s": float(measured.duration),
            "method": _method(self._tracker),
            "scope": _SCOPE,
            "country": self._country,
        }


def _make_tracker(country: str) -> OfflineEmissionsTracker:
    from codecarbon import OfflineEmissionsTracker
    from codecarbon.external.logger import set_logger_level

    set_logger_level("critical")  # it speaks before it reads its own log_level
    return OfflineEmissionsTracker(
        country_iso_code=country,
        save_to_file=False,
        log_level="critical",
        allow_multiple_runs=True,
        measure_power_secs=3600,  # tasks are measured at their ends; no sampling in between
        tracking_mode="process",
    )


def _method(tracker: OfflineEmissionsTracker) -> str:
    """Say how the figure came about: without power counters it is an estimate, and must be called one."""
    hardware = ", ".join(sorted({type(part).__name__.lower() for part in tracker._hardware}))
    counters = any("intel" in str(getattr(part, "_mode", "")).lower() for part in tracker._hardware)
    kind = _BY_COUNTERS if counters else _ESTIMATED
    return f"CodeCarbon, offline; {hardware}: {kind}; emissions by the country's electricity mix"


def _add(catalog: DataCatalog, name: str, records: dict[str, Any]) -> None:
    """Add to the records where the catalogue has a place for them; a slice run on another catalogue may have none."""
    if name in catalog:
        dataset: Any = catalog[name]
        dataset.add(records)


def _task(node: Node) -> str | None:
    return next((task for tag, task in _FITTING.items() if tag in node.tags), None)


def _log_metrics(task: str, record: dict[str, Any]) -> None:
    import mlflow

    if mlflow.active_run() is not None:
        mlflow.log_metrics({f"carbon.{task}.{name}": record[name] for name in ("energy_kwh", "emissions_g")})
