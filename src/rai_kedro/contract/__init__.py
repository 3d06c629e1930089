"""The column contract: what every governed column is, how risky it is and what it may be used for.

The contract stands in the ``metadata.rai`` block of a catalogue entry. This room reads it into typed,
frozen objects (:mod:`.reading`, :mod:`.contract`), holds data against it (:mod:`.validation`), splits the
columns into the model lane and the audit lane (:mod:`.lanes`), and lists them for governance
(:mod:`.register`, :mod:`.profile`). It knows neither Kedro nor MLflow:

    >>> from datetime import date
    >>> from rai_kedro.contract.reading import read_contract          # doctest: +SKIP
    >>> contract = read_contract("conf/base/housing/catalog.yml", as_of=date.today())  # doctest: +SKIP
    >>> contract.datasets["feature_store"].columns["LSTAT"].use       # doctest: +SKIP
    'audit'
"""
