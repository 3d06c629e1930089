"""``kedro rai explain``: why the version in production predicts what it does for one row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from rai_kedro import explanation, modelling
from rai_kedro.commands.project import about_use_case, open_catalog
from rai_kedro.commands.terminal import show
from rai_kedro.errors import RaiError
from rai_kedro.words import format_number, list_some, make_visible

if TYPE_CHECKING:
    import pandas as pd
    from kedro.io import DataCatalog

    from rai_kedro.explanation import RowExplanation

_SHOWN = 5


@click.command()
@about_use_case
@click.option("--month", required=True, help="The month the row is in, YYYY-MM.")
@click.option("--row", required=True, metavar="KEY", help="The row's key; several columns joined by commas.")
@click.option("--below", type=float, default=None, help="For a regression: the number that a decision turns at.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def command(use_case: str, env: str | None, month: str, row: str, below: float | None, as_json: bool) -> None:
    """Say why one row is predicted as it is: the columns that count, and the nearest change that turns the decision.

    Every figure is an answer of the model in production to the same row with other values; nothing is stored.
    """
    with open_catalog(use_case, env) as catalog:
        version, unit, found = _explain(catalog, use_case, month, row, below)
    if as_json:
        click.echo(json.dumps({"use_case": use_case, "month": month, "row": row, "version": version} | found.to_dict()))
        return
    lines = [f"{use_case}, {month}, row {row}: version {version}", *describe(found, unit, below)]
    show("\n".join(map(make_visible, lines)))


def _explain(
    catalog: DataCatalog, use_case: str, month: str, row: str, below: float | None
) -> tuple[str, str, RowExplanation]:
    from rai_kedro.pipelines.monitoring.nodes import split_month
    from rai_kedro.pipelines.monitoring.plan import MonthReader

    production = catalog.load(f"{use_case}.production_model")
    if modelling.is_unseen(production.model):
        raise RaiError(
            f"Version {production.version} of {use_case} was decided elsewhere: the model itself cannot be asked.",
            where="kedro rai explain",
            remedy="ask whoever made the predictions for the reasons",
        )
    contract = catalog.load(f"{use_case}.contract")
    features, labels = (catalog.load(f"{use_case}.{name}") for name in ("feature_store", "label_store"))
    lanes = split_month(MonthReader(features, labels, contract).read(month), contract, production.model, month)
    chosen = _find_row(lanes.identifiers[list(contract.datasets["feature_store"].key)], row, month)
    others = production.reference.rows[list(lanes.model)].astype(lanes.model.dtypes)
    found = explanation.explain_row(production.model, lanes.model[chosen], others, below=below)
    return production.version, str(production.reference.baseline.get("unit", "")), found


def _find_row(keys: pd.DataFrame, row: str, month: str) -> Any:
    """Return which row has the key, as a mask."""
    named = keys.astype("string").fillna("").agg(",".join, axis="columns")
    chosen = named == row
    if chosen.sum() != 1:
        raise RaiError(
            f"No row of {month} has the key '{row}'." if not chosen.any() else f"{int(chosen.sum())} rows have it.",
            where="--row",
            how_many=f"{len(named):,} rows in the month",
            example=f"{', '.join(map(str, keys))}: {list_some(list(named), 3)}",
            remedy="give the key as the feature store has it",
        )
    return chosen


def describe(found: RowExplanation, unit: str, below: float | None) -> Iterator[str]:
    """Say it in lines."""
    what = "score" if found.is_decision else "prediction"
    decided = f", decided {found.prediction:g}" if found.is_decision else ""
    yield f"  {what} {format_number(found.answer)} {unit}".rstrip() + decided
    yield f"  {format_number(found.usual)} on average over the rows that the version was tested on"
    yield f"  what counts most ({what} less the mean with the values of those other rows):"
    for one in [reason for reason in found.reasons if reason.moves][:_SHOWN]:
        moved = "raises" if one.moves > 0 else "lowers"
        yield f"    {one.column} = {_show(one.value)} {moved} it by {format_number(abs(one.moves))}"
    if not found.is_decision and below is None:
        yield "  no decision turns here: give the number it turns at as --below"
    elif found.nearest is None:
        yield f"  no change of one or two columns turns the decision; {found.tried:,} were tried"
    else:
        to = " and ".join(f"{column} = {_show(value)}" for column, value in found.nearest.columns.items())
        yield f"  nearest change that turns it: {to}; the {what} is then {format_number(found.nearest.after)}"
    yield "  This is how the model answers. Whether somebody can change a value, or should have to, it does not know."


def _show(value: Any) -> str:
    return "missing" if value is None else format_number(value) if isinstance(value, float) else str(value)
