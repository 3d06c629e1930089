"""The registered pipelines: the stages of every use case found in the configuration."""

from __future__ import annotations

from functools import partial
from importlib import import_module

from kedro.pipeline import Pipeline, node

from rai_kedro.commands.project import find_unspoken
from rai_kedro.contract import entries_of, find_fault, find_use_cases
from rai_kedro.errors import RaiError
from rai_kedro.files import project_folder
from rai_kedro.pipelines import STAGES

_UP_TO_CANDIDATE = ("simulation", "ingestion", "governance", "training")


def register_pipelines() -> dict[str, Pipeline]:
    """Instantiate each stage that a use case has.

    Returns:
        ``<use_case>.<stage>`` for each stage; ``<use_case>`` for everything up to the registered candidate; the plain
        stage names and ``__default__`` are those of the use case that needs no name, where there is one.
    """
    pipelines: dict[str, Pipeline] = {}
    base = project_folder() / "conf" / "base"
    for use_case in (known := find_use_cases(base)):
        if (fault := find_fault(base / use_case)) is not None:
            refusal = Pipeline([node(partial(_refuse, fault), None, f"{use_case}.refusal", name=f"{use_case}.refusal")])
            pipelines |= dict.fromkeys((use_case, *(f"{use_case}.{name}" for name in STAGES)), refusal)
            continue
        entries = entries_of(base / use_case / "catalog.yml")
        # Each stage is made from the names in the use case's own catalogue.
        made = {name: import_module(f"rai_kedro.pipelines.{name}").create_pipeline(entries) for name in STAGES}
        # A use case whose months are made elsewhere has neither simulation nor ingestion.
        stages = {name: _in_namespace(stage, use_case, name) for name, stage in made.items() if stage.nodes}
        pipelines |= {f"{use_case}.{name}": stage for name, stage in stages.items()}
        pipelines[use_case] = sum((stages[name] for name in _UP_TO_CANDIDATE if name in stages), start=Pipeline([]))
    if (unspoken := find_unspoken(known)) is not None:
        pipelines |= {name: pipelines[f"{unspoken}.{name}"] for name in STAGES if f"{unspoken}.{name}" in pipelines}
        pipelines["__default__"] = pipelines[unspoken]
    return pipelines


def _refuse(fault: RaiError) -> None:
    """Stop who runs a use case that cannot be read; every other one runs."""
    raise fault


def _in_namespace(stage: Pipeline, use_case: str, name: str) -> Pipeline:
    """Give datasets the use case's prefix, and nodes the use case and the stage, which kedro-viz folds."""
    folded = Pipeline(stage, namespace=name, prefix_datasets_with_namespace=False, tags=[name])
    return Pipeline(folded, namespace=use_case)
