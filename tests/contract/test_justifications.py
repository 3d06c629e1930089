"""How long a justification may hold, and that a label's ends like any other."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from rai_kedro.contract import LaneError, check_justifications, read_contract

HOSPITAL = Path(__file__).resolve().parents[2] / "conf" / "base" / "hospital" / "catalog.yml"
UNTIL = date(2027, 12, 31)  # of the label 'admitted'


@pytest.mark.parametrize(
    ("days_before", "most_days", "said"),
    [
        (365, 365, None),
        (366, 365, "holds for longer than the policy allows"),
        (0, 365, None),
        (-1, 365, "be learned has expired"),
    ],
)
def test_a_labels_justification_is_judged_by_the_day(days_before: int, most_days: int, said: str | None) -> None:
    contract = read_contract(HOSPITAL, as_of=date.fromordinal(UNTIL.toordinal() - days_before))
    if said is None:
        check_justifications(contract, most_days=most_days)
        return
    with pytest.raises(LaneError, match=said) as refused:
        check_justifications(contract, most_days=most_days)
    assert "admitted" in str(refused.value.where)
    assert "until 2027-12-31" in str(refused.value.example)
