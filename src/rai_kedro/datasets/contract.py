"""The column contract in the catalogue: as a dataset that nodes read, and as a validator of governed stores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pandas as pd
from kedro.validation import CheckFailure, DataValidationError

from rai_kedro.contract import Breach, Contract, ContractViolation, DatasetContract, check_frame, read_contract
from rai_kedro.datasets.base import PathDataset, ReadOnly
from rai_kedro.frames import MonthLoader

if TYPE_CHECKING:
    from kedro.validation.core import ValidatorSpec


class ContractDataset(ReadOnly, PathDataset[NoReturn, Contract]):
    """A use case's column contract, read from its catalogue file in the base configuration.

    Reading the file itself, not the merged configuration, is what keeps an environment from weakening a flag.

    Examples:
        In the catalogue::

            "{use_case}.contract":
              type: rai_kedro.datasets.contract.ContractDataset
              filepath: conf/base/{use_case}/catalog.yml
    """

    refusal = "A column contract is never written by a run; edit {filepath}."

    def __init__(
        self, *, filepath: str, as_of: str | date | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        """Point to the contract; justifications are judged by the day ``as_of``, today (UTC) by default."""
        super().__init__(filepath=filepath, metadata=metadata)
        self._as_of = date.fromisoformat(as_of) if isinstance(as_of, str) else as_of

    def reads_today_from(self, path: Path) -> bool:
        """Return whether this reads that very file and judges justifications by today's date."""
        return self._as_of is None and self._filepath.resolve() == path.resolve()

    def load(self) -> Contract:
        """Read the contract as it stands today."""
        return read_contract(self._filepath, as_of=self._as_of)

    def _describe(self) -> dict[str, Any]:
        return {**super()._describe(), "as_of": self._as_of}


class ContractValidator:
    """Checks every month of a governed store by its contract, on save and on load.

    Saving checks all months before any is written. Loading stays lazy: a month is checked when it is read, so
    that a broken month stops only those who need it.

    Examples:
        In the catalogue::

            housing.feature_store:
              validator:
                class: rai_kedro.datasets.contract.ContractValidator
                options: {filepath: conf/base/housing/catalog.yml, dataset: feature_store}
    """

    def __init__(self, filepath: str, dataset: str) -> None:
        # The day does not matter here: validation asks for shapes and values, never for justifications.
        datasets = read_contract(filepath, as_of=date.min).datasets
        if dataset not in datasets:
            raise ValueError(f"{filepath} governs no dataset '{dataset}'; it governs {sorted(datasets)}")
        self._contract = datasets[dataset]

    def validate(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Check frames, or wrap loaders so that they check what they load, by partition key.

        Raises:
            DataValidationError: If a frame breaks the contract.
        """
        return {
            key: _checking(value, self._contract, key) if callable(value) else _checked(value, self._contract, key)
            for key, value in data.items()
        }


def is_enforced(spec: ValidatorSpec | None, path: Path, dataset: str) -> bool:
    """Return whether a validator declaration checks a governed store by the contract in this file, always."""
    if spec is None:
        return False
    validator = f"{ContractValidator.__module__}.{ContractValidator.__qualname__}"
    declared = (spec.class_path, spec.severity, spec.enabled, set(spec.on), spec.options.get("dataset"))
    is_ours = declared == (validator, "error", True, {"load", "save"}, dataset)
    return is_ours and Path(str(spec.options.get("filepath"))).resolve() == path.resolve()


def _checking(load: Callable[[], pd.DataFrame], contract: DatasetContract, key: str) -> Callable[[], pd.DataFrame]:
    """Let a loader check what it loads; what is forbidden is still loaded apart.

    Who opens a month to read it in parts checks it part by part (:func:`rai_kedro.contract.check_blocks`).
    """
    checked = partial(_load_checked, load, contract, key)
    return replace(load, read=checked) if isinstance(load, MonthLoader) else checked


def _load_checked(load: Callable[[], pd.DataFrame], contract: DatasetContract, key: str) -> pd.DataFrame:
    frame = load()
    # The store leaves forbidden columns on disk. If one is here, the store was told otherwise than the contract says.
    if read := sorted(set(contract.with_use("forbidden")) & set(frame.columns)):
        breaches = [Breach(name, "may not be read, and was", len(frame)) for name in read]
        raise _error(ContractViolation(contract.dataset, key, breaches, len(frame)))
    return _checked(frame, contract, key)


def _checked(frame: pd.DataFrame, contract: DatasetContract, key: str) -> pd.DataFrame:
    try:
        return check_frame(frame, contract, part=key)
    except ContractViolation as violation:
        raise _error(violation) from violation


def _error(violation: ContractViolation) -> DataValidationError:
    """Put a violation into Kedro's form; the violation itself, which says more, is its cause."""
    failures = [
        CheckFailure(str(b), check=b.problem, column=b.column, failure_count=b.rows, failure_examples=list(b.examples))
        for b in violation.breaches
    ]
    error = DataValidationError(str(violation), dataset_name=violation.where, failures=failures)
    error.__cause__ = violation
    return error
