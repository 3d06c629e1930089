"""``kedro rai add-month``: one month more, without reading the months before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pandas as pd

from rai_kedro import monitoring, sources
from rai_kedro.commands.project import enter_act, env_option, lock_path, open_catalog
from rai_kedro.commands.terminal import show
from rai_kedro.contract import Contract, DatasetContract, check_frame
from rai_kedro.errors import RaiError
from rai_kedro.files import locked
from rai_kedro.months import PERIOD_FORMS, find_period, is_month, key_of_month, month_of_key

if TYPE_CHECKING:
    from kedro.io import DataCatalog

_PARTS = {"features": "feature_store", "labels": "label_store"}
STORES = tuple(_PARTS.values())


@click.command()
@click.argument("use_case", metavar="NAME")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--month", help=f"Month of these rows, {PERIOD_FORMS}; by default what the time column says.")
@click.option("--replace", is_flag=True, help="Replace the month if it is there with other rows.")
@click.option("--reason", default="", help="Why; kept as evidence.")
@env_option
def command(use_case: str, file: Path, env: str | None, **said: Any) -> None:
    """Add one month, from a file, to the stores of a use case."""
    with open_catalog(use_case, env) as catalog:
        contract: Contract = catalog.load(f"{use_case}.contract")
        month = said.pop("month")
        table, parameters = read_file(catalog, contract, file, month)
        key, tables = _split(table, parameters, contract, month, file)
        made = dict(zip(STORES, (tables.features, tables.labels), strict=True))
        for store, frames in made.items():
            for frame in frames.values():
                check_frame(frame, contract.datasets[store], part=key)
        with locked(lock_path(catalog, use_case)):
            show(_save(catalog, contract, key, made, **said))


def read_file(
    catalog: DataCatalog, contract: Contract, file: Path, month: str | None
) -> tuple[pd.DataFrame, sources.IngestionParameters]:
    """Return a file of a use case's own as a table, and how it is to be split.

    Its rows are all of ``month`` where there is no time column. RaiError where the use case has no files of its own,
    the file cannot be read, or the month is none.
    """
    parameters, layout = _read_settings(catalog, contract.use_case)
    _check_period(parameters, month, file)
    path = file.absolute()
    found = sources.detect_layout(path)
    table = sources.read_table(path, layout if layout.format == found.format == "csv" else found)
    names = {new: old for old, new in parameters.rename.items()}
    if (label := names.get(parameters.label, parameters.label)) not in table:
        table = table.assign(**{label: None})
    return table, parameters if parameters.time else parameters.for_month(str(month))


def _read_settings(catalog: DataCatalog, use_case: str) -> tuple[sources.IngestionParameters, sources.FileLayout]:
    own: Any = catalog.get(f"{use_case}.own_data")
    name = f"params:{use_case}.ingestion"
    if own is None or name not in catalog:
        raise RaiError(
            f"The months of '{use_case}' do not come from files of its own.",
            where=f"conf/base/{use_case}",
            remedy="simulated months are made by 'kedro run', and another system's stores are filled by that system",
        )
    return sources.IngestionParameters.model_validate(catalog.load(name)), own.layout


def _check_period(parameters: sources.IngestionParameters, month: str | None, file: Path) -> None:
    period = parameters.period
    if month is not None and not is_month(month):
        raise RaiError(f"'{month}' is not a {period}.", where="--month", remedy=f"write it as {PERIOD_FORMS}")
    if month is not None and find_period(month) != period:
        raise RaiError(
            f"'{month}' is not a {period}, as this use case has them.",
            where="--month, ingestion.period",
            remedy=f"write it as the {period}s of the store: {PERIOD_FORMS}",
        )
    if month is None and parameters.time is None:
        raise RaiError(
            f"It has to be said which {period} these rows are.",
            where=str(file),
            remedy=f"the use case has no time column: give --month, {PERIOD_FORMS}",
        )


def _split(
    table: pd.DataFrame, parameters: sources.IngestionParameters, contract: Contract, month: str | None, file: Path
) -> tuple[str, sources.MonthlyTables]:
    period = parameters.period
    tables = sources.split_months(table, parameters, contract.types)
    found = list(tables.features)
    if found != [key_of_month(month)] if month else len(found) != 1:
        raise RaiError(
            f"The rows are not all of {month or f'one {period}'}.",
            where=str(file),
            how_many=", ".join(f"{len(rows)} rows of {key[6:]}" for key, rows in list(tables.features.items())[:6]),
            remedy=f"give a file of one {period}; several at once come in by the use case's own file and 'kedro run "
            f"--pipelines {contract.use_case}.ingestion'",
        )
    return found[0], tables


def _digest(frames: dict[str, pd.DataFrame], governed: DatasetContract) -> str:
    """Digest what will be read of a month: nothing that is forbidden, and nothing at all where there is no row."""
    forbidden = [name for name, column in governed.columns.items() if column.use == "forbidden"]
    found = [frame.drop(columns=forbidden, errors="ignore") for frame in frames.values() if len(frame)]
    return monitoring.content_digest(found[0], governed.key) if found else ""


def _save(
    catalog: DataCatalog,
    contract: Contract,
    key: str,
    made: dict[str, dict[str, pd.DataFrame]],
    *,
    replace: bool,
    reason: str,
) -> str:
    use_case, month, new, changed = contract.use_case, month_of_key(key), list[str](), list[str]()
    for store, frames in made.items():
        # The store as it lies on disk: its own entry leaves out what the contract forbids to read.
        changes = sources.compare_months(frames, catalog.load(f"{use_case}.{store}_before"))
        new += [store] if changes.new else []
        changed += [store] if changes.changed else []
    if changed and not replace:
        raise RaiError(
            f"{month} is there already, with other rows; nothing was written.",
            where=", ".join(f"{use_case}.{store}" for store in changed),
            remedy="if the new rows are right, give --replace: the next monitoring then says what was computed "
            "from the old ones and is out of date",
        )
    if new or changed:
        # On record before it is in the stores: what is there without an entry was put there by other means.
        digests = {part: _digest(made[store], contract.datasets[store]) for part, store in _PARTS.items()}
        enter_act(catalog, use_case, "add-month", reason, month=month, replaced=changed, **digests)
    for store in (*new, *changed):
        catalog.save(f"{use_case}.{store}", made[store])
    rows = {store: sum(map(len, made[store].values())) for store in STORES}
    counts = f"{rows['feature_store']} rows, {rows['label_store']} of them with a label"
    if changed:
        return f"{month} of '{use_case}' replaced ({', '.join(changed)}): {counts}."
    if new:
        return f"{month} of '{use_case}' added ({', '.join(new)}): {counts}."
    return f"{month} of '{use_case}' is there already and equal ({counts}); nothing was written."
