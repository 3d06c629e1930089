"""How differently a model treats groups of people, with honest uncertainty.

:mod:`.groups` makes groups from an audited column, :mod:`.gaps` measures the largest difference between any two
of them with an interval that holds for all pairs at once. The room knows neither Kedro nor MLflow.
"""
