"""Saving candidates through Kedro, against a real MLflow store."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import sklearn
from kedro.io import DataCatalog, DatasetError
from mlflow import MlflowClient
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsRegressor

from rai_kedro.datasets.candidate_model import CandidateModelDataset, ModelDatasetError
from rai_kedro.release import Candidate, ModelRefusedError, ReleaseError, find_aliases

BASELINE = {
    "task": "regression",
    "target": "MEDV",
    "fairness": {"groupings": [{"columns": ["LSTAT"], "cuts": {"LSTAT": [11.0]}}], "metrics": ["mean_absolute_error"]},
}


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
def dataset(request: pytest.FixtureRequest) -> CandidateModelDataset:
    return CandidateModelDataset(registered_model_name=request.node.name, metadata={"kedro-viz": {"layer": "models"}})


def make_candidate(estimator: object = None) -> Candidate:
    frame = pd.DataFrame({"RM": np.linspace(4, 8, 30), "AGE": np.linspace(90, 10, 30) ** 1.1})
    label = 3 * frame["RM"]
    model = (LinearRegression() if estimator is None else estimator).fit(frame, label)  # type: ignore[attr-defined]
    return Candidate(
        estimator=model,
        input_example=frame.head(5),
        predictions=model.predict(frame.head(5)),
        training_frame=frame.assign(MEDV=label),
        reference=frame.assign(MEDV=label, prediction=model.predict(frame)),
        baseline=BASELINE,
        target="MEDV",
        contract={"columns": {}},
        months={},
        policy={},
        tags={"rai.month": "2024-01"},
        pip_requirements=(f"scikit-learn=={sklearn.__version__}",),
        source="month=2024-01",
    )


def test_loads_the_version_it_saved(dataset: CandidateModelDataset) -> None:
    with mlflow.start_run() as run:
        dataset.save(make_candidate())
        loaded = dataset.load()
    assert (loaded.version, loaded.run_id) == ("1", run.info.run_id)
    assert loaded.model_uri.endswith("/1")


def test_other_process_loads_the_version_under_the_alias(dataset: CandidateModelDataset) -> None:
    with mlflow.start_run():
        dataset.save(make_candidate())
    fresh = CandidateModelDataset(registered_model_name=dataset._registered_model_name)
    assert fresh.load() == dataset.load()
    assert fresh.exists()


def test_works_as_a_catalogue_entry_and_keeps_metadata(request: pytest.FixtureRequest) -> None:
    entry = {
        "type": "rai_kedro.datasets.candidate_model.CandidateModelDataset",
        "registered_model_name": request.node.name,
        "metadata": {"rai": {"stage": "training"}},
    }
    catalog = DataCatalog.from_config({"housing.candidate": entry})
    with mlflow.start_run():
        catalog.save("housing.candidate", make_candidate())
    assert catalog.load("housing.candidate").version == "1"
    assert catalog["housing.candidate"].metadata == {"rai": {"stage": "training"}}


def test_nothing_trained_yet_is_a_readable_error(dataset: CandidateModelDataset) -> None:
    assert not dataset.exists()
    with pytest.raises(ModelDatasetError, match="kedro run --pipeline") as caught:
        dataset.load()
    assert str(caught.value).startswith("No version of model")
    assert isinstance(caught.value.__cause__, ReleaseError)


def test_registry_errors_reach_the_user_without_kedros_wrapping(dataset: CandidateModelDataset) -> None:
    with mlflow.start_run(), pytest.raises(DatasetError) as caught:
        dataset.save(make_candidate(KNeighborsRegressor(algorithm="kd_tree")))
    assert str(caught.value).startswith("The model contains types that are not on the reviewed list")
    assert isinstance(caught.value.__cause__, ModelRefusedError)
    assert str(caught.value) == str(caught.value.__cause__)


def test_without_a_run_nothing_is_saved(dataset: CandidateModelDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    with pytest.raises(DatasetError, match="No MLflow run is open") as caught:
        dataset.save(make_candidate())
    assert isinstance(caught.value.__cause__, ReleaseError)


def test_goes_to_a_worker_process_and_back(dataset: CandidateModelDataset) -> None:
    with mlflow.start_run():
        dataset.save(make_candidate())
    copy = ForkingPickler.loads(ForkingPickler.dumps(dataset))
    assert copy.load() == dataset.load()
    with mlflow.start_run():
        copy.save(make_candidate())
    assert copy.load().version == "2"


def test_two_threads_saving_at_once_leave_the_alias_at_the_newest(dataset: CandidateModelDataset) -> None:
    def save(_: int) -> None:
        with mlflow.start_run():
            dataset.save(make_candidate())

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(save, range(4)))
    assert find_aliases(MlflowClient(), dataset._registered_model_name) == {"candidate": "4"}
    assert dataset.load().version == "4"


def test_error_survives_the_way_out_of_a_worker_process() -> None:
    error = ModelDatasetError("what", remedy="remedy", where="where")
    copy = ForkingPickler.loads(ForkingPickler.dumps(error))
    assert isinstance(copy, DatasetError)
    assert str(copy) == str(error)
