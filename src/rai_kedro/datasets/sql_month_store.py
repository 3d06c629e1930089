"""The months of a store in a database, for an environment that has one: PostgreSQL, or SQLite.

A table holds the rows of all months, where any tool can query them; a second one, ``<table>_months``, says which months
there are, how many rows each has, and of which types its frame was. A month is replaced in one transaction.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count, islice, repeat
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from rai_kedro.datasets.database import describe_place, open_transaction
from rai_kedro.datasets.month_store import MonthStore
from rai_kedro.datasets.partition_file import MonthStoreError, SpooledMonth, explained, parse_key, to_frame

if TYPE_CHECKING:
    from sqlalchemy import Column, ColumnElement, Connection, Table
    from sqlalchemy.types import TypeEngine

_ROW = "rai_row"
_LONGEST_NAME = 63  # PostgreSQL cuts a longer one
_BATCH = 20_000
_NUMBERS = {"BIGINT", "DOUBLE", "DOUBLE PRECISION"}
_EXACT = 2**53  # beyond it a float does not hold every whole number
_STRANGE = "A month in the store cannot be read: it is gone, or not as the store has written it."
_MAKE_AGAIN = "make the month again; only the project may write to the tables of a store"
# Of the types that a frame's columns have as Arrow: the one that is stored, and the name of SQLAlchemy's.
_STORED: tuple[tuple[Callable[[pa.DataType], bool], pa.DataType, str], ...] = (
    (pa.types.is_boolean, pa.bool_(), "Boolean"),
    (pa.types.is_integer, pa.int64(), "BigInteger"),
    (pa.types.is_floating, pa.float64(), "Double"),
    (pa.types.is_large_string, pa.large_string(), "Text"),
    (pa.types.is_string, pa.large_string(), "Text"),
    (pa.types.is_date32, pa.date32(), "Date"),
    (pa.types.is_timestamp, pa.timestamp("us"), "DateTime"),
)


class SqlMonthStore(MonthStore):
    """Tables by month in a database; every partition is written whole or not at all.

    What goes in and comes out, keys, checks and errors are those of :class:`MonthStore`. An environment puts it in the
    place of one: the entry keeps all else that the base says of it, the column contract and its validator included.
    The first save makes the tables, in a schema that is there; a column that a later month brings is added.

    Examples:
        In ``conf/prod/catalog.yml``, over the entry of ``conf/base/catalog.yml``::

            "{use_case}.prediction_store":
              type: rai_kedro.datasets.sql_month_store.SqlMonthStore
              table: "{use_case}_predictions"
              credentials: stores

        In ``conf/prod/credentials.yml``, which git ignores::

            stores: {con: "postgresql://rai:…@db.example.org/warehouse"}

    Args:
        filepath: Folder that the months would have on this machine; the locks of runs lie beside it.
        table: Name of the table, or ``schema.name``.
        credentials: ``con``, SQLAlchemy's address of the database.
        partition_by: As of ``MonthStore``.
        metadata: As of ``MonthStore``; what its column contract forbids is not asked of the database.
    """

    def __init__(
        self,
        *,
        filepath: str | os.PathLike[str],
        table: str,
        credentials: dict[str, str],
        partition_by: Sequence[str] = ("month",),
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath=filepath, partition_by=partition_by, metadata=metadata)
        if not isinstance(credentials, dict) or not isinstance(credentials.get("con"), str):
            raise MonthStoreError(
                "The credentials of a store in a database have to hold its address.",
                where=f"credentials of table {table}",
                remedy='write in credentials.yml, for example: stores: {con: "postgresql://user:password@host/database"}',
            )
        self._tables = _Tables(credentials["con"], table, self._partition_by)

    def keys(self) -> list[str]:
        """Return the keys of the partitions, sorted; none if the table does not exist."""
        return self._tables.keys()

    def _reader(self, key: str) -> Callable[..., pd.DataFrame]:
        return partial(self._tables.read, parse_key(self._checked(key)))

    def _opener(self, key: str, unread: frozenset[str]) -> None:
        """Return nothing: a month of a database is read at once."""

    def _replace(self, months: Mapping[str, pa.Table | SpooledMonth]) -> None:
        tables = {key: one.read() if isinstance(one, SpooledMonth) else one for key, one in months.items()}
        for key, (table, stored) in {key: (table, _to_stored(key, table)) for key, table in tables.items()}.items():
            self._tables.replace(parse_key(key), stored, table.schema)

    def _delete(self, wanted: Collection[str] | None) -> list[str]:
        return self._tables.delete([key for key in self.keys() if wanted is None or key in wanted])

    @property
    def _place(self) -> str:
        return self._tables.place

    def _describe(self) -> dict[str, Any]:
        return {**super()._describe(), "table": self._tables.name}


@dataclass(frozen=True)
class _Tables:
    """The two tables of a store."""

    address: str = field(repr=False)
    name: str
    partition_by: tuple[str, ...]

    @property
    def place(self) -> str:
        return describe_place(self.address, self.name)

    def keys(self) -> list[str]:
        from sqlalchemy import inspect, select

        _, months = self._define()
        with open_transaction(self.address, self.name) as connection:
            is_there = inspect(connection).has_table(months.name, months.schema)
            stored = connection.execute(select(*months.primary_key)).all() if is_there else []
        return sorted("/".join(map("=".join, zip(self.partition_by, row, strict=True))) for row in stored)

    def read(self, values: Mapping[str, str], unread: Collection[str] = ()) -> pd.DataFrame:
        """Return a month as it was saved; ``unread`` columns are not asked for."""
        from sqlalchemy import select

        _, months = self._define()
        with open_transaction(self.address, self.name) as connection:
            of_month = select(months.c.row_count, months.c.arrow_schema).where(*_of_month(months, values))
            rows_saved, saved = connection.execute(of_month).one_or_none() or (None, b"")
            schema = pa.ipc.read_schema(pa.py_buffer(saved)) if saved else pa.schema([])
            schema = pa.schema([one for one in schema if one.name not in unread], schema.metadata)
            # A column without a single value has no type, and so no place in the table.
            rows, _ = self._define(one for one in schema if not pa.types.is_null(one.type))
            asked = (one for one in rows.c if one.name not in values)
            query = select(*asked).where(*_of_month(rows, values)).order_by(rows.c[_ROW])
            query = query.execution_options(yield_per=_BATCH)
            with explained(_STRANGE, self.place, _MAKE_AGAIN):
                parts = [_to_arrow(part, schema) for part in connection.execute(query).partitions()]
                table = pa.Table.from_batches(parts, schema)
        if table.num_rows != rows_saved:
            raise MonthStoreError(
                _STRANGE,
                where=f"{self.place}, month {next(iter(values.values()))}",
                how_many=None if rows_saved is None else f"{table.num_rows} rows of {rows_saved}",
                remedy=_MAKE_AGAIN,
            )
        return to_frame(table, values, unread)

    def replace(self, values: Mapping[str, str], stored: pa.Table, schema: pa.Schema) -> None:
        """Put a month in the place of what is there of it; ``schema`` is that of its frame."""
        with open_transaction(self.address, self.name, writes=True) as connection:
            rows, months = self._define(stored.schema)
            self._make(connection, rows, months)
            stored = self._fit(connection, rows, stored)
            for table in (rows, months):
                connection.execute(table.delete().where(*_of_month(table, values)))
            _insert(connection, rows, values, stored)
            about = {"row_count": stored.num_rows, "arrow_schema": schema.serialize().to_pybytes()}
            connection.execute(months.insert().values({**values, **about}))

    def delete(self, keys: Collection[str]) -> list[str]:
        """Delete months, and return the keys of those that were there."""
        deleted, tables = [], self._define()
        with open_transaction(self.address, self.name, writes=True) as connection:
            for key in keys:
                ends = [connection.execute(table.delete().where(*_of_month(table, parse_key(key)))) for table in tables]
                deleted += [key] * ends[-1].rowcount
        return deleted

    def _define(self, fields: Iterable[pa.Field] = ()) -> tuple[Table, Table]:
        """Return the table of rows, with a column for each field, and that of months."""
        import sqlalchemy as sql

        schema, _, name = self.name.rpartition(".")
        known = sql.MetaData(schema=schema or None)
        keys = [[sql.Column(column, sql.Text, primary_key=True) for column in self.partition_by] for _ in range(2)]
        number = sql.Column(_ROW, sql.BigInteger, primary_key=True, autoincrement=False)
        columns = [sql.Column(one.name, _sql_type(one.type)) for one in fields]
        about = sql.Column("row_count", sql.BigInteger), sql.Column("arrow_schema", sql.LargeBinary)
        return sql.Table(name, known, *keys[0], number, *columns), sql.Table(f"{name}_months", known, *keys[1], *about)

    def _make(self, connection: Connection, rows: Table, months: Table) -> None:
        from sqlalchemy import inspect

        is_there = [inspect(connection).has_table(table.name, table.schema) for table in (rows, months)]
        if not any(is_there):
            rows.metadata.create_all(connection)
        elif not all(is_there):
            raise MonthStoreError(
                "There is a table of this name that the store has not made.",
                where=self.place,
                remedy="give the store another table in the catalogue, or that table another name",
            )

    def _fit(self, connection: Connection, rows: Table, stored: pa.Table) -> pa.Table:
        """See that the table can hold a month's columns; return the month in the types that it has."""
        from sqlalchemy import inspect

        dialect = connection.dialect
        found = {one["name"]: one["type"] for one in inspect(connection).get_columns(rows.name, rows.schema)}
        for number, one in enumerate(stored.schema):
            column = rows.c[one.name]
            has, wanted = (kind and kind.compile(dialect) for kind in (found.get(one.name), column.type))
            if has is None:
                _alter(connection, column, f"ADD COLUMN {{}} {wanted}")
            elif has != wanted and {has, wanted} <= _NUMBERS:
                stored = self._share(connection, column, stored, number)
            elif has != wanted:
                raise MonthStoreError(
                    "A column has another type in this month than in those that are in the table.",
                    where=f"{self.place}, column {one.name}",
                    example=f"{wanted} instead of {has}",
                    remedy="give the column one type in all months; make those again that have another",
                )
        return stored

    def _share(self, connection: Connection, column: Column[Any], stored: pa.Table, number: int) -> pa.Table:
        """Let whole numbers of one month and fractions of another have one column."""
        from sqlalchemy import func, select

        place, remedy = f"{self.place}, column {column.name}", "give the column one type in all months"
        if pa.types.is_integer(stored.schema.field(number).type):
            with explained(
                "A whole number is too large for a column that has fractions in other months.", place, remedy
            ):
                return stored.set_column(number, column.name, stored.column(number).cast(pa.float64()))
        if connection.dialect.name == "postgresql":  # in SQLite each value has its own type
            large = select(func.count()).select_from(column.table).where(func.abs(column) > _EXACT)
            if connection.scalar(large):
                raise MonthStoreError(
                    "A month has fractions in a column that has whole numbers too large for them.",
                    where=place,
                    remedy=remedy,
                )
            _alter(connection, column, "ALTER COLUMN {} TYPE DOUBLE PRECISION")
        return stored


def _to_stored(key: str, table: pa.Table) -> pa.Table:
    """Return a month as it is stored: without the columns that have no value, in the types that databases have."""
    types = {one.name: _stored_type(key, one) for one in table.schema if not pa.types.is_null(one.type)}
    with explained("The frame cannot be stored in a database.", key, "give the column values that a database has"):
        stored = table.select(list(types))
        for number, (name, kind) in enumerate(types.items()):
            stored = stored.set_column(number, name, stored.column(number).cast(kind))
    return stored


def _stored_type(key: str, one: pa.Field) -> pa.DataType:
    kind = next((kind for belongs, kind, _ in _STORED if belongs(one.type)), None)
    if kind is None or len(one.name.encode()) > _LONGEST_NAME:
        raise MonthStoreError(
            "A database has no column for this one.",
            where=f"{key}, column {one.name}",
            example=f"type {one.type}",
            remedy=f"store text, numbers, booleans, dates or times; a name has at most {_LONGEST_NAME} bytes",
        )
    return pa.timestamp("us", "UTC") if pa.types.is_timestamp(one.type) and one.type.tz else kind


def _sql_type(kind: pa.DataType) -> TypeEngine[Any]:
    import sqlalchemy as sql

    name = next(name for belongs, _, name in _STORED if belongs(kind))
    made: TypeEngine[Any] = getattr(sql, name)(**({"timezone": bool(kind.tz)} if name == "DateTime" else {}))
    return made


def _of_month(table: Table, values: Mapping[str, str]) -> list[ColumnElement[bool]]:
    return [table.c[column] == value for column, value in values.items()]


def _alter(connection: Connection, column: Column[Any], change: str) -> None:
    quote = connection.dialect.identifier_preparer
    named = change.format(quote.quote(column.name))
    connection.exec_driver_sql(f"ALTER TABLE {quote.format_table(column.table)} {named}")


def _insert(connection: Connection, rows: Table, values: Mapping[str, str], stored: pa.Table) -> None:
    names, known = [*values, _ROW, *stored.column_names], tuple(values.values())
    lines = _number_lines(stored, known)
    if connection.dialect.name == "postgresql":  # several times as fast as INSERT
        quote = connection.dialect.identifier_preparer
        copy = f"COPY {quote.format_table(rows)} ({', '.join(map(quote.quote, names))}) FROM STDIN".replace("%%", "%")
        cursor: Any = connection.connection.cursor()
        with cursor, cursor.copy(copy) as copying:
            for line in lines:
                copying.write_row(line)
        return
    while batch := [dict(zip(names, line, strict=True)) for line in islice(lines, _BATCH)]:
        connection.execute(rows.insert(), batch)


def _number_lines(stored: pa.Table, values: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    numbers = count()
    for batch in stored.to_batches(max_chunksize=_BATCH):
        columns = [column.to_pylist() for column in batch.columns]
        for line in zip(*columns, strict=True) if columns else repeat((), batch.num_rows):
            yield (*values, next(numbers), *line)


def _to_arrow(part: Sequence[Any], schema: pa.Schema) -> pa.RecordBatch:
    """Return lines, of which the first column is the number, in the types of the frame that was saved."""
    columns = iter(list(zip(*part, strict=True))[1:])
    arrays = [
        pa.nulls(len(part)) if pa.types.is_null(one.type) else pa.array(next(columns)).cast(one.type) for one in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
