"""How often intervals and verdicts are right on planted proxies and on columns that nothing stands in for.

The small form of ``benchmarks/proxies.py``, which has more shapes, rows and repeats.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from rai_kedro.proxies import Proxy, find_proxies

ROWS, TABLES = 400, 10


def judge(seed: int, kind: str, planted: bool) -> tuple[float, Proxy]:
    """Return the true figure and what is found: half of the variance, or an AUC of .84 of 31 % of the rows."""
    random = np.random.default_rng(seed)
    columns = random.normal(size=(ROWS, 5))
    signal = columns[:, :2].sum(axis=1) / np.sqrt(2) if planted else random.normal(size=ROWS)
    hidden = (signal + random.normal(size=ROWS)) / np.sqrt(2)
    named = {f"x{at}": columns[:, at] for at in range(5)}
    truth = {"number": 0.5 if planted else 0.0, "category": 0.8403 if planted else 0.5}[kind]
    (found,) = find_proxies(named, {"hidden": hidden if kind == "number" else hidden > 0.5}).proxies
    return truth, found


@pytest.mark.parametrize("kind", ["number", "category"])
@pytest.mark.parametrize("planted", [True, False])
def test_intervals_hold_and_no_proxy_is_passed(kind: str, planted: bool) -> None:
    made = [judge(seed, kind, planted) for seed in range(TABLES)]

    held = sum(
        one.lower is not None and one.upper is not None and one.lower <= truth <= one.upper for truth, one in made
    )
    wrong = sum(one.outcome == ("pass" if planted else "fail") for _, one in made)
    # Of right intervals fewer would hold once in a thousand times.
    assert held >= binom.ppf(0.001, TABLES, 0.95)
    assert wrong <= binom.ppf(0.999, TABLES, 0.05)
