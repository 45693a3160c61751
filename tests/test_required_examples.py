"""How many examples a check needs: the power is there, and findings quote the same number."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pytest_bertcheck import Evidence, required_examples
from pytest_bertcheck.checks import all_checks

from .simulate import run_check

PLANNED = [check.name for check in all_checks() if check.examples is not None]
CASES = {"labels_informative": {"min_skill": 0.2}}
SESSIONS = 200


def needed(check, **options):
    return required_examples(check, **{**CASES.get(check, {}), **options})


@pytest.mark.parametrize("check", PLANNED)
def test_more_certainty_takes_more_examples(check):
    """A smaller alpha and a greater power each take at least as many examples, and more in all."""
    by_alpha = [needed(check, alpha=alpha) for alpha in (0.1, 0.01, 0.001, 1e-6)]
    by_power = [needed(check, power=power) for power in (0.5, 0.9, 0.99)]
    assert sorted(by_alpha) == by_alpha
    assert sorted(by_power) == by_power
    assert 1 <= by_alpha[0] < by_alpha[-1]


def answered(generator, y_true, accuracy, num_labels):
    """Answer each example rightly with the probability given, else with any other label."""
    wrong = (y_true + generator.integers(1, num_labels, len(y_true))) % num_labels
    return np.where(generator.random(len(y_true)) < accuracy, y_true, wrong)


def collapsed(generator, n):
    y_true = generator.permutation(np.arange(n) % 2)
    return y_true, np.zeros(n, dtype=int)


def swapped(generator, n, *, num_labels=5, cycle=(1, 3)):
    y_true = np.arange(n) % num_labels
    permutation = np.arange(num_labels)
    permutation[list(cycle)] = np.roll(cycle, -1)
    return y_true, permutation[answered(generator, y_true, 0.9, num_labels)]


def shifted(generator, n):
    y_true = generator.integers(0, 3, n)
    return y_true, np.roll(answered(generator, y_true, 0.9, 3), 1)


def without_a_class(generator, n):
    y_true = np.arange(n) % 4
    return y_true, np.where(y_true == 2, 0, answered(generator, y_true, 0.9, 4) % 2)


def mediocre(generator, n):
    y_true = generator.integers(0, 3, n)
    return y_true, answered(generator, y_true, 0.8, 3)


FAULTS = {
    "collapse": ("not_collapsed", {"true_share": 0.5}, collapsed, {}),
    "swap": ("labels_not_swapped", {"num_labels": 5, "accuracy": 0.9}, swapped, {}),
    "shift": ("predictions_aligned", {"num_labels": 3, "accuracy": 0.9}, shifted, {}),
    "dead class": ("every_class_predicted", {"num_labels": 4}, without_a_class, {}),
    "low accuracy": (
        "metric_at_least", {"limit": 0.9, "accuracy": 0.8}, mediocre, {"limit": 0.9}),
}  # fmt: skip


@pytest.mark.simulation
@pytest.mark.parametrize("fault", FAULTS)
def test_that_many_examples_give_the_power(fault):
    """With the number of examples returned, nine of ten sessions with the fault fail."""
    check, case, session, options = FAULTS[fault]
    n = required_examples(check, power=0.9, **case)
    failed = 0
    for seed in range(SESSIONS):
        y_true, y_pred = session(np.random.default_rng(seed), n)
        names = [f"l{label}" for label in range(max(2, int(y_true.max()) + 1))]
        evidence = Evidence(y_true=y_true, y_pred=y_pred, label_names=names)
        failed += run_check(check, evidence, **options).verdict == "failed"
    assert stats.binom.cdf(failed, SESSIONS, 0.9) > 0.001, f"{failed} of {SESSIONS} at n = {n}"


def test_an_inconclusive_collapse_quotes_the_number():
    """The finding says how many equal answers would tell: the number returned here."""
    finding = run_check("not_collapsed", Evidence(y_pred=[0] * 100, label_names=["a", "b"]))
    assert "inconclusive" == finding.verdict
    assert str(required_examples("not_collapsed")) in finding.summary
