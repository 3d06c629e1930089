"""`make ui`: MLflow, Evidently and Kedro-Viz side by side, on this machine only, stopped together."""
