"""The command ``python -m rai_kedro.server [--port 5000] [--database URI]``."""

from __future__ import annotations

import os
import sys
import time
import warnings
from pathlib import Path
from typing import NoReturn

import click

from rai_kedro.files import write_text
from rai_kedro.server.accounts import (
    ACCOUNTS,
    ADMIN,
    ServerError,
    account_file,
    prepare_accounts,
    read_passwords,
    read_secret_key,
)
from rai_kedro.server.roles import authorize
from rai_kedro.ui.processes import in_project, running
from rai_kedro.ui.viewers import HOST, Viewer, mlflow_address

_SECRETS = "conf/local/server"
_STORE = "data/mlflow_server"
_SETTINGS = "conf/prod/globals.yml"
_OTHER_PORT = 'make serve SERVE="--port 5001"'


def make_server(project: Path, port: int, database: str | None) -> tuple[Viewer, dict[str, str]]:
    """Return the server of a project, ready to be started, and the passwords of its accounts.

    What is secret reaches it by its environment and a file that only its owner can read, never by its command.
    """
    from sqlalchemy import make_url

    secrets, store = project / _SECRETS, project / _STORE
    store.mkdir(parents=True, exist_ok=True)
    database = _check_database(database) if database else f"sqlite:///{store / 'mlflow.db'}"
    passwords = read_passwords(secrets)
    settings = secrets / "basic_auth.ini"
    write_text(settings, _write_settings(database))
    environment = {
        "MLFLOW_BACKEND_STORE_URI": database,
        "MLFLOW_AUTH_CONFIG_PATH": str(settings),
        "MLFLOW_AUTH_ADMIN_PASSWORD": passwords[ADMIN],
        "MLFLOW_FLASK_SERVER_SECRET_KEY": read_secret_key(secrets),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    options = ("--app-name", "basic-auth", "--artifacts-destination", str(store / "artifacts"), "--workers", "1")
    command = (sys.executable, "-m", "mlflow", "server", *options, *mlflow_address(port))
    shown = make_url(database).render_as_string(hide_password=True)
    return Viewer("MLflow", port, command, f"database {shown}", environment, "/health"), passwords


def _check_database(database: str) -> str:
    """Return the address of a database that MLflow could open; whether it can is seen when it starts."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    remedy = "for example --database postgresql://mlflow@127.0.0.1/mlflow, with the driver it needs (docs/server.md)"
    try:
        make_url(database).get_dialect().import_dbapi()
    except (ArgumentError, NoSuchModuleError) as error:
        raise ServerError("This is no address of a database that SQLAlchemy knows.", remedy=remedy) from error
    except ImportError as error:
        raise ServerError("The database's driver is not installed.", example=str(error), remedy=remedy) from error
    return database


def _write_settings(database: str) -> str:
    lines = (
        "# Written anew at every start of `make serve`.",
        "[mlflow]",
        # Whoever has no role sees nothing.
        "default_permission = NO_PERMISSIONS",
        f"database_uri = {database.replace('%', '%%')}",
        f"admin_username = {ADMIN}",
        f"authorization_function = {authorize.__module__}:{authorize.__name__}",
        # Each request checks the password several times, slowly on purpose. One process, so none knows an old one.
        "auth_cache_ttl_seconds = 60",
    )
    return "\n".join(lines) + "\n"


def _serve(project: Path, port: int, database: str | None) -> NoReturn:
    server, passwords = make_server(project, port, database)
    click.echo("Starting the MLflow server; this takes some seconds.")
    with running([server], project, elsewhere=_OTHER_PORT) as check:
        prepare_accounts(server.url, passwords)
        click.echo(f"{server.name:<10} {server.url:<24} {server.shows}")
        for account, purpose in ACCOUNTS.items():
            file = account_file(Path(_SECRETS), account)
            click.echo(f"  {account:<10} . {file!s:<34} {purpose}")
        if f"mlflow_uri: {server.url}\n" not in (project / _SETTINGS).read_text(encoding="utf-8"):
            click.echo(f"--env prod looks for MLflow elsewhere: write  mlflow_uri: {server.url}  into {_SETTINGS}.")
        click.echo("Ctrl-C stops it.")
        while True:
            check()
            time.sleep(1)


@click.command()
@click.option("--host", default=HOST, show_default=True, help="This machine; no other address is served.")
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True)
@click.option(
    "--database",
    envvar="RAI_SERVER_DATABASE",
    metavar="URI",
    default=None,
    help=f"SQLAlchemy's address of the database, also in RAI_SERVER_DATABASE; else an SQLite file in {_STORE}.",
)
def main(host: str, port: int, database: str | None) -> None:
    """Start an MLflow server with login on this machine, and keep it until Ctrl-C."""
    warnings.filterwarnings("ignore", module="mlflow")  # meant for MLflow's own authors
    os.umask(0o077)  # database, artifacts and secrets are nobody else's
    with in_project("Stopped.") as project:
        if host not in {HOST, "localhost"}:
            raise ServerError(
                f"The server serves this machine only, not '{host}': passwords would cross the network in the clear.",
                remedy="leave --host out; for others put a reverse proxy with TLS before it (docs/server.md)",
            )
        _serve(project, port, database)


if __name__ == "__main__":
    main(prog_name="python -m rai_kedro.server")
