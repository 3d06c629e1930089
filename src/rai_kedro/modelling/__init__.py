"""The model itself: rows split and prepared, an estimator built by configuration, fitted, and asked to predict.

>>> import pandas as pd
>>> from rai_kedro.modelling import EstimatorConfig, UnitSplit, build_estimator, fit_estimator, split_rows
>>> rows = pd.DataFrame({"rooms": range(100), "patient": [at // 4 for at in range(100)]})
>>> by = UnitSplit(by="unit", column="patient"), rows["patient"]
>>> split = split_rows(rows[["rooms"]], rows["rooms"] * 2.0, test_size=0.2, random_state=0, by=by)
>>> len(split.target_test), set(split.features_test.index // 4) & set(split.features_train.index // 4)
(20, set())
>>> config = EstimatorConfig.model_validate({"class": "sklearn.linear_model.LinearRegression"})
>>> model = fit_estimator(build_estimator(config, ["sklearn."]), split.features_train, split.target_train)
>>> model.predict(split.features_test).round(6).tolist() == split.target_test.tolist()
True
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
