"""Digests, and loading models without trusting what the model says about itself."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import mlflow.sklearn
import numpy as np
import pandas as pd
import pytest
import skops.io as sio
import yaml
from mlflow import MlflowClient
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    ElasticNetCV,
    HuberRegressor,
    Lasso,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
    SGDClassifier,
    TweedieRegressor,
)
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
)
from sklearn.tree import DecisionTreeRegressor

from rai_kedro.mitigation import METHODS, build_mitigated
from rai_kedro.mitigation.calibration import GroupAlignment
from rai_kedro.modelling import (
    BalancedEstimator,
    GivenAmounts,
    GivenDecisions,
    PreparationParameters,
    ServedAmounts,
    ServedDecisions,
    build_model,
    build_preparation,
)
from rai_kedro.release.manifest import read_manifest
from rai_kedro.release.model_files import (
    MODEL_FILE,
    ModelRefusedError,
    digest_files,
    load_trusted_sklearn,
    require_storable,
    trusted_types,
)
from rai_kedro.release.versions import find_version

REGRESSORS = [
    LinearRegression(),
    Ridge(),
    Lasso(),
    ElasticNetCV(cv=3),
    HuberRegressor(max_iter=500),
    QuantileRegressor(),
    PoissonRegressor(),
    TweedieRegressor(power=0),
    TweedieRegressor(power=1.5, link="log"),
    DecisionTreeRegressor(),
    RandomForestRegressor(5),
    ExtraTreesRegressor(5),
    GradientBoostingRegressor(n_estimators=5),
    GradientBoostingRegressor(n_estimators=5, loss="quantile"),
    HistGradientBoostingRegressor(max_iter=5),
    HistGradientBoostingRegressor(max_iter=5, loss="poisson", early_stopping=True),
    StackingRegressor([("a", LinearRegression()), ("b", Ridge())], cv=3),
    TransformedTargetRegressor(LinearRegression(), func=np.log1p, inverse_func=np.expm1),
]
CLASSIFIERS = [
    LogisticRegression(),
    SGDClassifier(loss="log_loss"),
    RandomForestClassifier(5),
    GradientBoostingClassifier(n_estimators=5),
    HistGradientBoostingClassifier(max_iter=5),
    CalibratedClassifierCV(LogisticRegression(), cv=3),
    CalibratedClassifierCV(RandomForestClassifier(5), method="isotonic", cv=3),
    BalancedEstimator(LogisticRegression(), "over"),
]
PREPROCESSORS = [
    StandardScaler(),
    MinMaxScaler(),
    RobustScaler(),
    QuantileTransformer(n_quantiles=20),
    PolynomialFeatures(),
    SplineTransformer(),
    KBinsDiscretizer(4, quantile_method="averaged_inverted_cdf"),
    FunctionTransformer(np.cbrt),
]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"a": rng.normal(size=150), "b": rng.normal(size=150), "c": rng.choice(["x", "y", "z"], 150)})


@pytest.fixture(scope="module")
def target(frame: pd.DataFrame) -> pd.Series:
    return np.abs(2 * frame["a"] + np.random.default_rng(1).normal(size=150)) + 0.1


def mixed_columns() -> ColumnTransformer:
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    words = OneHotEncoder(handle_unknown="ignore")
    return ColumnTransformer(
        [("numbers", numbers, make_column_selector(dtype_include="number")), ("words", words, ["c"])]
    )


def store(model: object, folder: Path) -> Path:
    sio.dump(model, folder / MODEL_FILE)
    return folder


def prepared(frame: pd.DataFrame, target: pd.Series) -> tuple[pd.DataFrame, Pipeline]:
    """Return rows with a date and missing numbers, and a model behind the project's own preparation, fitted on them."""
    dated = frame.assign(day=pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(len(frame)), unit="D"))
    dated.loc[dated.index[:5], "a"] = np.nan
    types = {"a": "float", "b": "float", "day": "date"}
    preparation = build_preparation(PreparationParameters(), types, seed=0)
    return dated, build_model(preparation, LinearRegression()).fit(dated[list(types)], target)


def mitigated(name: str, frame: pd.DataFrame, target: pd.Series) -> tuple[pd.DataFrame, object]:
    """Return rows and a model of this method, fitted on them for the groups of column c."""
    classes = (target > target.median()).astype(int)
    frame = frame.replace({"c": {"z": "x"}})  # three groups of 50 rows would be too small to be calibrated
    inputs = frame if name == "group_alignment" or METHODS[name].needs_sensitive else frame[["a", "b"]]
    if name == "group_alignment":
        model, wanted = GroupAlignment(LinearRegression(), "c"), target
    else:
        is_regression = METHODS[name].tasks == ("regression",)
        base, wanted = (LinearRegression(), target) if is_regression else (LogisticRegression(), classes)
        constraint = next(iter(METHODS[name].constraints.values()))
        parameters = {"constraint": constraint} if constraint else {}
        parameters |= {"tolerance": 0.2} if name == "grid_search" else {}  # 150 rows keep no constraint closely
        model = build_mitigated(name, base, parameters, "c", permitted=True)
    return inputs, model.fit(inputs, wanted, sensitive=frame["c"])


MITIGATIONS = [*METHODS, "group_alignment"]


class TestRoundTrip:
    @pytest.mark.parametrize("name", MITIGATIONS)
    def test_mitigated_model_predicts_the_same_after_loading(
        self, name: str, frame: pd.DataFrame, target: pd.Series, tmp_path: Path
    ) -> None:
        inputs, model = mitigated(name, frame, target)
        loaded = load_trusted_sklearn(store(model, tmp_path))
        np.testing.assert_array_equal(loaded.predict(inputs), model.predict(inputs))

    @pytest.mark.parametrize("estimator", REGRESSORS, ids=lambda estimator: str(estimator)[:60])
    def test_regressor_predicts_the_same_after_loading(
        self, estimator: object, frame: pd.DataFrame, target: pd.Series, tmp_path: Path
    ) -> None:
        model = Pipeline([("prepare", mixed_columns()), ("estimate", estimator)]).fit(frame, target)
        require_storable(model)
        loaded = load_trusted_sklearn(store(model, tmp_path))
        np.testing.assert_array_equal(loaded.predict(frame), model.predict(frame))

    @pytest.mark.parametrize("labels", ["numbers", "words"])
    @pytest.mark.parametrize("estimator", CLASSIFIERS, ids=lambda estimator: str(estimator)[:60])
    def test_classifier_gives_the_same_probabilities_after_loading(
        self, estimator: object, labels: str, frame: pd.DataFrame, target: pd.Series, tmp_path: Path
    ) -> None:
        classes = (target > target.median()).astype(int)
        if labels == "words":
            classes = classes.map({0: "no", 1: "yes"})
        model = Pipeline([("prepare", mixed_columns()), ("estimate", estimator)]).fit(frame, classes)
        loaded = load_trusted_sklearn(store(model, tmp_path))
        np.testing.assert_array_equal(loaded.predict_proba(frame), model.predict_proba(frame))

    @pytest.mark.parametrize("step", PREPROCESSORS, ids=lambda step: type(step).__name__)
    def test_preprocessing_survives(self, step: object, frame: pd.DataFrame, target: pd.Series, tmp_path: Path) -> None:
        numbers = frame[["a", "b"]]
        model = make_pipeline(step, LinearRegression()).fit(numbers, target)
        loaded = load_trusted_sklearn(store(model, tmp_path))
        np.testing.assert_array_equal(loaded.predict(numbers), model.predict(numbers))

    def test_the_projects_own_preparation_survives(
        self, frame: pd.DataFrame, target: pd.Series, tmp_path: Path
    ) -> None:
        dated, model = prepared(frame, target)
        loaded = load_trusted_sklearn(store(model, tmp_path))
        np.testing.assert_array_equal(loaded.predict(dated), model.predict(dated))

    def test_gradient_boosting_on_category_columns_survives(
        self, frame: pd.DataFrame, target: pd.Series, tmp_path: Path
    ) -> None:
        categories = frame.astype({"c": "category"})
        model = HistGradientBoostingRegressor(max_iter=5, categorical_features="from_dtype")
        model.fit(categories, target)
        loaded = load_trusted_sklearn(store(model, tmp_path))
        np.testing.assert_array_equal(loaded.predict(categories), model.predict(categories))

    def test_ordinal_encoding_survives(self, frame: pd.DataFrame, target: pd.Series, tmp_path: Path) -> None:
        model = make_pipeline(OrdinalEncoder(), Ridge()).fit(frame[["c"]], target)
        loaded = load_trusted_sklearn(store(model, tmp_path))
        np.testing.assert_array_equal(loaded.predict(frame[["c"]]), model.predict(frame[["c"]]))

    def test_every_trusted_type_is_needed_by_a_model_above(self, frame: pd.DataFrame, target: pd.Series) -> None:
        seen: set[str] = set()
        classes = (target > target.median()).astype(int)
        for estimator in [*REGRESSORS, *CLASSIFIERS]:
            wanted = classes if hasattr(estimator, "predict_proba") else target
            model = Pipeline([("prepare", mixed_columns()), ("estimate", estimator)]).fit(frame, wanted)
            seen |= set(sio.get_untrusted_types(data=sio.dumps(model)))
        for step in PREPROCESSORS:
            seen |= set(sio.get_untrusted_types(data=sio.dumps(step.fit(frame[["a", "b"]]))))
        categories = frame.astype({"c": "category"})
        boosted = HistGradientBoostingRegressor(max_iter=5, categorical_features="from_dtype")
        seen |= set(sio.get_untrusted_types(data=sio.dumps(boosted.fit(categories, target))))
        seen |= set(sio.get_untrusted_types(data=sio.dumps(prepared(frame, target)[1])))
        readings = GivenDecisions(prediction="a"), GivenAmounts(prediction="a")
        for reading in readings:
            seen |= set(sio.get_untrusted_types(data=sio.dumps(reading.fit(frame[["a"]]))))
        for served in (
            ServedDecisions(url="https://models.example.org"),
            ServedAmounts(url="https://models.example.org"),
        ):
            seen |= set(sio.get_untrusted_types(data=sio.dumps(served)))
        for name in MITIGATIONS:
            seen |= set(sio.get_untrusted_types(data=sio.dumps(mitigated(name, frame, target)[1])))
        assert seen == set(trusted_types())


class TestRefusal:
    def test_type_outside_the_list_is_refused_by_name(
        self, frame: pd.DataFrame, target: pd.Series, tmp_path: Path
    ) -> None:
        model = KNeighborsRegressor().fit(frame[["a", "b"]], target)
        with pytest.raises(ModelRefusedError, match=r"sklearn\.neighbors\._kd_tree\.KDTree"):
            load_trusted_sklearn(store(model, tmp_path))
        with pytest.raises(ModelRefusedError, match="not on the reviewed list"):
            require_storable(model)

    def test_list_in_the_models_own_file_is_not_believed(
        self, frame: pd.DataFrame, target: pd.Series, tmp_path: Path
    ) -> None:
        model = KNeighborsRegressor().fit(frame[["a", "b"]], target)
        types = sio.get_untrusted_types(data=sio.dumps(model))
        mlflow.sklearn.save_model(
            model,
            tmp_path / "model",
            serialization_format="skops",
            skops_trusted_types=types,
            pip_requirements=[],
        )
        said = yaml.safe_load((tmp_path / "model" / "MLmodel").read_text())["flavors"]["sklearn"]
        assert said["skops_trusted_types"] == types
        assert mlflow.sklearn.load_model(str(tmp_path / "model")).predict(frame[["a", "b"]]).shape == (150,)
        with pytest.raises(ModelRefusedError, match="not on the reviewed list"):
            load_trusted_sklearn(tmp_path / "model")

    def test_pickle_is_never_opened(self, tmp_path: Path) -> None:
        class Trap:
            def __reduce__(self) -> tuple[object, tuple[object, ...]]:
                return Path.touch, (tmp_path / "was-opened",)

        folder = tmp_path / "model"
        folder.mkdir()
        (folder / "model.pkl").write_bytes(pickle.dumps(Trap()))
        with pytest.raises(ModelRefusedError, match=r"found: model\.pkl"):
            load_trusted_sklearn(folder)
        (folder / "model.pkl").rename(folder / MODEL_FILE)
        with pytest.raises(ModelRefusedError, match="cannot be read"):
            load_trusted_sklearn(folder)
        assert not (tmp_path / "was-opened").exists()

    def test_damaged_file_is_a_clear_error(self, frame: pd.DataFrame, target: pd.Series, tmp_path: Path) -> None:
        file = store(LinearRegression().fit(frame[["a"]], target), tmp_path) / MODEL_FILE
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        with pytest.raises(ModelRefusedError, match="cannot be read"):
            load_trusted_sklearn(tmp_path)

    def test_local_function_cannot_be_stored(self, frame: pd.DataFrame, target: pd.Series) -> None:
        model = make_pipeline(FunctionTransformer(lambda values: values * 2), LinearRegression())
        with pytest.raises((ModelRefusedError, ModelRefusedError), match="do next"):
            require_storable(model.fit(frame[["a"]], target))

    def test_mlflows_switch_against_pickle_does_not_stop_safe_loading(
        self, frame: pd.DataFrame, target: pd.Series, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
        loaded = load_trusted_sklearn(store(LinearRegression().fit(frame[["a"]], target), tmp_path))
        assert loaded.predict(frame[["a"]]).shape == (150,)


class TestDigest:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "deep").mkdir()
        (tmp_path / "one").write_text("1")
        (tmp_path / "deep" / "two").write_text("2")
        return tmp_path

    def test_same_files_give_the_same_digest(self, folder: Path) -> None:
        assert digest_files(folder) == digest_files(str(folder))
        assert digest_files(folder) == {
            "one": hashlib.sha256(b"1").hexdigest(),
            "deep/two": hashlib.sha256(b"2").hexdigest(),
        }

    @pytest.mark.parametrize("change", ["content", "name", "new", "gone"])
    def test_every_change_changes_the_digest(self, folder: Path, change: str) -> None:
        before = digest_files(folder)
        if change == "content":
            (folder / "deep" / "two").write_text("3")
        elif change == "name":
            (folder / "one").rename(folder / "eno")
        elif change == "new":
            (folder / "empty").touch()
        else:
            (folder / "one").unlink()
        assert digest_files(folder) != before

    def test_reading_a_version_with_mlflow_does_not_change_its_digest(
        self, client: MlflowClient, register: object, use_case: str
    ) -> None:
        version = register()  # type: ignore[operator]
        files = read_manifest(find_version(client, use_case, version.version)).files
        local = mlflow.artifacts.download_artifacts(artifact_uri=version.model_uri)
        assert (Path(local) / "registered_model_meta").exists()
        assert {f"model/{name}": digest for name, digest in digest_files(local).items()}.items() <= files.items()
