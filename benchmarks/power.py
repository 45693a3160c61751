"""How many examples the checks need, beside the fewest that any test could do with.

``python -m benchmarks.power`` simulates each fault at rising n, and prints the n from which on the
check finds it in nine of ten sessions, beside the least n at which the Neyman-Pearson test of the
fault against the least favourable member of the same null hypothesis would.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

from pytest_bertcheck import Evidence
from pytest_bertcheck.checks import ALPHA, find_check

Array = npt.NDArray[Any]
POWER = 0.9


@dataclass(frozen=True)
class Fault:
    """A fault at one setting.

    Attributes
    ----------
    name, check
        What it is, and the check that is to find it.
    draw
        (generator, n) -> evidence of n examples with the fault.
    bound
        n -> the greatest power that any test of the check's null hypothesis can have at n.
    goal
        How many times the least n the check may need.
    """

    name: str
    check: str
    draw: Callable[[np.random.Generator, int], Evidence]
    bound: Callable[[int], float]
    goal: float


def main() -> int:
    """Run the benchmark; 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=1000, help="Simulated sessions for each n")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(f"alpha {ALPHA}, power {POWER}, {options.sessions} sessions for each n\n")
    print(f"{'fault':52}{'check':28}{'n':>6}{'least n':>9}{'ratio':>7}{'goal':>6}")
    missed = 0
    for fault in faults():
        least = smallest(fault.bound, lambda power: power >= POWER)
        power = simulated_power(fault, options.sessions, options.seed)
        n = smallest(power, lambda value: value >= POWER, start=max(2, least // 2))
        ratio = n / least
        missed += ratio > fault.goal
        print(f"{fault.name:52}{fault.check:28}{n:6}{least:9}{ratio:7.2f}{fault.goal:6.1f}")
    return 1 if missed else 0


def smallest(value: Callable[[int], float], enough: Callable[[float], bool], start: int = 2) -> int:
    """Return the smallest n at which the value is enough there and at the next three n."""
    n, run = start, 0
    while run < 4:
        run = run + 1 if enough(value(n)) else 0
        n += 1
    return n - 4


def simulated_power(fault: Fault, sessions: int, seed: int) -> Callable[[int], float]:
    """Return the share of sessions with the fault that the check fails, as a function of n."""
    check, limits = find_check(fault.check), OPTIONS.get(fault.check, {})

    def power(n: int) -> float:
        generator = np.random.default_rng([seed, n])
        failed = sum(
            check(fault.draw(generator, n), **limits).verdict.value == "failed"
            for _ in range(sessions)
        )
        return failed / sessions

    return power


# The faults


def faults() -> list[Fault]:
    """Return every fault at every setting."""
    found = [swap(num_labels, 2) for num_labels in (2, 3, 5, 10, 20)]
    found += [swap(num_labels, 3) for num_labels in (3, 5, 10, 20)]
    found.append(swap(5, 5))
    for num_labels, majority in ((2, 0.5), (2, 0.6), (5, 0.2), (2, 0.9)):
        found.append(collapse(num_labels, majority))
    found.append(collapse_without_labels())
    for num_labels in (2, 5, 20):
        found += [shifted(num_labels), shuffled_rows(num_labels), shuffled_labels(num_labels)]
    return found


def answers(generator: np.random.Generator, y_true: Array, num_labels: int, accuracy: float) -> Any:
    """Answer rightly with that probability, and otherwise with any other label."""
    wrong = (y_true + generator.integers(1, num_labels, len(y_true))) % num_labels
    return np.where(generator.random(len(y_true)) < accuracy, y_true, wrong)


def in_turn(n: int, num_labels: int) -> Array:
    """Return n labels as balanced as they can be."""
    return np.arange(n) % num_labels


def swap(num_labels: int, moved: int, accuracy: float = 0.9) -> Fault:
    """Labels 0 to ``moved`` - 1 are each answered with the next of them.

    The least favourable member answers each moved label as often with itself as with its target.
    Any test that is told which cycle it is counts the two answers of the moved labels.
    """
    missed = (1 - accuracy) / (num_labels - 1)
    target = np.arange(num_labels)
    target[:moved] = np.roll(target[:moved], -1)

    def draw(generator: np.random.Generator, n: int) -> Evidence:
        y_true = generator.permutation(in_turn(n, num_labels))
        y_pred = target[answers(generator, y_true, num_labels, accuracy)]
        names = [f"label {label}" for label in range(num_labels)]
        return Evidence(y_true=y_true, y_pred=y_pred, dataset_label_names=names)

    def bound(n: int) -> float:
        rows = int(np.count_nonzero(in_turn(n, num_labels) < moved))
        either = np.arange(rows + 1)
        weight = stats.binom.pmf(either, rows, accuracy + missed)
        return float(weight @ binomial_power(either, 0.5, accuracy / (accuracy + missed)))

    name = f"{moved} of {num_labels} labels exchanged, accuracy {accuracy:g}"
    return Fault(name, "labels_not_swapped", draw, bound, 1.5 if moved == 2 else 2.0)


def binomial_power(trials: Array, null: float, alternative: float) -> Array:
    """Return the power of the best test of a rate; it may reject at random on its boundary."""
    critical = stats.binom.isf(ALPHA, trials, null)
    spare = (ALPHA - stats.binom.sf(critical, trials, null)) / np.maximum(
        stats.binom.pmf(critical, trials, null), 1e-300
    )
    power: Array = stats.binom.sf(critical, trials, alternative) + np.clip(
        spare, 0, 1
    ) * stats.binom.pmf(critical, trials, alternative)
    return power


def collapse(num_labels: int, majority: float) -> Fault:
    """Everything is answered with the most frequent label; a healthy model does so to 80 %."""

    def draw(generator: np.random.Generator, n: int) -> Evidence:
        others = in_turn(n - round(majority * n), num_labels - 1) + 1
        y_true = np.concatenate([np.zeros(n - len(others), int), others])
        return Evidence(y_true=y_true, logits=np.tile(np.eye(num_labels)[0], (n, 1)))

    def bound(n: int) -> float:
        return float(binomial_power(np.array([n - round(majority * n)]), 0.8, 1.0)[0])

    name = f"collapse, {num_labels} labels, {majority:.0%} are the answer"
    return Fault(name, "not_collapsed", draw, bound, 1.5)


def collapse_without_labels() -> Fault:
    """Everything is answered with one label, and the true ones are not known."""

    def draw(generator: np.random.Generator, n: int) -> Evidence:
        return Evidence(y_pred=np.zeros(n, int), label_names=["ham", "spam"])

    def bound(n: int) -> float:
        return float(binomial_power(np.array([n]), 0.95, 1.0)[0])

    return Fault("collapse, without true labels", "not_collapsed", draw, bound, 1.5)


def shifted(num_labels: int, accuracy: float = 0.9) -> Fault:
    """Each row has the answer of the row before.

    The least favourable member is right as often in one order as in the other; any test counts the
    rows on which one of the two is right.
    """
    only_moved, only_given = accuracy * (1 - 1 / num_labels), (1 - accuracy) / num_labels

    def draw(generator: np.random.Generator, n: int) -> Evidence:
        y_true = generator.integers(0, num_labels, n)
        y_pred = np.roll(answers(generator, y_true, num_labels, accuracy), 1)
        names = [f"label {label}" for label in range(num_labels)]
        return Evidence(y_true=y_true, y_pred=y_pred, dataset_label_names=names)

    def bound(n: int) -> float:
        decided = np.arange(n)
        weight = stats.binom.pmf(decided, n - 1, only_moved + only_given)
        rate = only_moved / (only_moved + only_given)
        return float(weight @ binomial_power(decided, 0.5, rate))

    name = f"rows shifted by one, {num_labels} labels"
    return Fault(name, "predictions_aligned", draw, bound, 2.0)


def shuffled_rows(num_labels: int, accuracy: float = 0.9) -> Fault:
    """Rows in a random order, beside a reference that is as good as the model was.

    The null hypothesis is that three quarters of the reference's skill are kept, whatever the
    accuracies of the two. A row tells whether each was right, four outcomes in all; the least
    favourable member is the one of these tables in the null hypothesis that is nearest to the
    fault's, by Kullback and Leibler.
    """
    chance = 1 / num_labels
    right, reference_right = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    kept = right - 0.75 * reference_right - 0.25 * chance
    fault = np.where(right, chance, 1 - chance) * np.where(reference_right, accuracy, 1 - accuracy)
    stake = optimize.minimize_scalar(
        lambda share: -fault @ np.log1p(-share * kept), bounds=(0, 1 / kept.max()), method="bounded"
    ).x
    member = fault / (1 - stake * kept)

    def draw(generator: np.random.Generator, n: int) -> Evidence:
        y_true = in_turn(n, num_labels)
        own = answers(generator, y_true, num_labels, accuracy)
        return Evidence(
            y_true=y_true,
            y_pred=generator.permutation(own),
            reference_y_pred=answers(generator, y_true, num_labels, accuracy),
            dataset_label_names=[f"label {label}" for label in range(num_labels)],
        )

    def bound(n: int) -> float:
        return neyman_pearson(n, member / member.sum(), fault)

    name = f"rows shuffled, beside a reference, {num_labels} labels"
    return Fault(name, "not_far_below_reference", draw, bound, 2.0)


def neyman_pearson(n: int, null: Array, alternative: Array) -> float:
    """Return the power of the best test of one distribution of four outcomes against another."""
    counts = np.indices((n + 1,) * 3).reshape(3, -1)
    counts = counts[:, counts.sum(axis=0) <= n]
    counts = np.vstack([counts, n - counts.sum(axis=0)]).T
    under_null = stats.multinomial.pmf(counts, n, null)
    under_fault = stats.multinomial.pmf(counts, n, alternative)
    order = np.argsort(-(counts @ np.log(alternative / null)), kind="stable")
    spent = np.cumsum(under_null[order])
    last = int(np.searchsorted(spent, ALPHA))
    before = spent[last - 1] if last else 0.0
    share = (ALPHA - before) / under_null[order][last]
    return float(under_fault[order][:last].sum() + share * under_fault[order][last])


def shuffled_labels(num_labels: int, min_skill: float = 0.25) -> Fault:
    """Training labels that say nothing, where a quarter of the way to certainty was asked for."""
    level = 1 / num_labels + min_skill * (1 - 1 / num_labels)

    def draw(generator: np.random.Generator, n: int) -> Evidence:
        y_train = in_turn(n, num_labels)
        return Evidence(
            y_train=y_train,
            train_reference_y_pred=generator.integers(0, num_labels, n),
            dataset_label_names=[f"label {label}" for label in range(num_labels)],
        )

    def bound(n: int) -> float:
        return float(binomial_power(np.array([n]), 1 - level, 1 - 1 / num_labels)[0])

    name = f"training labels shuffled, {num_labels} labels, min_skill {min_skill:g}"
    return Fault(name, "labels_informative", draw, bound, 2.0)


OPTIONS = {"labels_informative": {"min_skill": 0.25}}
"""Limits with which a check is asked, where its own would never fail."""


if __name__ == "__main__":
    sys.exit(main())
