"""``kedro rai export``: a version, or a use case's column contract, for other tools and for strangers.

A pack holds the graph of the pipelines, too, as pages by kedro-viz that need no server of ours.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rai_kedro import exchange, release, report
from rai_kedro.commands.project import (
    about_use_case,
    evidence_path,
    open_catalog,
    path_of,
    reviewers_file,
    trust_of,
)
from rai_kedro.files import project_folder, write_text

if TYPE_CHECKING:
    from kedro.io import DataCatalog


@dataclass(frozen=True)
class Request:
    """What is to be exported; without a number the version in production, or else the candidate."""

    catalog: DataCatalog
    use_case: str
    number: str | None
    env: str | None = None

    def find_version(self) -> release.Version:
        """Return the version that is meant, as MLflow has it."""
        from mlflow import MlflowClient

        client = MlflowClient()
        aliases = release.find_aliases(client, self.use_case)
        number = self.number or aliases.get(release.PRODUCTION) or aliases.get(release.CANDIDATE)
        if number is None:
            raise release.unknown_model(self.use_case)
        return release.find_version(client, self.use_case, number)

    def open_files(self, version: release.Version) -> AbstractContextManager[release.ReleaseFiles]:
        """Lend the version's files, each as training recorded it; what was changed since is refused."""
        return release.checked_files(version, release.read_evidence(evidence_path(self.catalog, self.use_case)))


def write_cyclonedx(request: Request, output: Path) -> str:
    """Write a version's bill of materials, and say which version it is of."""
    version = request.find_version()
    with request.open_files(version) as found:
        write_text(output, _list_materials(found))
    return f"{version}, CycloneDX 1.6"


def _list_materials(found: release.ReleaseFiles) -> str:
    card = f"model_card/model_card_v{found.manifest.version}.json"
    requirements = (found.model / "requirements.txt").read_text("utf-8")
    digests = {"manifest.json": found.manifest.digest, card: found.manifest.files[card]}
    lines = (line.partition("#")[0].strip() for line in requirements.splitlines())
    files = exchange.VersionFiles(tuple(line for line in lines if line), digests)
    return exchange.to_cyclonedx(report.card_from_json(found.files[card].decode("utf-8")), files)


def write_odcs(request: Request, output: Path) -> str:
    """Write the column contract: as it stands in conf/base, or with a number as that version was trained under it."""
    from rai_kedro.contract import Contract

    contract, what = request.catalog.load(f"{request.use_case}.contract"), f"contract of {request.use_case}"
    if request.number is not None:
        version = request.find_version()
        with request.open_files(version) as found:
            contract, what = Contract.from_dict(found.read_contract()), f"contract of {version}"
    write_text(output, exchange.to_odcs(contract))
    return f"{what}, ODCS {exchange.API_VERSION.removeprefix('v')}"


def write_pack(request: Request, output: Path) -> str:
    """Write everything of a version into one zip that can be checked without this project."""
    from rai_kedro.contract import Contract

    release.require_new(output)
    version = request.find_version()
    entries = release.read_evidence(evidence_path(request.catalog, request.use_case))
    trust, listed = trust_of(request.catalog, request.use_case), reviewers_file()
    graph, drawn = build_graph(request.use_case, request.env)
    with request.open_files(version) as found:
        files = {
            **release.collect_pack(version, found, entries, trust, listed.read_bytes() if listed.is_file() else b""),
            **release.collect_stamps(evidence_path(request.catalog, request.use_case), entries),
            **_read_monitoring(request),
            "exchange/bom.cdx.json": _list_materials(found).encode(),
            "exchange/contract.odcs.yaml": exchange.to_odcs(Contract.from_dict(found.read_contract())).encode(),
            **graph,
        }
        digest = release.write_pack(output, release.complete_pack(files, found, drawn))
    return (
        f"pack of {version}\nSHA-256 of the pack: {digest}\nnewest hash of the record: {entries[-1].hash}\n"
        f"Give both to whoever checks it, by another way than the pack. The pipelines' graph: {drawn}."
    )


def _read_monitoring(request: Request) -> dict[str, bytes]:
    """Return what monitoring came to so far, for programs and people; nothing where there was none."""
    names = {name: path_of(request.catalog, f"{request.use_case}.monitoring_{name}") for name in ("timeline", "page")}
    return {f"monitoring/{path.name}": path.read_bytes() for path in names.values() if path.is_file()}


# A format is one line here, and the function that writes its file and says what is in it.
FORMATS: dict[str, Callable[[Request, Path], str]] = {
    "cyclonedx": write_cyclonedx,
    "odcs": write_odcs,
    "pack": write_pack,
}


@click.command()
@about_use_case
@click.option("--version", "number", help="Number of the version; of the one in production, or else the candidate.")
@click.option("--format", "name", required=True, type=click.Choice(list(FORMATS)), help="What to write.")
@click.option("--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The file.")
def export(use_case: str, env: str | None, number: str | None, name: str, output: Path) -> None:
    """Write a version for others: bill of materials (cyclonedx), column contract (odcs), or all of it (pack)."""
    with open_catalog(use_case, env) as catalog:
        what = FORMATS[name](Request(catalog, use_case, number, env), output)
    click.echo(f"{output}: {what}")


_FONTS = re.compile(rb"<link[^>]*fonts\.g[^>]*>\s*")
# The one holds a script that reports to its makers, the other reloads the page of a running server.
_UNORDERED = {"tags", "edges", "children", "inputs", "outputs", "modular_pipelines"}
_LEFT_OUT = {"telemetry.html", "autoreload.html"}


def build_graph(use_case: str, env: str | None) -> tuple[dict[str, bytes], str]:
    """Return the files of the graph below ``graph/``, and what they are in words; none where kedro-viz draws none.

    As ``kedro viz build`` makes them, without a network, the time of day and this machine's paths.
    """
    try:
        return _draw(use_case, env), "kedro-viz, static: `python -m http.server -d graph`, then http://localhost:8000"
    except Exception as error:  # whatever kedro-viz makes of a project; a pack without it can be checked as well
        return {}, f"not there, since kedro-viz could not draw it ({type(error).__name__}: {error})"


class _Collected:
    """As much of a file system of fsspec as kedro-viz writes its answers to."""

    protocol = "memory"

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    @contextmanager
    def open(self, path: str, _mode: str) -> Iterator[BytesIO]:
        """Take what is written to a file."""
        buffer = BytesIO()
        yield buffer
        self.files[path] = buffer.getvalue()


def _draw(use_case: str, env: str | None) -> dict[str, bytes]:
    import kedro_viz
    from kedro_viz.api.rest.responses.save_responses import save_api_responses_to_fs
    from kedro_viz.server import load_and_populate_data

    logging.getLogger("kedro_viz").setLevel(logging.ERROR)  # of runs and parameters that it does not find
    project = project_folder()
    load_and_populate_data(project, env, package_name="rai_kedro", pipeline_name=use_case)
    pages = Path(kedro_viz.__file__).parent / "html"
    collected = _Collected()
    save_api_responses_to_fs("graph", collected, False)
    answers = {name: _clean(content, project) for name, content in collected.files.items()}
    drawn = {f"graph/{name}": content for name, content in _read(pages).items() if name not in _LEFT_OUT}
    for page in ("graph/index.html", "graph/404.html"):
        drawn[page] = _FONTS.sub(b"", drawn[page])
    return {**drawn, **answers}


def _read(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _clean(content: bytes, project: Path) -> bytes:
    """Leave out where on this machine the project lies, and give what has no order always the same."""
    content = json.dumps(_order(json.loads(content)), ensure_ascii=False).encode()
    return content.replace(f"{project}/".encode(), b"").replace(f'"{project.name}/'.encode(), b'"')


def _order(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _order(item, key) for key, item in value.items()}
    if isinstance(value, list):
        items = [_order(item) for item in value]
        return sorted(items, key=json.dumps) if name in _UNORDERED else items
    return value
