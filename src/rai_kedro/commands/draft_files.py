"""The draft of a new use case, and its two files as text, with the comments that help a person to decide."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

# Its face, since the rest loads scipy, and every command is loaded for the list of commands.
from rai_kedro import contract, proxies
from rai_kedro.commands.draft_reading import Reading, draft_reading
from rai_kedro.commands.use_case_choices import Task, UseCaseRequest, draft_label, some
from rai_kedro.sources import FileLayout, IngestionParameters, WordCount

# What a draft measures; the questionnaire replaces it. All but the one that judges nothing have a tolerance.
DRAFTED_METRICS = {
    "regression": ("mean_prediction", "mean_absolute_error", "mean_signed_error"),
    "classification": ("statistical_parity", "equal_opportunity", "predictive_equality"),
}
# Of the spread of the label: a gap in error below it is seldom worth a halt; a beginning, to be decided.
_TOLERANCE_SHARE = 0.25
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class UseCaseDraft:
    """All that is written about a new use case."""

    name: str
    task: Task
    source: Mapping[str, Any]  # `filepath` and `layout` of a file; else `filepath` or `dataset` of another's stores
    ingestion: IngestionParameters
    columns: tuple[contract.Column, ...]
    label: contract.Column
    training_month: str
    disguises: tuple[str, ...]  # columns that give the target away, or are one that describes people, in words
    reading: Reading | None  # of what was predicted elsewhere; None where a model is to be trained
    tolerance: float  # largest gap in error that is accepted at first, in the unit of the label (regression)

    @property
    def audited(self) -> tuple[str, ...]:
        """Columns that the fairness assessment sees."""
        return tuple(column.name for column in self.columns if column.use == "audit")

    @property
    def amounts(self) -> tuple[str, ...]:
        """Audited columns of numbers: the assessment asks of whole ones whether those are amounts or codes.

        A missing value makes whole numbers ``float``.
        """
        return tuple(one.name for one in self.columns if one.use == "audit" and one.type in contract.NUMERIC_TYPES)

    @property
    def is_file(self) -> bool:
        """Whether the months come from a file of the user's."""
        return "layout" in self.source


@dataclass(frozen=True)
class Known:
    """What is known of a table beside its rows, by the names its columns have in the stores.

    Attributes:
        words: What may stand for a missing value.
        columns: What a data contract says, by the names there or here.
        labels: What a codebook calls values.
        trained_on: Which rows are of the month to train on, shape (rows,); all if None.
    """

    words: Mapping[str, Sequence[WordCount]] = field(default_factory=dict)
    columns: Mapping[str, contract.Column] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    trained_on: pd.Series[bool] | None = None


def draft_use_case(
    table: pd.DataFrame, request: UseCaseRequest, parameters: IngestionParameters, known: Known
) -> UseCaseDraft:
    """Draft every column of a table, its names changed already; where it comes from and the month stay open.

    What needs a decision comes first.
    """
    originals = {new: old for old, new in parameters.rename.items()}
    not_features = {parameters.label, parameters.key, parameters.time.column if parameters.time else parameters.label}
    names = [str(name) for name in table.columns if name not in not_features]
    reading = draft_reading(table, request, parameters)
    given = reading.columns if reading else {}
    others = [name for name in names if name not in given]
    leaks, relations, doubts = _find_disguises(table, others, parameters.label, originals)
    drafted = (
        given[name]
        if name in given
        else contract.draft_column(
            table[name],
            contract.Seen(
                is_date=name in parameters.dates,
                original=originals.get(name, name),
                note=", ".join(map(str, known.words.get(name, ()))),
                warning=_warn(name, leaks, relations),
                doubt="; ".join(one.text for one in doubts if name in one.columns),
                describes_people=any(name in one.columns for one in relations),
                labels=known.labels.get(name, {}),
                trained_on=known.trained_on,
            ),
        )
        for name in names
    )
    columns = [
        take_over(one, known.columns.get(originals.get(one.name, one.name)) or known.columns.get(one.name))
        for one in drafted
    ]
    label = draft_label(table[parameters.label], request)
    task: Task = "regression" if parameters.favourable is None else "classification"
    spread = pd.to_numeric(table[parameters.label], errors="coerce").std() if task == "regression" else 0.0
    return UseCaseDraft(
        name=request.name,
        task=task,
        source={},
        ingestion=parameters,
        columns=tuple(sorted(columns, key=lambda one: [*contract.GROUPS, ""].index(group_of(one)))),
        label=label,
        training_month="",
        disguises=tuple(one.text for one in (*leaks, *relations, *doubts)),
        reading=reading,
        tolerance=float(f"{_TOLERANCE_SHARE * float(spread):.2g}"),
    )


def group_of(column: contract.Column) -> str:
    """Return the group of proposals a column is in; nothing once somebody decided."""
    proposal = contract.read_proposal(column.risk)
    return "" if proposal is None else proposal.group


def _warn(name: str, leaks: Sequence[proxies.Relation], relations: Sequence[proxies.Relation]) -> str:
    said = "; ".join(one.text for one in leaks if name in one.columns)
    stands_for = [one.text for one in relations if name in one.columns]
    return "; ".join([*([f"{contract.LEAK}: {said}"] if said else []), *stands_for])


def _find_disguises(
    table: pd.DataFrame, names: Sequence[str], label: str, originals: Mapping[str, str]
) -> tuple[tuple[proxies.Relation, ...], ...]:
    """Find columns that give the target away, are one that seems to describe people, or tell the target too well."""
    columns = pd.DataFrame({name: _as_numbers(table[name]) for name in [*names, label]})
    seen = {name: contract.suspect(originals.get(name, name), table[name]) for name in names}
    people = [name for name, one in seen.items() if one is not None and one.confidence != "unsure"]
    others = [name for name in names if name not in people]
    leaks = proxies.find_leaks(columns[names], columns[[label]])
    relations = proxies.find_relations(columns[others], columns[people]) if others and people else ()
    return leaks, relations, proxies.find_suspicions(columns[names], columns[[label]])


def _as_numbers(values: pd.Series[Any]) -> pd.Series[Any]:
    """Return numbers that a text file holds as numbers, anything else as it is."""
    numbers = pd.to_numeric(values, errors="coerce")
    return numbers if numbers.notna().sum() == values.notna().sum() else values


def take_over(drafted: contract.Column, known: contract.Column | None) -> contract.Column:
    """Return what a data contract says of a column; what it leaves undecided is proposed from the data."""
    if known is None:
        return drafted
    undecided = ("flags", "use", "risk") if (known.risk or "").startswith(contract.UNDECIDED) else ()
    return known.model_copy(update={field: getattr(drafted, field) for field in ("name", *undecided)})


def render_catalog(draft: UseCaseDraft) -> str:
    """Return the text of ``catalog.yml``: where the data are, and both stores with their drafted contracts."""
    layout: FileLayout = draft.source.get("layout", FileLayout())
    # The folder of a store says which month it is.
    months = draft.ingestion.model_dump(exclude_none=True, exclude={"month"})
    return render(
        "catalog.yml.j2",
        draft=draft,
        file=draft.is_file,
        layout=layout.model_dump(include={"format"} if layout.format == "parquet" else None),
        months={key: value for key, value in months.items() if value not in ({}, ())},
        stores={"feature_store": draft.columns, "label_store": (draft.label,)},
        groups=contract.GROUPS | {"": "decided in the data contract"},
        group_of=group_of,
        owner=contract.NO_OWNER,
    )


def render_parameters(draft: UseCaseDraft) -> str:
    """Return the text of ``parameters.yml``."""
    settings = draft.ingestion.model_dump(exclude_none=True)
    settings = {key: value for key, value in settings.items() if value not in ({}, ()) or key == "leave_out"}
    return render(
        "parameters.yml.j2",
        metrics=DRAFTED_METRICS[draft.task],
        draft=draft,
        ingestion=settings if draft.is_file else {},
    )


def render(template: str, **values: Any) -> str:
    """Return the text of a template of this folder."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - no HTML; every value in YAML goes through the filter below
    )
    environment.filters |= {"yaml": flow, "some": some}
    return environment.get_template(template).render(**values)


def scalar(value: Any) -> str:
    """Write one value so that YAML reads back exactly this: text always in quotes unless it is a plain word."""
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and yaml.safe_load(value) == value:
            return value
        return yaml.safe_dump(value, default_style='"', allow_unicode=True, width=float("inf")).strip()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:  # noqa: PLR2004 - exact in a float
        return str(int(value))
    if isinstance(value, float):
        text = repr(value)
        # YAML 1.1 takes '1e-07' for text: it wants a point.
        return text.replace("e", ".0e") if "e" in text and "." not in text else text
    return yaml.safe_dump(value).removesuffix("...\n").strip()


def flow(value: Any) -> str:
    """Write a value on one line, within braces and brackets."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    return scalar(value)
