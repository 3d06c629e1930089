r"""Where months come from when they are not simulated: a file, one month at a time, or stores that are there.

A table is read exactly or refused with what, where, how many and what to do (:func:`detect_layout`,
:func:`read_table`). Values of a text file stay text until the column contract says what they are, so that "007" stays
"007". :func:`split_months` then gives each month's features and labels, and :func:`compare_months` says which months of
a store are new, equal, changed or gone.

    >>> import pandas as pd
    >>> from rai_kedro.sources import IngestionParameters, TimeColumn, compare_months, split_months
    >>> raw = pd.DataFrame({"size": ["70", "95"], "day": ["2024-01-05", "2024-02-09"], "rent": ["700", "990"]})
    >>> settings = IngestionParameters(label="rent", time=TimeColumn(column="day", format="%Y-%m-%d"))
    >>> months = split_months(raw, settings, {"size": "float", "rent": "float"})
    >>> months.features["month=2024-02"].to_dict(orient="records")
    [{'month': '2024-02', 'row': 1, 'size': 95.0}]
    >>> stored = {"month=2024-01": lambda: months.features["month=2024-01"]}
    >>> compare_months(months.features, stored).new
    ('month=2024-02',)

A file is read in two steps, so that what was found out about its layout can be kept:

    >>> import tempfile, pathlib
    >>> from rai_kedro.sources import detect_layout, read_table
    >>> path = pathlib.Path(tempfile.mkdtemp(), "rents.csv")
    >>> _ = path.write_text("code;size\n007;1,5\n010;2,5\n")
    >>> layout = detect_layout(path)
    >>> layout.delimiter, layout.decimal
    (';', ',')
    >>> read_table(path, layout).to_dict("list")
    {'code': ['007', '010'], 'size': ['1.5', '2.5']}
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
