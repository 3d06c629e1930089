"""Mitigation: what can be done about a model that treats groups of people differently, and what each way costs.

A mitigation acts on the training rows (``pre``), on the fitting (``in``) or on the predictions (``post``). Which is
best depends on the data, so all that apply are fitted on the same rows and compared on the same test rows, every figure
with its interval. Chosen is the model whose disparity is shown to be smallest, of those shown to keep their
performance; if none is shown to be fairer, the unmitigated one stays.

    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn.linear_model import LogisticRegression
    >>> from rai_kedro.mitigation import compare
    >>> random = np.random.default_rng(0)
    >>> group = pd.Series(np.where(random.random(2000) < 0.4, "b", "a"), name="group")
    >>> X = pd.DataFrame({"income": random.normal(size=2000) + (group == "a"), "debt": random.normal(size=2000)})
    >>> y = (X["income"] - X["debt"] + random.normal(size=2000) > 0.5).astype(int)
    >>> comparison = compare(
    ...     LogisticRegression(), X[:1000], y[:1000], X[1000:], y[1000:],
    ...     sensitive_features=group, methods=["reweighing", "exponentiated_gradient"], tolerance=0.2,
    ... )
    >>> comparison
    <Comparison of 4 models by statistical_parity, group: exponentiated_gradient chosen>
    >>> comparison.to_frame().loc[["unmitigated", comparison.chosen], "statistical_parity difference"].round(2).tolist()
    [0.25, 0.04]

In a notebook ``comparison`` shows itself as a table and ``comparison.plot()`` as a figure, and
``comparison.chosen_estimator`` predicts. The pipeline compares with the same code, as configured and as far as the
column contract permits.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
