"""What other tools read and write: a version as a CycloneDX bill of materials, a column contract in ODCS.

    >>> from datetime import date
    >>> from rai_kedro.contract import Column, Contract, DatasetContract
    >>> from rai_kedro.exchange import read_odcs, to_odcs
    >>> age = Column(name="age", type="integer", flags=("risky",), use="audit", risk="ageism", description="in years")
    >>> store = DatasetContract(
    ...     dataset="shop.feature_store", owner="data team", purpose="predict returns", key=("customer",), time="month",
    ...     columns={"age": age},
    ... )
    >>> contract = Contract(
    ...     use_case="shop", source="shop/catalog.yml", as_of=date(2024, 1, 31), datasets={"feature_store": store}
    ... )
    >>> read_odcs(to_odcs(contract)).as_contract() == contract
    True

Nothing here knows a file, Kedro or MLflow: a typed card or contract goes in, text comes out, checked against the
official schema of its format.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
