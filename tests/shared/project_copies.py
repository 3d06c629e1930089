"""Copies of the project to run commands in, and of an empty database: each is made once for the whole session."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from rai_kedro.release import SigningKey

ROOT = Path(__file__).resolve().parents[2]
_HEIGHT, _WIDTH = 24, 120
_ENVIRONMENT = {
    "KEDRO_ENV": "test",
    "DO_NOT_TRACK": "true",
    "KEDRO_DISABLE_TELEMETRY": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "COLUMNS": str(_WIDTH),
}


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    output: str
    seconds: float

    @property
    def error(self) -> str:
        """What the command prints after the line that says it stopped, that line included."""
        _, mark, rest = self.output.partition("The run stopped.")
        return mark + rest


class KedroCommands:
    """Runs ``kedro`` commands in processes of their own; see ``kedro_process.py``."""

    def __init__(self, log: Path) -> None:
        self._log = log
        # A session of its own: a Ctrl-C at the tests ends it by its closed input, after the running command.
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("kedro_process.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=log.parent,
            env={**os.environ, **_ENVIRONMENT},
        )
        assert self._answer() == {"ready": True}

    def start(
        self, folder: Path, *arguments: str, environment: Mapping[str, str] | None = None, file_limit: int | None = None
    ) -> int:
        """Start a command and return its process id; with a limit in bytes, as `ulimit -f` sets one."""
        request = {
            "folder": str(folder),
            "arguments": arguments,
            "environment": dict(environment or {}),
            "file_limit": file_limit,
            "output": str(self._log),
        }
        self._log.unlink(missing_ok=True)  # else `output` shows the command before until this one has begun
        self._say(json.dumps(request))
        return int(self._answer()["pid"])

    def wait(self, started: float) -> Outcome:
        """Wait for the command that was started last."""
        self._say("")
        code = int(self._answer()["code"])
        return Outcome(code, self._log.read_text(encoding="utf-8"), time.monotonic() - started)

    def output(self) -> str:
        """Return what the command that was started last has printed so far."""
        return self._log.read_text(encoding="utf-8") if self._log.exists() else ""

    def close(self) -> None:
        """Let the process end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@dataclass(frozen=True)
class Project:
    """A copy of the project in a folder of its own, environment ``test``."""

    root: Path
    commands: KedroCommands = field(repr=False)

    @property
    def data(self) -> Path:
        return self.root / "data" / "test"

    @property
    def features(self) -> Path:
        return self.data / "03_primary" / "housing" / "feature_store"

    @property
    def labels(self) -> Path:
        return self.data / "03_primary" / "housing" / "label_store"

    @property
    def predictions(self) -> Path:
        return self.data / "07_model_output" / "housing" / "prediction_store"

    @property
    def drift(self) -> Path:
        return self.data / "07_model_output" / "housing" / "drift_store"

    @property
    def outcomes(self) -> Path:
        return self.data / "07_model_output" / "housing" / "outcome_store"

    @property
    def reports(self) -> Path:
        return self.data / "08_reporting" / "housing"

    @property
    def evidence(self) -> Path:
        return self.data / "08_reporting" / "evidence" / "housing.jsonl"

    @property
    def database(self) -> Path:
        return self.root / "data" / "mlflow_test.db"

    def kedro(self, *arguments: str, folder: str = "", **settings: Any) -> Outcome:
        """Run a command to its end, in the project's folder or one below it."""
        started = time.monotonic()
        self.commands.start(self.root / folder, *arguments, **settings)
        return self.commands.wait(started)

    def succeed(self, *arguments: str) -> Outcome:
        """Run a command that has to succeed."""
        outcome = self.kedro(*arguments)
        assert outcome.code == 0, outcome.output
        return outcome

    def kill(self, after: float, *arguments: str) -> Outcome:
        """Run a command and kill it, as the kernel kills, so many seconds after its start."""
        started = time.monotonic()
        pid = self.commands.start(self.root, *arguments)
        time.sleep(after)
        os.kill(pid, 9)
        return self.commands.wait(started)

    def copy_to(self, root: Path) -> Project:
        """Copy the folder; the project itself finds its artifacts in the new place."""
        shutil.copytree(self.root, root)
        return Project(root, self.commands)

    def edit(self, path: str, change: Callable[[Any], None]) -> None:
        """Change a YAML file of the project in place."""
        file = self.root / path
        content = yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else {}
        change(content)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

    def digests(self, *folders: Path) -> dict[str, str]:
        """Return the SHA-256 of every file below the folders; of all three stores when none is named."""
        chosen = folders or (self.features, self.labels, self.predictions, self.drift)
        return {
            str(path.relative_to(self.root)): hashlib.sha256(path.read_bytes()).hexdigest()
            for folder in chosen
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Ask MLflow's database, or change it behind MLflow's back."""
        with closing(sqlite3.connect(self.database)) as connection, connection:
            return connection.execute(statement).fetchall()


@pytest.fixture(scope="session")
def new_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's database as its first use leaves it, to be copied: making its tables takes seconds."""
    from mlflow import MlflowClient

    database = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{database}").search_experiments()
    return database


@pytest.fixture(scope="session")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KedroCommands]:
    running = KedroCommands(tmp_path_factory.mktemp("kedro") / "output.txt")
    yield running
    running.close()


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory, commands: KedroCommands) -> Project:
    """The project as cloned: configuration and raw data, nothing run. Not to be changed."""
    root = tmp_path_factory.mktemp("fresh") / "project"
    (root / "src").mkdir(parents=True)
    shutil.copytree(ROOT / "conf", root / "conf", ignore=shutil.ignore_patterns("local"))
    (root / "conf" / "local").mkdir()
    shutil.copytree(ROOT / "data" / "01_raw", root / "data" / "01_raw")
    shutil.copy(ROOT / "pyproject.toml", root)
    project = Project(root, commands)
    let_review(project, "R. Viewer")
    return project


def let_review(project: Project, name: str, role: str = "reviewer") -> SigningKey:
    """Make a key for a person who trains nothing here, and enter them among those whose signature counts."""
    key, today = SigningKey.generate(), datetime.now(UTC).date()
    key.save(project.root / "conf" / "local" / "keys" / f"{name.lower().replace(' ', '-')}.key", None)
    entry = {
        "name": name,
        "roles": [role],
        "key": key.public,
        "model_key": key.model_public,
        "valid_from": today,
        "valid_until": today + timedelta(days=300),
        "accounts": [name],
    }
    project.edit(
        "conf/base/reviewers.yml",
        lambda content: content.update(reviewers=[*(content.get("reviewers") or []), entry]),
    )
    return key


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory, fresh: Project) -> Project:
    """Six months of features and labels, nothing trained. Not to be changed."""
    project = fresh.copy_to(tmp_path_factory.mktemp("simulated") / "project")
    project.succeed("run", "--pipelines", "simulation")
    return project


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, simulated: Project) -> Project:
    """Governed and trained as well: one candidate, nobody's approval. Not to be changed."""
    project = simulated.copy_to(tmp_path_factory.mktemp("trained") / "project")
    project.succeed("run", "--pipelines", "governance,training")
    return project


@pytest.fixture(scope="session")
def approved(tmp_path_factory: pytest.TempPathFactory, trained: Project) -> Project:
    """Version 1 approved, no month scored. Not to be changed."""
    project = trained.copy_to(tmp_path_factory.mktemp("approved") / "project")
    review = ("--version", "1", "--reviewer", "R. Viewer", "--statement", "figures and card read")
    # 167 test rows are too few for the gate.
    project.succeed("rai", "approve", *review, "--accept-risk", "teaching data, nobody is decided about")
    return project


@pytest.fixture(scope="session")
def monitored(tmp_path_factory: pytest.TempPathFactory, approved: Project) -> Project:
    """All six months of environment ``test`` scored and tested for drift. Not to be changed."""
    project = approved.copy_to(tmp_path_factory.mktemp("monitored") / "project")
    project.succeed("run", "--pipelines", "monitoring")
    return project


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Project], Project]:
    """Copy a shared project so that a test may change it."""
    return lambda project: project.copy_to(tmp_path / "project")


@pytest.fixture
def assert_one_screen() -> Callable[[Outcome], str]:
    """Check that a command failed with a short error, and return its text."""

    def check(outcome: Outcome) -> str:
        error = outcome.error
        assert outcome.code not in (0, None), outcome.output
        assert "Traceback" not in outcome.output, outcome.output
        assert error, outcome.output
        # As shown in a terminal of that width, which breaks long lines.
        assert sum(max(1, math.ceil(len(line) / _WIDTH)) for line in error.splitlines()) <= _HEIGHT, error
        assert "do next:" in error, error
        return error

    return check
