"""A training made once more in memory, to hold every figure of its card against what comes out now."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, get_type_hints

from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner

from rai_kedro.contract import Contract
from rai_kedro.errors import RaiError
from rai_kedro.frames import Store
from rai_kedro.pipelines.parameters import keep_parameters
from rai_kedro.pipelines.training.nodes import digest_months
from rai_kedro.pipelines.training.pipeline import create_pipeline
from rai_kedro.pipelines.training.settings import check_settings
from rai_kedro.policy import Look
from rai_kedro.release import Manifest, RegisteredVersion
from rai_kedro.report import ModelCard, card_from_json, render_json
from rai_kedro.typed import Typed

# What was kept is read as it was written.
_TYPES: Final[dict[str, type[Typed]]] = {
    name: kind for name, kind in get_type_hints(keep_parameters).items() if name != "return"
}
# What registers, draws, counts a training, or says what it is judged by: none of it is a figure of the card.
_LEFT_OUT: Final = {"assemble_candidate", "draw_figures", "note_policy", "keep_parameters", "note_look"}
TAKEN_OVER: Final = (
    "the version's number, run, moment, commit and trainer, which are not computed",
    "how often these rows were looked at under a registered plan, which the evidence record counts",
    "energy and emissions, which were measured then and cannot be measured again",
)


@dataclass(frozen=True)
class Trained:
    """What a training left of itself: its manifest, what it was told, and the card it wrote."""

    manifest: Manifest
    contract: Contract
    parameters: Mapping[str, Any]
    card: str  # JSON

    @property
    def groups(self) -> dict[str, Any]:
        """The parameters, typed."""
        return {name: kind.from_dict(self.parameters[name]) for name, kind in _TYPES.items()}


@dataclass(frozen=True)
class Difference:
    """One place of the card that says something else now."""

    path: str
    then: Any
    now: Any

    def __str__(self) -> str:
        """Say it in a line."""
        return f"{self.path}: {json.dumps(self.then)} in the pack, {json.dumps(self.now)} now"


def require_same_months(trained: Trained, stores: Mapping[str, Store]) -> None:
    """Refuse stores that hold other months than those that were trained on.

    Raises:
        RaiError: A month is not there, or its rows are others.
    """
    groups = {name: group for name, group in trained.groups.items() if name != "policy"}
    settings = check_settings(trained.contract, **groups)
    found, _ = digest_months(stores["feature_store"], stores["label_store"], settings)
    known = trained.manifest.months
    other = [
        f"{what} of {month}"
        for month in sorted({*known, *found})
        for what in ("features", "labels")
        if known.get(month, {}).get(what) != found.get(month, {}).get(what)
    ]
    if other:
        raise RaiError(
            "The stores do not hold the months that the version was trained on.",
            where=", ".join(f"{trained.manifest.use_case}.{name}" for name in ("feature_store", "label_store")),
            how_many=f"{len(other)} of {2 * len(known)} digests differ",
            example=", ".join(other[:4]),
            remedy="restore these months from a backup; without the same rows no figure can be rebuilt",
        )


def rebuild_card(trained: Trained, stores: Mapping[str, Store]) -> str:
    """Train once more on these stores, with nothing registered or stored, and return the card's JSON."""
    card, manifest = card_from_json(trained.card), trained.manifest
    version = RegisteredVersion(
        name=manifest.use_case,
        version=manifest.version,
        run_id=manifest.run_id,
        model_uri=f"models:/{manifest.use_case}/{manifest.version}",
        created_at=card.identity.created_at,
        git_commit=card.data.git_commit,
    )
    given = {
        **stores,
        **{f"params:{name}": group for name, group in trained.groups.items()},
        "contract": trained.contract,
        "judged_by": manifest.policy,
        "candidate_model": version,
        "figures": {},
        "look": card.plan or Look(),
        "training_carbon": _restore_carbon(card),
    }
    whole = create_pipeline(stores)
    pipeline = Pipeline([node for node in whole.nodes if node.name not in _LEFT_OUT]).to_outputs("model_card")
    catalog = DataCatalog({name: MemoryDataset(value, copy_mode="assign") for name, value in given.items()})
    made = SequentialRunner().run(pipeline, catalog)["model_card"].load()
    who = {name: getattr(card.identity, name) for name in ("trained_by", "is_signed")}
    return render_json(made.card.model_copy(update={"identity": made.card.identity.model_copy(update=who)}))


def compare_cards(then: str, now: str) -> tuple[int, list[Difference]]:
    """Return how many values two cards hold, and each place at which they differ."""
    first, second = (dict(_flatten(json.loads(text))) for text in (then, now))
    paths = [*first, *(path for path in second if path not in first)]
    missing = "(nothing)"
    pairs = [(path, first.get(path, missing), second.get(path, missing)) for path in paths]
    return len(paths), [Difference(*one) for one in pairs if one[1] != one[2]]


def _restore_carbon(card: ModelCard) -> dict[str, dict[str, Any]]:
    return {
        one.task: {name: value for name, value in one.to_dict().items() if name != "task" and value not in (None, "")}
        for one in card.carbon
    }


def _flatten(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _flatten(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value:
        for number, item in enumerate(value):
            yield from _flatten(item, f"{path}[{number}]")
    else:
        yield path, value
