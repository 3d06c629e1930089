"""``kedro rai export``: a version, or a use case's column contract, in a format that other tools read."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rai_kedro.commands.project import about_use_case, evidence_path, open_catalog
from rai_kedro.files import write_text

if TYPE_CHECKING:
    from kedro.io import DataCatalog

    from rai_kedro.release import ReleaseFiles, Version


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

    def open_files(self, version: Version) -> AbstractContextManager[ReleaseFiles]:
        """Lend the version's files, each as training recorded it; what was changed since is refused."""
        from rai_kedro.release import checked_files, read_evidence

        return checked_files(version, read_evidence(evidence_path(self.catalog, self.use_case)))


def write_cyclonedx(request: Request, output: Path) -> str:
    """Write a version's bill of materials, and say which version it is of."""
    from rai_kedro.exchange import VersionFiles, to_cyclonedx
    from rai_kedro.report import card_from_json

    version = request.find_version()
    card = f"model_card/model_card_v{version.number}.json"
    with request.open_files(version) as found:
        content, requirements = found.files[card], (found.model / "requirements.txt").read_text("utf-8")
    digests = {"manifest.json": found.manifest.digest, card: found.manifest.files[card]}
    lines = (line.partition("#")[0].strip() for line in requirements.splitlines())
    files = VersionFiles(tuple(line for line in lines if line), digests)
    write_text(output, to_cyclonedx(card_from_json(content.decode("utf-8")), files))
    return f"{version}, CycloneDX 1.6"


def write_odcs(request: Request, output: Path) -> str:
    """Write the column contract: as it stands in conf/base, or with a number as that version was trained under it."""
    from rai_kedro.contract import Contract
    from rai_kedro.exchange import API_VERSION, to_odcs

    contract, what = request.catalog.load(f"{request.use_case}.contract"), f"contract of {request.use_case}"
    if request.number is not None:
        version = request.find_version()
        with request.open_files(version) as found:
            contract, what = Contract.from_dict(found.read_contract()), f"contract of {version}"
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
