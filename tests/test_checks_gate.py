"""Checks against the model in production: error rates, power, and what each finding says."""

from __future__ import annotations

from math import ceil, log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from benchmarks.regression import TABLE, simulated_power
from pytest_bertcheck import Evidence, diagnose, required_examples, statistics
from pytest_bertcheck.checks.gate import MOST_FLIPS
from pytest_bertcheck.findings import Verdict

from .simulate import run_check

NAMES = ["business", "culture", "sport"]
SEEDS = st.integers(0, 2**32 - 1)
COUNTS = st.integers(0, 60)
OUTSIDE = [-1, 3, 99]
"""Answers of a baseline that are no label."""


def flips(lost, won, kept=300, **fields):
    """Evidence of answers of which so many flip to wrong, flip to right, and stay right."""
    size = lost + won + kept
    y_true = np.arange(size) % 3
    wrong = (y_true + 1) % 3
    place = np.arange(size)
    return Evidence(
        y_true=y_true,
        y_pred=np.where(place < lost, wrong, y_true),
        baseline_y_pred=np.where((place >= lost) & (place < lost + won), wrong, y_true),
        dataset_label_names=NAMES,
        **fields,
    )


def two_models(generator, n, *, accuracy=0.85, alike=0.6):
    """True labels, and the answers of two equally good models that err partly alike."""
    y_true = generator.integers(0, 3, n)

    def answers():
        right = generator.random(n) < accuracy
        return np.where(right, y_true, (y_true + generator.integers(1, 3, n)) % 3)

    first, second = answers(), answers()
    return y_true, first, np.where(generator.random(n) < alike, first, second)


# McNemar's test


@given(lost=COUNTS, won=COUNTS)
def test_the_p_value_is_the_exact_binomial_of_the_flips(lost, won):
    """One-sided: as SciPy's binomial test of the flips to wrong among all flips."""
    finding = run_check("no_regression", flips(lost, won))
    either = max(1, lost + won)
    wanted = stats.binomtest(lost, either, 0.5, alternative="greater").pvalue
    assert finding.p_value == pytest.approx(wanted if lost + won else 1.0)
    assert (lost, won) == (
        finding.statistics["negative_flips"], finding.statistics["positive_flips"],
    )  # fmt: skip


@given(gates=st.integers(1, 40), alpha=st.sampled_from([0.05, 0.01, 0.001]))
@settings(deadline=None)
def test_each_gate_costs_one_flip_more(gates, alpha):
    """With nothing won, log2(1/alpha) flips fail at first, and one more for each gate since."""
    least = ceil(log2(1 / alpha)) + gates - 1
    verdicts = [
        run_check("no_regression", flips(lost, 0, baseline_gates=gates), alpha=alpha).verdict
        for lost in (least - 1, least)
    ]
    assert verdicts[0] is not Verdict.FAILED
    assert verdicts[1] is Verdict.FAILED


@given(lost=COUNTS, won=COUNTS, seed=SEEDS)
@settings(deadline=None, max_examples=30)
def test_the_order_of_the_examples_does_not_matter(lost, won, seed):
    """Shuffled rows give the verdicts and p-values of the rows in order."""
    evidence = flips(lost, won)
    order = np.random.default_rng(seed).permutation(len(evidence.y_true))
    rows = {name: getattr(evidence, name)[order] for name in ("y_true", "y_pred",
                                                              "baseline_y_pred")}  # fmt: skip
    shuffled = Evidence(**rows, dataset_label_names=NAMES)
    for check in ("no_regression", "no_class_regression", "few_negative_flips"):
        first, second = (run_check(check, each) for each in (evidence, shuffled))
        assert (first.verdict, first.p_value) == (second.verdict, second.p_value)


@given(lost=COUNTS, won=COUNTS, outside=st.sampled_from(OUTSIDE), more=st.integers(1, 50))
@settings(deadline=None, max_examples=30)
def test_examples_without_an_answer_of_the_baseline_do_not_count(lost, won, outside, more):
    """Examples that the baseline never saw change no number, whatever the new model answers."""
    plain = flips(lost, won)
    extended = Evidence(
        y_true=np.append(plain.y_true, np.zeros(more, dtype=int)),
        y_pred=np.append(plain.y_pred, np.ones(more, dtype=int)),
        baseline_y_pred=np.append(plain.baseline_y_pred, np.full(more, outside)),
        dataset_label_names=NAMES,
    )
    for check in ("no_regression", "no_class_regression", "few_negative_flips"):
        first, second = (run_check(check, each) for each in (plain, extended))
        assert first.p_value == second.p_value
        assert first.verdict is second.verdict


def test_logits_of_the_baseline_will_do():
    """Without the baseline's answers, the argmax of its outputs stands for them."""
    answers = flips(30, 2)
    outputs = Evidence(
        y_true=answers.y_true, logits=np.eye(3)[answers.y_pred],
        baseline_logits=np.eye(3)[answers.baseline_y_pred],
    )  # fmt: skip
    first, second = (run_check("no_regression", each) for each in (answers, outputs))
    assert (first.verdict, first.p_value) == (second.verdict, second.p_value)


# A margin


def test_a_loss_within_the_margin_does_not_fail():
    """Without a margin 30 of 1,000 lost answers fail, with 5 % allowed they do not."""
    assert "failed" == run_check("no_regression", flips(30, 0, 970)).verdict
    assert "failed" != run_check("no_regression", flips(30, 0, 970, baseline_margin=0.05)).verdict


def test_a_loss_far_beyond_the_margin_fails():
    """Where 2 % are allowed, 100 of 1,000 lost answers fail, in all and on each label."""
    evidence = flips(100, 0, 900, baseline_margin=0.02)
    assert "failed" == run_check("no_regression", evidence).verdict
    assert "failed" == run_check("no_class_regression", evidence).verdict


@given(
    lost=COUNTS,
    won=COUNTS,
    margins=st.lists(st.floats(1e-6, 0.5), min_size=2, max_size=2).map(sorted),
)
@settings(deadline=None)
def test_a_wider_margin_is_easier_to_keep(lost, won, margins):
    """The p-value does not fall as the margin grows."""
    narrow, wide = (statistics.paired_worse(lost, won, 300, margin=margin) for margin in margins)
    assert narrow <= wide + 1e-9


# One label


def test_a_label_that_gets_worse_is_found_in_a_model_that_gets_better():
    """Better in all and worse on one label: the one check passes, the other names the label."""
    y_true = np.arange(900) % 3
    place = np.arange(900)
    before = np.where((y_true != 1) & (place % 5 == 0), 1, y_true)
    now = np.where((y_true == 1) & (place % 15 == 1), 2, y_true)
    evidence = Evidence(
        y_true=y_true, y_pred=now, baseline_y_pred=before, dataset_label_names=NAMES
    )
    assert "passed" == run_check("no_regression", evidence).verdict
    finding = run_check("no_class_regression", evidence)
    assert "failed" == finding.verdict
    assert ["culture"] == finding.statistics["worse_labels"]
    assert finding.summary.startswith("1 label worse: 'culture'")


@given(seed=SEEDS)
@settings(deadline=None, max_examples=40)
def test_labels_fail_by_holms_method(seed):
    """The labels named are those that Holm's method rejects among their McNemar tests."""
    generator = np.random.default_rng(seed)
    y_true, before, now = two_models(generator, 400, accuracy=0.8)
    worst = generator.integers(0, 3)
    now = np.where((y_true == worst) & (generator.random(400) < 0.25), (y_true + 1) % 3, now)
    p_values = [
        statistics.paired_worse(
            int(np.sum((y_true == label) & (before == label) & (now != label))),
            int(np.sum((y_true == label) & (before != label) & (now == label))),
        )
        for label in range(3)
    ]
    evidence = Evidence(
        y_true=y_true, y_pred=now, baseline_y_pred=before, dataset_label_names=NAMES
    )
    wanted = {NAMES[i] for i, rejected in enumerate(statistics.holm(p_values, 0.01)) if rejected}
    finding = run_check("no_class_regression", evidence, alpha=0.01)
    assert wanted == set(finding.statistics["worse_labels"])
    assert bool(wanted) == (finding.verdict == "failed")


# What is named


def test_the_surest_mistakes_are_named_first():
    """Of the flips, those come first of whose wrong answer the outputs are surest."""
    generator = np.random.default_rng(0)
    y_true = np.arange(300) % 3
    sure = generator.permutation(300) / 100 + 0.5
    lost = np.arange(300) < 60
    logits = np.eye(3)[np.where(lost, (y_true + 1) % 3, y_true)] * sure[:, None]
    evidence = Evidence(
        y_true=y_true, logits=logits, baseline_y_pred=y_true,
        example_keys=[f"text {row}" for row in range(300)],
    )  # fmt: skip
    named = [row[0] for row in run_check("no_regression", evidence).table[1:]]
    wanted = sorted(np.flatnonzero(lost), key=lambda row: -sure[row])
    assert [f"text {row}" for row in wanted] == named


HOSTILE = [
    "\x1b[31mred",
    "<script>alert(1)</script>",
    "a" * 10**6,
    "x\x00y",
    "\u202eevil",
    "\ud800",
]


def test_hostile_texts_are_shown_capped_and_escaped():
    """Control characters, bidi marks and huge texts come out short and printable."""
    keys = [HOSTILE[row % len(HOSTILE)] + str(row) for row in range(330)]
    finding = run_check("no_regression", flips(30, 0, example_keys=keys))
    shown = str(finding)
    assert "failed" == finding.verdict
    assert shown.replace("\n", "").isprintable()
    assert max(map(len, shown.splitlines())) <= 130
    assert len(finding.statistics["worst_flips"]) <= MOST_FLIPS


def test_a_finding_names_no_more_than_it_may():
    """Thousands of flips do not make a report of thousands of rows."""
    finding = run_check("no_regression", flips(5000, 0))
    assert MOST_FLIPS == len(finding.statistics["worst_flips"])


# Too little data, and data that were used too often


def test_too_few_examples_are_inconclusive_and_say_how_many_would_do():
    """On 90 rows a drop of 5 % might not show; on as many as it says it does."""
    finding = run_check("no_regression", flips(0, 0, 90))
    assert "inconclusive" == finding.verdict
    needed = finding.statistics["needed"]
    assert f"about {needed:,} would tell" in finding.summary
    assert "passed" == run_check("no_regression", flips(0, 0, needed)).verdict
    assert 0.79 < stats.binom.sf(9, needed, 0.05)  # ten flips fail at alpha = .001


def test_a_set_that_was_gated_on_too_often_is_spent():
    """Enough examples at first are too few after some gates; fresh ones restore them."""
    assert "passed" == run_check("no_regression", flips(0, 0, 300)).verdict
    finding = run_check("no_regression", flips(0, 0, 300, baseline_gates=8))
    assert "inconclusive" == finding.verdict
    assert finding.summary.startswith("evaluation set spent: after 8 gates 300 rows may miss")
    fresh = finding.statistics["fresh"]
    assert f"{fresh:,} fresh rows would tell" in finding.summary
    assert "passed" == run_check("no_regression", flips(0, 0, fresh)).verdict


@pytest.mark.parametrize("margin", [0.0, 0.03])
def test_more_gates_need_more_examples(margin):
    """What a set must hold grows with each gate."""
    needed = [
        run_check(
            "no_regression", flips(0, 0, 20, baseline_gates=gates, baseline_margin=margin)
        ).statistics["needed"]
        for gates in (1, 2, 5, 10, 20)
    ]
    assert sorted(set(needed)) == needed


# Flips to wrong


def test_flips_are_judged_by_exact_bounds():
    """Below, around and above a limit of 5 %: passed, inconclusive, failed."""
    verdicts = [
        run_check("few_negative_flips", flips(lost, 0, 1000 - lost)).verdict
        for lost in (20, 50, 90)
    ]
    assert ["passed", "inconclusive", "failed"] == verdicts


@given(lost=st.integers(0, 200), size=st.integers(200, 400))
@settings(deadline=None)
def test_the_bounds_are_those_of_clopper_and_pearson(lost, size):
    """It fails where the lower bound is above the limit, and passes where the upper is below."""
    low, high = statistics.clopper_pearson(lost, size, 2 * 0.001)
    finding = run_check("few_negative_flips", flips(lost, 0, size - lost), max_rate=0.2)
    wanted = "failed" if low > 0.2 else "passed" if high < 0.2 else "inconclusive"
    assert wanted == finding.verdict


# Labels swapped, without true labels


@given(seed=SEEDS, swapped=st.permutations([0, 1, 2]))
@settings(deadline=None, max_examples=40)
def test_a_swap_shows_against_the_baseline_alone(seed, swapped):
    """Without y_true, a permutation of the labels is found, and no permutation is none."""
    _, before, now = two_models(np.random.default_rng(seed), 300)
    evidence = Evidence(y_pred=np.array(swapped)[now], baseline_y_pred=before, label_names=NAMES)
    diagnosis = diagnose(evidence, checks=["labels_match_baseline"])
    if swapped == [0, 1, 2]:
        assert "passed" == diagnosis.verdict
    else:
        assert ["label-mapping-swapped"] == [cause.code for cause in diagnosis.causes]
        assert swapped == diagnosis.findings[0].statistics["permutation"]


def test_a_swap_that_was_mended_is_no_fault():
    """Where true labels say that the new order is right, the baseline's order does not matter."""
    y_true = np.arange(300) % 3
    evidence = Evidence(
        y_true=y_true, y_pred=y_true, baseline_y_pred=np.array([1, 0, 2])[y_true],
        label_names=NAMES,
    )  # fmt: skip
    assert "passed" == diagnose(evidence).verdict


# The data changed, or the model


RATES = np.array([[0.9, 0.05, 0.05], [0.04, 0.9, 0.06], [0.02, 0.08, 0.9]])


def answered(generator, shares, n=2000, rates=RATES):
    """True labels and answers where labels have these shares, and answers these rates."""
    y_true = generator.choice(3, n, p=shares)
    return y_true, np.array([generator.choice(3, p=rates[label]) for label in y_true])


@pytest.mark.parametrize("labelled", [True, False], ids=["y_true", "no labels"])
@pytest.mark.parametrize("shares", [(0.7, 0.1, 0.2), (0.1, 0.2, 0.7), (0.0, 0.5, 0.5)])
def test_a_prior_shift_is_told_from_a_change_of_the_model(shares, labelled):
    """Other shares of the labels explain other answers, and are estimated without any label."""
    generator = np.random.default_rng(3)
    y_true, y_pred = answered(generator, shares)
    evidence = Evidence(
        y_pred=y_pred, y_true=y_true if labelled else None, label_names=NAMES,
        baseline_confusion=np.rint(1000 * RATES),
    )  # fmt: skip
    finding = run_check("label_shares_explained", evidence)
    assert "passed" == finding.verdict
    assert "not the model" in finding.summary
    np.testing.assert_allclose(shares, finding.statistics["shares_of_true_labels"], atol=0.05)


@pytest.mark.parametrize("labelled", [True, False], ids=["y_true", "no labels"])
def test_a_change_of_the_model_is_not_taken_for_a_prior_shift(labelled):
    """A model that answers nearly everything alike does what no shares of the labels explain."""
    generator = np.random.default_rng(3)
    rates = np.tile([0.98, 0.01, 0.01], (3, 1))
    y_true, y_pred = answered(generator, (1 / 3, 1 / 3, 1 / 3), rates=rates)
    evidence = Evidence(
        y_pred=y_pred, y_true=y_true if labelled else None, label_names=NAMES,
        baseline_confusion=np.rint(1000 * RATES),
    )  # fmt: skip
    finding = run_check("label_shares_explained", evidence)
    assert "inconclusive" == finding.verdict
    assert "the model changed" in finding.summary


def test_a_change_of_the_model_is_left_to_the_paired_test_where_there_are_pairs():
    """With true labels and the baseline's answers, another model is not inconclusive for that."""
    y_true = np.arange(300) % 3
    evidence = Evidence(
        y_true=y_true, y_pred=np.zeros(300, dtype=int), baseline_y_pred=y_true, label_names=NAMES,
        baseline_confusion=100 * np.eye(3),
    )  # fmt: skip
    finding = run_check("label_shares_explained", evidence)
    assert "passed" == finding.verdict
    assert "the model changed" in finding.summary


@pytest.mark.simulation
def test_shares_are_rarely_blamed_on_a_model_that_did_not_change():
    """Of 500 shifts of the data under one model, hardly any is taken for another model."""
    generator = np.random.default_rng(1)
    blamed = 0
    for _ in range(500):
        _, y_pred = answered(generator, generator.dirichlet(np.ones(3)), 300)
        _, old = answered(generator, np.full(3, 1 / 3), 600)
        y_old = np.repeat([0, 1, 2], 200)
        old = np.array([generator.choice(3, p=RATES[label]) for label in y_old])
        confusion = statistics.confusion_matrix(y_old, old, 3).cells.toarray()
        finding = run_check(
            "label_shares_explained",
            Evidence(y_pred=y_pred, label_names=NAMES, baseline_confusion=confusion),
            alpha=0.05,
        )
        blamed += finding.verdict == "inconclusive"
    assert statistics.clopper_pearson(blamed, 500, 0.01)[0] <= 0.05


# Error rate and power


@pytest.mark.simulation
@pytest.mark.parametrize("check", ["no_regression", "no_class_regression"])
@pytest.mark.parametrize("margin", [0.0, 0.01])
def test_equally_good_models_fail_no_more_often_than_alpha(check, margin):
    """Of 1,000 pairs of equally good models no more fail than a rate of alpha explains."""
    generator = np.random.default_rng(11)
    failed = 0
    for _ in range(1000):
        n = int(generator.integers(50, 1500))
        y_true, before, now = two_models(
            generator, n, accuracy=generator.uniform(0.4, 0.99), alike=generator.uniform(0, 0.95)
        )
        evidence = Evidence(
            y_true=y_true, y_pred=now, baseline_y_pred=before, dataset_label_names=NAMES,
            baseline_margin=margin,
        )  # fmt: skip
        failed += run_check(check, evidence, alpha=0.05).verdict == "failed"
    assert statistics.clopper_pearson(failed, 1000, 0.01)[0] <= 0.05, failed


@pytest.mark.parametrize(("n", "power"), TABLE.items())
def test_the_exact_power_is_that_of_the_table(n, power):
    """Flips of 3 % and 1 %, alpha .01: the power is .39, .78 and .99."""
    assert power == round(statistics.paired_worse_power(n, 0.03, 0.01, 0.01), 2)


@pytest.mark.simulation
@pytest.mark.parametrize(("n", "power"), TABLE.items())
def test_the_check_has_the_power_of_the_table(n, power):
    """Of 600 simulated regressions the check finds about as many as the table says."""
    found = simulated_power(n, sessions=600, seed=5)
    assert 0.001 < stats.binomtest(round(600 * found), 600, power).pvalue


@pytest.mark.parametrize("power", [0.5, 0.9])
def test_required_examples_have_the_power(power):
    """The number of examples that is asked for is the least that has the power, to a tooth."""
    n = required_examples("no_regression", lost=0.03, won=0.01, power=power, alpha=0.01)
    assert power <= statistics.paired_worse_power(n, 0.03, 0.01, 0.01)
    assert power > statistics.paired_worse_power(n - 60, 0.03, 0.01, 0.01)


@given(seed=SEEDS, lost=st.floats(0.02, 0.3), n=st.integers(20, 200))
@settings(deadline=None, max_examples=20)
def test_the_exact_power_is_what_a_simulation_finds(seed, lost, n):
    """Drawn flips fail as often as the sum over their numbers says."""
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(n, [lost, lost / 3, 1 - lost - lost / 3], size=2000)
    rejected = sum(statistics.paired_worse(a, b) <= 0.05 for a, b, _ in drawn)
    exact = statistics.paired_worse_power(n, lost, lost / 3, 0.05)
    assert 1e-6 < stats.binomtest(rejected, 2000, min(1.0, exact)).pvalue
