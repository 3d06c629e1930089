"""No environment may say anything else of a column, or put another dataset in its place, than the base does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rai_kedro.errors import RaiError

# What an environment may say of a dataset: where it lies, how that is reached, and what tools show of it.
_PLACES = frozenset({"filepath", "html_folder", "credentials", "fs_args", "metadata"})
# What decides how strictly a model is judged, and what code may run: the same in every environment.
_POLICY = (
    "training.allowed_modules",
    "training.interval_level",
    "fairness",
    "mitigation.tolerance",
    "mitigation.chosen",
    "monitoring.drift",
)
_MEMORY = "MemoryDataset"
_IN_MEMORY = {"type": _MEMORY}


class ContractOverrideError(RaiError):
    """An environment changes the column contract, or exchanges what holds the data under it."""


def compare_flags(base: Mapping[str, Any], merged: Mapping[str, Any], *, environment: str) -> None:
    """Refuse a merged catalogue whose contracts differ from those of the base.

    Args:
        base: ``metadata.rai`` block, or None, of every catalogue entry of the base configuration.
        merged: The same of the configuration as merged for an environment.
        environment: Name of the environment, for the error.

    Raises:
        ContractOverrideError: If a block was dropped, added or changed; the first difference is named.
    """
    differences = list(_differences(dict(base), dict(merged), ()))
    if differences:
        path, before, after = differences[0]
        raise ContractOverrideError(
            f"The environment '{environment}' changes the column contract.",
            where=f"conf/{environment}, {path}",
            how_many=f"{len(differences)} difference{'s' if len(differences) > 1 else ''}",
            example=f"base says {before!r}, '{environment}' says {after!r}",
            remedy="take it out of the environment; a contract is changed in conf/base/<use_case>/catalog.yml only",
        )


def compare_policies(base: Mapping[str, Any], merged: Mapping[str, Any], *, environment: str) -> None:
    """Refuse merged parameters that judge by anything else than the base does, or let other code run.

    Args:
        base: Parameters of the base configuration, by use case.
        merged: Parameters as merged for an environment and the run's own ``--params``.
        environment: Name of the environment, for the error.

    Raises:
        ContractOverrideError: If a limit, a level, a false-alarm rate, the questionnaire or an allowed module differs.
    """
    differences = [
        one
        for use_case, parameters in base.items()
        for path in _POLICY
        for one in _differences(_at(parameters, path), _at(merged.get(use_case), path), (use_case, path))
    ]
    # 'housing.fairness' as one word would become the parameter of that name, whatever stands below 'housing'.
    dotted = [key for key in merged if key not in base and key.partition(".")[0] in base]
    differences += [(key, None, merged[key]) for key in dotted]
    if differences:
        path, before, after = differences[0]
        raise ContractOverrideError(
            f"The environment '{environment}' or a run's '--params' changes what a model is judged by.",
            where=path,
            how_many=f"{len(differences)} difference{'s' if len(differences) > 1 else ''}",
            example=f"base says {before!r}, this run {after!r}",
            remedy="take it out; limits, levels, answers and allowed modules are changed in conf/base/<use_case> only",
        )


def _at(parameters: Any, path: str) -> Any:
    for key in path.split("."):
        parameters = parameters.get(key) if isinstance(parameters, Mapping) else None
    return parameters


def without_places(catalog: Mapping[str, Any]) -> dict[str, Any]:
    """Return catalogue entries without what an environment may change: what is left has to be the base's."""
    return {name: _without_places(entry) for name, entry in catalog.items()}


def compare_datasets(base: Mapping[str, Any], merged: Mapping[str, Any], *, environment: str) -> None:
    """Refuse a merged catalogue in which a dataset is of another kind than in the base.

    Args:
        base: Entry of every dataset as `without_places` leaves it and as patterns resolve it; one that is not declared
            is in memory.
        merged: The same, of the same names, of the configuration as merged for an environment.
        environment: Name of the environment, for the error.

    Raises:
        ContractOverrideError: If a dataset has another type, becomes versioned, or differs in anything else but where
            it lies; the first is named.
    """
    exchanged = [name for name in merged if _normal(base[name]) != _normal(merged[name])]
    if exchanged:
        name = exchanged[0]
        path, before, after = next(_differences(_normal(base[name]), _normal(merged[name]), ()))
        raise ContractOverrideError(
            f"The environment '{environment}' exchanges a dataset of a pipeline.",
            where=f"conf/{environment} (or --conf-source), {name}",
            how_many=f"{len(exchanged)} dataset{'s' if len(exchanged) > 1 else ''}",
            example=f"{path}: base says {before!r}, '{environment}' says {after!r}",
            remedy="take it out; an environment may change where data lies (filepath, credentials, fs_args), no more",
        )


def _without_places(entry: Any) -> Any:
    if not isinstance(entry, Mapping):
        return entry
    return {key: _without_places(value) for key, value in entry.items() if key not in _PLACES}


def _normal(entry: Any) -> Any:
    """Return an entry with the one name of what is in memory."""
    if not isinstance(entry, Mapping):
        return entry
    kind = entry.get("type", "")
    return {**entry, **_IN_MEMORY} if kind in {_MEMORY, f"kedro.io.{_MEMORY}"} else dict(entry)


def _differences(base: Any, merged: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(base, Mapping) and isinstance(merged, Mapping):
        for key in sorted({*base, *merged}, key=str):
            yield from _differences(base.get(key), merged.get(key), (*path, str(key)))
    elif base != merged:
        yield ", ".join(path), base, merged
