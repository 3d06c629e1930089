"""Bad input: each case stops with an error of one screen, an exit code other than 0, and unchanged stores.

Every case breaks one thing in a copy of a working project and runs a real command.
"""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytestmark = pytest.mark.e2e

RAW = "data/01_raw/boston.csv"
CATALOG = "conf/base/housing/catalog.yml"
PARAMETERS = "conf/base/housing/parameters.yml"
SIMULATE = ("run", "--pipelines", "simulation")
TRAIN = ("run", "--pipelines", "training")
MONITOR = ("run", "--pipelines", "monitoring")


@dataclass(frozen=True)
class Case:
    """One bad input.

    Attributes:
        breaks: Breaks a project.
        words: What the error has to contain: what, where, how many, what to do.
        command: The command that must refuse.
        start: Fixture of the project to break.
        unchanged: The stores that must be as they were.
    """

    breaks: Callable[[Any], None]
    words: tuple[str, ...]
    command: tuple[str, ...] = SIMULATE
    start: str = "trained"
    unchanged: tuple[str, ...] = ("features", "labels", "predictions", "drift")


# A bad month is passed over: the others are scored and tested, and the exit code says that one was not.
PASSED_OVER = ("features", "labels")


def raw_text(change: Callable[[str], str]) -> Callable[[Any], None]:
    """Rewrite the raw file."""

    def breaks(project: Any) -> None:
        file = project.root / RAW
        file.write_text(change(file.read_text()))

    return breaks


def raw_table(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Any], None]:
    """Rewrite the raw file as a table."""

    def breaks(project: Any) -> None:
        file = project.root / RAW
        change(pd.read_csv(file)).to_csv(file, index=False)

    return breaks


def month(
    change: Callable[[pd.DataFrame], pd.DataFrame], store: str = "features", name: str = "2024-03"
) -> Callable[[Any], None]:
    """Rewrite one month of a store, as another program would."""

    def breaks(project: Any) -> None:
        file = getattr(project, store) / f"month={name}" / "part-0.parquet"
        change(pd.read_parquet(file, partitioning=None)).to_parquet(file, index=False)

    return breaks


def cell(column: str, value: Any, rows: int = 3) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Put a value into the first rows of a column."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        kind = object if isinstance(value, str) else frame[column].dtype
        values = frame[column].astype(kind).to_list()
        return frame.assign(**{column: [value] * rows + values[rows:]})

    return change


def yaml_text(path: str, old: str, new: str) -> Callable[[Any], None]:
    """Replace a text that is in a YAML file."""

    def breaks(project: Any) -> None:
        file = project.root / path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))

    return breaks


def training(**changes: Any) -> Callable[[Any], None]:
    """Change training parameters."""
    return lambda project: project.edit(PARAMETERS, lambda content: content["housing"]["training"].update(changes))


def column(name: str, **changes: Any) -> Callable[[Any], None]:
    """Change or add a column of the feature store's contract."""

    def change(content: dict[str, Any]) -> None:
        columns = content["housing.feature_store"]["metadata"]["rai"]["columns"]
        columns.setdefault(name, dict(columns["LSTAT"])).update(changes)

    return lambda project: project.edit(CATALOG, change)


def weaken_in_environment(project: Any) -> None:
    weaker = {"metadata": {"rai": {"columns": {"LSTAT": {"flags": []}}}}}
    project.edit("conf/test/housing/catalog.yml", lambda content: content.update({"housing.feature_store": weaker}))


def move_alias(project: Any) -> None:
    """Do what open-source MLflow lets anyone do who may edit the model."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{project.database}")
    client.set_registered_model_alias("housing", "production", "1")


def lock_away(*folders: str) -> Callable[[Any], None]:
    """Take away the permission to write in stores; `unlock` gives it back."""

    def breaks(project: Any) -> None:
        for name in folders:
            root: Path = getattr(project, name)
            root.mkdir(parents=True, exist_ok=True)
            for path in [*root.rglob("*"), root]:
                path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))

    return breaks


def unlock(root: Path) -> None:
    for path in [root, *root.rglob("*")]:
        path.chmod(path.stat().st_mode | stat.S_IWUSR)


def file_for_folder(project: Any) -> None:
    project.predictions.parent.mkdir(parents=True, exist_ok=True)
    project.predictions.write_text("not a folder")


CASES = {
    "raw file missing": Case(
        lambda project: (project.root / RAW).unlink(), ("The raw file cannot be read", RAW, f"git checkout {RAW}")
    ),
    "raw file truncated": Case(
        raw_text(lambda text: text[: len(text) // 2]), ("not the published one", RAW, "bytes", "git checkout")
    ),
    "raw value changed": Case(
        raw_table(cell("NOX", 5000.0)), ("not the published one", RAW, "SHA-256", "git checkout")
    ),
    "column missing": Case(
        month(lambda frame: frame.drop(columns="LSTAT")),
        ("LSTAT: the column is missing", "housing.feature_store, month=2024-03", "506 rows", "at its source"),
        MONITOR,
        "approved",
        PASSED_OVER,
    ),
    "column extra": Case(
        month(lambda frame: frame.assign(RACE=1.0)),
        ("RACE: the contract does not know this column", "month=2024-03", "506 rows"),
        MONITOR,
        "approved",
        PASSED_OVER,
    ),
    "wrong type": Case(
        month(lambda frame: cell("NOX", "high")(frame).assign(NOX=lambda changed: changed["NOX"].astype(str))),
        ("NOX: should be float", "month=2024-03", "3 rows", "high"),
        MONITOR,
        "approved",
        PASSED_OVER,
    ),
    "NaN": Case(
        month(cell("NOX", np.nan)), ("NOX: is null", "month=2024-03", "3 rows"), MONITOR, "approved", PASSED_OVER
    ),
    "infinity": Case(
        month(cell("NOX", np.inf)), ("NOX: is infinite", "month=2024-03", "3 rows"), MONITOR, "approved", PASSED_OVER
    ),
    "out of range": Case(
        month(cell("NOX", 7.5)),
        ("NOX: is outside [0, 5]", "month=2024-03", "3 rows", "7.5"),
        MONITOR,
        "approved",
        PASSED_OVER,
    ),
    "duplicate keys": Case(
        month(cell("tract", 9)),
        ("tract", "more than once", "month=2024-03", "4 rows"),
        MONITOR,
        "approved",
        PASSED_OVER,
    ),
    "training month out of range": Case(
        month(cell("NOX", 7.5), name="2024-01"), ("NOX: is outside [0, 5]", "month=2024-01", "3 rows"), TRAIN
    ),
    "label out of range": Case(
        month(cell("MEDV", -1.0), store="labels", name="2024-01"),
        ("MEDV: is outside", "housing.label_store, month=2024-01", "3 rows"),
        TRAIN,
    ),
    "training month missing": Case(
        training(month="2031-01"), ("no month 2031-01", "housing.feature_store", "2024-01 to 2024-06"), TRAIN
    ),
    "label without features": Case(
        month(lambda frame: frame.iloc[5:]),
        ("Some labels have no features", "housing.label_store, 2024-03", "5 of 506 labels", "tract 1"),
        MONITOR,
        "approved",
        PASSED_OVER,
    ),
    "label without features in training": Case(
        month(lambda frame: frame.iloc[5:], name="2024-01"),
        ("Some labels have no features", "housing.label_store, 2024-01", "5 of 506 labels", "tract 1"),
        TRAIN,
    ),
    "malformed parameters": Case(
        yaml_text(PARAMETERS, "  training:\n", "  training: [\n"), ("not valid YAML", "parameters.yml", "line"), TRAIN
    ),
    "malformed catalogue": Case(
        yaml_text(CATALOG, "        RM:  ", "        RM  "), ("not valid YAML", "catalog.yml", "line"), TRAIN
    ),
    "misspelt parameter": Case(training(test_sise=0.5), ("test_sise", "parameters.yml", "mend"), TRAIN),
    "unknown word for a use": Case(
        column("B", use="audti"),
        ("Unknown word for 'use'", "catalog.yml, housing.feature_store, column B", "audti", "'audit'"),
        TRAIN,
    ),
    "unknown word for a flag": Case(
        column("B", flags=["perhaps"]), ("Unknown word for 'flags'", "column B", "perhaps"), TRAIN
    ),
    "unknown flag": Case(column("B", flagss=[]), ("Unknown key 'flagss'", "column B", "did you mean 'flags'"), TRAIN),
    "flag on an unknown column": Case(
        column("RELIGION"), ("RELIGION: the column is missing", "housing.feature_store", "506 rows"), TRAIN
    ),
    "model feature not in the contract": Case(
        training(features=["RM", "RELIGION"]),
        ("'RELIGION', which is not in the contract", "housing.feature_store, column RELIGION", "training.features"),
        TRAIN,
    ),
    "flagged model feature": Case(
        training(features=["RM", "LSTAT"]),
        ("'LSTAT'", "flagged risky and demographic", "use: audit", "'justification'"),
        TRAIN,
    ),
    "estimator outside the allow-list": Case(
        training(estimator={"class": "subprocess.Popen", "params": {}}),
        ("'subprocess.Popen' is outside the allowed modules", "training.estimator.class", "sklearn."),
        TRAIN,
    ),
    "estimator unknown": Case(
        training(estimator={"class": "sklearn.linear_model.LinearRegresion"}),
        ("LinearRegresion' does not exist", "training.estimator.class", "spelling"),
        TRAIN,
    ),
    "environment weakens a flag": Case(
        weaken_in_environment,
        ("The environment 'test' changes the column contract", "LSTAT, flags", "1 difference", "conf/base"),
        TRAIN,
    ),
    "nothing trained": Case(lambda _: None, ("housing", "kedro run"), MONITOR, "simulated"),
    "no production version": Case(
        lambda _: None,
        (
            "No version of housing is in production",
            "alias production",
            "kedro rai approve --use-case housing --version 1",
        ),
        MONITOR,
    ),
    "approval missing": Case(
        move_alias,
        ("no approval of it counts now", "evidence", "kedro rai approve --use-case housing --version 1"),
        MONITOR,
    ),
    "evidence removed": Case(
        lambda project: project.evidence.unlink(),
        ("there is no evidence record", "housing.jsonl", "kedro rai approve"),
        MONITOR,
        "approved",
    ),
    "a file where the store's folder should be": Case(
        file_for_folder, ("store cannot be", "prediction_store", "folder"), MONITOR, "approved"
    ),
    "prediction store read-only": Case(
        lock_away("predictions"), ("cannot be written", "prediction_store", "Permission denied"), MONITOR, "approved"
    ),
    "feature store read-only": Case(
        lock_away("features"), ("cannot be written", "feature_store", "Permission denied"), SIMULATE
    ),
    "drift store read-only": Case(
        lock_away("drift"),
        ("cannot be written", "drift_store", "Permission denied"),
        MONITOR,
        "approved",
        # Predictions are saved, whole, before drift is tested; the next run takes them up.
        unchanged=("features", "labels", "drift"),
    ),
    "MLflow database read-only": Case(
        lambda project: project.database.chmod(0o444),
        ("MLflow database cannot be written", "mlflow_uri", "writable"),
        TRAIN,
    ),
    "unknown pipeline": Case(lambda _: None, ("trainning", "kedro registry list"), ("run", "--pipelines", "trainning")),
    "unknown use case": Case(
        lambda _: None,
        ("no use case 'housng'", "known: hospital, housing", "--use-case"),
        ("rai", "status", "--use-case", "housng"),
    ),
    "unknown version": Case(
        lambda _: None,
        ("no version 7", "existing versions: 1", "kedro rai status"),
        ("rai", "approve", "--version", "7", "--reviewer", "R. Viewer", "--statement", "fine"),
    ),
    "empty statement": Case(
        lambda _: None,
        ("needs a statement", "housing version 1", "--statement TEXT"),
        ("rai", "approve", "--version", "1", "--reviewer", "R. Viewer", "--statement", " "),
    ),
}


# One of each kind: of files, rows, months, YAML, flags, code, approval and disk. All the others are slow tests.
FAST = {
    "raw file missing",
    "column extra",
    "malformed parameters",
    "flagged model feature",
    "environment weakens a flag",
    "estimator outside the allow-list",
    "no production version",
    "approval missing",
    "feature store read-only",
}
PARAMETERS_OF_TEST = [
    pytest.param(case, id=name, marks=[] if name in FAST else [pytest.mark.slow]) for name, case in CASES.items()
]


@pytest.mark.parametrize("case", PARAMETERS_OF_TEST)
def test_bad_input_stops_with_one_screen_and_unchanged_stores(
    case: Case,
    request: pytest.FixtureRequest,
    copy_of: Callable[[Any], Any],
    assert_one_screen: Callable[[Any], str],
) -> None:
    project = copy_of(request.getfixturevalue(case.start))
    case.breaks(project)
    stores = [getattr(project, name) for name in case.unchanged]
    before = project.digests(*stores)

    outcome = project.kedro(*case.command)

    unlock(project.root)
    error = " ".join(assert_one_screen(outcome).split())
    missing = [word for word in case.words if word not in error]
    assert not missing, f"{missing} not in:\n{outcome.error}"
    assert project.digests(*stores) == before


def test_no_variable_of_the_environment_switches_the_contract_off(
    simulated: Any, copy_of: Callable[[Any], Any], assert_one_screen: Callable[[Any], str]
) -> None:
    project = copy_of(simulated)
    month(cell("AGE", 999999.0), name="2024-01")(project)

    outcome = project.kedro(*TRAIN, environment={"PANDERA_VALIDATION_ENABLED": "False"})

    error = " ".join(assert_one_screen(outcome).split())
    assert "AGE: is outside [0, 100], 3 rows (e.g. 999999.0)" in error, error
    assert "housing.feature_store, month=2024-01" in error
    # The version that would have been registered from such rows.
    assert project.query("SELECT name FROM model_versions") == []


@pytest.mark.slow
def test_the_status_of_a_use_case_is_shown_while_the_contract_of_another_is_broken(
    simulated: Any, copy_of: Callable[[Any], Any]
) -> None:
    project = copy_of(simulated)
    (project.root / "conf/base/hospital/catalog.yml").write_text("hospital.feature_store: [unclosed", encoding="utf-8")

    outcome = project.succeed("rai", "status", "--use-case", "housing")

    assert "housing" in outcome.output
    # Whoever asks for the broken one is told where it is broken.
    broken = project.kedro("rai", "status", "--use-case", "hospital")
    assert broken.code != 0
    assert "hospital/catalog.yml" in broken.output
