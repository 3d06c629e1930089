"""``kedro rai replay``: a version's training made once more, to hold its card against what comes out now."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rai_kedro import release
from rai_kedro.commands.project import env_option, open_catalog
from rai_kedro.commands.terminal import show
from rai_kedro.errors import RaiError
from rai_kedro.files import project_folder
from rai_kedro.words import make_visible

if TYPE_CHECKING:
    from kedro.io import DataCatalog

    from rai_kedro.pipelines.training.replay import Trained

_STORES = ("feature_store", "label_store", "true_need")
_SHOWN = 50


class ReplayError(RaiError):
    """A pack cannot be replayed, or what comes out is not what its card says."""


@click.command()
@click.argument("pack", type=click.Path(path_type=Path, exists=True))
@click.option("--use-case", default=None, help="Name of the use case; by default that of the pack.")
@env_option
def command(pack: Path, use_case: str | None, env: str | None) -> None:
    """Train once more from a pack: on the months in the stores, every value of the card compared, nothing stored."""
    from rai_kedro.pipelines.training.replay import TAKEN_OVER, compare_cards, rebuild_card, require_same_months

    files = _read(pack)
    trained = _find_training(pack, files, use_case)
    use_case = trained.manifest.use_case
    with open_catalog(use_case, env) as catalog:
        stores = _load_stores(catalog, use_case)
        require_same_months(trained, stores)
        months = ", ".join(trained.manifest.months)
        show(f"version {trained.manifest.version} of {use_case}, from {make_visible(str(pack))}")
        show(f"  months: the stores hold {months} as the version was trained on them")
        for line in _compare_surroundings(trained, files):
            show(make_visible(f"  {line}"))
        count, differences = compare_cards(trained.card, rebuild_card(trained, stores))
    show(f"  rebuilt: {count - len(differences):,} of {count:,} values of the card are the same")
    for line in TAKEN_OVER:
        show(f"  taken over from the pack: {line}")
    for one in differences[:_SHOWN]:
        show(make_visible(f"  differs: {one}"))
    if differences:
        raise ReplayError(
            "The card says something else than what its training gives now.",
            where=str(pack),
            how_many=f"{len(differences)} of {count} values; the first {min(len(differences), _SHOWN)} are above",
            example=str(differences[0]),
            remedy="replay with the code and the libraries that the version was trained with (see above); if they are "
            "the same, the card does not show what was measured: do not rely on it",
        )
    show("Difference: 0.")


def _read(pack: Path) -> Mapping[str, bytes]:
    import zipfile

    try:
        return release.read_pack(pack)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ReplayError(
            "The pack cannot be read.",
            where=str(pack),
            example=str(error),
            remedy="fetch it anew from where it is kept",
        ) from error


def _find_training(pack: Path, files: Mapping[str, bytes], use_case: str | None) -> Trained:
    """Return what the training left in a pack, once its files are those of its manifest."""
    from rai_kedro.contract import Contract
    from rai_kedro.pipelines.training.replay import Trained

    try:
        manifest = release.Manifest.from_dict(json.loads(files["manifest.json"]))
        needed = ("contract.json", "parameters.json", f"model_card/model_card_v{manifest.version}.json")
        wrong = [
            name for name in needed if hashlib.sha256(files[name]).hexdigest() != manifest.files.get(name)
        ]  # fmt: skip
        if wrong or use_case not in (None, manifest.use_case):
            raise ValueError(f"{wrong[0]} is not that of the manifest" if wrong else f"it is of {manifest.use_case}")
        contract, parameters, card = (files[name].decode("utf-8") for name in needed)
        return Trained(manifest, Contract.from_dict(json.loads(contract)), json.loads(parameters), card)
    except (KeyError, ValueError) as error:  # pydantic's, too
        raise ReplayError(
            f"This is no pack from which a training{f' of {use_case}' if use_case else ''} can be replayed.",
            where=str(pack),
            example=f"{error} is missing" if isinstance(error, KeyError) else str(error).splitlines()[0],
            remedy="name its use case with --use-case; or check it with `python verify.py`, which is in it: a version "
            "that was trained before there were packs has no parameters.json",
        ) from error


def _load_stores(catalog: DataCatalog, use_case: str) -> dict[str, Any]:
    known = {name: f"{use_case}.{name}" for name in _STORES}
    return {name: catalog.load(dataset) for name, dataset in known.items() if dataset in catalog}


def _compare_surroundings(trained: Trained, files: Mapping[str, bytes]) -> Iterator[str]:
    """Say whether code and libraries are those of the training."""
    from rai_kedro.hooks.mlflow_run import read_commit

    manifest, project = trained.manifest, project_folder()
    now = next(iter(read_commit(str(project)).values()), "")
    then = manifest.git_commit
    unclear = "" if then and "uncommitted" not in then + now else ", so whether it is the same is not known"
    yield (
        f"code: {then or 'no commit'} then, {now or 'no commit'} now{unclear}"
        if unclear or then != now
        else (f"code: commit {then}, as then")
    )
    lock = project / "requirements.lock"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else ""
    same = "as then" if digest == manifest.lock_digest else "NOT as then"
    same = same if digest or manifest.lock_digest else "not there, then or now"
    others = [
        f"{name} {found or 'not there'} instead of {wanted}"
        for name, wanted in _list_pinned(files)
        if (found := _find_version(name)) != wanted
    ]
    yield f"libraries: requirements.lock is {same}; installed: {', '.join(others) or 'what the model was stored with'}"


def _list_pinned(files: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    for line in files.get("model/requirements.txt", b"").decode("utf-8").splitlines():
        name, pinned, wanted = line.partition("#")[0].strip().partition("==")
        if pinned:
            yield name, wanted


def _find_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
