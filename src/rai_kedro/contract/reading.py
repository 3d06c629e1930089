"""Reading a use case's column contract from its catalogue file.

The file is read on its own, not through the merged configuration of an environment: what an environment
says of a column can therefore never decide what a model may see, whatever its merge strategy.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from rai_kedro.contract.columns import Column, Contract, DatasetContract, Justification
from rai_kedro.errors import RaiError
from rai_kedro.yaml_files import read_yaml

_KEYS_AT_DEPTH = {
    "dataset": sorted(set(DatasetContract.model_fields) - {"dataset"}),
    "column": sorted(set(Column.model_fields) - {"name"}),
    "justification": sorted(Justification.model_fields),
}


class ContractError(RaiError):
    """The contract itself is wrong: a word, a key, a file."""


def read_contract(path: str | Path, *, as_of: date | None = None) -> Contract:
    """Read the contracts of all entries of a use case's catalogue file that have a ``metadata.rai`` block.

    The name of the file's folder is the name of the use case; ``as_of`` is the day against which justifications will be
    judged, today (UTC) by default.

    Raises:
        ContractError: If the file is missing or malformed, governs nothing, or says something that a
            contract may not say. The error names file, dataset, column and the allowed words.
    """
    path = Path(path)
    entries = _read_yaml(path)
    blocks = {name: block for name, entry in entries.items() if (block := rai_block(entry)) is not None}
    use_case = path.parent.name
    if not blocks:
        raise ContractError(
            "No dataset of this use case is governed.",
            where=str(path),
            remedy="give the feature store and the label store a 'metadata: rai:' block",
        )
    if foreign := sorted(name for name in blocks if not name.startswith(f"{use_case}.")):
        raise ContractError(
            "A governed dataset does not carry the name of its use case.",
            where=f"{path}, {foreign[0]}",
            remedy=f"name it {use_case}.<dataset>; under another name it could stand in for one of these",
        )
    datasets = {
        name.removeprefix(f"{use_case}."): _parse_dataset(name, block, f"{path}, {name}")
        for name, block in blocks.items()
    }
    day = as_of or datetime.now(UTC).date()
    return Contract(use_case=use_case, source=f"{use_case}/{path.name}", as_of=day, datasets=datasets)


read = read_contract


def find_use_cases(base: Path) -> list[str]:
    """Return the names of all folders of the base configuration that hold a use case's catalogue."""
    return sorted(path.parent.name for path in base.glob("*/catalog.yml"))


def find_fault(folder: Path) -> RaiError | None:
    """Return why a use case's folder of the base configuration cannot be read, or None.

    Whoever works on another use case leaves this one out, and whoever asks for this one is told why it cannot run.
    """
    return _find_fault(folder, _files_of(folder), governs=True)


def find_yaml_fault(folder: Path) -> RaiError | None:
    """Return why what an environment says of a use case cannot be read, or None; it has no contract of its own."""
    return _find_fault(folder, _files_of(folder), governs=False)


def _files_of(folder: Path) -> tuple[tuple[Path, int], ...]:
    return tuple((file, file.stat().st_mtime_ns) for file in sorted(folder.glob("*.y*ml")))


@lru_cache(maxsize=64)
def _find_fault(folder: Path, files: tuple[tuple[Path, int], ...], *, governs: bool) -> RaiError | None:
    try:
        for file, _ in files:
            _read_yaml(file)
        if governs:
            read_contract(folder / "catalog.yml", as_of=date.min)
    except RaiError as fault:
        return fault
    return None


def entries_of(path: Path) -> frozenset[str]:
    """Return the names in a use case's catalogue file, without the use case's prefix."""
    return frozenset(name.removeprefix(f"{path.parent.name}.") for name in _read_yaml(path))


def rai_block(entry: Any) -> Any | None:
    """Return the ``metadata.rai`` block of a raw catalogue entry, or None when it has none."""
    metadata = entry.get("metadata") if isinstance(entry, Mapping) else None
    return metadata.get("rai") if isinstance(metadata, Mapping) else None


def forbidden_columns(metadata: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return the columns that a catalogue entry's metadata forbid to read; none where there is no contract."""
    block = rai_block({"metadata": metadata}) or {}
    return tuple(name for name, column in block.get("columns", {}).items() if column.get("use") == "forbidden")


def open_columns(metadata: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return the columns that a catalogue entry's contract lets somebody read, key and month not among them."""
    block = rai_block({"metadata": metadata}) or {}
    return tuple(name for name, column in block.get("columns", {}).items() if column.get("use") != "forbidden")


def _parse_dataset(name: str, block: Any, where: str) -> DatasetContract:
    if not isinstance(block, Mapping) or not isinstance(block.get("columns"), Mapping):
        what = "The 'rai' block must be a mapping with a 'columns' mapping."
        raise ContractError(what, where=where, remedy="see docs/catalogue.md")
    _refuse_interpolation(block, where)
    specs = {str(name): spec for name, spec in block["columns"].items()}
    columns = {name: {"name": name, **spec} if isinstance(spec, Mapping) else spec for name, spec in specs.items()}
    try:
        return DatasetContract.model_validate({**block, "columns": columns, "dataset": name})
    except ValidationError as error:
        raise _explain(error, where) from None


def _read_yaml(path: Path) -> Mapping[str, Any]:
    try:
        content = read_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        what = "A file of this use case does not exist."
        raise ContractError(what, where=str(path), remedy="restore the file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        raise ContractError(
            f"The file {path.name} is not valid YAML.",
            where=f"{path}, line {mark.line + 1}, column {mark.column + 1}" if mark else str(path),
            example=getattr(error, "problem", None) or str(error),
            remedy="mend that line (indentation, quotes, a key given twice) and run again",
        ) from None
    return content if isinstance(content, Mapping) else {}


def _refuse_interpolation(value: Any, where: str) -> None:
    """Flags are read as written, so that no variable of an environment can stand behind one."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            _refuse_interpolation(item, f"{where}, {key}")
    elif isinstance(value, list):
        for item in value:
            _refuse_interpolation(item, where)
    elif isinstance(value, str) and "${" in value:
        what = "A contract may not use interpolation."
        raise ContractError(what, where=where, example=value, remedy="write the value itself")


def _explain(error: ValidationError, where: str) -> ContractError:
    """Turn the first of pydantic's findings into our one-screen error, and count the others."""
    # A misspelt key is both unknown and missing; naming the unknown one tells the reader more.
    findings = sorted(error.errors(), key=lambda finding: finding["type"] != "extra_forbidden")
    first = findings[0]
    path = [str(part) for part in first["loc"] if isinstance(part, str)]
    what, remedy = _reason(first, path)
    if path[0:1] == ["columns"] and len(path) > 1:
        where, path = f"{where}, column {path[1]}", path[2:]
    keys = [part for part in path if part]
    return ContractError(
        what,
        where=f"{where}, key '{keys[-1]}'" if keys else where,
        how_many=f"{len(findings)} findings, this is the first" if len(findings) > 1 else None,
        example=None if first["type"] == "missing" else repr(first["input"])[:80],
        remedy=remedy,
    )


def _reason(finding: ErrorDetails, path: list[str]) -> tuple[str, str]:
    key = path[-1] if path else ""
    depth = "justification" if "justification" in path else "column" if "columns" in path else "dataset"
    allowed = _KEYS_AT_DEPTH[depth]
    if finding["type"] == "extra_forbidden":
        meant = get_close_matches(key, allowed, n=1)
        hint = f"did you mean '{meant[0]}'? " if meant else ""
        return f"Unknown key '{key}'.", f"{hint}allowed keys: {', '.join(allowed)}"
    if finding["type"] == "literal_error":
        return f"Unknown word for '{key}'.", f"allowed words: {finding['ctx']['expected']}"
    message = finding["msg"].removeprefix("Value error, ")
    return {
        "missing": (f"The key '{key}' is missing.", f"add '{key}'; nothing about a governed column is assumed"),
        "model_type": (f"'{key}' must be a mapping.", f"write its keys below it: {', '.join(allowed)}"),
        "tuple_type": (f"'{key}' must be a list.", f"write {key}: [one, two], or {key}: []"),
        "bool_type": (f"'{key}' must be true or false.", "write true or false, without quotes"),
    }.get(
        finding["type"],
        (f"The contract is not valid: {message}.", "mend that key; docs/catalogue.md explains each one"),
    )
