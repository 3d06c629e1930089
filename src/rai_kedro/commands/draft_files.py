"""The two files of a new use case as text, with the comments that help a person to decide."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from rai_kedro.contract.drafting import ColumnDraft
from rai_kedro.sources import FileLayout, IngestionParameters

NO_OWNER = "nobody yet"
_LONG = 32
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_MONTH_STORE = "rai_kedro.datasets.month_store.MonthStore"
_EXISTING_STORE = "rai_kedro.datasets.existing_store.ExistingStore"
_OWN_TABLE = "rai_kedro.datasets.own_table.OwnTable"


@dataclass(frozen=True)
class UseCaseDraft:
    """All that is written about a new use case.

    Attributes:
        name: Its name.
        task: What is predicted.
        source: How the catalogue reaches the data: ``filepath`` and ``layout`` of a file, or else ``filepath`` or
            ``dataset`` of stores that another system fills.
        ingestion: How the table becomes months.
        columns: Draft of every feature.
        label: Draft of the label.
        training_month: Month to train on.
        tolerance: Largest gap in error that is accepted at first, in the unit of the label (regression).
    """

    name: str
    task: Literal["regression", "classification"]
    source: Mapping[str, Any]
    ingestion: IngestionParameters
    columns: tuple[ColumnDraft, ...]
    label: ColumnDraft
    training_month: str
    tolerance: float

    @property
    def audited(self) -> tuple[str, ...]:
        """Columns that the fairness assessment sees."""
        return tuple(column.name for column in self.columns if column.use == "audit")


def render_catalog(draft: UseCaseDraft) -> str:
    """Return the text of ``catalog.yml``: where the data are, and both stores with their drafted contracts."""
    is_file = "layout" in draft.source
    head = _CATALOG_HEAD.format(name=draft.name, what="a table" if is_file else "stores").rstrip()
    source = _own_file(draft) if is_file else _months_entry(draft)
    features = _store(draft, "feature_store", f"predict {draft.label.name}", draft.columns)
    labels = _store(draft, "label_store", f"learn and check {draft.label.name}", (draft.label,))
    return "\n\n".join([head, source, features, labels]) + "\n"


def _own_file(draft: UseCaseDraft) -> str:
    layout: FileLayout = draft.source["layout"]
    keys = {"format"} if layout.format == "parquet" else None
    lines = [
        f"{draft.name}.own_data:",
        f"  type: {_OWN_TABLE}",
        f"  filepath: {scalar(draft.source['filepath'])}",
        f"  layout: {flow(layout.model_dump(include=keys))}",
        "  metadata: {kedro-viz: {layer: sources (own_data may be risky)}}",
        "",
        "# Both stores as a run finds them, to see which months of the file are new, changed or gone.",
    ]
    for store in ("feature_store", "label_store"):
        lines += [f"{draft.name}.{store}_before:", f"  type: {_MONTH_STORE}", f"  filepath: {_folder(draft, store)}"]
    return "\n".join(lines)


def _months_entry(draft: UseCaseDraft) -> str:
    settings = draft.ingestion.model_dump(exclude_none=True)
    # The folder of a store says which month it is; empty settings say nothing.
    shown = {key: value for key, value in settings.items() if key != "month" and value not in ({}, [], ())}
    return f"# What identifies a row within a month, and what the label means.\n_months: &months {flow(shown)}"


def _folder(draft: UseCaseDraft, store: str) -> str:
    return f"${{globals:data_root}}/03_primary/{draft.name}/{store}"


def render_parameters(draft: UseCaseDraft) -> str:
    """Return the text of ``parameters.yml``."""
    is_regression = draft.task == "regression"
    return _PARAMETERS.format(
        name=draft.name,
        title=scalar(draft.name.replace("_", " ")),
        purpose=scalar(f"to be written: what predictions of {draft.label.name} are for"),
        file=scalar(f"The data are {_place(draft)}; nobody has said yet whom they represent."),
        ingestion=_INGESTION.format(settings=_ingestion(draft.ingestion)) if "layout" in draft.source else "",
        task=draft.task,
        month=draft.training_month,
        target=scalar(draft.label.name),
        estimator="sklearn.linear_model.LinearRegression"
        if is_regression
        else "sklearn.linear_model.LogisticRegression",
        params="{}" if is_regression else "{max_iter: 1000}",
        other="HistGradientBoostingRegressor" if is_regression else "HistGradientBoostingClassifier",
        fairness=_fairness(draft),
        mitigation=_mitigation(draft),
    )


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


def _place(draft: UseCaseDraft) -> str:
    if "layout" in draft.source:
        return f"the rows of one file ({draft.source['filepath']})"
    return f"the stores of another system ({draft.source.get('filepath') or draft.source['dataset'].get('type')})"


def _store(draft: UseCaseDraft, store: str, purpose: str, columns: Sequence[ColumnDraft]) -> str:
    if "layout" in draft.source:
        kind, place = _MONTH_STORE, [f"filepath: {_folder(draft, store)}", "partition_by: [month]"]
    else:
        part = store.removesuffix("_store") + "s"
        place = [f"{key}: {flow(value)}" for key, value in draft.source.items()]
        kind, place = _EXISTING_STORE, [*place, f"part: {part}", "months: *months"]
    return _STORE.format(
        name=draft.name,
        store=store,
        kind=kind,
        place="\n  ".join(place),
        purpose=scalar(purpose),
        key=flow([draft.ingestion.key]),
        columns="\n".join(_column(column) for column in columns),
        owner=scalar(NO_OWNER),
    )


def _column(column: ColumnDraft) -> str:
    """Write one column on two lines: what it is and what it may be used for, then why and what it means."""
    flags = ["risky", "demographic"] if column.is_demographic else ["risky"]
    first: dict[str, Any] = {"type": column.type, "range": column.range, "categories": column.categories}
    first = {key: value for key, value in first.items() if value is not None}
    first |= {"nullable": column.nullable, "flags": flags, "use": column.use}
    second = {"risk": column.risk, "description": column.description}
    return f"        {scalar(column.name)}: {flow(first)[:-1]},\n          {flow(second)[1:]}"


def _ingestion(parameters: IngestionParameters) -> str:
    notes = {
        "rename": "names in the file that a store cannot take, and what they are called here",
        "key": "what identifies a row within a month",
        "number_rows": "true: the key is made, 1, 2, … in each month; false: the file has it",
        "label": "goes to the label store; every other column to the feature store",
        "favourable": "this value of the label becomes 1",
        "unfavourable": "and this one 0",
        "time": "says which month a row belongs to; goes to no store",
        "month": "the whole file is this one month",
        "dates": "how other columns write their dates",
        "leave_out": "columns that no store gets",
    }
    values = parameters.model_dump(exclude_none=True, exclude_defaults=False)
    shown = {k: v for k, v in values.items() if v or k in ("number_rows", "leave_out")}
    lines = [f"    {key}: {flow(list(v) if isinstance(v, tuple) else v)}" for key, v in shown.items()]
    noted = zip(lines, (notes[key] for key in shown), strict=True)
    return "\n".join(f"{line:<31} # {n}" if len(line) < _LONG else f"    # {n}\n{line}" for line, n in noted)


def _fairness(draft: UseCaseDraft) -> str:
    if draft.task == "classification":
        metrics, limit = ["statistical_parity", "equal_opportunity", "predictive_equality"], 0.1
        judged = ["statistical_parity", "equal_opportunity"]
    else:
        metrics, limit = ["mean_prediction", "mean_absolute_error", "mean_signed_error"], draft.tolerance
        judged = ["mean_absolute_error", "mean_signed_error"]
    groupings = [f"      - columns: {flow([name])}" for name in draft.audited]
    tolerances = [f"      - {flow({'metric': metric, 'kind': 'difference', 'limit': limit})}" for metric in judged]
    listed = groupings or ["      []    # no column is audited, so the gate cannot say anything: it stays closed"]
    return "\n".join(
        [
            "    groupings:                    # audited columns; several in one list are their intersections",
            *listed,
            f"    metrics: {flow(metrics)}",
            "    tolerances:                   # a first guess, to be decided; limit: largest difference"
            + ("" if draft.task == "classification" else ", in the unit of the label"),
            *tolerances,
        ]
    )


def _mitigation(draft: UseCaseDraft) -> str:
    method = "reweighing" if draft.task == "classification" else "bounded_group_loss"
    if not draft.audited:
        return "    sensitive_column: null        # no column is audited, so nothing can be compared"
    lines = [
        f"    sensitive_column: {scalar(draft.audited[0])}  # audited column that is mitigated for; null: none",
        "    metric: null                  # decides what is fairer; null: the first of 'fairness.metrics'",
        "    tolerance: 0.02               # loss of accuracy (of R2 for a regression) that is accepted",
        "    chosen: null                  # null: by the rule; 'unmitigated' or a name below: whatever the rule says",
        "    methods:                      # each with its 'parameters', and a 'name' if one method stands here twice",
        f"      - method: {method}",
    ]
    return "\n".join(lines)


_CATALOG_HEAD = """\
# The '{name}' use case: {what} of your own. Drafted from the data by 'kedro rai new-use-case'.
#
# Until a person has decided, no model gets any column: each is 'forbidden' (nobody reads it) or, where it is likely to
# describe people, 'audit' (only the fairness assessment sees it), and training stops and names what is undecided.
# To decide: read each column; correct type, range and flags, write its description, and
#   - where you disagree with what 'risk' proposes, write your own 'use' and flags, and your own 'risk' or none;
#   - then accept what is left as proposed:  kedro rai accept-draft --use-case {name} --reviewer NAME
#
# The draft knows names and values, not what they mean. A column without a flag can still stand in for one with a flag.
#   type            float | integer | boolean | category | text | date
#   range           smallest and largest value allowed; drafted with as much room again on both sides
#   nullable        whether a value may be missing
#   flags           [risky, demographic], one of them, or []; risky: the column can harm people when a model uses it;
#                   demographic: it describes who people are, or stands in for it
#   risk            which harm (required as soon as a flag is true)
#   use             model | audit | forbidden; docs/catalogue.md explains each
#   justification   lets a flagged column have 'use: model':  {{by: NAME, reason: TEXT, until: YYYY-MM-DD}}
"""

_STORE = """\
{name}.{store}:
  type: {kind}
  {place}
  validator:
    class: rai_kedro.datasets.contract.ContractValidator
    options: {{filepath: conf/base/{name}/catalog.yml, dataset: {store}}}
  metadata:
    kedro-viz: {{layer: stores (feature_store and label_store may be risky)}}
    rai:
      owner: {owner}
      purpose: {purpose}
      key: {key}
      time: month
      columns:
{columns}"""

_INGESTION = """\
  ingestion:                    # how the rows of your file become monthly snapshots
{settings}
"""

_PARAMETERS = """\
# Parameters of the '{name}' use case. A misspelt key stops the run with the list of the right ones.
{name}:

{ingestion}
  training:
    task: {task}
    month: {month}                # month of the stores to train on; with 'last_month' the first of several
    last_month: null              # null: the one month
    target: {target}
    unit: ""                      # of the target, for figures and reports
    features: null                # null: every column of use 'model'; or a list of column names
    test_size: 0.33
    random_state: 42
    preparation:
      missing: chained_equations  # complete_cases | chained_equations | forest
      balance: none               # none | under | over: of the training rows only; it shifts the scores
      scale: true                 # for linear models; trees do not mind
    # A beginning. Another one: sklearn.ensemble.{other} {{random_state: 42}}
    estimator:
      class: {estimator}
      params: {params}
    # An estimator may only come from a module that starts with one of these.
    allowed_modules: [sklearn.]
    interval_level: 0.95          # of every interval in the reports

  # What is assessed for fairness on the test rows, and how far groups may lie apart. An interval decides, never a
  # point: wholly within the limit passes, wholly outside fails, anything else is insufficient evidence.
  # 'kedro rai questionnaire --use-case {name}' chooses the metrics by questions and keeps the answers.
  fairness:
    level: 0.95                   # of all intervals of one metric and grouping together
{fairness}

  # Mitigations are compared with the unmitigated model on the same test rows; the one that loses no more than the
  # tolerance, and whose groups lie closest as far as the rows can tell, becomes the candidate.
  mitigation:
{mitigation}

  monitoring:
    months: pending               # pending: every month not yet scored; next: only the first of them
    drift:
      family_wise_rate: 0.01      # chance of any false alarm in a month without drift (Bonferroni over columns)

  # What a person says of the model; goes into the model card as it stands.
  statements:
    model_name: {title}
    intended_use: {purpose}
    out_of_scope_use: "to be written: what nobody may use these predictions for"
    limits:
      - {file}
      - Leaving a sensitive column out does not make a model blind to it; other columns can stand in for it.
"""
