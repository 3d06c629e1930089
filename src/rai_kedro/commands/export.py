"""``kedro rai export``: a version, or a use case's column contract, in a format that other tools read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rai_kedro.commands.project import about_use_case, open_catalog
from rai_kedro.errors import RaiError
from rai_kedro.files import write_text

if TYPE_CHECKING:
    from kedro.io import DataCatalog

    from rai_kedro.release import Version

_MANIFEST = "manifest.json"
_CONTRACT = "contract.json"


class ExportError(RaiError):
    """A version or contract cannot be exported as asked."""


@dataclass(frozen=True)
class Request:
    """What is to be exported; without a number the version in production, or else the candidate."""

    catalog: DataCatalog
    use_case: str
    number: str | None

    def find_version(self) -> Version:
        """Return the version that is meant, as MLflow has it."""
        from mlflow import MlflowClient

        from rai_kedro.release import CANDIDATE, PRODUCTION, find_aliases, find_version, unknown_model

        client = MlflowClient()
        aliases = find_aliases(client, self.use_case)
        number = self.number or aliases.get(PRODUCTION) or aliases.get(CANDIDATE)
        if number is None:
            raise unknown_model(self.use_case)
        return find_version(client, self.use_case, number)


def write_cyclonedx(request: Request, output: Path) -> str:
    """Write a version's bill of materials, and say which version it is of."""
    from rai_kedro.exchange import VersionFiles, to_cyclonedx
    from rai_kedro.release import IncompleteError
    from rai_kedro.report import card_from_json

    version = request.find_version()
    if version.card is None:
        raise version.refusal(IncompleteError, "has no model card that can be read.", remedy=version.retrain)
    files = {_MANIFEST: version.read(_MANIFEST), f"model_card_v{version.number}.json": version.card}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items() if content}
    card = card_from_json(version.card.decode("utf-8"))
    write_text(output, to_cyclonedx(card, VersionFiles(_read_requirements(version), digests)))
    return f"{version}, CycloneDX 1.6"


def write_odcs(request: Request, output: Path) -> str:
    """Write the column contract: as it stands in conf/base, or with a number as that version was trained under it."""
    from rai_kedro.contract import Contract
    from rai_kedro.exchange import API_VERSION, to_odcs
    from rai_kedro.release import IncompleteError

    contract, what = request.catalog.load(f"{request.use_case}.contract"), f"contract of {request.use_case}"
    if request.number is not None:
        version = request.find_version()
        stored = version.read(_CONTRACT)
        if stored is None:
            raise version.refusal(IncompleteError, "has no contract that can be read.", remedy=version.retrain)
        contract, what = Contract.model_validate_json(stored), f"contract of {version}"
    write_text(output, to_odcs(contract))
    return f"{what}, ODCS {API_VERSION.removeprefix('v')}"


# A format is one line here, and the function that writes its file and says what is in it.
FORMATS: dict[str, Callable[[Request, Path], str]] = {"cyclonedx": write_cyclonedx, "odcs": write_odcs}


@click.command()
@about_use_case
@click.option("--version", "number", help="Number of the version; of the one in production, or else the candidate.")
@click.option("--format", "name", required=True, type=click.Choice(list(FORMATS)), help="What to write.")
@click.option("--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The file.")
def export(use_case: str, env: str | None, number: str | None, name: str, output: Path) -> None:
    """Write a version as a bill of materials (cyclonedx), or the column contract (odcs), for other tools."""
    with open_catalog(use_case, env) as catalog:
        what = FORMATS[name](Request(catalog, use_case, number), output)
    click.echo(f"{output}: {what}")


def _read_requirements(version: Version) -> tuple[str, ...]:
    """Return what the stored model says it needs, as ``name==version``."""
    import tempfile

    import mlflow
    from mlflow.exceptions import MlflowException

    with tempfile.TemporaryDirectory(prefix="rai-requirements-") as folder:
        uri = f"models:/{version.use_case}/{version.number}/requirements.txt"
        try:
            text = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=folder)).read_text("utf-8")
        except (MlflowException, OSError) as error:
            raise ExportError(
                f"The requirements of {version} cannot be read.",
                where=uri,
                example=str(error).splitlines()[0][:200],
                remedy=f"restore the model's files from a backup, or {version.retrain}",
            ) from error
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return tuple(line for line in lines if line)
