"""How differently a model treats groups of people, with honest uncertainty.

A disparity is how far groups lie apart on a metric. It comes with an interval that holds for all pairs of groups at
once, and a verdict is driven by that interval, never by the figure alone: *pass* if all of it is tolerated, *fail* if
none of it is, *insufficient evidence* otherwise, with the rows that would settle it.

    >>> from rai_kedro.fairness import assess
    >>> y_true = [1, 0, 1, 1, 0, 1, 0, 0, 1, 0] * 40
    >>> y_pred = [1, 0, 1, 0, 0, 1, 1, 0, 0, 0] * 40
    >>> sex = list("fmfmfmfmmf") * 40
    >>> found = assess(y_true, y_pred, sensitive_features={"sex": sex}, metrics="demographic_parity")
    >>> found
    Assessment of 2 disparities
      statistical_parity (difference) of sex: 0.400 [0.308, 0.483]
      statistical_parity (ratio) of sex: 0.333 [0.244, 0.447]
    >>> found.judge(demographic_parity=0.1)
    fail
      statistical_parity (difference) of sex: fail: the whole interval 0.308 to 0.483 lies outside 0.1

In a notebook both show themselves as tables; ``found.plot()`` and the decision's ``plot()`` are figures. Each metric is
one object in :data:`METRICS`, with formula, source and other names, found by :func:`find_metric`. The pipeline calls
:func:`examine_classification` and :func:`examine_regression` with a :class:`FairnessSpec`, and :class:`Gate` judges.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
