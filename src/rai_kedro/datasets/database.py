"""A database as stores use it: opened anew for each transaction, and explained where it refuses."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

from rai_kedro.datasets.partition_file import MonthStoreError
from rai_kedro.files import project_folder

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

# A month is written in seconds or a few minutes: who waits for longer waits for something that hangs.
_LOCK_WAIT_S = 300
_CONNECT_WAIT_S = 10
_OPTIONS = {
    "postgresql": {"connect_timeout": _CONNECT_WAIT_S, "application_name": "rai_kedro"},
    "sqlite": {"timeout": _LOCK_WAIT_S, "isolation_level": None},  # the transactions are begun here
}
_REFUSALS = {
    False: ("The store cannot be read.", "see that the database answers and that you may read the table"),
    True: (
        "The store cannot be written; every month in it is still whole.",
        "see that the database answers and that you may write to the table, then run again",
    ),
}


@contextmanager
def open_transaction(address: str, table: str, *, writes: bool = False) -> Iterator[Connection]:
    """Open a transaction that sees a table as of one moment, or that is the only one to write to it.

    MonthStoreError if the database refuses anything; it holds no part of the address that may be secret.
    """
    from sqlalchemy.exc import SQLAlchemyError

    engine = _engine(address)
    driver: Any = engine.dialect.dbapi
    try:
        with engine.begin() as connection:
            for statement in _begin(engine.dialect.name, table, writes):
                connection.exec_driver_sql(statement)
            yield connection
    except (SQLAlchemyError, driver.Error) as error:
        what, remedy = _REFUSALS[writes]
        # What follows the first line may be values of a row.
        said, secret = str(getattr(error, "orig", None) or error).split("\n")[0], engine.url.password
        example = said.replace(secret, "…") if secret else said
        raise MonthStoreError(what, where=describe_place(address, table), example=example, remedy=remedy) from error


def describe_place(address: str, table: str) -> str:
    """Say where a table is, in words that hold nothing secret."""
    url = _engine(address).url
    return f"table {table} in database {url.database}" + (f" on {url.host}" if url.host else "")


def _begin(dialect: str, table: str, writes: bool) -> list[str]:
    if dialect == "sqlite":
        return ["BEGIN IMMEDIATE" if writes else "BEGIN"]
    if not writes:
        return ["SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"]
    lock = int.from_bytes(hashlib.sha256(table.encode()).digest()[:8], signed=True)
    return [f"SET LOCAL lock_timeout = '{_LOCK_WAIT_S}s'", f"SELECT pg_advisory_xact_lock({lock})"]


@lru_cache
def _engine(address: str) -> Engine:
    """Return SQLAlchemy's engine; it keeps no connection, which a process forked meanwhile would share."""
    from sqlalchemy import create_engine, make_url
    from sqlalchemy.exc import ArgumentError
    from sqlalchemy.pool import NullPool

    try:
        url = make_url(address)
    except (ArgumentError, ValueError):  # the second of a port that is no number
        _refuse("This is no address of a database that SQLAlchemy knows.")
    kind = url.get_backend_name()
    if kind not in _OPTIONS:
        _refuse(f"A store is kept in PostgreSQL or SQLite, not in '{kind}': elsewhere a month may be written in part.")
    if kind == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    elif url.database:
        url = url.set(database=str(project_folder() / url.database))
    try:
        return create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=_OPTIONS[kind])
    except ImportError as error:
        _refuse(
            "The driver of PostgreSQL is not installed.", 'install it: pip install "rai-kedro[postgres]"', str(error)
        )


def _refuse(what: str, remedy: str = "", example: str | None = None) -> NoReturn:
    # Without the error that it comes from: that one may show the address.
    raise MonthStoreError(
        what,
        where="con, in the credentials of the store",
        example=example,
        remedy=remedy or "write it as postgresql://user:password@host/database (docs/stores.md)",
    ) from None
