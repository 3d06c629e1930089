"""Kedro's project settings: how configuration is merged and which hooks run."""

from rai_kedro.context import GuardedContext, ProjectConfigLoader
from rai_kedro.hooks.carbon import CarbonHook
from rai_kedro.hooks.environment import EnvironmentHook, UseCaseLockHook
from rai_kedro.hooks.mlflow_run import ExperimentHook, RunParametersHook, RunTagsHook
from rai_kedro.hooks.progress import ProgressHook
from rai_kedro.hooks.report_index import ReportIndexHook

CONTEXT_CLASS = GuardedContext

HOOKS = (
    UseCaseLockHook(),
    EnvironmentHook(),
    ExperimentHook(),
    RunTagsHook(),
    RunParametersHook(),
    CarbonHook(),
    ProgressHook(),
    ReportIndexHook(),
)

# kedro-viz would load pandas again at every run to keep statistics, and telemetry is off as shipped.
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-viz", "kedro-telemetry")

CONFIG_LOADER_CLASS = ProjectConfigLoader

CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    # Without 'soft' an environment that overrides one key of a catalogue entry would drop its metadata,
    # and with it the risk flags, from everything that shows the catalogue.
    "merge_strategy": {"catalog": "soft", "parameters": "soft", "globals": "soft", "mlflow": "soft"},
}
