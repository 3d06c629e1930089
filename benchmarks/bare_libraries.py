"""The library calls of the lifecycle in one process without Kedro: the floor that `lifecycle.py` compares with.

Run in a project folder that holds simulated snapshots. Says which stage begins, one line each.
"""

import tempfile
from importlib.metadata import version
from pathlib import Path

KEY = ["month", "tract"]
AUDITED = ["B", "LSTAT"]
FEATURE_STORE = Path("data/03_primary/housing/feature_store")
LABEL_STORE = Path("data/03_primary/housing/label_store")


def main() -> None:
    """Fit, log, register, load and predict, and report each month's drift."""
    print("stage: imports")
    import mlflow
    import mlflow.sklearn
    import pandas as pd
    import skops.io  # noqa: F401 - MLflow would import it later, in the stage after this one
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import ValueDrift
    from evidently.ui.workspace import Workspace
    from sklearn.linear_model import LinearRegression
    from sklearn.model_selection import train_test_split

    print("stage: fit")
    months = sorted(path.name for path in FEATURE_STORE.glob("month=*"))
    features = {month: pd.read_parquet(FEATURE_STORE / month) for month in months}
    label = pd.read_parquet(LABEL_STORE / months[0])["MEDV"]
    columns = [name for name in features[months[0]] if name not in [*KEY, *AUDITED]]
    x_train, x_test, y_train, _ = train_test_split(features[months[0]], label, test_size=0.33, random_state=42)
    model = LinearRegression().fit(x_train[columns], y_train)

    with tempfile.TemporaryDirectory(prefix="rai-bare-") as folder:
        print("stage: MLflow: new database, log, register")
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        mlflow.set_experiment(experiment_id=mlflow.create_experiment("bare", artifact_location=f"{folder}/artifacts"))
        with mlflow.start_run():
            mlflow.log_metric("train_r2", model.score(x_train[columns], y_train))
            mlflow.sklearn.log_model(
                model,
                name="model",
                input_example=x_train[columns].head(),
                pip_requirements=[f"scikit-learn=={version('scikit-learn')}", f"skops=={version('skops')}"],
                registered_model_name="bare",
            )

        print(f"stage: Evidently: {len(months)} months")
        tested = [*columns, *AUDITED, "prediction"]
        definition = DataDefinition(numerical_columns=tested)
        x_test = x_test.assign(prediction=model.predict(x_test[columns]))
        reference = Dataset.from_pandas(x_test[tested], data_definition=definition)
        workspace = Workspace(f"{folder}/workspace")
        project = workspace.create_project("bare")
        for month, frame in features.items():
            scored = frame.assign(prediction=model.predict(frame[columns]))
            report = Report([ValueDrift(column=name, method="ks", threshold=0.001) for name in tested])
            run = report.run(Dataset.from_pandas(scored[tested], data_definition=definition), reference)
            run.save_html(f"{folder}/{month}.html")
            workspace.add_run(project.id, run)


if __name__ == "__main__":
    main()
