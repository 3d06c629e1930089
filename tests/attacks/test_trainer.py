"""Who trains a version, and would approve it alone, or bring in what the contract keeps out."""

from __future__ import annotations

import dataclasses
import os
import pwd
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from rai_kedro.contract import DatasetContract, LaneError, model_columns
from rai_kedro.errors import RaiError
from rai_kedro.modelling import EstimatorConfig, ModelSplit, build_estimator, require_host
from rai_kedro.pipelines.training.proxy_nodes import refuse_prepared
from rai_kedro.policy import Policy
from rai_kedro.proxies import ProxyError, find_proxies, refuse_disguises
from rai_kedro.release import (
    EvidenceError,
    NotApprovedError,
    ReleaseError,
    Reviewer,
    Reviewers,
    SigningError,
    SigningKey,
    TrainerKey,
    Trust,
)

from ..release.conftest import KEYS, NOW
from .conftest import Registry

TODAY = NOW.date()
ACCOUNT = pwd.getpwuid(os.getuid()).pw_name


def trust_in(environment: str = "test", **changes: Any) -> Trust:
    """Trust Ada, with other facts about her, and nobody else."""
    ada = {
        "name": "Ada Reviewer",
        "roles": ["reviewer"],
        "key": KEYS["Ada Reviewer"].public,
        "valid_from": TODAY - timedelta(days=100),
        "valid_until": TODAY + timedelta(days=100),
        **changes,
    }
    return Trust(Reviewers.from_dict({"reviewers": [ada], "demo_in": ["test"]}), environment)


TED = TrainerKey(SigningKey.generate(), "Ted Trainer")


def with_trainer(registry: Registry, **changes: Any) -> Registry:
    """List Ted as trainer beside Ada."""
    dates = {"valid_from": TODAY - timedelta(days=100), "valid_until": TODAY + timedelta(days=100)}
    ted = {"name": TED.name, "roles": ["trainer"], "key": TED.key.public, **dates, **changes}
    known = trust_in().reviewers
    people = known.model_copy(update={"reviewers": (*known.reviewers, Reviewer.from_dict(ted))})
    return dataclasses.replace(registry, trust=Trust(people, "test"))


# ---- whose training it is ------------------------------------------------------------------------------------


def test_training_under_the_account_of_another_signed_by_the_reviewer(registry: Registry) -> None:
    """Who signs is who trained, whatever account the process ran under."""
    ada = TrainerKey(KEYS["Ada Reviewer"], "Ada Reviewer")
    registry.train(key=ada)
    alone = dataclasses.replace(registry, trust=trust_in(roles=["reviewer", "trainer"]))
    with pytest.raises(ReleaseError, match="was trained by Ada Reviewer, who cannot approve it alone"):
        alone.approve()


def test_training_that_nobody_signed_where_a_trainer_is_listed(registry: Registry) -> None:
    registry.train()
    with pytest.raises(ReleaseError, match="its training is signed by nobody") as caught:
        with_trainer(registry).approve()
    assert "Ted Trainer is listed as trainer" in str(caught.value)


def test_training_that_nobody_signed_where_the_policy_asks_for_it(registry: Registry) -> None:
    """Nor does the key of a demonstration do, and a reviewer's own signature without the command counts nowhere."""
    rules = Policy.from_dict({"approval": {"signed_training": True}})
    registry.train(changes={"policy": {"policy": rules.to_dict()}}, key=TED._replace(demo=True, name="demo trainer"))
    with pytest.raises(ReleaseError, match="its training is signed by nobody"):
        registry.approve()


def test_training_signed_with_a_key_that_is_not_a_trainers(registry: Registry) -> None:
    registry.train(key=TED)
    with pytest.raises(ReleaseError, match="is not what its trainer signed"):
        registry.approve()
    with pytest.raises(ReleaseError, match="was not valid on"):
        with_trainer(registry, valid_until=TODAY - timedelta(days=1)).approve()
    assert "training of version 1: The key of the signature is nobody's" in registry.findings()


# ---- approving alone -----------------------------------------------------------------------------------------


def test_approval_by_the_trainer(registry: Registry) -> None:
    registry.train()
    alone = dataclasses.replace(registry, trust=trust_in(accounts=[ACCOUNT]))
    with pytest.raises(ReleaseError, match="was trained by Ada Reviewer, who cannot approve it alone"):
        alone.approve()


@pytest.mark.parametrize("variable", ["LOGNAME", "USER", "MLFLOW_TRACKING_USERNAME"])
def test_trainer_under_another_name(registry: Registry, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """What a variable says of who trains is not believed."""
    monkeypatch.setenv(variable, "somebody_else")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "any")
    registry.train()
    alone = dataclasses.replace(registry, trust=trust_in(accounts=[ACCOUNT]))
    with pytest.raises(ReleaseError, match="was trained by Ada Reviewer"):
        alone.approve()


def test_approval_with_an_unknown_key(registry: Registry) -> None:
    registry.train()
    with pytest.raises(SigningError, match="would not count: The key of the signature is nobody's"):
        registry.approve(key=SigningKey.generate())


def test_approval_under_the_name_of_another(registry: Registry) -> None:
    registry.train()
    with pytest.raises(SigningError, match="the key is Somebody Else's, who may act as reviewer"):
        registry.approve(reviewer="Ada Reviewer", key=KEYS["Somebody Else"])


def test_approval_in_a_role_that_is_not_given(registry: Registry) -> None:
    registry.train()
    with pytest.raises(SigningError, match="the key is Ada Reviewer's, who may act as reviewer"):
        registry.approve(role="officer")


def test_approval_with_an_expired_key(registry: Registry) -> None:
    registry.train()
    late = dataclasses.replace(registry, trust=trust_in(valid_until=TODAY - timedelta(days=1)))
    with pytest.raises(SigningError, match=f"The key of Ada Reviewer was not valid on {TODAY}"):
        late.approve()


def test_approval_dated_back_to_when_the_key_was_valid(registry: Registry) -> None:
    registry.train()
    late = dataclasses.replace(registry, trust=trust_in(valid_until=TODAY - timedelta(days=9)))
    with pytest.raises(EvidenceError, match="cannot be dated before what is on record"):
        late.approve(reviewed_at=NOW - timedelta(days=10))


def test_approval_dated_back_by_an_hour(registry: Registry) -> None:
    """Less than the day for which the key was valid longer; clocks differ by minutes."""
    registry.train()
    with pytest.raises(EvidenceError, match="cannot be dated before what is on record"):
        registry.approve(reviewed_at=datetime.now(UTC) - timedelta(hours=1))


def test_approval_dated_ahead(registry: Registry) -> None:
    """It would last longer than the policy allows; it counts nowhere, not only for `verify`."""
    registry.train()
    with pytest.raises(SigningError, match="which is still to come"):
        registry.approve(reviewed_at=datetime.now(UTC) + timedelta(hours=1))


def test_approval_that_has_expired(registry: Registry) -> None:
    registry.train(changes={"policy": {"policy": Policy.from_dict({"approval": {"lasts_days": 1}}).to_dict()}})
    registry.approve()
    with pytest.raises(NotApprovedError) as caught:
        registry.load(now=NOW + timedelta(days=2))
    assert "the approval ran out on" in str(caught.value)


def test_two_roles_filled_by_one_person(registry: Registry) -> None:
    registry.train(
        changes={"policy": {"policy": Policy.from_dict({"approval": {"roles": ["reviewer", "officer"]}}).to_dict()}}
    )
    alone = dataclasses.replace(registry, trust=trust_in(roles=["reviewer", "officer"]))
    assert "waits for the approval of: officer" in alone.approve().message
    assert "waits for the approval of" in alone.approve(role="officer").message
    alone.move_alias("1")
    with pytest.raises(NotApprovedError):
        alone.load()


def test_demonstration_in_production(registry: Registry) -> None:
    """A key made on the spot signs, in prod, and where it counts and is then carried over to prod."""
    registry.train()
    in_prod = dataclasses.replace(registry, trust=trust_in("prod"))
    with pytest.raises(SigningError, match="a demonstration made it, which does not count in environment 'prod'"):
        in_prod.approve(demo=True)
    registry.approve(demo=True)
    with pytest.raises(NotApprovedError) as caught:
        in_prod.load()
    assert "does not count in environment 'prod'" in str(caught.value)


def test_demonstration_with_a_reviewers_key_or_name(registry: Registry) -> None:
    """It would be shown as Ada's, and asked nothing that Ada is asked."""
    registry.train()
    with pytest.raises(SigningError, match="is signed with the key of Ada Reviewer"):
        registry.approve(demo=True, key=KEYS["Ada Reviewer"])
    with pytest.raises(SigningError, match="a demonstration under the name of Ada Reviewer"):
        registry.approve(demo=True, key=SigningKey.generate(), reviewer="Ada Reviewer")


def test_demonstrations_allowed_in_production() -> None:
    with pytest.raises(ValueError, match="a demonstration key may not stand for a person in 'prod'"):
        Reviewers.from_dict({"demo_in": ["prod"]})


def test_person_entered_twice() -> None:
    """Two keys at the same time would be two people."""
    one = trust_in().reviewers.reviewers[0].to_dict()
    with pytest.raises(ValueError, match="has two keys at the same time; one person counts once"):
        Reviewers.from_dict({"reviewers": [one, {**one, "key": KEYS["Ada"].public, "name": "ada reviewer"}]})


BLANK = ["", " ", "\u200b", "\u3164", "...", "\t\n"]


@pytest.mark.parametrize("words", BLANK)
@pytest.mark.parametrize("what", ["statement", "reviewer", "accept_risk"])
def test_blank_reason(registry: Registry, what: str, words: str) -> None:
    key = KEYS["Ada Reviewer"]
    with pytest.raises(ReleaseError, match="an empty one is not accepted, nor one without letters"):
        registry.approve(**{what: words, "key": key})


@pytest.mark.parametrize("hidden", ["\x1b[2J", "\u202e", "\u200b", "\x07"])
@pytest.mark.parametrize("what", ["statement", "reviewer", "accept_risk"])
def test_terminal_codes_and_invisible_characters_in_a_decision(registry: Registry, what: str, hidden: str) -> None:
    with pytest.raises(ReleaseError, match="holds a character that is not shown as itself") as caught:
        registry.approve(**{what: f"all is {hidden}well", "key": KEYS["Ada Reviewer"]})
    assert hidden not in str(caught.value)


def test_markup_in_a_statement(registry: Registry, tmp_path: Any) -> None:
    registry.train()
    registry.approve(statement="<script>alert(1)</script> [here](javascript:alert(1)) **Status: safe**")
    page, text = ((tmp_path / f"model_card_v1.{ending}").read_text() for ending in ("html", "md"))
    assert "<script>" not in page and "&lt;script&gt;" in page
    assert "<script>" not in text and "[here](" not in text
    assert registry.findings() == ""


# ---- justifications ------------------------------------------------------------------------------------------

COLUMN = {
    "name": "LSTAT",
    "type": "float",
    "flags": ["risky", "demographic"],
    "use": "model",
    "description": "share of people of low status",
    "risk": "stands for class",
}


def contract(**justification: Any) -> DatasetContract:
    why = {"by": "Ada Reviewer", "reason": "measured what it adds", "until": TODAY + timedelta(days=9)}
    open_ = {"flags": [], "use": "model", "type": "float", "description": "a number", "risk": None}
    columns = {
        "LSTAT": {**COLUMN, "justification": {**why, **justification} if justification else None},
        "RACE": {**COLUMN, "name": "RACE", "use": "forbidden"},
        **{name: {**open_, "name": name} for name in ("RM", "X1", "X2")},
    }
    shown = {"dataset": "toy.feature_store", "owner": "us", "purpose": "a test", "key": ["id"], "time": "month"}
    return DatasetContract.from_dict({**shown, "columns": columns})


def test_flagged_column_without_a_justification() -> None:
    with pytest.raises(LaneError, match=r"'LSTAT' is flagged risky and demographic .* without a justification"):
        model_columns(contract(), on=TODAY, features=["RM", "LSTAT"])


def test_forbidden_column() -> None:
    with pytest.raises(LaneError, match="'RACE'"):
        model_columns(contract(), on=TODAY, features=["RM", "RACE"])


def test_justification_that_has_expired() -> None:
    with pytest.raises(LaneError, match="expired"):
        model_columns(contract(until=TODAY - timedelta(days=1)), on=TODAY, features=["LSTAT"])


@pytest.mark.parametrize("words", BLANK)
@pytest.mark.parametrize("what", ["by", "reason"])
def test_blank_justification(what: str, words: str) -> None:
    with pytest.raises(ValueError, match="it says nothing"):
        contract(**{what: words})


def test_justification_by_the_trainer(registry: Registry) -> None:
    registry.train(changes={"contract": justified("Ada Reviewer")})
    people = trust_in(accounts=[ACCOUNT]).reviewers.to_dict()["reviewers"]
    ben = {**people[0], "name": "Ben", "key": KEYS["Somebody Else"].public, "accounts": []}
    both = Trust(Reviewers.from_dict({"reviewers": [*people, ben]}), "test")
    with pytest.raises(ReleaseError, match="'LSTAT' was justified by Ada Reviewer, who trained this version"):
        dataclasses.replace(registry, trust=both).approve(reviewer="Ben", key=KEYS["Somebody Else"])


def test_justification_by_who_approves(registry: Registry) -> None:
    registry.train(changes={"contract": justified("ada  reviewer")})
    with pytest.raises(ReleaseError, match="'LSTAT' was justified by ada  reviewer, who approves it"):
        registry.approve()


def justified(by: str) -> dict[str, Any]:
    why = {"by": by, "reason": "measured what it adds", "until": str(TODAY)}
    return {"datasets": {"feature_store": {"columns": {"LSTAT": {**COLUMN, "justification": why}}}}}


# ---- a forbidden column under another name -------------------------------------------------------------------

RNG = np.random.default_rng(0)
SECRET = pd.Series(RNG.gamma(2.0, 5.0, 600), name="LSTAT")
NOISE = pd.Series(RNG.normal(0, 20, 600))
DISGUISES: dict[str, Callable[[], dict[str, Any]]] = {
    "renamed": lambda: {"X1": SECRET},
    "scaled": lambda: {"X1": 3 - SECRET / 7},
    "bent": lambda: {"X1": np.log1p(SECRET)},
    "binned": lambda: {"X1": pd.cut(SECRET, 8, labels=False)},
    "one-hot": lambda: {f"X{number}": (pd.cut(SECRET, 3, labels=False) == number).astype(int) for number in (1, 2)},
    "split in two that sum to it": lambda: {"X1": SECRET - NOISE, "X2": NOISE},
}


@pytest.mark.parametrize("disguise", DISGUISES.values(), ids=DISGUISES)
def test_forbidden_column_in_disguise(disguise: Callable[[], dict[str, Any]]) -> None:
    features = pd.DataFrame({"RM": RNG.normal(6, 1, 600), **disguise()})
    report = find_proxies(features, pd.DataFrame({"LSTAT": SECRET}))
    with pytest.raises(ProxyError, match=r"is a flagged one in disguise: X[12].* LSTAT"):
        refuse_disguises(report.relations, (), contract(), on=TODAY)


def test_forbidden_column_that_only_the_models_steps_make() -> None:
    """Three columns, none of them nor any two the forbidden one, add up to it inside the model."""
    first, second = RNG.normal(0, 3, (2, 600))
    features = pd.DataFrame({"RM": SECRET + first + second, "AGE": SECRET - first, "DIS": SECRET - second})
    guarded = pd.DataFrame({"LSTAT": SECRET})
    assert find_proxies(features, guarded).relations == ()
    add_up = FunctionTransformer(lambda rows: rows.assign(x=rows.sum(axis=1)))
    model = make_pipeline(add_up, make_pipeline(StandardScaler(), LinearRegression())).fit(features, first)
    split = ModelSplit(features, features[:0], pd.Series(first), pd.Series(first[:0]))
    with pytest.raises(ProxyError, match=r"makes a flagged column out of those that it may read: .* copy of LSTAT"):
        refuse_prepared(model, split, guarded, {"relations": ()})
    plain = make_pipeline(StandardScaler(), LinearRegression()).fit(features, first)
    assert refuse_prepared(plain, split, guarded, {"relations": ()}) is plain


# ---- the estimator -------------------------------------------------------------------------------------------

ALLOWED = ("sklearn.",)


@pytest.mark.parametrize(
    "path", ["subprocess.Popen", "sklearn_evil.Model", "os.system", "builtins.eval", "rai_kedro.files.locked"]
)
def test_estimator_outside_the_allowed_modules(path: str) -> None:
    with pytest.raises(RaiError, match=f"The estimator '{path}' is outside the allowed modules"):
        build_estimator(EstimatorConfig(**{"class": path}), ALLOWED)


@pytest.mark.parametrize(
    "path", ["sklearn.utils._testing.os.system", "sklearn.datasets.fetch_openml", "sklearn.show_versions"]
)
def test_no_estimator_inside_the_allowed_modules(path: str) -> None:
    with pytest.raises(RaiError, match=f"'{path}' (does not exist|is no)"):
        build_estimator(EstimatorConfig(**{"class": path}), ALLOWED)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/invocations",
        "https://scores.example.evil.example/invocations",
        "https://scores.example@evil.example/invocations",
        "http://scores.example/invocations",
        "file:///etc/passwd",
    ],
)
def test_server_outside_the_allowed_hosts(url: str) -> None:
    config = EstimatorConfig(**{"class": "rai_kedro.modelling.ServedDecisions", "params": {"url": url}})
    with pytest.raises(
        RaiError, match=r"not among those that may be asked|address of the model's server cannot be used"
    ):
        require_host(build_estimator(config, ("rai_kedro.modelling.",)), ("scores.example",))


def test_risk_accepted_where_there_is_none(registry: Registry) -> None:
    """Whoever counts accepted risks later would count one that nobody took."""
    registry.train()
    with pytest.raises(ReleaseError, match="there is no risk to accept"):
        registry.approve(accept_risk="to be on the safe side")
