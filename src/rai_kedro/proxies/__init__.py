"""Columns of a model that stand in for what it must not know.

Leaving a column out makes no model blind to it where other columns tell it. A *proxy* is measured by how well the
model's columns together predict the column, on rows that the predictor has not seen, and judged by the interval:
*fail* if all of it lies beyond the limit, *pass* if none of it does, *insufficient evidence* otherwise. A column that
is another one in disguise (copied, rescaled, recoded, binned, computed from it) is found without any model.

    >>> import numpy as np
    >>> import pandas as pd
    >>> from rai_kedro.proxies import find_proxies
    >>> random = np.random.default_rng(0)
    >>> race = random.choice(["a", "b"], 500)
    >>> district = np.where(random.random(500) < 0.9, race, "c")
    >>> columns = pd.DataFrame({"district": district, "spend": random.normal(size=500)})
    >>> found = find_proxies(columns, {"race": race})
    >>> found.outcome, found.proxies[0].singles[0].columns
    ('fail', ('district',))

In a notebook ``found`` shows itself as a table, and ``found.plot()`` draws the intervals against their limits. The same
rules find columns that give the target away: ``find_proxies(..., target=y).leaks``, or :func:`find_relations` alone.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
