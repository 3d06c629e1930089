"""No environment may say anything else of a column, or put another dataset in its place, than the base does."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Literal, TypeAlias

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
    "monitoring.policy",
    "monitoring.alerts.min_weight",
)
_MEMORY = "MemoryDataset"


class ContractOverrideError(RaiError):
    """An environment changes the column contract, or exchanges what holds the data under it."""


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
        "take it out; an environment may change where data lies (filepath, credentials, fs_args), no more",
    ),
}


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
    judged: dict[str, Any] = {name: {path: _at(parameters.get(name), path) for path in _POLICY} for name in known}
    # 'housing.fairness' as one word would become the parameter of that name, whatever stands below 'housing'.
    dotted = (key for key in parameters if key not in known and key.partition(".")[0] in known)
    return judged | {key: repr(parameters[key]) for key in dotted}


def without_places(entry: Any) -> Any:
    """Return a catalogue, or an entry, without what an environment may change: what is left has to be the base's."""
    if not isinstance(entry, Mapping):
        return entry
    kept = {key: without_places(value) for key, value in entry.items() if key not in _PLACES}
    # What is in memory has two names.
    return {**kept, "type": _MEMORY} if kept.get("type") == f"kedro.io.{_MEMORY}" else kept


def _at(parameters: Any, path: str) -> Any:
    for key in path.split("."):
        parameters = parameters.get(key) if isinstance(parameters, Mapping) else None
    return parameters


def _differences(base: Any, merged: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(base, Mapping) and isinstance(merged, Mapping):
        for key in sorted({*base, *merged}, key=str):
            yield from _differences(base.get(key), merged.get(key), (*path, str(key)))
    elif base != merged:
        yield ", ".join(path), base, merged
