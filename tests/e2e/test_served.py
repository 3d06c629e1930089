"""A model of another project on a real scoring server: drafted, assessed, approved and monitored without loading it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.linear_model import LogisticRegression

pytestmark = [pytest.mark.e2e]

ROWS, WAIT_S = 3000, 90


def make_loans() -> pd.DataFrame:
    draw = np.random.default_rng(5)
    sex = draw.choice(["f", "m"], ROWS)
    income = draw.normal(size=ROWS) + 0.4 * (sex == "m")
    debt = draw.normal(size=ROWS)
    return pd.DataFrame(
        {
            "loan": np.arange(ROWS),
            "day": pd.date_range("2024-01-01", "2024-03-31", periods=ROWS).strftime("%Y-%m-%d"),
            "sex": sex,
            "income": income.round(6),
            "debt": debt.round(6),
            "repaid": (income - debt + draw.normal(size=ROWS) > 0).astype(int),
        }
    )


def serve(model: Any, folder: Path, port: int) -> subprocess.Popen[bytes]:
    mlflow.sklearn.save_model(model, folder, serialization_format="skops", pip_requirements=["scikit-learn"])
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(folder), "-p", str(port)]
    # A process group of its own, since the server starts workers.
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    process = subprocess.Popen([*command, "--env-manager", "local"], start_new_session=True, env=environment)
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urlopen(f"http://127.0.0.1:{port}/ping", timeout=1):
                return process
        except (URLError, OSError):
            time.sleep(0.5)
    stop(process)
    raise TimeoutError("the scoring server did not start")


def stop(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(30)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[LogisticRegression, int, list[subprocess.Popen[bytes]]]]:
    table = make_loans().head(1000)
    model = LogisticRegression().fit(table[["income", "debt"]], table["repaid"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = [serve(model, tmp_path / "model", port)]
    yield model, port, running
    for process in running:
        stop(process)


@pytest.mark.slow
def test_a_served_model_goes_the_whole_way(
    served: tuple[LogisticRegression, int, list[subprocess.Popen[bytes]]],
    fresh: Any,
    copy_of: Callable[[Any], Any],
    tmp_path: Path,
) -> None:
    model, port, running = served
    project, table = copy_of(fresh), make_loans()
    table.to_csv(project.root / "loans.csv", index=False)
    asked = ("--data", "loans.csv", "--target", "repaid", "--key", "loan", "--time", "day")
    url = f"http://127.0.0.1:{port}/invocations"
    told = project.succeed("rai", "new-use-case", "loans", *asked, "--model-url", url, "--accept-draft", "R. Viewer")
    assert "nothing was sent yet" in " ".join(told.output.split())
    parameters = project.root / "conf/base/loans/parameters.yml"
    text = parameters.read_text(encoding="utf-8").replace("to be written", "as R. Viewer knows it")
    parameters.write_text(text)
    catalog = project.root / "conf/base/loans/catalog.yml"
    catalog.write_text(catalog.read_text(encoding="utf-8").replace("to be written", "as R. Viewer knows it"))
    assert yaml.safe_load(text)["loans"]["training"]["allowed_hosts"] == ["127.0.0.1"]

    project.succeed("run", "--pipelines", "loans")
    card = (project.data / "08_reporting/loans/model_card_v1.md").read_text(encoding="utf-8")
    assert "asked at 127.0.0.1" in card and "What runs there is not known" in card
    assert f"version as {mlflow.__version__}" in card
    review = ("--version", "1", "--reviewer", "R. Viewer", "--statement", "figures and card read")
    approved = project.succeed("rai", "approve", "--use-case", "loans", *review, "--accept-risk", "a test").output
    assert "approved for use as assessed" in approved
    project.succeed("run", "--pipelines", "loans.monitoring", "--params", "loans.monitoring.months=2024-01:2024-02")
    project.succeed("rai", "verify", "--use-case", "loans")
    store = project.data / "07_model_output/loans/prediction_store"
    found = pd.concat(pd.read_parquet(path) for path in store.rglob("*.parquet")).set_index("loan")["prediction"]
    expected = pd.Series(model.predict(table[["income", "debt"]]), table["loan"])
    assert (found.sort_index() == expected.loc[found.sort_index().index]).all() and len(found) > ROWS / 2

    # Another model behind the same address scores nothing.
    stop(running.pop())
    other = LogisticRegression().fit(table[["income", "debt"]], 1 - table["repaid"])
    running.append(serve(other, tmp_path / "other", port))
    refused = " ".join(project.kedro("run", "--pipelines", "loans.monitoring").output.split())
    assert "answers otherwise than the one that was assessed" in refused
    assert not list(store.rglob("*month=2024-03*"))

    # What conf/base does not list is not asked, in no environment.
    parameters.write_text(re.sub(r"allowed_hosts: .*", "allowed_hosts: []", text))
    assert text != parameters.read_text()
    closed = project.kedro("run", "--pipelines", "loans.monitoring")
    assert closed.code != 0 and "not among those that may be asked" in " ".join(closed.output.split())
