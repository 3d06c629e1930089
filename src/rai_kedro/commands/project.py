"""What commands share: how they are told of a use case, and how they open the Kedro project."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_type_hints

import click

from rai_kedro import contract, release
from rai_kedro.errors import RaiError
from rai_kedro.files import find_account, project_folder

if TYPE_CHECKING:
    from kedro.io import DataCatalog

env_option = click.option("--env", "-e", default=None, help="Kedro environment (conf/<env>).")


use_case_option = click.option("--use-case", default=None, help="Name of the use case; needed where there are several.")

# What comes with the project: it stands for nobody until it has run.
DEMOS = ("housing", "hospital")
DRAFT_ONE = "draft one: kedro rai new-use-case NAME --data FILE --target COLUMN"


def about_use_case(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say which use case in which environment.

    The use case may be left out where only one can be meant.
    """

    @wraps(command)
    def ask(use_case: str | None, env: str | None, **said: Any) -> Any:
        return command(use_case=use_case or choose_use_case(env), env=env, **said)

    return use_case_option(env_option(ask))


def find_unspoken(known: Sequence[str]) -> str | None:
    """Return the use case that `kedro run` without a name is about: the only one, or the first that comes along.

    Not where there is one of your own among several: it would depend on what else is there.
    """
    return known[0] if len(known) == 1 else DEMOS[0] if known and set(known) == set(DEMOS) else None


def find_meant(env: str | None) -> tuple[list[str], list[str]]:
    """Return all use cases, and those that can be meant: your own, and what comes along and ran."""
    from rai_kedro.contract import find_use_cases

    project = project_folder()
    known = find_use_cases(project / "conf" / "base")
    catalog = _read_catalog(project, env)
    return known, [name for name in known if name not in DEMOS or (project / evidence_path(catalog, name)).is_file()]


def choose_use_case(env: str | None) -> str:
    """Return the one use case that can be meant: the only one of your own, or the only one that comes along and ran.

    Raises:
        UnknownUseCaseError: There are several, or none has run; it lists them.
    """
    known, meant = find_meant(env)
    if not known:
        raise UnknownUseCaseError(
            "There is no use case yet.", where=str(project_folder() / "conf/base"), remedy=DRAFT_ONE
        )
    if len(known) == 1:
        return known[0]
    if len(meant) == 1:
        return meant[0]
    raise UnknownUseCaseError(
        "It has to be said which use case is meant.",
        where="--use-case",
        how_many=f"{len(meant)} of your own, or with a run on record" if meant else "none has run yet",
        example=f"there are: {', '.join(meant or known)}",
        remedy=f"name one, for example --use-case {(meant or known or ['NAME'])[0]}",
    )


class UnknownUseCaseError(RaiError):
    """There is no such use case."""


@contextmanager
def open_catalog(use_case: str | None, env: str | None) -> Iterator[DataCatalog]:
    """Yield the project's catalogue, with MLflow set up as for a run; its parameters are not checked.

    Where it is for one use case, that has to be there and readable.
    """
    from kedro.framework.session.session import KedroSession

    session = KedroSession.create(env=env)
    with session:
        if use_case is not None:
            require_use_case(use_case)
            require_readable(use_case, env)
        context = session.load_context()
        # To check parameters, Kedro would import every pipeline and with them scipy and scikit-learn; no command runs
        # a node.
        context._pipelines_to_validate = []
        yield cast("DataCatalog", context.catalog)


def path_of(catalog: DataCatalog, name: str) -> Path:
    """Return the file or folder of a dataset, as the catalogue has it."""
    description: dict[str, Any] = catalog[name]._describe()
    return Path(str(description["filepath"]))


def reports_folder(catalog: DataCatalog, use_case: str) -> Path:
    """Return the folder that has a folder of reports for each use case."""
    return path_of(catalog, f"{use_case}.model_card").parent


def lock_path(catalog: DataCatalog, use_case: str) -> Path:
    """Return the lock that monitoring, ingestion, review and reset of a use case hold, beside the predictions."""
    return path_of(catalog, f"{use_case}.prediction_store").with_name(".lock")


def evidence_path(catalog: DataCatalog, use_case: str) -> Path:
    """Return the use case's evidence record."""
    return path_of(catalog, f"{use_case}.production_model")


def find_evidence(project: Path, use_case: str, env: str | None) -> Path:
    """Return the use case's evidence record without opening a session, which would want an MLflow server."""
    return project / evidence_path(_read_catalog(project, env), use_case)


def _read_catalog(project: Path, env: str | None) -> DataCatalog:
    """Return the catalogue without opening a session."""
    from kedro.config import MissingConfigException
    from kedro.io import DataCatalog

    credentials = {}
    with suppress(MissingConfigException):
        credentials = load_configuration(project, env, "credentials")
    return DataCatalog.from_config(load_configuration(project, env, "catalog"), credentials)


def load_configuration(project: Path, env: str | None, kind: str) -> dict[str, Any]:
    """Return the configuration of a kind as Kedro merges it, without opening a session."""
    from kedro.framework.project import settings

    folder, env = str(project / settings.CONF_SOURCE), env or os.environ.get("KEDRO_ENV")
    loaded: dict[str, Any] = settings.CONFIG_LOADER_CLASS(folder, env=env, **settings.CONFIG_LOADER_ARGS)[kind]
    return loaded


def enter_act(catalog: DataCatalog, use_case: str, kind: str, reason: str = "", **what: Any) -> None:
    """Enter in a use case's evidence record what somebody does by a command: who, when, what and why."""
    enter_act_in(evidence_path(catalog, use_case), use_case, kind, reason, **what)


def enter_act_in(record: Path, use_case: str, kind: str, reason: str = "", **what: Any) -> None:
    """Enter it where there is no catalogue, as :func:`enter_act` does."""
    body = {"use_case": use_case, "by": find_account(), "reason": reason, **what}
    release.append_evidence(record, kind, body, datetime.now(UTC).isoformat(timespec="seconds"))


def reviewers_file() -> Path:
    """Return the list of whose signatures count; that of the base configuration, whatever the environment."""
    return project_folder() / "conf" / "base" / "reviewers.yml"


def keys_folder() -> Path:
    """Return where the private keys of this machine's user lie; Git does not take them."""
    return project_folder() / "conf" / "local" / "keys"


def trust_of(catalog: DataCatalog, use_case: str) -> release.Trust:
    """Return whose approvals of a use case count, in the environment of the catalogue."""
    dataset: Any = catalog[f"{use_case}.production_model"]
    trust: release.Trust = dataset.trust
    return trust


def policy_of_today(catalog: DataCatalog, use_case: str) -> dict[str, Any]:
    """Return what a version of a use case is judged by today, from the parameters and the contract as they stand."""
    from rai_kedro.pipelines.parameters import JUDGED_BY, note_policy

    types = get_type_hints(note_policy)
    groups = {name: types[name].model_validate(catalog.load(f"params:{use_case}.{name}")) for name in JUDGED_BY}
    return note_policy(catalog.load(f"{use_case}.contract"), **groups)


def require_use_case(use_case: str) -> None:
    """Refuse a use case that is not configured, and name those that are."""
    known = contract.find_use_cases(project_folder() / "conf" / "base")
    if use_case not in known:
        raise UnknownUseCaseError(
            f"There is no use case '{use_case}'.",
            where="conf/base/<use_case>/catalog.yml",
            example=f"known: {', '.join(known)}" if known else None,
            remedy="name one of them with --use-case" if known else DRAFT_ONE,
        )


def require_readable(use_case: str, env: str | None) -> None:
    """Refuse a use case of which the environment says something that cannot be read; its base alone would run else."""
    environment = env or os.environ.get("KEDRO_ENV") or "local"
    if (fault := contract.find_yaml_fault(project_folder() / "conf" / environment / use_case)) is not None:
        raise fault


def run_pipeline(name: str, env: str | None) -> None:
    """Run one registered pipeline in a session of its own."""
    from kedro.framework.session.session import KedroSession

    session = KedroSession.create(env=env)
    with session:
        session.run(pipeline_names=[name])
