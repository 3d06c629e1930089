"""Months that are made: what the built-in use cases have in place of data of their own, with known drift and bias.

:func:`simulate_snapshots` turns a raw table into monthly snapshots. The first month is the raw table itself; later
ones vary as real months do. A *drift schedule* then changes chosen columns from a chosen month on, and what was changed
is kept as the *ground truth* by which drift detection can be judged. :func:`simulate_visits` makes visits to an
emergency department whose true need of admission is known, recorded with a bias that is a parameter.

    >>> import pandas as pd
    >>> from rai_kedro.demo import DriftEvent, SimulationParameters, simulate_snapshots
    >>> raw = pd.DataFrame({"rooms": [4.1, 5.2, 6.3, 7.4], "price": [10.0, 20.0, 30.0, 40.0]})
    >>> shift = DriftEvent(columns=["rooms"], start="2024-02", kind="mean_shift", size=2.0)
    >>> parameters = SimulationParameters(label="price", key="house", months=2, seed=1, drift=[shift])
    >>> simulate_snapshots(raw, parameters, ranges={}).drift_ground_truth["drifted_columns"]
    {'2024-01': [], '2024-02': ['rooms']}

    >>> from rai_kedro.demo import HospitalParameters, simulate_visits
    >>> visits = simulate_visits(HospitalParameters(visits=1000, months=2, seed=1))
    >>> sorted(visits.features), len(visits.labels["month=2024-02"])
    (['month=2024-01', 'month=2024-02'], 500)
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
