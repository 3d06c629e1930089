"""Drift: is this month's data still what the production model was tested on?

A month is compared column by column with the reference of the model version (its test split). Every
column gets a two-sample test, every test the same threshold, and the threshold is the family-wise
false-alarm rate divided by the number of tests (Bonferroni): on data that has not changed, a month raises
any alarm at all with at most that probability. The tests are run by Evidently, with method and threshold
given explicitly, so that the verdict here and what Evidently shows are the same decisions.

* :mod:`rai_kedro.monitoring.testing`: what is tested, and the typed result of a month.
* :mod:`rai_kedro.monitoring.timeline`: the months side by side, as data and as a figure.
* :mod:`rai_kedro.monitoring.workspace`: the months in a local Evidently workspace with its dashboard.

Importing these modules is cheap; Evidently (7-9 s) is imported by the first call that needs it.
"""
