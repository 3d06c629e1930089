"""How good predictions are: figures with intervals, of amounts and of decisions between two outcomes.

Every figure comes with an interval in closed form, since a figure without one says little: the accuracy below was
measured on eight rows.

    >>> from rai_kedro.performance import measure
    >>> found = measure([1, 0, 1, 1, 0, 1, 0, 0], [1, 0, 1, 0, 0, 1, 1, 0])
    >>> found
    Performance(classification, 8 rows: accuracy 0.750 [0.408, 0.944], sensitivity 0.750 [0.284, 0.972], ...)
    >>> round(found["accuracy"].upper, 3)
    0.944

In a notebook ``found`` shows itself as a table and ``found.plot()`` as a figure; ``found.to_frame()`` is tidy.
:func:`measure_classification` and :func:`measure_performance` are what the pipeline calls.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
