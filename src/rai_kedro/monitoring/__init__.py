"""Drift: is this month's data still what the production model was tested on?

A month is compared column by column with the reference of the model version (its test split). What is
measured of a column is an *effect*: the share of rows that lie elsewhere than in the reference, with an
interval. The column drifted where the interval lies above a margin; no relevant drift is shown where it
lies below; and otherwise there are too few rows to tell. One error budget covers the whole life of a
model version (:class:`Looks`), and :func:`smallest_visible` says beforehand what can be found at all.

    >>> import pandas as pd
    >>> from rai_kedro.monitoring import detect_drift
    >>> reference = pd.DataFrame({"rooms": [5.0, 6.0, 7.0, 8.0] * 20, "side": ["east", "west"] * 40})
    >>> current = reference.assign(rooms=reference["rooms"] + 3)
    >>> drift = detect_drift(reference, current)
    >>> drift.drifted_columns
    ('rooms',)
    >>> drift.to_frame()[["column", "value", "verdict"]].values.tolist()
    [['rooms', 0.75, 'drift'], ['side', 0.0, 'insufficient_evidence']]

In a notebook ``drift`` shows itself as a table and ``drift.plot()`` as a figure. The pipeline measures the same,
keeps their results by month, puts the months side by side (:func:`build_timeline`) and into a local Evidently
workspace (:func:`publish_month`). Only what shows results in Evidently imports it (7-9 s).

How good the month's predictions are is estimated before its labels come, for all rows and each group, with intervals
for what the labels will show (:func:`estimate_performance`; :func:`fit_estimator` for several months), and compared
with them afterwards (:func:`reconcile`, :func:`track_record`).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
