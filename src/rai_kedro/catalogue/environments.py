"""No environment may say anything else of a column than the base configuration does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rai_kedro.errors import RaiError


class ContractOverrideError(RaiError):
    """An environment changes the column contract."""


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


def _differences(base: Any, merged: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(base, Mapping) and isinstance(merged, Mapping):
        for key in sorted({*base, *merged}, key=str):
            yield from _differences(base.get(key), merged.get(key), (*path, str(key)))
    elif base != merged:
        yield ", ".join(path), base, merged
