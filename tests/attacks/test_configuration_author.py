"""Who writes an environment, another configuration folder, options of a command or variables, but not conf/base."""

from __future__ import annotations

import ast
import json
import os
import pickle
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from kedro.framework.hooks.manager import _NullPluginManager
from kedro.framework.session.session import KedroSession

from rai_kedro.commands.project import UnknownUseCaseError, require_use_case
from rai_kedro.context import ContractOverrideError
from rai_kedro.contract import ContractViolation, check_frame, read_contract
from rai_kedro.policy import JUDGED_BY, Policy
from rai_kedro.release import EvidenceError, ModelRefusedError, ReleaseError, SigningKey, read_evidence
from rai_kedro.release.agreement import PolicyError, check_policy
from rai_kedro.release.model_files import load_trusted_sklearn

from ..conventions.conftest import open_catalog
from ..release.conftest import NOW
from .conftest import Registry

ROOT = Path(__file__).resolve().parents[2]
UNFLAGGED = {"metadata": {"rai": {"columns": {"LSTAT": {"flags": [], "use": "model"}}}}}


def write(file: Path, content: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")


# ---- the contract ------------------------------------------------------------------------------------------


def refuse_contract(project: Path, **options: Any) -> None:
    with pytest.raises(ContractOverrideError, match="changes the column contract") as caught:
        open_catalog(project, **options)
    assert "housing.feature_store, columns, LSTAT, " in str(caught.value)


@pytest.mark.parametrize("environment", ["local", "new"])
def test_flag_removed_in_an_environment(project: Path, environment: str) -> None:
    write(project / "conf" / environment / "housing" / "catalog_more.yml", {"housing.feature_store": UNFLAGGED})
    refuse_contract(project, env=environment)


def test_flag_removed_by_another_configuration_folder(project: Path) -> None:
    shutil.copytree(project / "conf", project / "other")
    file = project / "other" / "base" / "housing" / "catalog.yml"
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    content["housing.feature_store"]["metadata"]["rai"]["columns"]["LSTAT"]["flags"] = []
    write(file, content)
    refuse_contract(project, conf_source=str(project / "other"))


def test_flag_removed_by_a_factory_pattern(project: Path) -> None:
    """The entry of the base stands beside a pattern that would fit it as well: the base's own holds."""
    write(
        project / "conf" / "local" / "catalog.yml", {"{use_case}.feature_store": {**UNFLAGGED, "type": "MemoryDataset"}}
    )
    with pytest.raises(ContractOverrideError):
        open_catalog(project)


def test_flag_removed_by_a_resolver(project: Path) -> None:
    write(project / "conf" / "local" / "globals.yml", {"flags": []})
    block = yaml.safe_dump({"housing.feature_store": UNFLAGGED}).replace("flags: []", 'flags: "${globals:flags}"')
    write(project / "conf" / "local" / "housing" / "catalog.yml", block)
    refuse_contract(project)


def test_flag_removed_by_a_runtime_parameter(project: Path) -> None:
    block = yaml.safe_dump({"housing.feature_store": UNFLAGGED}).replace(
        "flags: []", 'flags: "${runtime_params:flags, [risky, demographic]}"'
    )
    write(project / "conf" / "local" / "housing" / "catalog.yml", block)
    refuse_contract(project, runtime_params={"flags": []})


@pytest.mark.parametrize("environment", ["local", "prod"])
def test_flag_removed_with_every_hook_left_out(project: Path, environment: str) -> None:
    """As DISABLE_HOOKS_FOR_PLUGINS, an emptied HOOKS or a caller of one's own leave them out."""
    write(project / "conf" / environment / "housing" / "catalog.yml", {"housing.feature_store": UNFLAGGED})
    session = KedroSession.create(project, env=environment)
    session._hook_manager = _NullPluginManager()
    with pytest.raises(ContractOverrideError, match="changes the column contract"):
        _ = session.load_context().catalog


def test_dataset_exchanged_with_every_hook_left_out(project: Path) -> None:
    entry = {"type": "pickle.PickleDataset", "filepath": "model.pkl"}
    write(project / "conf" / "local" / "housing" / "catalog.yml", {"housing.production_model": entry})
    session = KedroSession.create(project)
    session._hook_manager = _NullPluginManager()
    with pytest.raises(ContractOverrideError):
        _ = session.load_context().catalog


# ---- the policy ----------------------------------------------------------------------------------------------

LOOSER: dict[str, dict[str, Any]] = {
    "no tolerance": {"housing": {"fairness": {"tolerances": []}}},
    "the trainer may approve": {"housing": {"policy": {"approval": {"trainer_may_approve": True}}}},
    "modules to import from": {"housing": {"training": {"allowed_modules": ["sklearn.", "os."]}}},
    "servers to send rows to": {"housing": {"training": {"allowed_hosts": ["evil.example"]}}},
}


@pytest.mark.parametrize("way", ["environment", "--params"])
@pytest.mark.parametrize("looser", LOOSER.values(), ids=LOOSER)
def test_tolerance_loosened(project: Path, looser: dict[str, Any], way: str) -> None:
    if way == "environment":
        write(project / "conf" / "local" / "parameters.yml", looser)
    with pytest.raises(ContractOverrideError, match="changes what a model is judged by"):
        open_catalog(project, runtime_params={} if way == "environment" else looser)


def judged(**columns: Any) -> dict[str, Any]:
    """State what a version is judged by, with these facts of LSTAT."""
    tolerance = {"metric": "mean_signed_error", "limit": 5.0, "kind": "difference", "column": None}
    why = {"by": "data officer", "reason": "measured what it adds", "until": "2099-01-01"}
    lstat = {"flags": ["risky"], "use": "model", "justification": why, **columns}
    return {
        **dict.fromkeys(JUDGED_BY),
        "policy": Policy().to_dict(),
        "fairness": {"level": 0.95, "tolerances": [tolerance]},
        "columns": {"feature_store": {"LSTAT": lstat}},
    }


EDITED: dict[str, dict[str, Any]] = {
    "flags": {"flags": []},
    "justification": {
        "justification": {"by": "somebody else", "reason": "because", "until": "2099-12-31"},
    },
}


@pytest.mark.parametrize("name", EDITED)
def test_contract_loosened_after_approval(registry: Registry, name: str) -> None:
    """In conf/base even, reviewed or not: what people signed said otherwise, and nothing is scored."""
    registry.train(changes={"policy": judged()})
    registry.approve(policy=judged())
    with pytest.raises(PolicyError, match="was approved under a stricter policy than today's") as caught:
        check_policy(registry.load(), judged(**EDITED[name]), NOW.date())
    assert f"columns.feature_store.LSTAT.{name}" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "words"), [("by", "head of data"), ("reason", "agreed long ago"), ("until", "2099-01-02")]
)
def test_justification_edited(registry: Registry, name: str, words: str) -> None:
    """Each of its words is part of what was signed: who answers, why, and until when."""
    registry.train(changes={"policy": judged()})
    registry.approve(policy=judged())
    why = judged()["columns"]["feature_store"]["LSTAT"]["justification"]
    with pytest.raises(PolicyError, match="was approved under a stricter policy than today's") as caught:
        check_policy(registry.load(), judged(justification={**why, name: words}), NOW.date())
    assert f"columns.feature_store.LSTAT.justification.{name}" in str(caught.value)


def test_justification_dated_back(registry: Registry) -> None:
    """With the clock set to before it ended, training would pass; no record that anything was entered in takes that."""
    registry.train()
    registry.approve()
    before = (NOW - timedelta(days=2)).isoformat(timespec="seconds")
    trained = next(entry.body for entry in read_evidence(registry.record) if entry.kind == "trained")
    with pytest.raises(EvidenceError, match="dated"):
        registry.append("trained", {**trained, "version": "2"}, before)
    assert registry.findings() == ""


def test_gate_that_blocks(registry: Registry) -> None:
    """No accepted risk opens what the policy blocks."""
    registry.train(facts={"unwritten": ("intended use",)})
    with pytest.raises(ReleaseError, match="the policy blocks it"):
        registry.approve(accept_risk="nobody reads it anyway")


# ---- who may sign --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["environment", "--conf-source"])
def test_reviewers_widened(project: Path, way: str) -> None:
    mallory = {
        "name": "Mallory",
        "roles": ["reviewer"],
        "key": SigningKey.generate().public,
        "valid_from": "2024-01-01",
        "valid_until": "2099-01-01",
    }
    wider = {"reviewers": [mallory], "demo_in": ["local", "new"]}
    if way == "environment":
        write(project / "conf" / "new" / "reviewers.yml", wider)
        catalog = open_catalog(project, env="new")
    else:
        shutil.copytree(project / "conf", project / "other")
        (project / "other" / "new").mkdir()
        write(project / "other" / "base" / "reviewers.yml", wider)
        catalog = open_catalog(project, env="new", conf_source=str(project / "other"))
    trust = catalog["housing.production_model"].trust
    assert trust.reviewers.reviewers == ()
    assert trust.environment == "new" and "new" not in trust.reviewers.demo_in


# ---- switches of libraries -----------------------------------------------------------------------------------


def test_validation_switched_off_for_kedro(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEDRO_DATASET_VALIDATION", "off")
    with pytest.raises(ContractOverrideError, match="Kedro is told not to validate datasets") as caught:
        open_catalog(project)
    assert "KEDRO_DATASET_VALIDATION" in str(caught.value)


def test_validation_switched_off_for_pandera(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PANDERA_VALIDATION_ENABLED", "False")
    labels = read_contract(ROOT / "conf" / "base" / "housing" / "catalog.yml").datasets["label_store"]
    frame = pd.DataFrame({"month": ["2024-01"], "tract": [1], "MEDV": [-1.0]})
    with pytest.raises(ContractViolation, match="MEDV: is outside"):
        check_frame(frame, labels)


def test_pickle_allowed_for_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true")
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(print))
    with pytest.raises(ModelRefusedError, match="pickle, cloudpickle and other formats"):
        load_trusted_sklearn(tmp_path)


def test_assertions_switched_off_for_python() -> None:
    """PYTHONOPTIMIZE leaves out every `assert`; no check may be one."""
    found = [
        f"{file.name}:{node.lineno}"
        for file in (ROOT / "src").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assert)
    ]
    assert found == []


# ---- YAML and names ------------------------------------------------------------------------------------------

BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize("place", ["parameters.yml", "globals.yml", "housing/parameters.yml"])
def test_yaml_bomb_in_an_environment(project: Path, place: str) -> None:
    write(project / "conf" / "local" / place, BOMB)
    started = time.monotonic()
    try:
        catalog = open_catalog(project)
    except Exception as error:
        assert "unfold" in str(error) or "expan" in str(error)
    else:  # that use case is left out, and every other one runs
        assert "housing.contract" not in catalog.keys()  # noqa: SIM118 - of a catalogue, not a dictionary
    assert time.monotonic() - started < 60


@pytest.mark.parametrize("name", ["../../etc", "/etc", "housing/../hospital", "housing\n", "<b>", "\x1b[2J"])
def test_use_case_whose_name_is_a_path(project: Path, name: str) -> None:
    with pytest.raises(UnknownUseCaseError, match="There is no use case") as caught:
        require_use_case(name)
    assert "\x1b" not in str(caught.value)


# ---- through the real commands -------------------------------------------------------------------------------

TRAIN = ("run", "--pipelines", "training")
SKIPS = {
    "--from-nodes": ("--from-nodes", "housing.training.fit_model"),
    "--nodes": ("--nodes", "housing.training.assemble_candidate"),
    "--tags": ("--tags", "carbon.training"),
    "--from-inputs": ("--from-inputs", "housing.model_split"),
}


@pytest.mark.slow
@pytest.mark.parametrize("options", SKIPS.values(), ids=SKIPS)
def test_checks_of_training_left_out(trained: Any, copy_of: Callable[[Any], Any], options: tuple[str, ...]) -> None:
    """What a later step needs is in memory, made by the steps that check: without them there is nothing to run on."""
    project = copy_of(trained)
    outcome = project.kedro(*TRAIN, *options)
    assert outcome.code != 0, outcome.output
    assert "housing." in outcome.output and "not found in the" in outcome.output
    assert project.query("SELECT COUNT(*) FROM model_versions") == [(1,)]


@pytest.mark.slow
@pytest.mark.parametrize("options", [("--nodes", "housing.monitoring.score_months"), ("--tags", "carbon.inference")])
def test_checks_of_scoring_left_out(approved: Any, copy_of: Callable[[Any], Any], options: tuple[str, ...]) -> None:
    project = copy_of(approved)
    outcome = project.kedro("run", "--pipelines", "monitoring", *options)
    assert outcome.code != 0, outcome.output
    assert "not found in the" in outcome.output
    assert not list(project.predictions.rglob("*.parquet"))


@pytest.mark.slow
@pytest.mark.parametrize("runner", ["SequentialRunner", "ThreadRunner", "ParallelRunner"])
def test_flagged_column_asked_for_in_an_environment_under_every_runner(
    simulated: Any, copy_of: Callable[[Any], Any], runner: str
) -> None:
    project = copy_of(simulated)
    asked = {"training": {"features": ["RM", "LSTAT"]}}
    project.edit("conf/test/housing/parameters.yml", lambda content: content["housing"].update(asked))
    outcome = project.kedro(*TRAIN, "--runner", runner)
    assert outcome.code != 0
    if runner == "ParallelRunner":  # which kedro-mlflow's datasets do not bear: nothing is run at all
        assert "This pipeline cannot run in several processes" in outcome.output, outcome.output
    else:
        assert "'LSTAT'" in outcome.output and "flagged risky and demographic" in outcome.output, outcome.output
    assert project.query("SELECT COUNT(*) FROM model_versions") == [(0,)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ("approve", "--version", "../../etc/passwd", "--statement", "read"),
        ("approve", "--version", "1", "--use-case", "../housing", "--statement", "read"),
        ("rescore", "--month", "../../2024-01"),
        ("export", "--format", "cyclonedx", "--version", "../1", "--output", "out.json"),
    ],
    ids=lambda command: command[0],
)
def test_path_in_a_command(approved: Any, command: tuple[str, ...], assert_one_screen: Callable[[Any], str]) -> None:
    before = approved.evidence.read_bytes()
    outcome = approved.kedro("rai", *command)
    assert outcome.code != 0 and "Traceback" not in outcome.output, outcome.output
    assert any(word in outcome.output for word in ("has no version", "There is no use case", "was not scored"))
    assert approved.evidence.read_bytes() == before


@pytest.mark.slow
def test_kedro_server_asked_to_run(simulated: Any, copy_of: Callable[[Any], Any]) -> None:
    """POST /run takes parameters and nodes from anybody on this machine; the context it goes through is ours."""
    project = copy_of(simulated)
    pid = project.commands.start(project.root, "server", "start", "--port", "18765")
    try:
        answers = [
            post({"pipeline_names": ["training"], "params": {"housing": {"training": {"features": ["RM", "LSTAT"]}}}}),
            post({"pipeline_names": ["training"], "params": {"housing": {"fairness": {"tolerances": []}}}}),
            post({"pipeline_names": ["training"], "node_names": ["housing.training.assemble_candidate"]}),
        ]
    finally:
        os.kill(pid, 15)
        outcome = project.commands.wait(time.monotonic())
    assert "LSTAT" in answers[0], (answers, outcome.output)
    assert "changes what a model is judged by" in answers[1], answers
    assert "not found" in answers[2], answers
    assert project.query("SELECT COUNT(*) FROM model_versions") == [(0,)]


def post(body: dict[str, Any]) -> str:
    """Ask the server as soon as it is there."""
    request = urllib.request.Request(
        "http://127.0.0.1:18765/run", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    for _ in range(120):
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            return str(error.read().decode())
        except OSError:
            time.sleep(1)
    raise AssertionError("the server does not answer")
