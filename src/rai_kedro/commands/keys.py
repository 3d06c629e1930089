"""``kedro rai keys``: a reviewer's key is made, and who may sign is shown."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import click
import yaml
from pydantic import ValidationError

from rai_kedro import release
from rai_kedro.commands.project import keys_folder, reviewers_file
from rai_kedro.files import find_account
from rai_kedro.words import describe_validity, make_visible


@click.group()
def keys() -> None:
    """Make a key to sign decisions with, see whose signature counts."""


@keys.command()
@click.option("--name", required=True, help="Name of the person.")
@click.option("--role", "roles", multiple=True, default=["reviewer"], show_default=True, help="May be given again.")
@click.option("--years", type=click.IntRange(1, 10), default=1, show_default=True, help="How long the key is valid.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), default=None, help="File of the private key.")
@click.option("--no-passphrase", is_flag=True, help="Whoever can read the file can sign.")
def new(name: str, roles: Sequence[str], years: int, out: Path | None, no_passphrase: bool) -> None:
    """Make a key, and print the entry that has to be added to conf/base/reviewers.yml."""
    key = release.SigningKey.generate()
    reviewer = _describe_person(key, name, roles, years)
    path = out or keys_folder() / f"{_file_name(reviewer.name)}.key"
    release.require_no_key(path)
    passphrase = None if no_passphrase else os.environ.get(release.PASSPHRASE_VARIABLE) or _ask_new()
    key.save(path, passphrase)
    click.echo(f"Your private keys: {path} for decisions, {path}.model for released files. Nobody else needs them.\n")
    click.echo("Add this below 'reviewers:' in conf/base/reviewers.yml, in a change that somebody else reviews:\n")
    click.echo(_write_entry(reviewer))


@keys.command("list")
def list_all() -> None:
    """Show who may sign, in which role, with which key, until when."""
    known = release.read_reviewers(reviewers_file())
    today = datetime.now(UTC).date()
    for reviewer in known.reviewers:
        click.echo(make_visible(f"{reviewer.name} ({', '.join(reviewer.roles)})"))
        click.echo(f"  {reviewer.keyid}  {_describe(reviewer, today)}")
    if not known.reviewers:
        click.echo('Nobody may sign yet. `kedro rai keys new --name "<your name>"` makes a key.')
    if known.demo_in:
        click.echo(f"A demonstration key may stand for a person in: {make_visible(', '.join(known.demo_in))}")


def _describe_person(key: release.SigningKey, name: str, roles: Sequence[str], years: int) -> release.Reviewer:
    today = datetime.now(UTC).date()
    validity = {"valid_from": today, "valid_until": _add_years(today, years)}
    public = {"key": key.public, "model_key": key.model_public}
    known = {"name": name, "roles": roles, **public, **validity, "accounts": [find_account()]}
    try:
        return release.Reviewer.from_dict(known)
    except ValidationError as error:
        first = error.errors()[0]
        what = f"This cannot stand in the list of reviewers: {first['msg'].removeprefix('Value error, ')}."
        remedy = "write the name as people write it, a role as one word in small letters"
        raise release.SigningError(
            what, where=f"--{first['loc'][0]}", example=repr(first["input"]), remedy=remedy
        ) from None


def _describe(reviewer: release.Reviewer, today: date) -> str:
    if today < reviewer.valid_from:
        return f"NOT YET VALID, from {reviewer.valid_from} until {reviewer.valid_until}"
    return describe_validity(reviewer.valid_until, today)


def _ask_new() -> str:
    return str(click.prompt("Passphrase for the new key", hide_input=True, confirmation_prompt=True))


def _write_entry(reviewer: release.Reviewer) -> str:
    entry = {name: list(value) if isinstance(value, tuple) else value for name, value in reviewer}
    return str(yaml.safe_dump([entry], sort_keys=False, allow_unicode=True, width=1000, default_flow_style=None))


def _file_name(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "reviewer"


def _add_years(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # 29 February
        return day.replace(year=day.year + years, day=28)
