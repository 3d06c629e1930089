"""The two files of a new use case as text, with the comments that help a person to decide."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from rai_kedro.contract.drafting import ColumnDraft
from rai_kedro.sources.layout import FileLayout
from rai_kedro.sources.months import IngestionParameters

PROPOSED = "# proposed: "
NO_OWNER = "nobody yet"
REVIEWER = "the reviewer"
AS_SAID = "what it says"
_NOTE_COLUMN = 43
_LONG = 32
_MONTH_STORE = "rai_kedro.datasets.month_store.MonthStore"
# In quotes: within braces YAML would take its braces for its own.
_FOLDER = "${globals:data_root}/03_primary"
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_LAYER = "stores (feature_store and label_store may be risky)"


@dataclass(frozen=True)
class UseCaseDraft:
    """All that is written about a new use case.

    Attributes:
        name: Its name.
        task: What is predicted.
        filepath: The user's file, as the catalogue names it.
        layout: How the file is laid out.
        ingestion: How the table becomes months.
        columns: Draft of every feature.
        label: Draft of the label.
        training_month: Month to train on.
        tolerance: Largest gap in error that is accepted at first, in the unit of the label (regression).
    """

    name: str
    task: Literal["regression", "classification"]
    filepath: str
    layout: FileLayout
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
    """Return the text of ``catalog.yml``: the file, and both stores with their drafted contracts."""
    layout = draft.layout.model_dump()
    keys = ("format",) if draft.layout.format == "parquet" else ("format", "delimiter", "encoding", "decimal")
    own = "\n".join(
        [
            f"{draft.name}.own_data:",
            "  type: rai_kedro.datasets.own_table.OwnTable",
            f"  filepath: {scalar(draft.filepath)}",
            f"  layout: {_flow({key: layout[key] for key in keys})}",
            "  metadata: {kedro-viz: {layer: sources (own_data may be risky)}}",
            "",
            "# Both stores as a run finds them, to see which months of the file are new, changed or gone.",
            *(
                f'{draft.name}.{store}_before: {{type: {_MONTH_STORE}, filepath: "{_FOLDER}/{draft.name}/{store}"}}'
                for store in ("feature_store", "label_store")
            ),
        ]
    )
    features = _store(draft, "feature_store", f"predict {draft.label.name}", draft.columns)
    labels = _store(draft, "label_store", f"learn and check {draft.label.name}", (draft.label,))
    return "\n\n".join([_CATALOG_HEAD.format(name=draft.name).rstrip(), own, features, labels]) + "\n"


def render_parameters(draft: UseCaseDraft) -> str:
    """Return the text of ``parameters.yml``."""
    is_regression = draft.task == "regression"
    return _PARAMETERS.format(
        name=draft.name,
        title=scalar(draft.name.replace("_", " ")),
        purpose=scalar(f"to be written: what predictions of {draft.label.name} are for"),
        file=scalar(f"The data are the rows of one file ({draft.filepath}); nobody has said yet whom they represent."),
        ingestion=_ingestion(draft.ingestion),
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


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    return scalar(value)


def _store(draft: UseCaseDraft, store: str, purpose: str, columns: Sequence[ColumnDraft]) -> str:
    return _STORE.format(
        name=draft.name,
        store=store,
        layer=_LAYER,
        owner=_noted("owner", scalar(NO_OWNER), REVIEWER),
        purpose=scalar(purpose),
        key=_flow([draft.ingestion.key]),
        columns="\n".join(_column(column) for column in columns),
    )


def _column(column: ColumnDraft) -> str:
    """Write one column; a line with a proposal is what :mod:`rai_kedro.commands.accept_draft` changes."""
    proposal = column.proposal
    pad = " " * 10
    lines = [
        f"        {scalar(column.name)}:",
        f"{pad}type: {column.type}",
        f"{pad}description: {scalar(column.description)}",
    ]
    if column.range is not None:
        lines.append(f"{pad}range: {_flow(column.range)}")
    if column.categories is not None:
        lines.append(f"{pad}categories: {_flow(column.categories)}")
    lines += [
        f"{pad}nullable: {scalar(column.nullable)}",
        pad + ("is_risky: true" if proposal.is_risky else _noted("is_risky", "true", "false")),
        f"{pad}is_demographic: {scalar(column.is_demographic)}",
        pad + _noted("risk", scalar(column.risk), AS_SAID if proposal.risk else "none"),
        pad + _noted("use", column.use, proposal.use),
    ]
    return "\n".join(lines)


def _noted(key: str, value: str, proposed: str) -> str:
    return f"{f'{key}: {value}':<{_NOTE_COLUMN}} {PROPOSED}{proposed}"


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
    lines = [f"    {key}: {_flow(list(v) if isinstance(v, tuple) else v)}" for key, v in shown.items()]
    noted = zip(lines, (notes[key] for key in shown), strict=True)
    return "\n".join(f"{line:<31} # {n}" if len(line) < _LONG else f"    # {n}\n{line}" for line, n in noted)


def _fairness(draft: UseCaseDraft) -> str:
    if draft.task == "classification":
        metrics, limit = ["statistical_parity", "equal_opportunity", "predictive_equality"], 0.1
        judged = ["statistical_parity", "equal_opportunity"]
    else:
        metrics, limit = ["mean_prediction", "mean_absolute_error", "mean_signed_error"], draft.tolerance
        judged = ["mean_absolute_error", "mean_signed_error"]
    groupings = [f"      - columns: {_flow([name])}" for name in draft.audited]
    tolerances = [f"      - {_flow({'metric': metric, 'kind': 'difference', 'limit': limit})}" for metric in judged]
    listed = groupings or ["      []    # no column is audited, so the gate cannot say anything: it stays closed"]
    return "\n".join(
        [
            "    groupings:                    # audited columns; several in one list are their intersections",
            *listed,
            f"    metrics: {_flow(metrics)}",
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
# The '{name}' use case: a table of your own. Drafted from the data by 'kedro rai new-use-case'.
#
# Until a person has decided, no model gets any column: each is 'forbidden' (nobody reads it) or, where it is likely to
# describe people, 'audit' (only the fairness assessment sees it), and training stops and names what is undecided.
# To decide: read each column, correct type, range and flags, write its description, and
#   - change what you disagree with: put your own word and take the '# proposed' note away;
#   - then accept what is left as proposed:  kedro rai accept-draft --use-case {name} --reviewer NAME
#
# The draft knows names and values, not what they mean. A column without a flag can still stand in for one with a flag.
#   type            float | integer | boolean | category | text | date
#   range           smallest and largest value allowed; drafted with as much room again on both sides
#   nullable        whether a value may be missing
#   is_risky        the column can harm people when a model uses it
#   is_demographic  it describes who people are, or stands in for it
#   risk            which harm (required as soon as a flag is true)
#   use             model | audit | forbidden; docs/catalogue.md explains each
#   justification   lets a flagged column have 'use: model':  {{by: NAME, reason: TEXT, until: YYYY-MM-DD}}
"""

_STORE = """\
{name}.{store}:
  type: rai_kedro.datasets.month_store.MonthStore
  filepath: ${{globals:data_root}}/03_primary/{name}/{store}
  partition_by: [month]
  validator:
    class: rai_kedro.datasets.contract.ContractValidator
    options: {{filepath: conf/base/{name}/catalog.yml, dataset: {store}}}
  metadata:
    kedro-viz: {{layer: {layer}}}
    rai:
      {owner}
      purpose: {purpose}
      key: {key}
      time: month
      columns:
{columns}"""

_PARAMETERS = """\
# Parameters of the '{name}' use case. A misspelt key stops the run with the list of the right ones.
{name}:

  ingestion:                    # how the rows of your file become monthly snapshots
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
