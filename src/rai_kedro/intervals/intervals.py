"""Intervals of fairness figures at a stated level: one door to the modules that make them.

All work on arrays of group figures, so that the cost does not depend on the number of rows. An end that the data cannot
bound is None, with a reason; a number that is not finite is never returned.

* :mod:`.critical`: the interval, critical values, the step from pairs to the extreme, metrics of several parts.
* :mod:`.proportions`: rates, from counts; the limits of a single one are in :mod:`.proportion_limits`.
* :mod:`.means`: means, from rows, means and variances; other estimates, from standard errors.
* :mod:`.error_sizes`: MAE and RMSE, from rows, mean and variance of the absolute or squared errors.
* :mod:`.distances`: Kolmogorov-Smirnov and Wasserstein, from counts on a declared grid:
  ``largest_distribution_distance(bin_counts (G, B), edges (B + 1,), level, *, distance, reference=None)``.

Functions over pairs take ``reference``: the position of a group that all others are held against, None for every pair.
"""

from rai_kedro.intervals.critical import IntervalError, combine_worst, part_level
from rai_kedro.intervals.distances import distribution_distances, largest_distribution_distance
from rai_kedro.intervals.error_sizes import (
    error_size_intervals,
    largest_difference_of_error_sizes,
    smallest_ratio_of_error_sizes,
)
from rai_kedro.intervals.means import (
    largest_difference_of_estimates,
    largest_difference_of_means,
    mean_intervals,
    smallest_ratio_of_estimates,
    smallest_ratio_of_means,
)
from rai_kedro.intervals.proportions import (
    largest_difference_of_proportions,
    proportion_intervals,
    smallest_ratio_of_proportions,
    standardised_rates,
    stratified_difference_of_proportions,
)

__all__ = [
    "IntervalError",
    "combine_worst",
    "distribution_distances",
    "error_size_intervals",
    "largest_difference_of_error_sizes",
    "largest_difference_of_estimates",
    "largest_difference_of_means",
    "largest_difference_of_proportions",
    "largest_distribution_distance",
    "mean_intervals",
    "part_level",
    "proportion_intervals",
    "smallest_ratio_of_error_sizes",
    "smallest_ratio_of_estimates",
    "smallest_ratio_of_means",
    "smallest_ratio_of_proportions",
    "standardised_rates",
    "stratified_difference_of_proportions",
]
