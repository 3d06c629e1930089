"""What a fitted model goes by: the columns that move its predictions, where it errs most, and why one row came out so.

Every figure is of the model as it is, held fixed, on rows it was not fitted on; none says what causes the outcome.

    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn.linear_model import LinearRegression
    >>> from rai_kedro.explanation import explain, explain_row
    >>> random = np.random.default_rng(0)
    >>> rows = pd.DataFrame({"rooms": random.normal(6, 1, 400), "street": random.normal(0, 1, 400)})
    >>> price = 5 * rows["rooms"] + random.normal(0, 1, 400)
    >>> model = LinearRegression().fit(rows, price)
    >>> found = explain(model, rows, price)
    >>> [one.column for one in found.drivers], found.drivers[0].share > 0.95
    (['rooms', 'street'], True)

In a notebook ``found`` shows itself as a table, and ``found.plot()`` draws how predictions go with each column.
:func:`explain_row` gives the reasons for one prediction, and the nearest change that turns a decision.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
