"""What a column contract may hold, typed and frozen; :mod:`rai_kedro.contract.reading` turns YAML into it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, StrictBool, field_serializer, field_validator, model_validator

from rai_kedro.typed import Typed
from rai_kedro.words import has_letters

if TYPE_CHECKING:
    import pandas as pd

ColumnType = Literal["float", "integer", "boolean", "category", "text", "date"]
Use = Literal["model", "audit", "mitigation", "decision", "forbidden"]
# A new flag is one word here: contract, register, card and pages show whatever words a column carries.
Flag = Literal["risky", "demographic"]
Text = Annotated[str, Field(min_length=1)]


def _require_letters(text: str) -> str:
    if not has_letters(text):
        raise ValueError("it says nothing: there is no letter in it that anybody sees")
    return text


# What somebody answers for; blanks, dots and invisible characters are no answer.
Words = Annotated[str, AfterValidator(_require_letters)]
# Column names are shown on pages and go into paths of MLflow; what would act as markup there is not a name.
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^<>\"'`\\\x00-\x1f]+$")]

NUMERIC_TYPES: tuple[ColumnType, ...] = ("float", "integer")


class _Stripped(Typed):
    model_config = ConfigDict(str_strip_whitespace=True)


class Justification(_Stripped):
    """Why a flagged column may enter the model.

    Attributes:
        by: Who answers for it.
        reason: Why the column is needed.
        until: The last day on which it holds.
    """

    by: Words
    reason: Words
    until: date

    def is_valid(self, on: date) -> bool:
        """Return whether the justification still holds on that day."""
        return on <= self.until


class Column(_Stripped):
    """What one column is, how risky it is and what it may be used for: one object from the contract to the card.

    Attributes:
        flags: ``risky``: it can harm people when a model uses it; ``demographic``: it describes who people are, or
            stands in for it. Empty where neither holds, and to be written even then.
        use: ``model`` may reach the estimator; ``audit`` the fairness assessment, and mitigations while they learn, but
            no prediction; ``mitigation`` also a mitigation that needs it for every prediction; ``decision``
            is a decision or score made elsewhere, assessed as it is, in no estimator; ``forbidden`` nobody.
        description: What the column holds, in words a governance officer understands.
        range: Smallest and largest value allowed, both inclusive; numeric columns only.
        categories: The values allowed; columns of type ``category`` only.
        risk: Which harm; required as soon as a flag is set.
        justification: Lets a flagged column have ``use: model``, and any column have ``use: mitigation``, until a date.
        type: What the values are; whole numbers pass as ``float``.
        nullable: Whether a value may be missing.
    """

    name: Name
    type: ColumnType
    flags: tuple[Flag, ...]
    use: Use
    description: Text
    range: tuple[float, float] | None = None
    categories: tuple[str | int | bool, ...] | None = None
    nullable: StrictBool = False
    risk: Words | None = None
    justification: Justification | None = None

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        if len(set(self.flags)) < len(self.flags):
            raise ValueError(f"'flags' names a flag twice: {list(self.flags)}")
        if self.range is not None and self.type not in NUMERIC_TYPES:
            raise ValueError(f"'range' goes with a numeric type, not with '{self.type}'")
        if self.range is not None and not self.range[0] < self.range[1]:
            raise ValueError(f"'range' must go from low to high, got {list(self.range)}")
        if self.categories is not None and self.type != "category":
            raise ValueError(f"'categories' goes with type 'category', not with '{self.type}'")
        if self.flags and self.risk is None:
            raise ValueError(f"'risk' must say which harm, since it is flagged {' and '.join(self.flags)}")
        justifiable = self.use == "mitigation" or (self.flags and self.use == "model")
        if self.justification is not None and not justifiable:
            raise ValueError("'justification' is only for a flagged column with use 'model', or for use 'mitigation'")
        return self


class GovernedColumn(Column):
    """A column as the risk register, the governance page and the model card show it."""

    dataset: Text  # full catalogue name, for example housing.feature_store
    owner: Text
    purpose: Text
    model_uses: bool  # as a feature, for its mitigation or as the label

    @property
    def is_label(self) -> bool:
        """Whether it is what the model learns to predict: the column of the label store that is used."""
        return self.model_uses and self.dataset.rpartition(".")[2] == "label_store"

    @property
    def place(self) -> str:
        """Say whether and as what it is in the model."""
        used = {"mitigation": "its mitigation", "decision": "made elsewhere, and assessed"}.get(self.use, "yes")
        return "as label" if self.is_label else used if self.model_uses else "no"


class DatasetContract(_Stripped):
    """The contract of one governed dataset (a store of monthly snapshots).

    Attributes:
        owner: Who answers for the data.
        purpose: What the data may be used for.
        key: Columns that together identify a row within a month; never features.
        time: The column that holds the month; never a feature.
        unit: Which rows belong together, such as those of a person: one of the key, or a column of its own.
        weight: The column that says how many rows of the population a row stands for.
        unread: Written by ``kedro rai accept-draft`` where all proposals of a draft were accepted at once.
        columns: Every other column, by its name.
    """

    dataset: Text  # full catalogue name, for example housing.feature_store
    owner: Text
    purpose: Text
    key: Annotated[tuple[Text, ...], Field(min_length=1)]
    time: Text
    unit: Text | None = None
    weight: Text | None = None
    unread: Text | None = None
    columns: Mapping[str, Column]

    @field_validator("columns")
    @classmethod
    def _freeze_columns(cls, columns: Mapping[str, Column]) -> Mapping[str, Column]:
        if not columns:
            raise ValueError("'columns' is empty: a governed dataset declares at least one column")
        return MappingProxyType(dict(columns))

    @field_serializer("columns")
    def _plain_columns(self, columns: Mapping[str, Column]) -> dict[str, Any]:
        return {name: column.to_dict() for name, column in columns.items()}

    @model_validator(mode="after")
    def _names_are_distinct(self) -> Self:
        if twice := sorted({*self.key, self.time} & set(self.columns)):
            raise ValueError(f"{twice} is key or time and stands under 'columns' too; name it once")
        for word in ("unit", "weight"):
            name = getattr(self, word)
            if name in self.columns:
                raise ValueError(
                    f"{name!r} is the {word} and stands under 'columns' too; name it once: no model sees it"
                )
            if name is not None and (name == self.time or (word == "weight" and name in (*self.key, self.unit))):
                raise ValueError(f"{name!r} cannot be the {word}: it is key, time or unit already")
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by plain values: a read-only mapping cannot be pickled itself."""
        return type(self).model_validate, (self.to_dict(),)

    @property
    def identifiers(self) -> tuple[str, ...]:
        """Time and key columns: they identify rows and are never features."""
        return (self.time, *self.key)

    @property
    def sampling(self) -> tuple[str, ...]:
        """Columns that say how rows were sampled, unit and weight: no features either, they go where the audit goes."""
        return tuple(name for name in (self.unit, self.weight) if name is not None)

    def with_use(self, *uses: Use) -> tuple[str, ...]:
        """Return the names of the columns that have one of these uses, in contract order."""
        return tuple(name for name, column in self.columns.items() if column.use in uses)


class Contract(_Stripped):
    """All governed datasets of one use case, as read on one day."""

    use_case: Text
    source: Text
    as_of: date  # the day against which justifications are judged
    datasets: dict[str, DatasetContract]  # by short name (feature_store, label_store)

    @model_validator(mode="after")
    def _stores_have_their_rows_in_one_order(self) -> Self:
        """Name the parts of a common key in one order, in which both stores are read side by side."""
        features, labels = (self.datasets.get(name) for name in ("feature_store", "label_store"))
        if features and labels and {*features.key} == {*labels.key}:
            self.datasets["label_store"] = labels.model_copy(update={"key": features.key})
        return self

    @property
    def types(self) -> dict[str, ColumnType]:
        """Type of every column of all datasets but time and key; a unit is read as text, a weight as a number."""
        found: dict[str, ColumnType] = {}
        for store in self.datasets.values():
            found |= {name: column.type for name, column in store.columns.items()}
            found |= {store.unit: "text"} if store.unit and store.unit not in store.key else {}
            found |= {store.weight: "float"} if store.weight else {}
        return found

    def to_frame(self) -> pd.DataFrame:
        """Return one row a column: dataset, name, and what the contract says of it."""
        import pandas as pd

        stores = self.datasets.items()
        return pd.DataFrame(
            [{"dataset": name, **dict(one)} for name, store in stores for one in store.columns.values()]
        )

    def _repr_html_(self) -> str:
        shown = self.to_frame()[["dataset", "name", "type", "flags", "use", "risk", "description"]]
        return shown.fillna("").to_html(index=False)
