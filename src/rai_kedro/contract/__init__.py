"""The column contract: what every governed column is, how risky it is and what it may be used for.

It stands in the ``metadata.rai`` block of a catalogue entry, one or two lines a column, and is enforced:

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import pandas as pd
    >>> from rai_kedro.contract import check, read
    >>> text = '''
    ... shop.feature_store:
    ...   metadata:
    ...     rai:
    ...       {owner: data team, purpose: predict returns, key: [customer], time: month, columns: {
    ...         age: {type: integer, range: [0, 120], flags: [risky], use: audit, risk: ageism, description: in years},
    ...         spend: {type: float, flags: [], use: model, description: in euro}}}
    ... '''
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder, "shop", "catalog.yml")
    ...     file.parent.mkdir()
    ...     _ = file.write_text(text)
    ...     contract = read(file)
    >>> contract.to_frame()[["name", "flags", "use"]].values.tolist()
    [['age', ('risky',), 'audit'], ['spend', (), 'model']]
    >>> month = pd.DataFrame({"month": "2024-01", "customer": [1], "age": [300], "spend": [2.0]})
    >>> check(month, contract.datasets["feature_store"])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    rai_kedro.contract.validation.ContractViolation: ...age: is outside [0, 120], 1 row (e.g. 300)...

In a notebook ``contract`` shows itself as a table. What may reach the estimator is split off by
:func:`split_lanes`, and :func:`build_register` lists every column for governance.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
