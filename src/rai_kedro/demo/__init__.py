"""Simulated months: what a feature store and a label store would have received, with known drift.

A raw table becomes a row of monthly snapshots. The first month is the raw table itself; later months vary
as real months do. A *drift schedule* then changes chosen columns from a chosen month on, and what was
changed is kept as the *ground truth* against which drift detection can be judged.

* :mod:`~rai_kedro.demo.raw_source` refuses a raw table that is not what it should be.
* :mod:`~rai_kedro.demo.drift_schedule` holds the parameters: months, variation, drift events.
* :mod:`~rai_kedro.demo.variation` makes a month without drift.
* :mod:`~rai_kedro.demo.drift_injection` applies one drift event to one month.
* :mod:`~rai_kedro.demo.snapshots` puts them together.

Example:
    >>> import pandas as pd
    >>> from rai_kedro.demo.drift_schedule import DriftEvent, SimulationParameters
    >>> from rai_kedro.demo.snapshots import simulate_snapshots
    >>> raw = pd.DataFrame({"rooms": [4.1, 5.2, 6.3, 7.4], "price": [10.0, 20.0, 30.0, 40.0]})
    >>> shift = DriftEvent(columns=["rooms"], start="2024-02", kind="mean_shift", size=2.0)
    >>> parameters = SimulationParameters(label="price", key="house", months=2, seed=1, drift=[shift])
    >>> simulate_snapshots(raw, parameters, ranges={}).drift_ground_truth["drifted_columns"]
    {'2024-01': [], '2024-02': ['rooms']}
"""
