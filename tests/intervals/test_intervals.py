import numpy as np
import pytest
from scipy import stats

from rai_kedro.intervals import (
    IntervalError,
    combine_worst,
    distribution_distances,
    error_size_intervals,
    largest_difference_of_error_sizes,
    largest_difference_of_means,
    largest_difference_of_proportions,
    largest_distribution_distance,
    mean_intervals,
    means,
    part_level,
    proportion_intervals,
    proportions,
    smallest_ratio_of_error_sizes,
    smallest_ratio_of_means,
    smallest_ratio_of_proportions,
    standardised_rates,
    stratified_difference_of_proportions,
)
from rai_kedro.intervals.critical import critical_tails, tukey_tail
from rai_kedro.intervals.distances import DRAWS, draw_error_areas
from rai_kedro.intervals.estimate import make_interval
from rai_kedro.intervals.proportions import standardised_bounds


class TestCriticalValues:
    @pytest.mark.parametrize(("groups", "published"), [(2, 2.772), (3, 3.314), (4, 3.633), (5, 3.858), (6, 4.030)])
    def test_studentised_range_at_infinite_freedom_is_the_published_table(self, groups, published):
        found = -stats.norm.ppf(tukey_tail(groups, 0.95)) * np.sqrt(2)
        assert found == pytest.approx(published, abs=6e-4)

    def test_two_groups_need_no_correction(self):
        assert critical_tails(2, 0.95).lower == pytest.approx(0.025, abs=1e-6)

    def test_upper_side_does_not_grow_with_the_number_of_groups(self):
        assert [critical_tails(groups, 0.95).upper for groups in (2, 6)] == pytest.approx([0.025, 0.025])

    def test_a_reference_leaves_fewer_pairs_and_so_a_smaller_correction(self):
        assert critical_tails(6, 0.95, reference=0).lower > critical_tails(6, 0.95).lower

    @pytest.mark.parametrize("level", [0.0, 1.0, 95.0, float("nan")])
    def test_level_outside_zero_to_one_is_refused(self, level):
        with pytest.raises(IntervalError, match="strictly between 0 and 1"):
            proportion_intervals([1], [2], level)


class TestProportions:
    def test_at_least_wilson_and_at_least_the_published_score_interval(self):
        """Newcombe (1998, Statistics in Medicine 17:857), 81 of 263 by method 3: .2553 to .3662."""
        (found,) = proportion_intervals([81], [263], 0.95)
        assert (found.lower, found.upper) == pytest.approx((0.2553, 0.3662), abs=1e-3)

    def test_no_event_reaches_the_exact_limit(self):
        """Newcombe (1998, Statistics in Medicine 17:857), 0 of 20: .1684 above by Clopper and Pearson."""
        (found,) = proportion_intervals([0], [20], 0.95)
        assert found.lower == 0
        assert found.upper == pytest.approx(0.1684, abs=1e-4)

    def test_published_hybrid_score_difference(self):
        """Newcombe (1998, Statistics in Medicine 17:873), 56/70 against 48/80, method 10: .0524 to .3339.

        Ours takes Jeffreys' limits where they are wider than Wilson's, and so holds the published interval.
        """
        found = largest_difference_of_proportions([56, 48], [70, 80], 0.95)
        assert (found.lower, found.upper) == pytest.approx((0.0524, 0.3339), abs=3e-3)
        assert found.lower <= 0.0524
        assert found.upper >= 0.3339

    def test_many_rows_agree_with_the_normal_interval(self):
        found = largest_difference_of_proportions([300_000, 200_000], [1_000_000, 1_000_000], 0.95)
        half = 1.959964 * np.sqrt((0.3 * 0.7 + 0.2 * 0.8) / 1e6)
        assert (found.lower, found.upper) == pytest.approx((0.1 - half, 0.1 + half), abs=1e-5)

    def test_equal_groups_include_zero(self):
        assert largest_difference_of_proportions([150] * 3, [500] * 3, 0.95).lower == 0

    def test_order_of_the_groups_does_not_matter(self):
        events, rows = np.array([3, 40, 90, 8]), np.array([8, 100, 300, 50])
        turned = largest_difference_of_proportions(events[::-1], rows[::-1], 0.95)
        assert turned == largest_difference_of_proportions(events, rows, 0.95)

    def test_a_group_without_rows_may_be_anything(self):
        with_empty = largest_difference_of_proportions([30, 60, 0], [100, 100, 0], 0.95)
        without = largest_difference_of_proportions([30, 60], [100, 100], 0.95)
        assert "1 of 3 groups" in with_empty.note
        assert with_empty.upper >= 0.69
        assert 0 < with_empty.lower <= without.lower

    def test_a_tiny_group_widens_and_is_never_dropped(self):
        alone = largest_difference_of_proportions([150, 160], [500, 500], 0.95)
        beside = largest_difference_of_proportions([150, 160, 3], [500, 500, 8], 0.95)
        assert beside.upper > alone.upper + 0.2

    @pytest.mark.parametrize("function", [largest_difference_of_proportions, smallest_ratio_of_proportions])
    def test_one_group_has_nothing_to_be_compared_with(self, function):
        found = function([3], [10], 0.95)
        assert (found.lower, found.upper) == (None, None)
        assert "fewer than two groups" in found.note

    def test_more_events_than_rows_is_an_error(self):
        with pytest.raises(IntervalError, match="More events than rows"):
            proportion_intervals([3], [2], 0.95)

    @pytest.mark.parametrize("rows", [[-1], [float("nan")], [float("inf")]])
    def test_impossible_counts_are_an_error(self, rows):
        with pytest.raises(IntervalError, match="at least 0"):
            proportion_intervals([0], rows, 0.95)

    def test_distinct_counts_are_worked_out_once_with_the_same_result(self):
        events = np.random.default_rng(0).integers(0, 50, (400, 3)).astype(float)
        rows = np.full_like(events, 50.0)
        many = proportions.difference_bounds(events, rows, 0.95)
        single = [largest_difference_of_proportions(*pair, 0.95) for pair in zip(events[:5], rows[:5], strict=True)]
        assert [found.lower for found in single] == pytest.approx(many[0][:5])
        assert [found.upper for found in single] == pytest.approx(many[1][:5])


class TestRatios:
    def test_agrees_with_the_log_interval_where_events_are_many(self):
        """Katz et al. (1978): log ratio, sd sqrt(1/x - 1/n + 1/y - 1/m)."""
        found = smallest_ratio_of_proportions([2_000, 3_000], [10_000, 10_000], 0.95)
        half = 1.959964 * np.sqrt(1 / 2_000 - 1e-4 + 1 / 3_000 - 1e-4)
        expected = np.exp(np.log(2 / 3) + np.array([-half, half]))
        assert (found.lower, found.upper) == pytest.approx(tuple(expected), abs=2e-3)

    def test_a_group_without_events_starts_at_zero_and_still_has_an_upper_end(self):
        found = smallest_ratio_of_proportions([0, 50], [100, 100], 0.95)
        assert found.lower == 0
        assert 0 < found.upper < 0.2

    def test_no_events_at_all_says_nothing(self):
        found = smallest_ratio_of_proportions([0, 0], [100, 100], 0.95)
        assert (found.lower, found.upper) == (0, 1)
        assert "no event in any group" in found.note

    def test_means_agree_with_fieller(self):
        """Fieller (1954) for independent normal means solves a quadratic; the hybrid is the same for t limits."""
        rows, center, variances = np.array([5_000, 5_000]), np.array([2.0, 3.0]), np.array([1.0, 4.0])
        found = smallest_ratio_of_means(rows, center, variances, 0.95)
        z = stats.t.ppf(0.975, 4_999)
        v1, v2 = means.steadied_variances(rows - 1.0, variances) / rows
        roots = np.sort(np.roots([9 - z**2 * v2, -12, 4 - z**2 * v1]))
        assert (found.lower, found.upper) == pytest.approx(tuple(roots), abs=1e-4)

    def test_ratio_of_a_negative_mean_has_no_meaning(self):
        found = smallest_ratio_of_means([50, 50], [-1.0, 2.0], [1.0, 1.0], 0.95)
        assert (found.lower, found.upper) == (None, None)


class TestMeans:
    def test_equal_variances_agree_with_welch(self):
        generator = np.random.default_rng(1)
        first, second = generator.normal(0, 1, 400), generator.normal(0.5, 1, 400)
        variance = (first.var(ddof=1) + second.var(ddof=1)) / 2
        first, second = (
            (values - values.mean()) / values.std(ddof=1) * np.sqrt(variance) + values.mean()
            for values in (first, second)
        )
        expected = stats.ttest_ind(second, first, equal_var=False).confidence_interval(0.95)
        found = largest_difference_of_means([400, 400], [first.mean(), second.mean()], [variance] * 2, 0.95)
        assert (found.lower, found.upper) == pytest.approx((expected.low, expected.high), abs=1e-8)

    def test_own_interval_is_student_where_variances_are_equal(self):
        found = mean_intervals([10, 10], [1.0, 2.0], [4.0, 4.0], 0.95)
        assert found[0].upper - 1.0 == pytest.approx(stats.t.ppf(0.975, 9) * 2 / np.sqrt(10))

    def test_a_group_of_one_row_leaves_the_upper_end_open(self):
        found = largest_difference_of_means([50, 60, 1], [1.0, 2.0, 9.0], [1.0, 1.0, np.nan], 0.95)
        assert found.upper is None
        assert found.lower > 0.4
        assert "1 of 3 groups" in found.note

    def test_equal_values_in_three_rows_do_not_count_as_no_spread(self):
        found = largest_difference_of_means([3, 500], [1.0, 1.0], [0.0, 4.0], 0.95)
        assert found.upper > 1

    def test_steadied_variances_only_grow_and_hardly_touch_many_rows(self):
        steadied = means.steadied_variances(np.array([49.0, 99_999.0, 99_999.0]), np.array([0.5, 0.5, 4.0]))
        assert steadied[0] > 1.2
        assert steadied[1] == pytest.approx(0.5, abs=1e-2)
        assert steadied[2] == pytest.approx(4, rel=1e-2)

    def test_a_variance_above_the_pooled_one_is_raised_by_its_own_standard_error(self):
        """Exp(sqrt(2 / 49)) of 4, but equal variances stay what they are."""
        apart = means.steadied_variances(np.array([49.0, 99_999.0]), np.array([4.0, 1.0]))
        assert apart[0] == pytest.approx(4 * np.exp(np.sqrt(2 / 49)), rel=1e-6)
        assert means.steadied_variances(np.array([49.0, 99.0]), np.array([4.0, 4.0])) == pytest.approx([4, 4])


class TestErrorSizes:
    def test_root_agrees_with_the_delta_method_where_rows_are_many(self):
        """For normal errors the standard error of the RMSE is sigma / sqrt(2 n)."""
        found = largest_difference_of_error_sizes([1e6, 1e6], [1.0, 4.0], [2.0, 32.0], 0.95, root=True)
        half = 1.959964 * np.hypot(1, 2) / np.sqrt(2e6)
        assert (found.lower, found.upper) == pytest.approx((1 - half, 1 + half), abs=2e-5)

    def test_a_small_group_borrows_the_relative_spread_of_the_large(self):
        """50 rows that missed the tail: spread 10 times too small is not believed."""
        missed = error_size_intervals([50, 10_000], [1.0, 1.0], [0.2, 2.0], 0.95)
        assert missed[0].upper - 1 > 1.9 * np.sqrt(2 / 50)
        assert missed[1].width == pytest.approx(2 * 1.96 * np.sqrt(2 / 10_000), rel=0.05)

    def test_a_group_that_caught_a_large_error_keeps_its_own_lower_limit(self):
        """The borrowed spread is for upper limits only: 50 rows lower than they are is what must not be believed."""
        calm = error_size_intervals([50, 10_000], [1.0, 1.0], [2.0, 2.0], 0.95)[0]
        beside_wild = error_size_intervals([50, 10_000], [1.0, 1.0], [2.0, 8.0], 0.95)[0]
        assert beside_wild.upper > calm.upper + 0.2
        assert calm.lower - 0.05 < beside_wild.lower < calm.lower

    def test_three_equal_errors_are_not_certainty(self):
        found = error_size_intervals([3, 10_000], [1.0, 1.0], [0.0, 2.0], 0.95)[0]
        assert found.lower < 0.5

    def test_a_monstrous_error_in_a_large_group_leaves_the_small_one_without_upper_limit(self):
        """Spread 1,000 times the squared mean: one row carries most, and 50 rows are worth 50 / 1,001 equal ones."""
        found, large = error_size_intervals([50, 10_000], [1.0, 1.0], [2.0, 1_000.0], 0.95)
        assert (found.upper, found.lower > 0) == (None, True)
        assert "a few rows carry most of the error" in found.note
        assert large.upper < 2.2

    def test_beyond_a_factor_e_the_upper_limit_grows_along_the_tangent(self):
        found = error_size_intervals([20, 10_000], [1.0, 1.0], [5.5, 5.5], 0.95)[0]
        assert np.exp(1) < found.upper < np.exp(1.15)

    def test_one_gross_error_shows_no_gap_whoever_caught_it(self):
        """Mean square 200 of 1 gross error of 100 in 50 rows, beside 1: the pooled spread allows for it."""
        means, variances = np.array([201.0, *[1.0] * 5]), np.array([1e4**2 / 50, *[2.0] * 5])
        difference = largest_difference_of_error_sizes([50] * 6, means, variances, 0.95, root=True)
        assert (difference.lower, difference.upper) == (0, None)
        assert "owe most of their error to a few rows" in difference.note
        assert smallest_ratio_of_error_sizes([50] * 6, means, variances, 0.95, root=True).upper == 1

    def test_ratio_lies_around_the_ratio_of_the_figures(self):
        found = smallest_ratio_of_error_sizes([1_000, 1_000], [1.0, 4.0], [2.0, 32.0], 0.95, root=True)
        assert found.lower < 0.5 < found.upper < 0.6

    def test_a_perfect_group_has_a_difference_and_no_ratio(self):
        assert smallest_ratio_of_error_sizes([50, 50], [0.0, 1.0], [0.0, 1.0], 0.95).lower is None
        assert largest_difference_of_error_sizes([50, 50], [0.0, 1.0], [0.0, 1.0], 0.95).lower > 0.3


class TestDistances:
    edges = np.linspace(-5, 5, 101)

    def counts(self, *samples):
        return np.stack([np.histogram(np.clip(sample, -5, 5), self.edges)[0] for sample in samples])

    def test_values_are_those_of_scipy_on_binned_values(self):
        generator = np.random.default_rng(2)
        centres = (self.edges[1:] + self.edges[:-1]) / 2
        first, second = (centres[generator.integers(20, 80, 300)] for _ in range(2))
        counts = self.counts(first, second)
        ks = distribution_distances(counts, self.edges, distance="kolmogorov_smirnov")[0, 1]
        wasserstein = distribution_distances(counts, self.edges, distance="wasserstein")[0, 1]
        assert ks == pytest.approx(stats.ks_2samp(first, second).statistic)
        assert wasserstein == pytest.approx(stats.wasserstein_distance(first, second))

    @pytest.mark.parametrize("distance", ["kolmogorov_smirnov", "wasserstein"])
    def test_same_data_twice_gives_the_same_interval_around_the_value(self, distance):
        generator = np.random.default_rng(3)
        counts = self.counts(generator.normal(0, 1, 2_000), generator.normal(1, 1, 2_000))
        value = distribution_distances(counts, self.edges, distance=distance)[0, 1]
        found = largest_distribution_distance(counts, self.edges, 0.95, distance=distance)
        assert found == largest_distribution_distance(counts, self.edges, 0.95, distance=distance)
        assert 0 < found.lower < value < found.upper

    @pytest.mark.parametrize("distance", ["kolmogorov_smirnov", "wasserstein"])
    def test_an_empty_group_may_be_anywhere(self, distance):
        counts = self.counts(np.zeros(500), np.zeros(500), [])
        found = largest_distribution_distance(counts, self.edges, 0.95, distance=distance)
        assert found.upper == {"kolmogorov_smirnov": 1, "wasserstein": 10}[distance]

    def test_drawn_areas_have_the_mean_of_gaussian_error_curves(self):
        """The mean of |B_i - B_j| at a point is its standard deviation times the root of 2 / pi."""
        generator = np.random.default_rng(4)
        # Wide gaps: most bins are empty, which must not change the area.
        counts = self.counts(*(generator.choice([-3.0, 0.0, 0.1, 4.0], rows) for rows in (300, 100)))
        share = counts.cumsum(axis=1)[:, :-1] / [[300], [100]]
        variance = (share * (1 - share) / [[299], [99]]).sum(axis=0)
        expected = np.sqrt(2 / np.pi * variance).sum() * 0.1
        areas = draw_error_areas(counts.astype(float), self.edges, [0], [1])[:, 0]
        assert areas.mean() == pytest.approx(expected, abs=4 * areas.std() / np.sqrt(DRAWS))
        assert len(np.unique(areas)) == DRAWS

    @pytest.mark.parametrize("rows", [(50, 2_000), (20, 1_000)])
    def test_few_skewed_rows_beside_many_do_not_show_a_gap_that_is_not_there(self, rows):
        """From the covariance of the few rows alone the lower end was above 0 in 13 % and more of such samples."""
        generator, above, runs = np.random.default_rng(6), 0, 120
        for _ in range(runs):
            values = [generator.lognormal(size=size) for size in rows]
            edges = np.linspace(0, max(map(max, values)), 129)
            counts = np.array([np.histogram(value, edges)[0] for value in values])
            above += largest_distribution_distance(counts, edges, 0.95, distance="wasserstein").lower > 0
        assert above / runs <= 0.05

    @pytest.mark.parametrize("unit", [1e-60, 1.0, 1e60])
    def test_an_interval_keeps_the_unit_of_the_values(self, unit):
        counts = self.counts(*np.random.default_rng(5).normal(0, 1, (2, 400)))
        found = largest_distribution_distance(counts, self.edges * unit, 0.95, distance="wasserstein")
        same = largest_distribution_distance(counts, self.edges, 0.95, distance="wasserstein")
        assert found.upper / unit == pytest.approx(same.upper)

    def test_a_grid_too_coarse_to_tell_does_not_make_groups_alike(self):
        counts = np.array([[500, 0], [500, 0]])
        found = largest_distribution_distance(counts, [0.0, 1.0, 2.0], 0.95, distance="kolmogorov_smirnov")
        assert found.upper == 1

    @pytest.mark.parametrize("outlier", [None, 1e6])
    def test_two_normal_groups_three_apart_have_the_distance_of_the_textbook(self, outlier):
        """N(0, 1) against N(3, 1): K-S is 2 Phi(1.5) - 1 = .8664, Wasserstein 3; one outlier changes no range."""
        generator = np.random.default_rng(0)
        samples = generator.normal(0, 1, 500), generator.normal(3, 1, 500)
        if outlier:
            samples[0][0] = outlier
        values = np.unique(samples)
        counts = np.array([np.isin(values, sample) for sample in samples]).astype(int)
        found = {
            of: largest_distribution_distance(counts, values, 0.95, distance=of)
            for of in ("kolmogorov_smirnov", "wasserstein")
        }
        smirnov = found["kolmogorov_smirnov"]
        assert distribution_distances(counts, values, distance="kolmogorov_smirnov")[0, 1] == pytest.approx(
            stats.ks_2samp(*samples).statistic
        )
        assert distribution_distances(counts, values, distance="wasserstein")[0, 1] == pytest.approx(
            stats.wasserstein_distance(*samples)
        )
        assert 0.78 < smirnov.lower < 0.8664 < smirnov.upper < 0.92
        if not outlier:
            assert 2.6 < found["wasserstein"].lower < 3 < found["wasserstein"].upper < 3.3

    def test_edges_must_fit_the_counts(self):
        with pytest.raises(IntervalError, match="one ascending value per column or one more edge"):
            largest_distribution_distance([[1, 2], [3, 4]], [0.0, 1.0, 2.0, 3.0], 0.95, distance="wasserstein")


class TestSeveralParts:
    def test_worst_of_two_differences(self):
        found = combine_worst([make_interval(0.0, 0.1, "a"), make_interval(0.05, 0.08, "a")], 0.95)
        assert (found.lower, found.upper) == (0.05, 0.1)

    def test_worst_of_two_ratios(self):
        found = combine_worst([make_interval(0.7, 1.0, "a"), make_interval(0.6, 0.9, "a")], 0.95, kind="ratio")
        assert (found.lower, found.upper) == (0.6, 0.9)

    def test_an_open_part_leaves_the_harmful_end_open(self):
        found = combine_worst([make_interval(None, None, "a", "no positives"), make_interval(0.05, 0.08, "a")], 0.95)
        assert (found.lower, found.upper, found.note) == (0.05, None, "no positives")

    def test_parts_share_the_level(self):
        assert part_level(0.95, 2) == pytest.approx(0.975)


class TestStrata:
    def test_one_stratum_is_the_plain_difference(self):
        plain = largest_difference_of_proportions([30, 50], [100, 120], 0.95)
        found = stratified_difference_of_proportions([[30, 50]], [[100, 120]], 0.95)
        assert (found.lower, found.upper) == pytest.approx((plain.lower, plain.upper))

    def test_a_difference_due_to_strata_alone_disappears(self):
        """Simpson's paradox: equal rates within strata, unequal mix."""
        rows = np.array([[900, 100], [100, 900]])
        events = np.array([[90, 10], [50, 450]])
        assert standardised_rates(events, rows)[0] == pytest.approx(np.full((2, 2), 0.3))
        assert stratified_difference_of_proportions(events, rows, 0.95).lower == 0
        assert largest_difference_of_proportions(events.sum(0), rows.sum(0), 0.95).lower > 0.2

    def test_strata_without_every_group_are_counted(self):
        found = stratified_difference_of_proportions([[5, 6], [1, 0]], [[50, 50], [4, 0]], 0.95)
        assert "4 of 104 rows" in found.note

    def test_each_pair_is_standardised_to_its_own_strata(self):
        events, rows = np.array([[10, 30, 5], [40, 20, 0]]), np.array([[50, 50, 10], [50, 40, 0]])
        rates, weights = standardised_rates(events, rows)
        assert weights[:, 0, 1] == pytest.approx([110 / 200, 90 / 200])
        assert weights[:, 0, 2] == pytest.approx([1, 0])
        assert rates[0] == pytest.approx([0.55 * 0.2 + 0.45 * 0.8, 0.55 * 0.2 + 0.45 * 0.8, 0.2])
        assert rates[2] == pytest.approx([0.5, 0.5, 0.5])

    def test_pairs_on_different_strata_are_held_together(self):
        """No gap: the lower end may exceed 0 in 5 % of all samples, though the pairs rest on different strata."""
        generator, there = np.random.default_rng(3), np.array([[1, 1, 1, 0], [1, 1, 0, 0], [0, 1, 1, 1], [1, 0, 0, 1]])
        rows = np.broadcast_to(there * 60, (3_000, 4, 4))
        events = generator.binomial(rows, np.array([0.3, 0.37, 0.43, 0.5])[:, None])
        lower, _ = standardised_bounds(events.astype(float), rows.astype(float), 0.95)
        assert 0.02 < (lower > 0).mean() < 0.05 + 0.012

    def test_no_common_stratum_has_no_interval(self):
        found = stratified_difference_of_proportions([[5, 0], [0, 3]], [[50, 0], [0, 9]], 0.95)
        assert found.upper is None
