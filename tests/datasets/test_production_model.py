"""Loading the model in production through Kedro and all its runners, against a real MLflow store."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import sklearn
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog, DatasetError, SharedMemoryDataCatalog
from kedro.pipeline import node, pipeline
from kedro.runner import ParallelRunner, SequentialRunner, ThreadRunner
from mlflow import MlflowClient
from sklearn.ensemble import RandomForestRegressor

from rai_kedro.datasets.production_model import ProductionModelDataset, ReferencesDataset
from rai_kedro.errors import RaiError
from rai_kedro.monitoring import Baseline
from rai_kedro.policy import GateFacts, Policy, judge_gates
from rai_kedro.release import (
    Candidate,
    NotApprovedError,
    ProductionModel,
    Reviewers,
    ReviewRequest,
    SigningKey,
    Trust,
    approve,
    attach_card,
    register_candidate,
)

BASELINE = {
    "task": "regression",
    "target": "MEDV",
    "fairness": {"groupings": [{"columns": ["LSTAT"], "cuts": {"LSTAT": [11.0]}}], "metrics": ["mean_absolute_error"]},
}


FEATURES = ["RM", "AGE"]


@pytest.fixture(scope="module", autouse=True)
def store(tmp_path_factory: pytest.TempPathFactory, new_database: Path) -> Iterator[None]:
    """One database for this file."""
    folder = tmp_path_factory.mktemp("mlflow")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{shutil.copy(new_database, folder)}")
    mlflow.create_experiment("datasets", artifact_location=(folder / "artifacts").as_uri())
    mlflow.set_experiment("datasets")
    yield
    mlflow.set_tracking_uri(before)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return request.node.name.replace("[", "-").replace("]", "")


@pytest.fixture
def dataset(name: str, tmp_path: Path) -> ProductionModelDataset:
    return ProductionModelDataset(registered_model_name=name, filepath=str(tmp_path / "evidence.jsonl"))


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project in whose environment ``test`` a demonstration may stand for a person."""
    project = tmp_path / "project"
    (project / "conf" / "base").mkdir(parents=True)
    (project / "pyproject.toml").write_text("[tool.kedro]\n")
    (project / "conf" / "base" / "reviewers.yml").write_text("demo_in: [test]\n")
    monkeypatch.chdir(project)
    for kind in (ProductionModelDataset, ReferencesDataset):
        monkeypatch.setattr(kind, "environment", "test")


@pytest.fixture
def train(name: str, tmp_path: Path) -> Callable[[], None]:
    def train_one() -> None:
        frame = pd.DataFrame({"RM": np.linspace(4, 8, 30), "AGE": np.linspace(90, 10, 30)})
        label = 3 * frame["RM"]
        model = RandomForestRegressor(5, random_state=0).fit(frame, label)
        candidate = Candidate(
            estimator=model,
            input_example=frame.head(5),
            predictions=model.predict(frame.head(5)),
            training_frame=frame.assign(MEDV=label),
            reference=frame.assign(MEDV=label, prediction=model.predict(frame)),
            baseline=BASELINE,
            target="MEDV",
            contract={"columns": {"RM": {"use": "model"}}},
            tags={},
            months={"2024-01": {"features": "f" * 64, "labels": "a" * 64}},
            policy={},
            pip_requirements=(f"scikit-learn=={sklearn.__version__}",),
            source="month=2024-01",
        )
        with mlflow.start_run():
            mlflow.log_metrics({"training.test.R2": 1.0})
            version = register_candidate(candidate, name)
        card = tmp_path / f"model_card_v{version.version}.json"
        card.write_text("{}")
        client = MlflowClient()
        gates = judge_gates(Policy(), GateFacts(fairness="could_not_be_evaluated")).to_dict()
        for report, content in {"fairness_gate": {}, "fairness_assessment": {}, "release_gates": gates}.items():
            client.log_dict(version.run_id, content, f"reports/{report}.json")
        attach_card(name, version.version, "A model.", [card], tmp_path / "evidence.jsonl")

    return train_one


def give_approval(dataset: ProductionModelDataset, version: str = "1") -> None:
    now = datetime.now(UTC)
    # Nothing here was assessed, which keeps the gate closed.
    risk = "a test of loading, no column is audited"
    name, key = dataset._registered_model_name, SigningKey.generate()
    request = ReviewRequest(name, version, "Ada", "card read", now, key, demo=True, accept_risk=risk)
    approve(MlflowClient(), request, dataset._filepath, Trust(Reviewers(demo_in=("test",)), "test"))


def score(production: ProductionModel) -> list[float]:
    return list(production.model.predict(production.reference.rows[FEATURES]))


def make_catalog(kind: type[DataCatalog], dataset: ProductionModelDataset, scores: Path) -> DataCatalog:
    production = {
        "type": "rai_kedro.datasets.production_model.ProductionModelDataset",
        "registered_model_name": dataset._registered_model_name,
        "filepath": str(dataset._filepath),
    }
    result = {"type": "json.JSONDataset", "filepath": str(scores)}
    return kind.from_config({"production_model": production, "scores": result})


def test_approved_model_is_loaded_with_what_belongs_to_it(
    dataset: ProductionModelDataset, train: Callable[[], None]
) -> None:
    train()
    give_approval(dataset)
    production = dataset.load()
    assert dataset.exists()
    assert production.version == "1"
    assert production.review.reviewer == "Ada"
    assert production.contract == {"columns": {"RM": {"use": "model"}}}
    assert score(production) == list(production.reference.rows["prediction"])


def test_missing_approval_is_readable_and_names_the_command(
    dataset: ProductionModelDataset, train: Callable[[], None], name: str
) -> None:
    train()
    assert not dataset.exists()
    with pytest.raises(DatasetError) as caught:
        dataset.load()
    assert str(caught.value).startswith(f"No version of {name} is in production")
    assert f"kedro rai approve --use-case {name} --version 1 " in str(caught.value)
    assert "Failed while loading" not in str(caught.value)
    assert isinstance(caught.value.__cause__, NotApprovedError)


def test_nothing_can_be_saved(dataset: ProductionModelDataset) -> None:
    with pytest.raises(DatasetError, match="kedro rai approve --use-case"):
        dataset.save("anything")  # type: ignore[arg-type]


def test_goes_to_a_worker_process(dataset: ProductionModelDataset, train: Callable[[], None]) -> None:
    train()
    give_approval(dataset)
    copy = ForkingPickler.loads(ForkingPickler.dumps(dataset))
    assert score(copy.load()) == score(dataset.load())


def test_relative_record_is_made_absolute_by_kedro_under_this_key(tmp_path: Path) -> None:
    from kedro.framework.context.context import _convert_paths_to_absolute_posix

    entry = {"production_model": {"filepath": "data/08_reporting/evidence/housing.jsonl"}}
    converted = _convert_paths_to_absolute_posix(tmp_path, entry)
    expected = tmp_path / "data/08_reporting/evidence/housing.jsonl"
    assert converted["production_model"]["filepath"] == expected.as_posix()


@pytest.mark.parametrize("runner", [SequentialRunner, ThreadRunner, ParallelRunner])
def test_no_runner_skips_the_check(
    runner: type, dataset: ProductionModelDataset, train: Callable[[], None], tmp_path: Path
) -> None:
    train()
    MlflowClient().set_registered_model_alias(dataset._registered_model_name, "production", "1")
    scores = tmp_path / "scores.json"
    kind = SharedMemoryDataCatalog if runner is ParallelRunner else DataCatalog
    catalog = make_catalog(kind, dataset, scores)
    steps = pipeline([node(score, "production_model", "scores")])
    with pytest.raises(DatasetError) as caught:
        runner().run(steps, catalog, hook_manager=_create_hook_manager())
    assert str(caught.value).startswith("production_model: Version 1 of")
    assert "no approval of it counts now" in str(caught.value)
    assert not scores.exists()
    if runner is not ParallelRunner:  # a worker process sends the exception without its causes
        assert isinstance(caught.value.__cause__, RaiError)
        assert isinstance(caught.value.__cause__.__cause__, NotApprovedError)
    give_approval(dataset)
    runner().run(steps, catalog, hook_manager=_create_hook_manager())
    assert scores.exists()


def test_references_are_looked_up_by_version_and_go_to_a_worker_process(
    dataset: ProductionModelDataset, train: Callable[[], None], name: str
) -> None:
    references = ReferencesDataset(registered_model_name=name, filepath=str(dataset._filepath))
    assert not references.exists()
    train()
    train()
    give_approval(dataset)
    expected = dataset.load().reference.rows
    give_approval(dataset, "2")
    assert references.exists()
    find = ForkingPickler.loads(ForkingPickler.dumps(references.load()))
    pd.testing.assert_frame_equal(find("1").rows, expected)
    assert find("1").baseline == Baseline.from_dict(BASELINE)
    MlflowClient().set_model_version_tag(name, "2", "rai.month", "2024-07")  # a tag decides nothing
    assert find("1").trained_on == find("2").trained_on == ("2024-01",)
    train()
    with pytest.raises(NotApprovedError, match=r"Version 3 .* has no approval on record") as refused:
        find("3")
    # What cannot be had is not asked for again: a server that is gone would be waited for each time.
    with pytest.raises(NotApprovedError) as again:
        find("3")
    assert again.value is refused.value


def test_no_references_can_be_saved(dataset: ProductionModelDataset, name: str) -> None:
    references = ReferencesDataset(registered_model_name=name, filepath=str(dataset._filepath))
    with pytest.raises(DatasetError, match="training stores them"):
        references.save("anything")  # type: ignore[arg-type]


def test_references_know_what_monitoring_asks_of_them(tmp_path: Path) -> None:
    references = ReferencesDataset(registered_model_name="housing", filepath=str(tmp_path / "housing.jsonl")).load()
    assert callable(references)
