"""Drift: is this month's data still what the production model was tested on?

A month is compared column by column with the reference of the model version (its test split). Every
column gets a two-sample test, every test the same threshold, and the threshold is the false-alarm rate
of the month divided by the number of tests (Bonferroni): on data that has not changed, a month raises
any alarm at all with at most that probability.

    >>> import pandas as pd
    >>> from rai_kedro.monitoring import detect_drift
    >>> reference = pd.DataFrame({"rooms": [5.0, 6.0, 7.0, 8.0] * 20, "side": ["east", "west"] * 40})
    >>> current = reference.assign(rooms=reference["rooms"] + 3)
    >>> drift = detect_drift(reference, current)
    >>> drift.drifted_columns
    ('rooms',)
    >>> drift.to_frame()[["column", "method", "drifted"]].values.tolist()
    [['rooms', 'ks', True], ['side', 'chi2_contingency', False]]

In a notebook ``drift`` shows itself as a table and ``drift.plot()`` as a figure. The pipeline makes the same tests,
keeps their results by month, puts the months side by side (:func:`build_timeline`) and into a local Evidently
workspace (:func:`publish_month`). Only what shows results in Evidently imports it (7-9 s).

How good the month's predictions are is estimated before its labels come, for all rows and each group, with intervals
for what the labels will show (:func:`estimate_performance`; :func:`fit_estimator` for several months), and compared
with them afterwards (:func:`reconcile`, :func:`track_record`).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
