"""The shared tests and intervals, held against scipy.stats, scikit-learn and simulation."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import confusion_matrix as sklearn_confusion_matrix
from sklearn.metrics import log_loss

from pytest_bertcheck import statistics

SEEDS = st.integers(0, 2**32 - 1)


@given(trials=st.integers(0, 300), successes=st.integers(0, 300), p=st.floats(0.01, 0.99))
@settings(deadline=None, max_examples=80)
def test_binomial_tails_are_scipys_exact_test(trials, successes, p):
    """Both tails are the one-sided exact binomial tests, and share the point between them."""
    assume(successes <= trials)
    at_least = statistics.binomial_at_least(successes, trials, p)
    at_most = statistics.binomial_at_most(successes, trials, p)
    if trials:
        greater = stats.binomtest(successes, trials, p, alternative="greater").pvalue
        less = stats.binomtest(successes, trials, p, alternative="less").pvalue
        assert pytest.approx(greater, rel=1e-6) == at_least
        assert pytest.approx(less, rel=1e-6) == at_most
    assert pytest.approx(1 + stats.binom.pmf(successes, trials, p)) == at_least + at_most


@given(chances=st.lists(st.floats(0, 1), max_size=12), successes=st.integers(0, 13), data=st.data())
def test_trials_with_chances_of_their_own_are_counted_over_all_outcomes(chances, successes, data):
    """The tail is the sum over all outcomes; of equal chances it is the binomial's."""
    expected = sum(
        np.prod([p if hit else 1 - p for p, hit in zip(chances, outcome, strict=True)])
        for outcome in itertools.product([False, True], repeat=len(chances))
        if sum(outcome) >= successes
    )
    assert expected == pytest.approx(statistics.successes_at_least(successes, chances), abs=1e-12)
    p = data.draw(st.floats(0, 1))
    assert statistics.binomial_at_least(successes, 9, p) == pytest.approx(
        statistics.successes_at_least(successes, [p] * 9), abs=1e-12
    )


@given(
    trials=st.integers(1, 400),
    successes=st.integers(0, 400),
    alpha=st.sampled_from([0.2, 0.05, 0.001]),
)
@settings(deadline=None, max_examples=60)
def test_clopper_pearson_is_the_inversion_of_the_binomial_test(trials, successes, alpha):
    """At each end of the interval the one-sided test is exactly at alpha / 2."""
    assume(successes <= trials)
    low, high = statistics.clopper_pearson(successes, trials, alpha)
    assert 0 <= low <= successes / trials <= high <= 1
    if successes:
        assert pytest.approx(alpha / 2, rel=1e-4) == stats.binom.sf(successes - 1, trials, low)
    else:
        assert 0 == low
    if successes < trials:
        assert pytest.approx(alpha / 2, rel=1e-4) == stats.binom.cdf(successes, trials, high)
    else:
        assert 1 == high


def test_clopper_pearson_of_nothing_says_nothing():
    """Without a trial the proportion may be anything."""
    assert (0.0, 1.0) == statistics.clopper_pearson(0, 0, 0.05)


@given(first=st.integers(0, 200), second=st.integers(0, 200))
@settings(deadline=None, max_examples=50)
def test_paired_worse_is_the_exact_mcnemar_test(first, second):
    """The test looks only at examples on which one of the two is right; equal is no evidence."""
    p_value = statistics.paired_worse(first, second)
    if first + second:
        expected = stats.binomtest(first, first + second, alternative="greater").pvalue
        assert pytest.approx(expected) == p_value
    if first <= second:
        assert p_value >= 0.5


@given(
    rows=st.lists(st.integers(1, 3), min_size=2, max_size=3).filter(lambda rows: sum(rows) <= 7),
    seed=SEEDS,
)
@settings(deadline=None, max_examples=25)
def test_runs_are_counted_over_all_orders(rows, seed):
    """The test of too few runs is the share of all orders with as few runs of a label, exactly."""
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(rows)), rows))
    orders = np.array(list(itertools.permutations(labels)))

    def runs(order, label):
        there = np.hstack([np.zeros((len(order), 1), dtype=int), order == label])
        return (np.diff(there, axis=1) == 1).sum(axis=1)

    expected = min(
        (runs(orders, label) <= runs(labels[None], label)).mean() for label in range(len(rows))
    )
    assert pytest.approx(min(1.0, expected * len(rows))) == statistics.runs_too_few(labels)


@pytest.mark.parametrize("num_labels", [2, 5, 20])
def test_random_orders_have_too_few_runs_no_more_often_than_allowed(num_labels):
    """Over 2000 random orders of uneven labels, at most 5 % are found to stand together."""
    generator = np.random.default_rng(num_labels)
    found = 0
    for _ in range(2000):
        prior = generator.dirichlet(np.ones(num_labels))
        labels = generator.choice(num_labels, size=int(generator.integers(20, 400)), p=prior)
        found += statistics.runs_too_few(labels) <= 0.05
    assert statistics.clopper_pearson(found, 2000, 0.001)[0] <= 0.05


RATES = st.tuples(st.integers(1, 300), st.floats(0, 1)).map(
    lambda it: (round(it[0] * it[1]), it[0])
)


@given(one=RATES, other=RATES, margin=st.floats(0.01, 0.3), alpha=st.sampled_from([0.05, 0.001]))
@settings(deadline=None, max_examples=80)
def test_rates_above_each_other_are_apart_in_their_intervals(one, other, margin, alpha):
    """A rate is above another exactly if the two Clopper-Pearson intervals leave the margin."""
    p_value = statistics.rate_above(*one, *other, margin=margin)
    low = statistics.clopper_pearson(*one, alpha)[0]
    high = statistics.clopper_pearson(*other, alpha)[1]
    assume(abs(low - high - margin) > 1e-6)
    assert (low > high + margin) == (p_value <= alpha)


@pytest.mark.simulation
@pytest.mark.parametrize("rate", [0.02, 0.2, 0.5])
def test_rates_at_the_limit_are_found_above_no_more_often_than_allowed(rate):
    """Over 400 pairs of samples at exactly the limit, at most 5 % are found above it."""
    generator = np.random.default_rng(int(100 * rate))
    found = 0
    for _ in range(400):
        one, other = (int(generator.integers(20, 500)) for _ in range(2))
        successes = int(generator.binomial(one, rate + 0.1))
        others = int(generator.binomial(other, rate))
        p_value = statistics.rate_above(successes, one, others, other, margin=0.1)
        found += p_value <= 0.05
    assert statistics.clopper_pearson(found, 400, 0.001)[0] <= 0.05


@pytest.mark.simulation
@pytest.mark.parametrize(("rate", "other"), [(0.4, 0.1), (0.9, 0.2), (0.3, 0.0)])
def test_trials_for_a_gap_give_the_power(rate, other):
    """Over 400 pairs of samples of the size quoted, the gap is found as often as promised."""
    generator = np.random.default_rng(0)
    trials = statistics.trials_for_gap(rate, other, 0.1, 0.01, 0.8)
    found = sum(
        statistics.rate_above(*(int(generator.binomial(trials, rate)), trials),
                              *(int(generator.binomial(trials, other)), trials),
                              margin=0.1) <= 0.01
        for _ in range(400)
    )  # fmt: skip
    assert statistics.clopper_pearson(found, 400, 0.001)[1] >= 0.8


def test_rates_within_the_margin_are_never_told_apart():
    """No number of trials shows a gap that is not there."""
    with pytest.raises(ValueError, match=r"more than 0\.1 apart, got 0\.2 and 0\.15"):
        statistics.trials_for_gap(0.2, 0.15, 0.1, 0.001, 0.9)


@given(successes=st.integers(1, 50), rate=st.floats(0.01, 1), power=st.floats(0.5, 0.99))
@settings(deadline=None, max_examples=60)
def test_trials_for_successes_are_the_least_number(successes, rate, power):
    """That many trials hold the successes with the power asked for; one fewer do not."""
    trials = statistics.trials_for_successes(successes, rate, power)
    assert stats.binom.sf(successes - 1, trials, rate) >= power - 1e-9
    assert trials == successes or stats.binom.sf(successes - 1, trials - 1, rate) < power + 1e-9


@given(total=st.integers(1, 60), data=st.data())
@settings(deadline=None, max_examples=60)
def test_hypergeometric_tails_share_the_point(total, data):
    """Both tails count the same draws, and overlap in the point between them."""
    marked, drawn = (data.draw(st.integers(0, total)) for _ in range(2))
    hits = data.draw(st.integers(0, total))
    at_least = statistics.hypergeometric_at_least(hits, total, marked, drawn)
    at_most = statistics.hypergeometric_at_most(hits, total, marked, drawn)
    point = stats.hypergeom.pmf(hits, total, marked, drawn)
    assert pytest.approx(1 + point) == at_least + at_most


def counted(table):
    """Return the confusion of examples that give this table."""
    labels = np.indices(table.shape).reshape(2, -1).repeat(table.ravel(), axis=1)
    return statistics.confusion_matrix(*labels, len(table))


@given(cells=st.lists(st.integers(0, 60), min_size=4, max_size=4))
@settings(deadline=None, max_examples=60)
def test_two_labels_are_fishers_exact_test(cells):
    """With two labels the match tests are Fisher's exact test, times the number of labels."""
    table = np.array(cells).reshape(2, 2)
    assume(table.sum() > 0)
    for function, alternative in (
        (statistics.match_above_chance, "greater"),
        (lambda confusion: statistics.match_below_chance(confusion)[0], "less"),
    ):
        expected = min(1.0, 2 * stats.fisher_exact(table, alternative=alternative).pvalue)
        assert pytest.approx(expected, rel=1e-6, abs=1e-12) == function(counted(table))


@pytest.mark.parametrize(
    "function",
    [statistics.match_above_chance, lambda confusion: statistics.match_below_chance(confusion)[0]],
    ids=["above", "below"],
)
@pytest.mark.parametrize("num_labels", [2, 3, 5, 20])
def test_matching_by_chance_is_found_no_more_often_than_allowed(function, num_labels):
    """Over 1500 sets of answers paired with labels at random, rejections stay within 5 %."""
    generator = np.random.default_rng(num_labels)
    rejected = 0
    for _ in range(375):
        n = int(generator.integers(20, 400))
        prior = generator.dirichlet(np.full(num_labels, 0.7))
        y_true, y_pred = generator.choice(num_labels, size=(2, n), p=prior)
        table = statistics.confusion_matrix(y_true, y_pred, num_labels)
        rejected += function(table) <= 0.05
    assert statistics.clopper_pearson(rejected, 375, 0.001)[0] <= 0.05


@given(
    seed=SEEDS,
    num_labels=st.sampled_from([2, 3, 20, 120, 300, 5000]),
    n=st.integers(1, 60),
    dtype=st.sampled_from(["int8", "uint8", "int32", "int64"]),
)
@settings(deadline=None, max_examples=60)
def test_the_confusion_is_scikit_learns(seed, num_labels, n, dtype):
    """Pairs are counted as scikit-learn counts them, in whatever integer type, for any C."""
    ids = min(num_labels, 120)
    y_true, y_pred = np.random.default_rng(seed).integers(0, ids, (2, n)).astype(dtype)
    confusion = statistics.confusion_matrix(y_true, y_pred, num_labels)
    expected = np.zeros((num_labels, num_labels), dtype=int)
    with warnings.catch_warnings():
        # More than half as many labels as rows look like a regression to scikit-learn.
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        expected[:ids, :ids] = sklearn_confusion_matrix(y_true, y_pred, labels=range(ids))
    assert num_labels == confusion.num_labels
    np.testing.assert_array_equal(expected, confusion.cells.toarray())
    np.testing.assert_array_equal(expected.sum(axis=1), confusion.support)
    np.testing.assert_array_equal(expected.sum(axis=0), confusion.predicted)
    np.testing.assert_array_equal(np.diag(expected), confusion.hits)
    assert (n, np.trace(expected)) == (confusion.total, confusion.right)


def test_pairs_are_counted_over_many_blocks():
    """More rows than a block has are all counted, whatever the last block's length."""
    for n in (statistics.BLOCK - 1, statistics.BLOCK, 2 * statistics.BLOCK + 1):
        y = np.arange(n) % 3
        assert n == statistics.confusion_matrix(y, y, 3).right
        np.testing.assert_array_equal(np.bincount(y), statistics.label_counts(y, 3))


@given(seed=SEEDS, num_labels=st.integers(1, 6), n=st.integers(1, 60))
@settings(deadline=None, max_examples=60)
def test_the_largest_errors_are_those_of_each_row(seed, num_labels, n):
    """Each label's most frequent wrong prediction, and the count of the next, whatever the ties."""
    y_true, y_pred = np.random.default_rng(seed).integers(0, num_labels, (2, n))
    confusion = statistics.confusion_matrix(y_true, y_pred, num_labels)
    errors = confusion.largest_errors()
    for label, row in enumerate(confusion.cells.toarray()):
        wrong = np.delete(row, label)
        count, next_count = [*sorted(wrong, reverse=True), 0, 0][:2]
        others = [other for other in range(num_labels) if other != label and row[other] == count]
        assert (others[0] if count else label) == errors.label[label]
        assert (count, next_count) == (errors.count[label], errors.next_count[label])


@given(
    null=st.floats(0.02, 0.98),
    alternative=st.floats(0.02, 1.0),
    alpha=st.sampled_from([0.05, 0.001]),
    power=st.sampled_from([0.5, 0.9]),
)
@settings(deadline=None, max_examples=60)
def test_trials_for_power_reach_it_and_keep_it(null, alternative, alpha, power):
    """The exact test has the power from that number of trials on, and not with one fewer."""
    assume(abs(null - alternative) > 0.05)
    trials = statistics.trials_for_power(null, alternative, alpha, power)

    def reached(n):
        if alternative > null:
            critical = stats.binom.isf(alpha, n, null)
            return stats.binom.sf(critical, n, alternative) >= power
        critical = stats.binom.isf(alpha, n, 1 - null)
        return stats.binom.sf(critical, n, 1 - alternative) >= power

    assert all(reached(n) for n in range(trials, trials + 100))
    assert trials == 1 or not reached(trials - 1)


def test_rates_that_are_the_same_take_forever():
    """No number of trials tells a rate from itself, and the message says so."""
    with pytest.raises(ValueError, match=r"rates 0\.5 and 0\.5"):
        statistics.trials_for_power(0.5, 0.5, 0.001, 0.9)


@given(counts=st.lists(st.integers(1, 1000), min_size=2, max_size=6))
@settings(deadline=None, max_examples=50)
def test_entropy_is_the_loss_of_the_class_prior(counts):
    """The entropy of the counts is scikit-learn's log loss of always predicting the prior."""
    y = np.repeat(np.arange(len(counts)), counts)
    prior = np.array(counts) / sum(counts)
    expected = log_loss(y, np.tile(prior, (len(y), 1)), labels=range(len(counts)))
    assert pytest.approx(expected) == statistics.entropy(counts)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [([1, 1], 0.6931), ([9, 1], 0.3251), ([8, 2], 0.5004), ([96, 4], 0.1679), ([1] * 10, 2.3026)],
    ids=str,
)
def test_reference_points(counts, expected):
    """ln 2, H(.1), H(.2), H(.04), ln 10: the constants that the documentation quotes."""
    assert expected == round(statistics.entropy(counts), 4)


@given(
    alpha=st.sampled_from([0.05, 0.01, 0.001, 1e-6]),
    probability=st.floats(0.05, 0.995),
)
@settings(deadline=None, max_examples=50)
def test_examples_for_equal_answers_is_the_least_number(alpha, probability):
    """With that many equal answers the binomial test rejects; with one fewer it does not."""
    needed = statistics.trials_for_power(probability, 1.0, alpha, 0.9)
    assert statistics.binomial_at_least(needed, needed, probability) <= alpha * (1 + 1e-9)
    assert needed == 1 or (
        statistics.binomial_at_least(needed - 1, needed - 1, probability) > alpha * (1 - 1e-9)
    )


def test_the_number_of_examples_in_the_documentation():
    """135 equal answers at the defaults, 31 of other labels given the true ones."""
    assert 135 == statistics.trials_for_power(0.95, 1.0, 0.001, 0.9)
    assert 31 == statistics.trials_for_power(0.8, 1.0, 0.001, 0.9)


P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=8)


@given(p_values=P_VALUES, alpha=st.floats(0.001, 0.5))
@settings(deadline=None, max_examples=100)
def test_holm_lies_between_bonferroni_and_no_correction(p_values, alpha):
    """Holm rejects what Bonferroni rejects, nothing above alpha, and the smallest ones first."""
    rejected = statistics.holm(p_values, alpha)
    assert len(p_values) == len(rejected)
    for p_value, is_rejected in zip(p_values, rejected, strict=True):
        if p_value <= alpha / len(p_values):
            assert is_rejected
        if is_rejected:
            assert p_value <= alpha
    kept = [p for p, is_rejected in zip(p_values, rejected, strict=True) if not is_rejected]
    gone = [p for p, is_rejected in zip(p_values, rejected, strict=True) if is_rejected]
    assert max(gone, default=0) <= min(kept, default=1)


@given(p_values=P_VALUES, seed=SEEDS)
@settings(deadline=None, max_examples=40)
def test_holm_does_not_depend_on_the_order(p_values, seed):
    """The same p-values in another order are rejected alike."""
    order = np.random.default_rng(seed).permutation(len(p_values))
    assume(len(set(p_values)) == len(p_values))
    rejected = statistics.holm(p_values, 0.05)
    shuffled = statistics.holm([p_values[i] for i in order], 0.05)
    assert [rejected[i] for i in order] == shuffled


WEIGHTED = st.lists(
    st.tuples(st.floats(0, 1), st.sampled_from([0.5, 1, 4])), min_size=1, max_size=6
)


@given(family=WEIGHTED, alpha=st.floats(0.001, 0.5))
@settings(deadline=None, max_examples=100)
def test_holm_with_weights_is_the_closed_test_of_weighted_bonferroni(family, alpha):
    """One is rejected if every set that holds it has a p-value below its share of alpha there."""
    p_values, weights = zip(*family, strict=True)

    def set_is_rejected(members):
        least = min(p_values[i] / weights[i] for i in members)
        return least <= alpha / sum(weights[i] for i in members)

    ids = range(len(family))
    sets = [s for size in ids for s in itertools.combinations(ids, size + 1)]
    # Where a p-value meets its share to the last bit, rounding decides.
    for members in sets:
        left = sum(weights[i] for i in members)
        assume(all(abs(p_values[i] * left - alpha * weights[i]) > 1e-12 for i in members))
    expected = [all(set_is_rejected(s) for s in sets if i in s) for i in ids]
    assert expected == statistics.holm(p_values, alpha, weights)
    assert statistics.holm(p_values, alpha) == statistics.holm(p_values, alpha, [4.0] * len(family))


def test_holm_of_nothing():
    """A family without a test rejects nothing."""
    assert [] == statistics.holm([], 0.05)


@pytest.mark.parametrize("weights", [None, [4, 1, 1, 4, 1, 1]], ids=["equal", "weighted"])
def test_holm_holds_the_family_wise_rate(weights):
    """Over 2000 families of true null hypotheses, at most 5 % have any rejection."""
    generator = np.random.default_rng(0)
    families = generator.random((2000, 6))
    families[:, 3:] = families[:, :3]  # tests of the same data are not independent
    with_rejection = sum(any(statistics.holm(list(family), 0.05, weights)) for family in families)
    low, high = statistics.clopper_pearson(with_rejection, 2000, 0.001)
    assert low <= 0.05
    assert high >= 0.01  # and the method does reject


@given(
    n=st.integers(1, 60), v=st.integers(1, 60), share=st.sampled_from([0.5, 0.75, 0.8, 1.0]),
    data=st.data(),
)  # fmt: skip
@settings(deadline=None, max_examples=80)
def test_the_bound_on_a_difference_is_above_its_exact_probability(n, v, share, data):
    """With equal weights both means are binomial, whose exact probability is at most the bound."""
    right = data.draw(st.integers(0, n)), data.draw(st.integers(0, v))
    constant = 0.5
    floor = (1 - share) * constant
    seen = right[0] / n - share * right[1] / v
    bound = statistics._difference_below(
        seen, floor, np.array([n]), np.array([1.0]), others=v, share=share
    )
    firsts, seconds = np.meshgrid(np.arange(n + 1) / n, np.arange(v + 1) / v, indexing="ij")
    as_low = firsts - share * seconds <= seen + 1e-12
    exact = max(
        float((np.outer(stats.binom.pmf(np.arange(n + 1), n, share * q + floor),
                        stats.binom.pmf(np.arange(v + 1), v, q)) * as_low).sum())
        for q in np.linspace(0, 1, 41)
    )  # fmt: skip
    assert exact <= bound * (1 + 1e-6) + 1e-12


def test_a_skill_lost_in_part_shows_in_hundreds_of_rows():
    """Nine tenths of the skill lost on 400 rows, beside 200 others, are no matter of chance."""
    labels, counts = np.arange(400) % 2, np.array([1, 1])
    others = np.arange(200) >= 52
    lost, all_kept = (np.arange(400) >= 400 * wrong for wrong in (0.475, 0.3))
    assert statistics.skill_below(labels, lost, counts, others, 0.8) < 2e-4
    assert 1.0 == statistics.skill_below(labels, all_kept, counts, others, 0.8)
