"""Kedro's context and configuration loader, which refuse a configuration whose guards or datasets were exchanged.

A hook could be left out by a runner or a caller; the context cannot, since every run, command and notebook gets its
catalogue from it. What it looks at are the datasets as Kedro resolved them, so it does not matter by which override,
pattern, environment or configuration folder they were exchanged.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterator, Mapping
from copy import copy
from datetime import date
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from kedro.config import OmegaConfigLoader
from kedro.framework.context import KedroContext
from kedro.io import CatalogConfigResolver, DataCatalog

from rai_kedro import __version__
from rai_kedro.contract import entries_of, find_fault, find_use_cases, find_yaml_fault, rai_block, read_contract
from rai_kedro.datasets.contract import ContractDataset, is_enforced
from rai_kedro.datasets.production_model import ProductionModelDataset, ReferencesDataset
from rai_kedro.errors import RaiError
from rai_kedro.files import remember_project, shipped_folder
from rai_kedro.policy import JUDGED_BY, pick

# Only names and files are looked at here, never whether a justification still holds.
_ANY_DAY = date.min
_LOGGER = logging.getLogger(__name__)
_REGISTRY_DATASETS = {"production_model": ProductionModelDataset, "references": ReferencesDataset}
_SWITCH = "KEDRO_DATASET_VALIDATION"
# What an environment may say of a dataset: where it lies, how that is reached, and what tools show of it.
_PLACES = frozenset({"filepath", "html_folder", "evidence", "credentials", "fs_args", "metadata"})
# The months of a store are the same in files and in a database, and held to the same contract.
_IN_DATABASE, _IN_FILES = (
    f"rai_kedro.datasets.{name}" for name in ("sql_month_store.SqlMonthStore", "month_store.MonthStore")
)
# What an environment or a run may ask more of than the base, and never less, from the mildest on.
_MAY_RISE: dict[str, tuple[Any, ...]] = {"monitoring.fail_on": (None, "alarm", "insufficient_evidence")}
_MEMORY = "MemoryDataset"


class ContractOverrideError(RaiError):
    """An environment changes the column contract, or exchanges what holds the data under it."""


class OutdatedProjectError(RaiError):
    """The project's configuration was begun with another release than the one that is installed."""


Guarded: TypeAlias = Literal["contract", "policy", "datasets"]
# How a refusal reads: what, where, who says otherwise, and the remedy; ``{0}`` is the name of the environment.
_WORDS: dict[Guarded, tuple[str, str, str, str]] = {
    "contract": (
        "The environment '{0}' changes the column contract.",
        "conf/{0}",
        "'{0}' says",
        "take it out of the environment; a contract is changed in conf/base/<use_case>/catalog.yml only",
    ),
    "policy": (
        "The environment '{0}' or a run's '--params' changes what a model is judged by.",
        "conf/{0} or --params",
        "this run",
        "take it out; limits, levels, answers and allowed modules are changed in conf/base/<use_case> only",
    ),
    "datasets": (
        "The environment '{0}' exchanges a dataset of a pipeline.",
        "conf/{0} (or --conf-source)",
        "'{0}' says",
        "take it out; an environment may change where data lies (filepath, credentials, fs_args; the months of a store "
        "may lie in a database, docs/stores.md), no more",
    ),
}


class ProjectConfigLoader(OmegaConfigLoader):
    """Reads every configuration file but those of a use case that cannot be read: one never stops another.

    Its pipelines are still registered, and who runs them is told what is wrong with it: with its base by
    `rai_kedro.pipeline_registry`, with what an environment says of it before the run.
    """

    def __init__(self, conf_source: str, env: str | None = None, *args: Any, **settings: Any) -> None:
        # Kept apart from `env`, which a copy that reads the base alone has changed.
        self.run_env = env or str(settings.get("default_run_env", "local"))
        super().__init__(conf_source, env, *args, **settings)

    def _is_valid_config_path(self, path: Path) -> bool:
        if not super()._is_valid_config_path(path):
            return False
        base, own = (Path(self.conf_source) / env / path.parent.name for env in (self.base_env, self.run_env))
        is_of_use_case = path.parent.parent.parent == Path(self.conf_source) and (base / "catalog.yml").is_file()
        return not (is_of_use_case and (find_fault(base) or find_yaml_fault(own)) is not None)


class GuardedContext(KedroContext):
    """Kedro's context, with a catalogue whose contracts, validators and production models are the project's own.

    Every other dataset of a pipeline is what the base says it is, too: only the place where it lies may differ.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        remember_project(Path(self.project_path))

    def _get_catalog(self, *args: Any, **kwargs: Any) -> Any:
        if os.environ.get(_SWITCH, "").strip().lower() in ("0", "false", "off"):
            raise ContractOverrideError(
                "Kedro is told not to validate datasets: rows that break their contract would be stored.",
                where=f"environment variable {_SWITCH}",
                example=os.environ[_SWITCH],
                remedy=f"unset it: unset {_SWITCH}",
            )
        self._refuse_outdated()
        self._compare_with_base()
        catalog = super()._get_catalog(*args, **kwargs)
        base = self.project_path / "conf" / "base"
        for use_case in find_use_cases(base):
            # One that cannot be read is not in the catalogue either; its pipelines say why.
            own = base.parent / self.environment / use_case
            if (fault := find_fault(base / use_case) or find_yaml_fault(own)) is not None:
                _LOGGER.warning("The contract of '%s' cannot be read; every other use case runs. %s", use_case, fault)
                continue
            _refuse_exchanged_guards(cast("DataCatalog", catalog), use_case, base / use_case / "catalog.yml")
            for name in (*_REGISTRY_DATASETS, "model_card", "alerts", "alerts_history"):
                # Where a demonstration may stand for a person depends on it; what does not know it accepts none.
                dataset: Any = catalog.get(f"{use_case}.{name}")
                dataset.environment = self.environment
        return catalog

    @property
    def environment(self) -> str:
        """The name of the environment that this run is in."""
        return str(self.env or cast("OmegaConfigLoader", self.config_loader).default_run_env)

    def _refuse_outdated(self) -> None:
        """Refuse a project whose catalogue lacks an entry that every use case has by now.

        Kedro would keep what has no entry in memory, and lose it at the end of the run without a word.
        """
        shipped = shipped_folder() / "conf" / "base" / "catalog.yml"
        file = Path(self.project_path) / "conf" / "base" / "catalog.yml"
        if not shipped.is_file() or (file.is_file() and file.samefile(shipped)):
            return
        declared = cast("OmegaConfigLoader", self.config_loader)["catalog"]
        missing = sorted(name for name in entries_of(shipped) if not name.startswith("_") and name not in declared)
        if missing:
            raise OutdatedProjectError(
                f"The catalogue of this project is not of this rai_kedro ({__version__}): it lacks datasets.",
                where=str(file),
                how_many=f"{len(missing)} of those that every use case has",
                example=missing[0],
                remedy=f"copy {shipped} over it, then make your own changes to it again",
            )

    def _compare_with_base(self) -> None:
        loader = cast("OmegaConfigLoader", self.config_loader)
        environment = self.environment
        own = (self.project_path / "conf").resolve()
        is_elsewhere = Path(loader.conf_source).resolve() != own
        # A copy, not a second loader: a new one would take over the process-wide resolver of `globals:`, and
        # with it every path and address of this environment.
        base = copy(loader)
        base.data.clear()
        base.env, base.runtime_params = loader.base_env, {}
        # Another configuration folder has a base of its own, which is no more to be trusted than an environment.
        base.conf_source = str(own)

        def overrides(kind: str) -> bool:
            return is_elsewhere or (
                environment != loader.base_env and next((own / environment).rglob(f"{kind}*"), None) is not None
            )

        if overrides("parameters") or self._runtime_params:
            declared = base["parameters"]
            merged = _nested({**loader["parameters"]}, self._runtime_params or {})
            policies = (policy_of(parameters, declared) for parameters in (declared, merged))
            compare_with_base("policy", *policies, environment=environment)
        if overrides("catalog"):
            declared, found = base["catalog"], loader["catalog"]
            flags = ({name: rai_block(entry) for name, entry in catalog.items()} for catalog in (declared, found))
            compare_with_base("contract", *flags, environment=environment)
            compare_with_base("datasets", *_resolve_datasets(declared, found), environment=environment)


def _nested(parameters: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """Lay a run's own parameters over those of the configuration, as Kedro does."""
    for key, value in overrides.items():
        known = parameters.get(key)
        both = isinstance(known, dict) and isinstance(value, dict)
        parameters[key] = _nested(dict(known), value) if both else value  # type: ignore[arg-type]
    return parameters


def _resolve_datasets(base: dict[str, Any], merged: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what each dataset of a pipeline is in the base and as merged, wherever it lies.

    What passes between the nodes, the audited columns among it, is in memory unless the base declares it: an entry for
    it, once versioned, could hand a node data of another run or from another hand.
    """
    declared, found = ({name: without_places(entry) for name, entry in one.items()} for one in (base, merged))
    if declared == found:
        return [{}, {}]
    from kedro.framework.project import pipelines

    used = {name for pipeline in pipelines.values() for name in pipeline.datasets()}
    names = sorted(used | {name for name in declared if "{" not in name})
    resolvers = (CatalogConfigResolver(one, None, DataCatalog.default_runtime_patterns) for one in (declared, found))
    return [{name: without_places(resolver.resolve_pattern(name)) for name in names} for resolver in resolvers]


def _refuse_exchanged_guards(catalog: DataCatalog, use_case: str, contract_file: Path) -> None:
    """Refuse a catalogue in which something else stands where the contract or the production model is enforced."""
    contract = catalog.get(f"{use_case}.contract")
    exchanged = {f"{use_case}.contract": type(contract) is ContractDataset and contract.reads_today_from(contract_file)}
    for name, kind in _REGISTRY_DATASETS.items():
        dataset: Any = catalog.get(f"{use_case}.{name}")
        serves = getattr(dataset, "_registered_model_name", None) == use_case
        exchanged[f"{use_case}.{name}"] = type(dataset) is kind and serves
    for short, store in read_contract(contract_file, as_of=_ANY_DAY).datasets.items():
        spec = catalog.validator_specs.get(store.dataset)
        exchanged[f"{store.dataset}, validator"] = is_enforced(spec, contract_file, short)
    for name in (name for name, is_ours in exchanged.items() if not is_ours):
        raise ContractOverrideError(
            "The catalogue puts something else where the project enforces its contract.",
            where=name,
            remedy="take the override out of conf/<environment> (or --conf-source); this entry is the same everywhere",
        )


def compare_with_base(
    guarded: Guarded, base: Mapping[str, Any], merged: Mapping[str, Any], *, environment: str
) -> None:
    """Refuse a merged configuration in which what is guarded differs from the base.

    Guarded are ``contract``: the ``metadata.rai`` block, or None, of every catalogue entry; ``policy``: what
    :func:`policy_of` picks; ``datasets``: entries as :func:`without_places` leaves them, patterns resolved. The
    ContractOverrideError names the first difference.
    """
    differences = list(_differences(dict(base), dict(merged), ()))
    if differences:
        path, before, after = differences[0]
        what, where, who, remedy = (text.format(environment) for text in _WORDS[guarded])
        raise ContractOverrideError(
            what,
            where=f"{where}, {path}",
            how_many=f"{len(differences)} difference{'s' if len(differences) > 1 else ''}",
            example=f"base says {before!r}, {who} {after!r}",
            remedy=remedy,
        )


def policy_of(parameters: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Pick what a model is judged by, and what code may run, from all parameters; ``known`` are those of the base."""
    paths = (*JUDGED_BY, *_MAY_RISE)
    judged: dict[str, Any] = {name: {path: pick(parameters.get(name), path) for path in paths} for name in known}
    # 'housing.fairness' as one word would become the parameter of that name, whatever stands below 'housing'.
    dotted = (key for key in parameters if key not in known and key.partition(".")[0] in known)
    return judged | {key: repr(parameters[key]) for key in dotted}


def without_places(entry: Any) -> Any:
    """Return a catalogue, or an entry, without what an environment may change: what is left has to be the base's."""
    if not isinstance(entry, Mapping):
        return entry
    if entry.get("type") == _IN_DATABASE:
        entry = {key: value for key, value in entry.items() if key != "table"} | {"type": _IN_FILES}
    kept = {key: without_places(value) for key, value in entry.items() if key not in _PLACES}
    # What is in memory has two names.
    return {**kept, "type": _MEMORY} if kept.get("type") == f"kedro.io.{_MEMORY}" else kept


def _differences(base: Any, merged: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(base, Mapping) and isinstance(merged, Mapping):
        for key in sorted({*base, *merged}, key=str):
            yield from _differences(base.get(key), merged.get(key), (*path, str(key)))
    elif base != merged and not _asks_more(path[-1], base, merged):
        yield ", ".join(path), base, merged


def _asks_more(name: str, base: Any, merged: Any) -> bool:
    """Say whether the base is outdone in strictness; a word that nobody knows is refused where it is read."""
    known = _MAY_RISE.get(name, ())
    return base in known and (merged not in known or known.index(merged) > known.index(base))
