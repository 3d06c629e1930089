"""``kedro rai check-data``: what is wrong with months before anything is run on them, all of it at once."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pandas as pd

from rai_kedro import sources
from rai_kedro.commands.add_month import STORES, read_file
from rai_kedro.commands.project import about_use_case, open_catalog
from rai_kedro.commands.terminal import show
from rai_kedro.contract import Contract, ContractViolation, check_frame, refuse_orphans
from rai_kedro.errors import RaiError
from rai_kedro.months import PERIOD_FORMS, key_of_month, month_of_key, say_period
from rai_kedro.words import count_of, make_visible

if TYPE_CHECKING:
    from kedro.io import DataCatalog


@dataclass
class DataCheck:
    """What was looked at, and what is wrong with it: each finding with its month, or "" where it is of none."""

    rows: dict[str, int] = field(default_factory=dict)  # of every month that could be read
    labels: dict[str, int] = field(default_factory=dict)
    findings: list[tuple[str, RaiError]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        found = [
            {"month": month, "what": of.what, "where": of.where, "how_many": of.how_many, "example": of.example}
            | {"remedy": of.remedy, "breaches": [vars(one) for one in getattr(of, "breaches", ())]}
            for month, of in self.findings
        ]
        return {"sound": not found, "rows": self.rows, "labels": self.labels, "findings": found}


@click.command()
@about_use_case
@click.option("--file", type=click.Path(path_type=Path), help="A file of the use case's own, before it is added.")
@click.option("--month", help=f"Of the stores, this month alone; of a file, the month of its rows. {PERIOD_FORMS}.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def command(use_case: str, env: str | None, file: Path | None, month: str | None, as_json: bool) -> None:
    """Say all that is wrong with months, or with a file before it is added; nothing is run or written.

    Each month is compared with the contract of its columns, labels with their features, and months with the calendar.
    Exit 0 if nothing is wrong, 1 otherwise.
    """
    with open_catalog(use_case, env) as catalog:
        contract: Contract = catalog.load(f"{use_case}.contract")
        found = check_stores(catalog, contract, month) if file is None else check_file(catalog, contract, file, month)
    if as_json:
        click.echo(json.dumps({"use_case": use_case, **found.to_dict()}, indent=2))
    else:
        show("\n".join(map(make_visible, describe(found, f"{use_case}, {file or 'the months of its stores'}"))))
    sys.exit(1 if found.findings else 0)


def check_stores(catalog: DataCatalog, contract: Contract, month: str | None = None) -> DataCheck:
    """Check the months of a use case's stores, or one of them, each by itself."""
    from rai_kedro.pipelines.monitoring.plan import find_missing, plan_scoring

    found, stores = DataCheck(), dict[str, dict[str, Any]]()
    for name in STORES:
        with _noting(found, ""):
            stores[name] = dict(catalog.load(f"{contract.use_case}.{name}"))
    features, labels = stores.get("feature_store", {}), stores.get("label_store", {})
    if "feature_store" in stores:
        with _noting(found, ""):
            plan_scoring(features, ())
        if features and not any(not at for at, _ in found.findings):
            missing = find_missing(features, labels, ())
            found.findings += [(one, _absent(one, contract)) for one in missing if month in (None, one)]
    keys = sorted({*features, *labels}) if month is None else [key_of_month(month)]
    if month is not None and not {*keys} & {*features, *labels}:
        what, there = f"The stores have no {month}.", [month_of_key(key) for key in sorted(features)]
        example = f"they have {there[0]} to {there[-1]}" if there else None
        found.findings.append(
            (month, RaiError(what, where="--month", example=example, remedy="name one that is there"))
        )
    for key in keys:
        frames = {name: stores[name][key] for name in STORES if key in stores.get(name, {})}
        _check_month(found, contract, key, frames)
    return found


def check_file(catalog: DataCatalog, contract: Contract, file: Path, month: str | None) -> DataCheck:
    """Check a file as `add-month` or the ingestion would take it in; it may hold several months."""
    found = DataCheck()
    with _noting(found, month or ""):
        table, parameters = read_file(catalog, contract, file, month)
        try:
            months = sources.find_months(sources.rename_columns(table, parameters), parameters)
        except sources.SourceError:
            misfits = sources.find_misfits(table, parameters, contract.types)
            found.findings += [("", error) for error in misfits.values()]
            raise
        for name, at in table.groupby(months, sort=True).indices.items():
            with _noting(found, str(name)):
                made = _split(found, table.iloc[at], parameters, contract.types)
                for key in made.features:
                    parts = zip(STORES, (made.features, made.labels), strict=True)
                    _check_month(found, contract, key, {name: lambda f=of[key]: f for name, of in parts if key in of})
    return found


def _split(
    found: DataCheck, table: pd.DataFrame, parameters: sources.IngestionParameters, types: Mapping[str, str]
) -> sources.MonthlyTables:
    """Split the rows of one month; values that do not fit leave their column text, so that others are checked, too."""
    try:
        return sources.split_months(table, parameters, types)
    except sources.SourceError:
        misfits = sources.find_misfits(table, parameters, types)
        if not misfits:
            raise
    parts = ["features", "labels"]
    if (label := misfits.pop(parameters.label, None)) is not None:
        found.findings.append(("", label))
        parts = ["features"]
    try:
        return sources.split_months(table, parameters, {**types, **dict.fromkeys(misfits, "text")}, parts=parts)
    except sources.SourceError:
        found.findings += [("", error) for error in misfits.values()]
        raise


def _check_month(found: DataCheck, contract: Contract, key: str, frames: dict[str, Any]) -> None:
    month, read = month_of_key(key), dict[str, pd.DataFrame]()
    for name, load in frames.items():
        with _noting(found, month):
            frame = load()
            counts = found.rows if name == STORES[0] else found.labels
            counts[month] = len(frame)
            read[name] = check_frame(frame, contract.datasets[name], part=key)
    if len(read) == len(STORES):
        with _noting(found, month):
            refuse_orphans([(read[STORES[0]], read[STORES[1]])], contract, month)


@contextmanager
def _noting(found: DataCheck, month: str) -> Iterator[None]:
    """Note an error of a ``with`` block as a finding and go on after it; labels that are not there yet are none."""
    from rai_kedro.pipelines.monitoring.plan import Problem

    try:
        yield
    except Exception as error:  # whatever it is, it is told as what is wrong with the month
        known = Problem.of(month, "", error).error
        is_label = (known.where or "").partition(",")[0].endswith(STORES[1])
        if not (is_label and isinstance(known, ContractViolation) and known.of_no_rows):
            found.findings.append((month, known))


def _absent(month: str, contract: Contract) -> RaiError:
    what = say_period("There is no such month in the feature store, but others around it or labels of it.", month)
    return RaiError(what, where=contract.datasets[STORES[0]].dataset, remedy="write it; monitoring goes on without")


def describe(found: DataCheck, subject: str) -> Iterator[str]:
    """Yield the lines for a person: what was read, every finding, and what to do."""
    months = say_period(count_of(len(found.rows), "month"), next(iter(found.rows), ""))
    rows, labelled = count_of(sum(found.rows.values()), "row"), sum(found.labels.values())
    yield f"{subject}: {months}, {rows}, {labelled:,} with a label" if found.rows else f"{subject}: not readable"
    if not found.findings:
        yield "ok: nothing is wrong"
        return
    for month, error in found.findings:
        yield ""
        yield f"{month}{', ' if month and error.where else ''}{error.where or ''}".strip() or "the table"
        breaches = getattr(error, "breaches", ())
        details = f" ({error.how_many})" if error.how_many else ""
        yield from (f"  {breach}" for breach in breaches) if breaches else [f"  {error.what}{details}"]
        if error.example and not breaches:
            yield f"  e.g. {error.example}"
    remedies = dict.fromkeys(error.remedy for _, error in found.findings)
    yield ""
    yield f"{count_of(len(found.findings), 'finding')}; nothing was run or written."
    yield from (f"  do next:  {remedy}" for remedy in remedies)
