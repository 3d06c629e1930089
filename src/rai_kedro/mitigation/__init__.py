"""Mitigation of unfairness before, during and after training, as scikit-learn estimators.

Every method wraps an estimator: ``fit(X, y, sensitive=...)``, then ``predict(X)`` and, for a classifier,
``predict_proba(X)``. A method that needs the sensitive column at prediction says so in
`rai_kedro.mitigation.methods.METHODS`; it then reads that column from ``X`` and keeps it from the wrapped estimator.
"""
