"""The column contract as an Open Data Contract Standard (ODCS) document, and such documents as drafts of a contract.

What ODCS has a place for stands there: types, ranges, allowed values, missing values, key, month, owner, purpose.
Flags, use, risk and justification are custom properties (``raiUse`` and so on), and so are unit and weight of a table.
A column of which the document does not say what it may be used for becomes an undecided column: no model gets it before
a person has decided.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from rai_kedro.contract import NUMERIC_TYPES, UNDECIDED, Column, Contract, DatasetContract, Proposal, suspect
from rai_kedro.errors import RaiError
from rai_kedro.yaml_files import read_yaml

if TYPE_CHECKING:
    from open_data_contract_standard.model import CustomProperty, OpenDataContractStandard, SchemaObject, SchemaProperty

API_VERSION = "v3.2.0"
_LOGICAL = {"float": "number", "category": "string", "text": "string"}
_OURS = {"number": "float", "integer": "integer", "boolean": "boolean", "string": "text", "date": "date"}
# What is read; whatever else a document says is noted as not taken over.
_READ_OF_DOCUMENT = {
    *("version", "kind", "apiVersion", "id", "name", "status", "description", "team", "contractCreatedTs"),
    *("schema_", "customProperties"),
}
_READ_OF_TABLE = {
    *("name", "physicalName", "physicalType", "logicalType", "description", "properties", "customProperties"),
}
_READ_OF_COLUMN = {
    *("name", "logicalType", "logicalTypeOptions", "required", "description", "enum", "classification"),
    *("customProperties", "primaryKey", "primaryKeyPosition", "partitioned", "partitionKeyPosition"),
}
_OPEN_CLASSES = ("public", "internal", "general", "none")


class OdcsError(RaiError):
    """A data contract is not an ODCS document, or cannot be read as a contract of ours."""


@dataclass(frozen=True)
class ImportedStore:
    """One table of a document; ``owner``, ``purpose``, ``key`` and ``time`` are empty where it says nothing of them."""

    columns: dict[str, Column]
    owner: str = ""
    purpose: str = ""
    key: tuple[str, ...] = ()
    time: str = ""
    unit: str | None = None
    weight: str | None = None


@dataclass(frozen=True)
class ImportedContract:
    """A document as read: its tables by name, and in words what it does not say or what found no place."""

    name: str
    stores: dict[str, ImportedStore]
    notes: tuple[str, ...]
    as_of: date
    source: str

    @property
    def undecided(self) -> tuple[str, ...]:
        """The columns of which a person has to decide what they may be used for."""
        found = (one for store in self.stores.values() for one in store.columns.values())
        return tuple(one.name for one in found if (one.risk or "").startswith(UNDECIDED))

    @property
    def columns(self) -> dict[str, Column]:
        """The columns of all tables by name; of two tables with the same name the first has it."""
        found = [one for store in self.stores.values() for one in store.columns.values()]
        return {one.name: one for one in reversed(found)}

    def as_contract(self) -> Contract:
        """Return it as a column contract; OdcsError where a table lacks what a contract must say."""
        datasets = {}
        for name, store in self.stores.items():
            needed: dict[str, Any] = {
                "owner": store.owner,
                "purpose": store.purpose,
                "key": store.key,
                "time": store.time,
            }
            if missing := [what for what, given in needed.items() if not given]:
                raise OdcsError(
                    "The document does not say enough for a column contract.",
                    where=f"schema {name}",
                    example=f"missing: {', '.join(missing)}",
                    remedy="say it there (team, description, primaryKey, partitioned), or draft a use case from the "
                    "data and this document: kedro rai new-use-case NAME --contract FILE",
                )
            needed |= {"unit": store.unit, "weight": store.weight}
            datasets[name] = DatasetContract(dataset=f"{self.name}.{name}", columns=store.columns, **needed)
        return Contract(use_case=self.name, source=self.source, as_of=self.as_of, datasets=datasets)


def to_odcs(contract: Contract) -> str:
    """Return a column contract as an ODCS document in YAML, valid by the standard's own schema."""
    from open_data_contract_standard.model import Description, OpenDataContractStandard, Team

    main = contract.datasets.get("feature_store") or next(iter(contract.datasets.values()))
    columns = (one for store in contract.datasets.values() for one in store.columns.values())
    document = OpenDataContractStandard(
        apiVersion=API_VERSION,
        kind="DataContract",
        id=contract.use_case,
        name=contract.use_case,
        version=f"{contract.as_of}",
        status="draft" if any((one.risk or "").startswith(UNDECIDED) for one in columns) else "active",
        description=Description(purpose=main.purpose),
        team=Team(name=main.owner),
        contractCreatedTs=f"{contract.as_of}T00:00:00Z",
        customProperties=_custom(raiSource=contract.source),
        schema=[_write_store(name, store) for name, store in contract.datasets.items()],
    )
    plain = document.model_dump(mode="json", exclude_none=True, by_alias=True)
    _check_schema(plain)
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=120)


def read_odcs(text: str) -> ImportedContract:
    """Read an ODCS document, version 3, as a draft of a column contract.

    Raises:
        OdcsError: If it is not one, or says something of a column that a contract may not say.
    """
    from open_data_contract_standard.model import Team

    document = _parse(text)
    owner = document.team.name if isinstance(document.team, Team) else None
    purpose = document.description.purpose if document.description else None
    rest = sorted(document.model_fields_set - _READ_OF_DOCUMENT)
    notes = [f"not taken over, since a column contract has no place for it: {', '.join(rest)}"] if rest else []
    stores = {}
    for one in document.schema_ or ():
        reader = _StoreReader(str(one.name), notes)
        stores[str(one.name)] = reader.read(one, owner or "", purpose or "")
    if not stores:
        raise OdcsError("The document has no table.", where="schema", remedy="describe at least one under 'schema'")
    name = str(document.name or document.id)
    extra = _by_name(document.customProperties)
    source = str(extra.get("raiSource", f"{name}/catalog.yml"))
    return ImportedContract(name, stores, tuple(notes), _day(document.contractCreatedTs), source)


def _write_store(name: str, store: DatasetContract) -> SchemaObject:
    from open_data_contract_standard.model import SchemaObject, SchemaProperty

    # The standard's schema takes a property without logicalType for a map; a contract says no type of an identifier.
    identifier: dict[str, Any] = {"logicalType": "string", "required": True}
    month: dict[str, Any] = {"description": "the month, YYYY-MM", "partitioned": True, "partitionKeyPosition": 1}
    time = SchemaProperty(name=store.time, **identifier, **month)
    said = "identifies a row within a month; its type is not part of the contract"
    keys = [
        SchemaProperty(name=key, **identifier, description=said, primaryKey=True, primaryKeyPosition=position)
        for position, key in enumerate(store.key, start=1)
    ]
    sampled = {store.unit: ("string", "which rows belong together"), store.weight: ("number", "what a row stands for")}
    design = [
        SchemaProperty(name=one, logicalType=kind, required=True, description=what)
        for one, (kind, what) in sampled.items()
        if one is not None and one not in store.key
    ]
    return SchemaObject(
        name=name,
        physicalName=store.dataset,
        logicalType="object",
        description=store.purpose,
        customProperties=_custom(raiOwner=store.owner, raiUnit=store.unit, raiWeight=store.weight),
        properties=[time, *keys, *design, *map(_write_column, store.columns.values())],
    )


def _write_column(column: Column) -> SchemaProperty:
    from open_data_contract_standard.model import EnumValue, SchemaProperty

    low, high = column.range or (None, None)
    why = column.justification
    return SchemaProperty(
        name=column.name,
        logicalType=_LOGICAL.get(column.type, column.type),
        logicalTypeOptions=None if low is None else {"minimum": low, "maximum": high},
        required=not column.nullable,
        description=column.description,
        enum=None if column.categories is None else [EnumValue(value=value) for value in column.categories],
        customProperties=_custom(
            raiType=column.type,
            raiUse=column.use,
            raiFlags=list(column.flags),
            raiRisk=column.risk,
            raiJustification=None if why is None else why.to_dict(),
        ),
    )


@dataclass
class _StoreReader:
    """Reads one table, and notes what is not said or finds no place."""

    store: str
    notes: list[str] = field(default_factory=list)

    def read(self, found: SchemaObject, owner: str, purpose: str) -> ImportedStore:
        properties = found.properties or []
        keys = sorted((one for one in properties if one.primaryKey), key=lambda one: one.primaryKeyPosition or 0)
        parts = sorted((one for one in properties if one.partitioned), key=lambda one: one.partitionKeyPosition or 0)
        extra = _by_name(found.customProperties)
        if not keys:
            self._note("no primary key is named")
        if len(parts) != 1:
            self._note(f"{len(parts)} columns partition it; a contract names one, the month")
        if rest := sorted(found.model_fields_set - _READ_OF_TABLE):
            self._note(f"not taken over: {', '.join(rest)}")
        time = str(parts[0].name) if parts else ""
        unit, weight = (None if (one := extra.get(name)) is None else str(one) for name in ("raiUnit", "raiWeight"))
        identifying = {str(one.name) for one in keys} | {time, unit, weight}
        columns = {
            column.name: column
            for one in properties
            if one.name not in identifying and (column := self._read_column(one)) is not None
        }
        key = tuple(str(one.name) for one in keys if one.name != time)
        return ImportedStore(
            columns, str(extra.get("raiOwner", owner)), found.description or purpose, key, time, unit, weight
        )

    def _read_column(self, found: SchemaProperty) -> Column | None:
        name, extra = str(found.name), _by_name(found.customProperties)
        kind = str(extra.get("raiType") or self._find_type(found))
        if kind not in {"float", "integer", "boolean", "category", "text", "date"}:
            self._note(f"{name} is left out: a contract has no type for '{kind}'")
            return None
        said: dict[str, Any] = {
            "name": name,
            "type": kind,
            "nullable": not found.required,
            "description": found.description or "to be written (the document does not describe it)",
            "range": self._find_range(found) if kind in NUMERIC_TYPES else None,
            "categories": tuple(one.value for one in found.enum) if kind == "category" and found.enum else None,
        }
        self._note_the_rest(found)
        try:
            return Column.model_validate(said | (_decided(extra) or self._draft_use(found)))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise OdcsError(
                f"A column contract cannot say this: {first['msg'].removeprefix('Value error, ')}.",
                where=f"schema {self.store}, property {name}, {'.'.join(map(str, first['loc'])) or 'raiUse'}",
                example=str(first["input"])[:80],
                remedy="correct it in the document; docs/catalogue.md has the words that a contract knows",
            ) from None

    def _find_type(self, found: SchemaProperty) -> str:
        logical = found.logicalType
        if logical is None:
            self._note(f"{found.name} has no logicalType; it is taken for text")
            return "text"
        if logical == "timestamp":
            self._note(f"{found.name} is a timestamp; it is taken for a date")
            return "date"
        return "category" if logical == "string" and found.enum else _OURS.get(logical, logical)

    def _find_range(self, found: SchemaProperty) -> tuple[float, float] | None:
        options = found.logicalTypeOptions or {}
        low, high = options.get("minimum"), options.get("maximum")
        if low is not None and high is not None:
            return float(low), float(high)
        if low is not None or high is not None:
            self._note(f"{found.name} has one end of a range only ({options}); a contract has both or none")
        return None

    def _note_the_rest(self, found: SchemaProperty) -> None:
        options = set(found.logicalTypeOptions or ()) - {"minimum", "maximum"}
        if rest := sorted(options | (found.model_fields_set - _READ_OF_COLUMN)):
            self._note(f"{found.name}, not taken over: {', '.join(rest)}")

    def _draft_use(self, found: SchemaProperty) -> dict[str, Any]:
        """Leave the use undecided, and propose what name, values and classification suggest."""
        import pandas as pd

        name, classed = str(found.name), (found.classification or "").strip()
        seen = suspect(name, pd.Series([one.value for one in found.enum or ()], dtype="object"))
        if seen is not None:
            proposal = Proposal(seen.proposed_use, seen.text)
        elif classed and classed.lower() not in _OPEN_CLASSES:
            proposal = Proposal("audit", f"classified as '{classed}' in the document")
        else:
            why = "nothing in its name or its listed values speaks against it; no data were looked at"
            proposal = Proposal("model", why)
        flags = ("risky",) if proposal.use == "model" else ("risky", "demographic")
        return {"flags": flags, "use": proposal.drafted_uses[0], "risk": proposal.risk}

    def _note(self, text: str) -> None:
        self.notes.append(f"{self.store}: {text}")


def _decided(extra: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a document of ours says of the use; None where it says nothing, or not all of it."""
    if extra.get("raiUse") is None or extra.get("raiFlags") is None:
        return None
    return {
        "use": extra["raiUse"],
        "flags": extra["raiFlags"],
        "risk": extra.get("raiRisk"),
        "justification": extra.get("raiJustification"),
    }


def _custom(**values: Any) -> list[CustomProperty]:
    from open_data_contract_standard.model import CustomProperty

    return [CustomProperty(property=name, value=value) for name, value in values.items() if value is not None]


def _by_name(properties: Iterable[CustomProperty] | None) -> dict[str, Any]:
    return {str(one.property): one.value for one in properties or ()}


def _day(moment: str | None) -> date:
    """Return the day of the document, today (UTC) where it has none."""
    return datetime.fromisoformat(moment).date() if moment else datetime.now(UTC).date()


def _parse(text: str) -> OpenDataContractStandard:
    from open_data_contract_standard.model import OpenDataContractStandard

    try:
        plain = read_yaml(text)
    except yaml.YAMLError as error:
        raise _refuse("it is not valid YAML", str(getattr(error, "problem", None) or error)) from None
    if not isinstance(plain, dict) or plain.get("kind") != "DataContract":
        raise _refuse("it has no 'kind: DataContract'", f"it is of type {type(plain).__name__}")
    if not str(plain.get("apiVersion", "")).startswith("v3."):
        raise _refuse("only version 3 of the standard can be read", f"apiVersion: {plain.get('apiVersion')}")
    try:
        # YAML reads dates; the standard, which is JSON, has them as text.
        document = OpenDataContractStandard.model_validate_json(json.dumps(plain, default=str))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise _refuse(first["msg"], str(first["input"])[:80], ".".join(map(str, first["loc"]))) from None
    unnamed = [one for table in document.schema_ or () for one in (table, *(table.properties or ())) if not one.name]
    if unnamed:
        raise _refuse("a table or property has no name", str(unnamed[0].model_dump(exclude_none=True))[:80], "schema")
    return document


def _check_schema(plain: Mapping[str, Any]) -> None:
    """Refuse to hand out what the standard's own schema does not allow."""
    from jsonschema import Draft201909Validator
    from open_data_contract_standard.model import OpenDataContractStandard

    schema = json.loads(OpenDataContractStandard.json_schema())  # type: ignore[no-untyped-call]
    for error in Draft201909Validator(schema).iter_errors(plain):
        raise _refuse(error.message[:200], json.dumps(error.instance)[:80], "/".join(map(str, error.absolute_path)))


def _refuse(what: str, example: str, where: str = "") -> OdcsError:
    return OdcsError(
        f"This is not a data contract of the Open Data Contract Standard: {what}.",
        where=where or None,
        example=example,
        remedy="hand in a document of ODCS 3, as https://bitol-io.github.io/open-data-contract-standard describes",
    )
