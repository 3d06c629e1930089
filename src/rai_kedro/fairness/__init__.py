"""How differently a model treats groups of people, with honest uncertainty.

:mod:`.assessment` is the way in: :mod:`.request` says what is asked, :mod:`.grouping` makes the groups,
:mod:`.measures` counts, :mod:`.uncertainty` makes the intervals, :mod:`.verdicts` judges them against tolerances, and
:mod:`.questionnaire` leads from answers to the metrics in :mod:`.metrics`. The room knows neither Kedro nor MLflow.
"""
