"""The files that people start the months with: they are what their formats ask, name what is there, and work."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PLACE = ROOT / "docs" / "operations"
KEDRO = """#!/bin/sh
echo "$MLFLOW_TRACKING_USERNAME: $*" >> calls
case "$*" in
    *broken.monitoring*) exit 1 ;;
    *"gate "*few*) exit 2 ;;
    *"gate "*alarming*) exit 1 ;;
    *"status "*) echo '{"versions": [{"version": "7"}]}' ;;
    *"gate "*) echo "insufficient evidence"; exit "${GATE:-2}" ;;
esac
"""


@pytest.fixture
def kedro(tmp_path: Path) -> Path:
    """A program in kedro's place that notes how it was called, in a folder with the scripts."""
    for name, text in ((".venv/bin/kedro", KEDRO), (".venv/bin/python", '#!/bin/sh\nexec python3 "$@"\n')):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    (tmp_path / "trainer.env").write_text("export MLFLOW_TRACKING_USERNAME=trainer\n")
    return tmp_path


def schedule(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(PLACE / "schedule.sh"), *arguments]
    environment = {"PATH": "/usr/bin:/bin", **settings}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=30)


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines()


@pytest.mark.parametrize(
    ("use_cases", "code"),
    [("loans few", 0), ("loans alarming few", 1), ("broken loans", 1)],
    ids=["ok", "alarm", "stop"],
)
def test_every_use_case_is_monitored_whatever_becomes_of_another(kedro: Path, use_cases: str, code: int) -> None:
    done = schedule(kedro, "once", RAI_USE_CASES=use_cases, RAI_LOGIN="./trainer.env", GATE="0")
    assert done.returncode == code, done.stderr
    names = use_cases.split()
    assert [line for line in calls(kedro) if " run " in line] == [
        f"trainer: run --env prod --pipelines {name}.monitoring" for name in names
    ]
    assert len(calls(kedro)) == 2 * len(names)


@pytest.mark.parametrize("settings", [{}, {"RAI_USE_CASES": "loans", "RAI_AT": "6:15"}], ids=["names", "time"])
def test_a_schedule_that_cannot_be_meant_ends_at_once(kedro: Path, settings: dict[str, str]) -> None:
    done = schedule(kedro, **settings)
    assert done.returncode in (2, 64)
    assert "RAI_" in done.stderr
    assert not (kedro / "calls").exists()


def test_a_waiting_schedule_stops_when_it_is_told_to(kedro: Path) -> None:
    command = ["sh", str(PLACE / "schedule.sh")]
    environment = {"PATH": "/usr/bin:/bin", "RAI_USE_CASES": "loans"}
    with subprocess.Popen(command, cwd=kedro, env=environment, stdout=subprocess.PIPE, text=True) as waiting:
        assert waiting.stdout is not None
        said = waiting.stdout.readline()
        assert 0 < int(re.search(r"in (\d+) s", said)[1]) <= 25 * 3600  # type: ignore[index]
        time.sleep(0.2)
        waiting.send_signal(signal.SIGTERM)
        assert waiting.wait(timeout=5) == 0
    assert not (kedro / "calls").exists()


@pytest.mark.parametrize(("gate", "asked"), [("0", True), ("2", True), ("1", True), ("3", False)])
def test_the_training_workflow_asks_people_unless_a_gate_could_not_be_evaluated(
    kedro: Path, gate: str, asked: bool
) -> None:
    (job,) = yaml.safe_load((PLACE / "github-training.yml").read_text(encoding="utf-8"))["jobs"].values()
    (kedro / "gh").write_text('#!/bin/sh\ncat "$6" > issue\n')
    (kedro / "gh").chmod(0o755)
    environment = {"PATH": f"{kedro}:/usr/bin:/bin", "USE_CASE": "loans", "ENVIRONMENT": "prod", "GATE": gate}
    environment |= {"RUNNER_TEMP": str(kedro), "GITHUB_STEP_SUMMARY": str(kedro / "summary.md")}
    for step in job["steps"]:
        # As GitHub runs `shell: bash`.
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        done = subprocess.run(command, cwd=kedro, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            break
    assert (kedro / "issue").exists() is asked, done.stderr
    if asked:
        issue = (kedro / "issue").read_text(encoding="utf-8")
        assert "kedro rai approve --env prod --use-case loans --version 7" in issue
        assert "insufficient evidence" in issue


def test_workflows_take_what_somebody_typed_as_a_variable_only() -> None:
    for file in sorted(PLACE.glob("github-*.yml")):
        jobs = yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"].values()
        scripts = [step["run"] for job in jobs for step in job["steps"]]
        assert scripts and not [script for script in scripts if "${{" in script]


def test_the_image_gets_what_it_names_and_nothing_secret() -> None:
    lines = (PLACE / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    copied = [shlex.split(line)[2:-1] for line in lines if line.startswith("COPY ")]
    sources = [name for names in copied for name in names]
    assert [name for name in sources if not (ROOT / name).exists()] == []
    # What Hatchling takes from elsewhere has to be there before the project is installed.
    installed = next(at for at, line in enumerate(lines) if line.startswith("RUN sh tools/bootstrap.sh"))
    assert {"conf", "src"} <= {shlex.split(line)[2] for line in lines[:installed] if line.startswith("COPY ")}
    assert lines.index("USER rai") < installed
    rules = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert rules.index("*") < rules.index("conf/local") > rules.index("!conf")
    assert {rule[1:] for rule in rules if rule.startswith("!")} == set(sources)


def test_the_services_of_compose_run_unprivileged_and_know_no_password() -> None:
    def variables(name: str) -> Any:
        return services[name].get("environment", {})

    text = (PLACE / "compose.yml").read_text(encoding="utf-8")
    services = yaml.safe_load(text)["services"]
    assert set(services) == {"postgres", "mlflow", "evidently", "scheduler"}
    for name in ("mlflow", "evidently", "scheduler"):
        assert services[name]["cap_drop"] == ["ALL"] and services[name]["read_only"]
        assert "ports" not in services[name]
    assert services["postgres"]["ports"] == ["127.0.0.1:5432:5432"]
    assert not [key for name in services for key in variables(name) if key.endswith("PASSWORD")]
    assert "entrypoint" in services["scheduler"] and (ROOT / services["scheduler"]["entrypoint"][1]).is_file()
