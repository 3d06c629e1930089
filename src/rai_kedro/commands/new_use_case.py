"""``kedro rai new-use-case``: from a table to a folder of YAML with a drafted contract and parameters."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import click
import pandas as pd

from rai_kedro.commands.accept_draft import accept_text
from rai_kedro.commands.draft_files import UseCaseDraft, render_catalog, render_parameters
from rai_kedro.commands.use_case_choices import NewUseCaseError, UseCaseRequest, choose_parameters, draft_label
from rai_kedro.contract.drafting import ColumnDraft, draft_column
from rai_kedro.contract.reading import read_contract
from rai_kedro.contract.validation import check_frame
from rai_kedro.files import project_folder
from rai_kedro.sources.file import read_table
from rai_kedro.sources.layout import FileLayout, detect_layout
from rai_kedro.sources.months import MONTH, IngestionParameters, MonthlyTables, split_months

_STAGES = ("simulation", "ingestion", "governance", "training", "monitoring")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_FEW_ROWS = 100
# Of the spread of the label: a gap in error below it is seldom worth a halt; a beginning, to be decided.
_TOLERANCE_SHARE = 0.25
_SHOWN = 6


@dataclass(frozen=True)
class NewUseCase:
    """What was written.

    Attributes:
        folder: The new folder.
        draft: What stands in it.
        rows: Number of rows by month.
        accepted_by: Who accepted the draft; None while it is one.
    """

    folder: Path
    draft: UseCaseDraft
    rows: dict[str, int]
    accepted_by: str | None


def new_use_case(request: UseCaseRequest, *, project: Path | None = None, today: date | None = None) -> NewUseCase:
    """Draft a use case from a table and write its folder, whole or not at all.

    What is written has been tried: the drafted contract was read, and every month of the table was held against it.

    Args:
        request: What is asked for.
        project: Root of the project; the working directory by default.
        today: Today's date (UTC) by default.

    Returns:
        What was written.

    Raises:
        RaiError: The name is taken or not fit, the file cannot be read, or the target, key or time column is not fit.
    """
    project, today = project or project_folder(), today or datetime.now(UTC).date()
    folder = project / "conf" / "base" / request.name
    _check_name(request.name, folder)
    layout = detect_layout(
        project / request.data, delimiter=request.delimiter, encoding=request.encoding, decimal=request.decimal
    )
    raw = read_table(project / request.data, layout)
    parameters = choose_parameters(raw, request, today)
    draft = _draft(raw, request, parameters, layout, project)
    types = {column.name: column.type for column in (*draft.columns, draft.label)}
    snapshots = split_months(raw, parameters, types)
    draft = replace(draft, training_month=_choose_month(snapshots))
    catalog = render_catalog(draft)
    if request.accept_draft is not None:
        catalog, _ = accept_text(catalog, request.name, request.accept_draft, today)
    _write(folder, {"catalog.yml": catalog, "parameters.yml": render_parameters(draft)}, snapshots)
    rows = {key.removeprefix(f"{MONTH}="): len(frame) for key, frame in snapshots.features.items()}
    return NewUseCase(folder, draft, rows, request.accept_draft)


def run_new_use_case(request: UseCaseRequest) -> None:
    """Make a use case and say what a person has to decide next; the body of ``kedro rai new-use-case``."""
    click.echo(describe(new_use_case(request)))


def describe(made: NewUseCase) -> str:
    """Return what was drafted and what to decide, for the terminal."""
    draft, name = made.draft, made.draft.name
    by_use = {use: [c for c in draft.columns if c.proposal.use == use] for use in ("audit", "forbidden", "model")}
    lines = [
        f"Drafted conf/base/{name}: {sum(made.rows.values())} rows, {len(draft.columns)} columns, target "
        f"'{draft.label.name}', {_months(made.rows)}.",
        "",
        "likely to describe people (audited, in no model):",
        *(_reasons(by_use["audit"]) or ["  none found by name or content; that is no proof that there is none"]),
        "proposed to stay closed:",
        *(_reasons(by_use["forbidden"]) or ["  none"]),
        f"proposed for the model: {_some([column.name for column in by_use['model']])}",
        *_warnings(made),
        "",
    ]
    if made.accepted_by is None:
        lines += [
            "Nothing is allowed yet. To decide:",
            f"  1. read conf/base/{name}/catalog.yml; correct ranges and flags, write the descriptions",
            f"  2. kedro rai accept-draft --use-case {name} --reviewer NAME    (accepts what you left as proposed)",
        ]
    else:
        lines += [f"Accepted unread by {made.accepted_by}; still to do:", "  1.-2. read the contract all the same"]
    if draft.audited:
        lines.append(f"  3. kedro rai questionnaire --use-case {name}           (which fairness metrics, and why)")
    else:
        lines.append("  3. name the columns to audit; until then the fairness gate stays closed")
    lines += [f"  4. conf/base/{name}/parameters.yml: tolerances and statements", f"then: kedro run --pipelines {name}"]
    return "\n".join(lines)


def _reasons(columns: Sequence[ColumnDraft]) -> list[str]:
    shown = [f"  {column.name}: {column.proposal.reason}" for column in columns[:_SHOWN]]
    return shown + ([f"  and {len(columns) - _SHOWN} more"] if len(columns) > _SHOWN else [])


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (", ".join(names[:_SHOWN]) or "none") + more


def _months(rows: dict[str, int]) -> str:
    first, last = min(rows), max(rows)
    return f"month {first}" if len(rows) == 1 else f"{len(rows)} months from {first} to {last}"


def _warnings(made: NewUseCase) -> list[str]:
    """Return what will get in the way later, and can be helped now."""
    span = pd.period_range(min(made.rows), max(made.rows), freq="M")
    absent = [str(month) for month in span if str(month) not in made.rows]
    training = made.draft.training_month
    found = []
    if absent:
        found.append(f"{len(absent)} months have no row ({_some(absent)}): monitoring stops there until they have")
    if made.rows[training] < _FEW_ROWS:
        found.append(f"the month to train on, {training}, has only {made.rows[training]} rows: expect wide intervals")
    if made.draft.ingestion.rename:
        found.append(
            f"renamed for the stores: {_some([f'{a!r} to {b}' for a, b in made.draft.ingestion.rename.items()])}"
        )
    return [f"note: {text}" for text in found]


def _check_name(name: str, folder: Path) -> None:
    where = f"conf/base/{name}"
    if not _NAME.fullmatch(name) or name in _STAGES:
        raise NewUseCaseError(
            f"'{name}' cannot be the name of a use case.",
            where=where,
            remedy="take lower-case letters, digits and underscores, a letter first, at most 40; no stage's name",
        )
    if folder.exists():
        raise NewUseCaseError(
            f"There is a '{name}' already; it is left as it is.",
            where=where,
            remedy="take another name, or move that folder away first",
        )
    if not folder.parent.is_dir():
        raise NewUseCaseError(
            "There is no configuration here.", where=str(folder.parent), remedy="run this in the project's folder"
        )


def _draft(
    raw: pd.DataFrame, request: UseCaseRequest, parameters: IngestionParameters, layout: FileLayout, project: Path
) -> UseCaseDraft:
    originals = {str(parameters.rename.get(str(name), name)): str(name) for name in raw.columns}
    table = raw.rename(columns=parameters.rename)
    not_features = {parameters.label, parameters.key, parameters.time.column if parameters.time else parameters.label}
    columns = tuple(
        draft_column(table[name], is_date=name in parameters.dates, original=original)
        for name, original in originals.items()
        if name not in not_features
    )
    label = draft_label(table[parameters.label], request)
    spread = pd.to_numeric(table[parameters.label], errors="coerce").std() if request.task == "regression" else 0.0
    return UseCaseDraft(
        name=request.name,
        task=request.task,
        filepath=_relative(project / request.data, project),
        layout=layout,
        ingestion=parameters,
        columns=columns,
        label=label,
        training_month="",
        tolerance=float(f"{_TOLERANCE_SHARE * float(spread):.2g}"),
    )


def _choose_month(snapshots: MonthlyTables) -> str:
    """Return the first month with at least half as many labelled rows as is usual; the first may be cut off."""
    rows = pd.Series({key.removeprefix(f"{MONTH}="): len(frame) for key, frame in snapshots.labels.items()})
    return str(rows[rows >= rows.median() / 2].index[0])


def _relative(path: Path, project: Path) -> str:
    resolved = path.resolve()
    return str(resolved.relative_to(project.resolve()) if resolved.is_relative_to(project.resolve()) else resolved)


def _write(folder: Path, files: dict[str, str], snapshots: MonthlyTables) -> None:
    """Try the files in a folder beside the environments, then move it to its place in one step."""
    from rai_kedro.files import write_text

    beside = folder.parents[1] / f".{folder.name}.{os.getpid()}.tmp"
    try:
        for name, text in files.items():
            write_text(beside / folder.name / name, text)
        contract = read_contract(beside / folder.name / "catalog.yml", as_of=date.min)
        for store, months in {"feature_store": snapshots.features, "label_store": snapshots.labels}.items():
            for part, frame in months.items():
                check_frame(frame, contract.datasets[store], part=part)
        (beside / folder.name).rename(folder)
    except OSError as error:
        raise NewUseCaseError(
            "The folder cannot be written; nothing was.",
            where=str(folder),
            example=str(error.strerror),
            remedy="see that the folder may be written, and that nobody else is making the same use case",
        ) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
