"""Intervals that hold for all groups and pairs of a grouping at once; :mod:`.intervals` is the door to them."""
