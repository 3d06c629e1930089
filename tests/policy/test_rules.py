"""The policy's own bounds: what nobody can write, and what identifies it."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from pydantic import ValidationError

from rai_kedro.policy import Policy


def test_the_digest_is_that_of_the_canonical_json() -> None:
    policy = Policy.from_dict({"approval": {"roles": ["reviewer", "risk_officer"]}})
    assert policy.digest == Policy.from_dict(policy.to_dict()).digest
    assert policy.digest != Policy().digest
    # RFC 8785 sorts keys and writes no spaces; by hand for the part that is small enough.
    from rai_kedro.policy import digest_of

    assert digest_of({"b": 1.0, "a": "é"}) == hashlib.sha256('{"a":"é","b":1}'.encode()).hexdigest()


REFUSED: dict[str, dict[str, Any]] = {
    "approval.lasts_days": {"approval": {"lasts_days": 731}},
    "justification_lasts_days": {"justification_lasts_days": 731},
    "approval.roles": {"approval": {"roles": []}},
    "gates.card.fail": {"gates": {"card": {"fail": "accept_risk"}}},
    "gates.fairness.fail": {"gates": {"fairness": {"fail": "allow"}}},
    "gates.drift.margin": {"gates": {"drift": {"margin": 0.6}}},
    "gates.performance": {"gates": {"performance": {"metric": "accuracy", "at_most": 0.8}}},
    "gates.speed": {"gates": {"speed": {"fail": "block"}}},
}


@pytest.mark.parametrize(("key", "block"), REFUSED.items(), ids=REFUSED)
def test_what_nobody_may_write_is_refused_by_its_key(key: str, block: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        Policy.from_dict(block)
    assert ".".join(map(str, refused.value.errors()[0]["loc"])) == key


def test_a_limit_says_which_way_is_better() -> None:
    with pytest.raises(ValidationError, match="MAE needs 'at_most'"):
        Policy.from_dict({"gates": {"performance": {"metric": "MAE", "at_least": 2}}})
    with pytest.raises(ValidationError, match="a limit needs the 'metric'"):
        Policy.from_dict({"gates": {"performance": {"at_least": 2}}})
    with pytest.raises(ValidationError, match="twice: reviewer, reviewer"):
        Policy.from_dict({"approval": {"roles": ["reviewer", "reviewer"]}})
