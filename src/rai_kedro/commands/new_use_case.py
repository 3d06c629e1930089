"""``kedro rai new-use-case``: from a table, or from stores that are there, to a folder of YAML with a draft."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click
import pandas as pd

from rai_kedro import sources
from rai_kedro.commands.accept_draft import Acceptance, accept_file, enter_acceptance
from rai_kedro.commands.draft_files import (
    Known,
    UseCaseDraft,
    draft_use_case,
    render,
    render_catalog,
    render_parameters,
)
from rai_kedro.commands.draft_reading import try_reading
from rai_kedro.commands.terminal import show
from rai_kedro.commands.use_case_choices import NewUseCaseError, UseCaseRequest, choose_parameters, settle_task, some
from rai_kedro.contract import GROUPS, Column, check_frame, find_repeats, read_contract, read_proposal
from rai_kedro.errors import RaiError
from rai_kedro.files import project_folder, staging_folder, write_text
from rai_kedro.months import PERIOD_FORMS, PERIODS, month_of_key, months_between
from rai_kedro.pipelines import STAGES

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
# The second column of a name, as sources.read_cells calls it.
_AGAIN = re.compile(r"(.+) \(\d+\)")
# A third of so many rows tells two groups of equal size apart to about a tenth.
_ENOUGH_ROWS = 1_500
_TEST_SHARE = 0.33


@dataclass(frozen=True)
class NewUseCase:
    """What was written: the draft and its folder, rows by month, and words that may mean "missing" by column."""

    folder: Path
    draft: UseCaseDraft
    rows: dict[str, int]
    words: dict[str, tuple[sources.WordCount, ...]]
    accepted: Acceptance | None
    notes: tuple[str, ...] = ()  # what the data contract says that found no place, or does not say
    unlabelled: tuple[str, ...] = ()  # values that the codebook does not know, by column
    repeats: tuple[str, ...] = ()  # columns that may name the unit of rows

    @property
    def accepted_by(self) -> str | None:
        """Who accepted the draft unread."""
        return self.accepted.reviewer if self.accepted else None


@dataclass(frozen=True)
class _Source:
    """Where the months come from, and how the catalogue reaches them."""

    tables: dict[str, pd.DataFrame]  # by month; under no name where the rows say which month they are of
    entry: dict[str, Any]
    words: dict[str, tuple[sources.WordCount, ...]]

    def split(self, parameters: sources.IngestionParameters, types: Mapping[str, str]) -> sources.MonthlyTables:
        """Return the rows by month, as features and labels."""
        made = sources.MonthlyTables({}, {})
        for month, table in self.tables.items():
            part = sources.split_months(table, parameters.for_month(month) if month else parameters, types)
            made.features.update(part.features)
            made.labels.update(part.labels)
        return made

    def find_months(self, parameters: sources.IngestionParameters) -> pd.Series[Any]:
        """Return the month of each row of all tables together."""
        found = [
            sources.find_months(sources.rename_columns(table, settings), settings)
            for month, table in self.tables.items()
            if (settings := parameters.for_month(month) if month else parameters)
        ]
        return pd.concat(found, ignore_index=True)


def new_use_case(request: UseCaseRequest, *, project: Path | None = None, today: date | None = None) -> NewUseCase:
    """Draft a use case and write its folder, whole or not at all.

    What is written has been tried: the drafted contract was read, the catalogue built as a run would, and every month
    compared with the contract.
    """
    project, today = project or project_folder(), today or datetime.now(UTC).date()
    folder = project / "conf" / "base" / request.name
    _check_name(request.name, folder)
    source = _read_source(request, project)
    raw = pd.concat(source.tables.values(), ignore_index=True)
    request = settle_task(raw, request)
    labels, unlabelled = _read_labels(request, raw, project)
    parameters = choose_parameters(raw, request, today)
    table = sources.hide_missing(raw.rename(columns=parameters.rename), parameters.missing)
    words = _count_words(source.words, table, parameters)
    columns, notes = _read_known(request, project)
    months = source.find_months(parameters)
    training_month = _choose_month(months, table[parameters.label])
    known = Known(
        words,
        columns,
        {parameters.rename.get(name, name): values for name, values in labels.items()},
        months == training_month,
    )
    draft = draft_use_case(table, request, parameters, known)
    if absent := sorted(set(columns) - set(map(str, raw.columns)) - set(parameters.rename.values())):
        notes = (f"not in the data: {some(absent)}", *notes)
    types = {column.name: column.type for column in (*draft.columns, draft.label)}
    tables = source.split(parameters, types)
    draft = replace(draft, source=source.entry, training_month=training_month)
    if draft.reading is not None and not draft.reading.hosts:
        found = try_reading(draft.reading, tables.features)
        draft = replace(draft, reading=replace(draft.reading, notes=(*draft.reading.notes, *found)))
    with _beside(folder) as written:
        write_text(written / "catalog.yml", render_catalog(draft))
        write_text(written / "parameters.yml", render_parameters(draft))
        accepted = None
        if request.accept_draft is not None:
            accepted = accept_file(written / "catalog.yml", request.accept_draft, today)
        _try(written, folder.parent, tables)
        written.rename(folder)
    rows = {month_of_key(key): len(frame) for key, frame in tables.features.items()}
    described = table[[column.name for column in draft.columns]]
    repeats = tuple(str(one) for one in find_repeats(described))
    return NewUseCase(folder, draft, rows, words, accepted, notes, unlabelled, repeats)


@click.command()
@click.argument("name")
@click.option("--data", type=click.Path(path_type=Path), help="CSV or Parquet file.")
@click.option("--stores", help="In its place: folder of months, or dataset of the catalogue, filled by another system.")
@click.option("--target", required=True, help="Column to be predicted.")
@click.option("--task", type=click.Choice(["classification", "regression"]), help="Found where the target says it.")
@click.option("--key", help="Column that identifies a row within a month; rows are numbered without it.")
@click.option("--time", help="Column that says when a row happened; without it the file is one month.")
@click.option("--time-format", help="How that column is written, as in strftime.")
@click.option("--time-zone", help="Where dates have different offsets: 'as written', or a zone such as Europe/Berlin.")
@click.option("--period", type=click.Choice(PERIODS), default="month", show_default=True, help="What stores hold by.")
@click.option("--month", help=f"Month of the file if there is no time column, {PERIOD_FORMS}; this one by default.")
@click.option("--favourable", help="Value of the target that is the favourable outcome.")
@click.option("--missing", multiple=True, help="Word that stands for a missing value; COLUMN=WORD for one column.")
@click.option("--delimiter", help="Delimiter of a text file; found by default.")
@click.option("--encoding", help="Encoding of a text file; UTF-8 by default.")
@click.option("--decimal", type=click.Choice([".", ","]), help="Decimal mark of a text file; found by default.")
@click.option("--prediction", help="Column of decisions or amounts predicted elsewhere: nothing is trained then.")
@click.option("--score", help="Column of scores made elsewhere.")
@click.option("--favourable-prediction", help="Value of the decision that is the favourable one.")
@click.option("--high-score", type=click.Choice(["favourable", "unfavourable"]), help="What a high score stands for.")
@click.option("--model-url", metavar="URL", help="In place of columns: a server that serves the model (MLflow's way).")
@click.option("--threshold", type=float, help="Selected are scores from here on; without --prediction.")
@click.option("--top", type=int, help="In its place: so many of the highest scores are selected, each month.")
@click.option("--top-share", type=float, help="In its place: this share of the highest scores.")
@click.option("--per", help="Column of units (courts, branches) that each select for themselves.")
@click.option("--contract", type=click.Path(path_type=Path), help="Data contract (ODCS 3) that describes columns.")
@click.option("--codebook", type=click.Path(path_type=Path), help="What coded values mean: column, value, label.")
@click.option("--accept-draft", metavar="REVIEWER", help="Accept the draft unread, in this person's name.")
def command(**options: Any) -> None:
    """Draft a use case from a table of your own, or from stores that are there."""
    made = _ask_until_plain(UseCaseRequest(**options))
    if made.accepted:
        enter_acceptance(made.folder.name, made.accepted, None)
    show(describe(made))


def _ask_until_plain(request: UseCaseRequest) -> NewUseCase:
    """Ask, where somebody sits at the terminal, for what the data leave open; elsewhere the error names the option."""
    while True:
        try:
            return new_use_case(request)
        except NewUseCaseError as error:
            if error.option is None or not sys.stdin.isatty():
                raise
            click.echo(f"{error.what} ({error.where}; {error.example})", err=True)
            kind = float if error.option == "top_share" else str
            answer = click.prompt(f"--{error.option.replace('_', '-')}", type=kind, err=True)
            request = replace(request, **dict[str, Any]({error.option: answer}))


def describe(made: NewUseCase) -> str:
    """Return what was drafted and what to decide, for the terminal."""
    draft, rows, first, last = made.draft, made.rows, min(made.rows), max(made.rows)
    proposals = [(column.name, proposal) for column in draft.columns if (proposal := read_proposal(column.risk))]
    proposed = {
        group: [
            name if group in ("model", "decision") else f"{name}: {one.reason}"
            for name, one in proposals
            if one.group == group
        ]
        for group in GROUPS
    }
    doubts: dict[str, list[str]] = {}
    for name, one in proposals:
        if one.use == "model" and (doubt := one.reason.partition("; ")[2]):
            doubts.setdefault(doubt, []).append(name)
    return render(
        "drafted.txt.j2",
        draft=draft,
        rows=rows,
        first=first,
        last=last,
        proposed=proposed,
        doubted=[f"{doubt}: {some(names)}" for doubt, names in doubts.items()],
        advice=_advise(made),
        repeated=_find_repeated(draft.ingestion.rename),
        unlabelled=made.unlabelled,
        repeats=made.repeats,
        absent=[month for month in months_between(first, last) if month not in rows],
        renamed=[f"{old[:60]!r} to {new}" for old, new in draft.ingestion.rename.items()],
        words=[f"{name}: {', '.join(map(str, counts))}" for name, counts in made.words.items()],
        accepted_by=made.accepted_by,
        taken=[f"{column.name} ({column.use})" for column in draft.columns if read_proposal(column.risk) is None],
        notes=made.notes,
    ).rstrip("\n")


def _find_repeated(rename: Mapping[str, str]) -> list[str]:
    """Say which names the header has more than once, and what the later columns are called."""
    return [f"{found[1]!r} again, as {new}" for old, new in rename.items() if (found := _AGAIN.fullmatch(old))]


def _advise(made: NewUseCase) -> str:
    """Return what to do about few rows to train on; nothing where they are enough."""
    first, rows = made.draft.training_month, made.rows[made.draft.training_month]
    if rows >= _ENOUGH_ROWS:
        return ""
    tested = f"{rows:,} rows, about {round(rows * _TEST_SHARE):,} of them for the test"
    later, total = first, rows
    for month in sorted(month for month in made.rows if month > first):
        if total >= _ENOUGH_ROWS:
            break
        later, total = month, total + made.rows[month]
    if later == first:
        return f"{first}, the only one to train on, has {tested}: expect 'insufficient evidence'; bring more rows"
    return (
        f"{first}, the one to train on, has {tested}: expect 'insufficient evidence'; with 'last_month: {later}' in "
        f"parameters.yml it is {total:,}"
    )


def _check_name(name: str, folder: Path) -> None:
    where = f"conf/base/{name}"
    if not _NAME.fullmatch(name) or name in STAGES:
        what = f"'{name}' cannot be the name of a use case."
        remedy = "take lower-case letters, digits and underscores, a letter first, at most 40; no stage's name"
    elif folder.exists():
        what = f"There is a '{name}' already; it is left as it is."
        remedy = "take another name, or move that folder away first"
    elif not folder.parent.is_dir():
        what, where = "There is no configuration here.", str(folder.parent)
        remedy = "run this in the project's folder"
    else:
        return
    raise NewUseCaseError(what, where=where, remedy=remedy)


def _read_source(request: UseCaseRequest, project: Path) -> _Source:
    if (request.data is None) == (request.stores is None):
        raise NewUseCaseError(
            "A use case is made from one file, or from stores that are there.",
            remedy="give either --data FILE or --stores FOLDER (or the name of a dataset in the catalogue)",
        )
    if request.data is not None:
        path = _locate(request.data, project)
        layout = sources.detect_layout(
            path, delimiter=request.delimiter, encoding=request.encoding, decimal=request.decimal
        )
        cells = sources.read_cells(path, layout)
        entry = {"filepath": _relative(path, project), "layout": layout}
        return _Source({"": sources.mark_missing(cells, layout)}, entry, sources.count_missing_words(cells, layout))
    if request.key is None:
        raise NewUseCaseError(
            "Rows of a store that another system fills need a key of their own.",
            where="--stores",
            remedy="give --key, the column that identifies a row within a month",
        )
    folder = _locate(Path(str(request.stores)), project)
    return _from_folder(folder, request, project) if folder.is_dir() else _from_dataset(str(request.stores), request)


def _read_known(request: UseCaseRequest, project: Path) -> tuple[dict[str, Column], tuple[str, ...]]:
    """Return what a data contract says of columns by name, and what of it found no place."""
    if request.contract is None:
        return {}, ()
    from rai_kedro.exchange import read_odcs

    path = _locate(request.contract, project)
    try:
        found = read_odcs(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise NewUseCaseError(
            "The data contract cannot be read.",
            where=str(path),
            example=str(error),
            remedy="name a file with --contract",
        ) from error
    except RaiError as error:
        error.where = f"{path}, {error.where}" if error.where else str(path)
        raise
    return found.columns, found.notes


def _from_store(tables: dict[str, pd.DataFrame], entry: dict[str, Any]) -> _Source:
    whole = pd.concat(tables.values(), ignore_index=True)
    return _Source(tables, entry, sources.count_missing_words(whole, sources.FileLayout(format="parquet")))


def _from_folder(folder: Path, request: UseCaseRequest, project: Path) -> _Source:
    if request.time or request.month:
        raise NewUseCaseError(
            "The folders of a store say which month it is.", where="--stores", remedy="leave --time and --month out"
        )
    tables = {
        month: sources.read_stored_month(files, request.key)
        for month, files in sources.find_stored_months(folder).items()
    }
    return _from_store(tables, {"filepath": _relative(folder, project)})


def _from_dataset(name: str, request: UseCaseRequest) -> _Source:
    from kedro.framework.session.session import KedroSession

    session = KedroSession.create()
    with session:
        context = session.load_context()
        declared = context.config_loader["catalog"].get(name)
        if declared is None:
            raise NewUseCaseError(
                f"'{name}' is neither a folder nor a dataset of the catalogue.",
                where="--stores",
                remedy="name a folder of months (month=2024-05/*.parquet), or a dataset from conf/base/catalog.yml",
            )
        table = context.catalog.load(name)
    if not isinstance(table, pd.DataFrame) or table.empty or request.time is None:
        raise NewUseCaseError(
            f"'{name}' gives no table with rows and a time column.",
            where="--stores",
            example=f"it gives {type(table).__name__}, --time is {request.time}",
            remedy="take a dataset that loads a pandas DataFrame, and say with --time when a row happened",
        )
    return _from_store({"": table}, {"dataset": dict(declared)})


def _choose_month(months: pd.Series[Any], label: pd.Series[Any]) -> str:
    """Return the first month with at least half as many labelled rows as is usual; the first may be cut off."""
    is_known = label.notna() & (label.astype(str).str.strip() != "")
    rows = months[is_known].value_counts().sort_index()
    return str(rows[rows >= rows.median() / 2].index[0] if len(rows) else months.min())


def _count_words(
    found: Mapping[str, tuple[sources.WordCount, ...]], table: pd.DataFrame, parameters: sources.IngestionParameters
) -> dict[str, tuple[sources.WordCount, ...]]:
    """Return by column what may stand for a missing value, with what is read so and numbers that look so."""
    words = {parameters.rename.get(name, name): counts for name, counts in found.items()}
    read = {
        name: tuple(
            replace(one, is_missing=one.is_missing or one.word in parameters.missing.get(name, ())) for one in all_
        )
        for name, all_ in words.items()
    }
    for name in map(str, table.columns):
        told = {one.word for one in read.get(name, ())}
        more = tuple(one for one in sources.find_sentinels(table[name]) if one.word not in told)
        if more and name not in parameters.dates:
            read[name] = (*read.get(name, ()), *more)
    return read


def _read_labels(
    request: UseCaseRequest, table: pd.DataFrame, project: Path
) -> tuple[sources.Codebook, tuple[str, ...]]:
    """Return what the codebook calls values, and which it does not know."""
    if request.codebook is None:
        return {}, ()
    codebook = sources.read_codebook(_locate(request.codebook, project), table)
    return codebook, tuple(sources.list_unlabelled(codebook, table))


def _locate(path: Path, project: Path) -> Path:
    """Take a path as seen from the working directory, or else from the project."""
    return path if path.exists() else project / path


def _relative(path: Path, project: Path) -> str:
    resolved = path.resolve()
    return str(resolved.relative_to(project.resolve()) if resolved.is_relative_to(project.resolve()) else resolved)


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """Lend a folder of the same name in a configuration of its own, and say where it cannot be written."""
    try:
        # Beside conf/base, so that no program that reads the configuration meets a half of it.
        with staging_folder(folder.parent, folder.name) as conf:
            yield conf / "base" / folder.name
    except OSError as error:
        raise NewUseCaseError(
            "The folder cannot be written; nothing was.",
            where=str(folder),
            example=str(error.strerror),
            remedy="see that the folder may be written, and that nobody else is making the same use case",
        ) from error


def _try(written: Path, base: Path, tables: sources.MonthlyTables) -> None:
    """Check each month, and build the catalogue as a run does: what fails is found now, not by the next command."""
    from kedro.config import OmegaConfigLoader
    from kedro.io import DataCatalog

    contract = read_contract(written / "catalog.yml", as_of=date.min)
    for store, months in {"feature_store": tables.features, "label_store": tables.labels}.items():
        for part, frame in months.items():
            check_frame(frame, contract.datasets[store], part=part)
    name, conf = written.name, written.parents[1]
    (conf / "local").mkdir()
    for file in base.glob("globals.y*ml"):
        shutil.copy(file, written.parent)
    loader = OmegaConfigLoader(str(conf), base_env="base", default_run_env="local")
    try:
        entries = dict(loader["catalog"])
        _ = loader["parameters"][name]
        own = {entry: what for entry, what in entries.items() if entry.startswith(f"{name}.") and "dataset" not in what}
        catalog = DataCatalog.from_config(own)
        for entry in own:
            catalog.get(entry)
    except Exception as error:
        raise NewUseCaseError(
            "The draft does not load; nothing was written.",
            where=f"conf/base/{name}",
            example=str(error).splitlines()[0][:200],
            remedy="rename the column or value that is named there; if none is, report this with the file's header",
        ) from error
