"""From answers to metrics, and from metrics to the methods that serve them; tree and mapping are data."""
