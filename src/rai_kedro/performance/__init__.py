"""How good predictions are: figures with intervals, of amounts and of decisions between two outcomes."""
