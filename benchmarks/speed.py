"""How long the checks of outputs take, beside the least that any of them has to do.

``python -m benchmarks.speed`` times, in one run, the argmax and the counting of a confusion matrix
by NumPy, scikit-learn's ``classification_report``, and all checks of the suite on logits, answers
and labels; the time's growth from n to 2 n; the memory taken beyond the inputs; and the whole
diagnosis of a bundle that has every field.
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.metrics import classification_report

from pytest_bertcheck import Evidence, diagnose
from pytest_bertcheck.checks import run_checks

ROUNDS = 7


def main() -> int:
    """Run the benchmark; 1 if a goal is missed."""
    n, num_labels = 1_000_000, 5
    y_true, logits, y_pred = session(n, num_labels)

    def count() -> Any:
        return np.bincount(num_labels * y_true + logits.argmax(1), minlength=num_labels**2)

    least = best(count)
    checks = best(lambda: judge(y_true, logits, y_pred))
    report = best(lambda: classification_report(y_true, y_pred), rounds=2)
    twice = session(2 * n, num_labels)
    double = best(lambda: judge(*twice))
    small = best(lambda: judge(y_true[:10_000], logits[:10_000], y_pred[:10_000]))
    wide = session(20_000, 10_000)
    many = best(lambda: judge(*wide), rounds=2)
    everything = every_field(10_000)
    diagnosis = best(lambda: diagnose(Evidence(**everything)))
    memory = peak(lambda: judge(y_true, logits, y_pred)) / y_pred.nbytes

    print(f"n = {n:,}, C = {num_labels}, float32, best of {ROUNDS}, one run")
    goals = [
        ("argmax and bincount", f"{least:.1f} ms", ""),
        ("all checks of outputs", f"{checks:.1f} ms", ""),
        ("  ratio to argmax and bincount", f"{checks / least:.2f}", "at most 1.5"),
        ("  ratio to classification_report", f"{checks / report:.3f}", "at most 0.1"),
        ("  ratio of 2 n to n", f"{double / checks:.2f}", "at most 2.2"),
        ("  peak memory, in copies of y_pred", f"{memory:.2f}", "at most 1"),
        ("n = 10,000", f"{small:.1f} ms", "under 20 ms"),
        ("n = 20,000, C = 10,000", f"{many:.0f} ms", ""),
        ("n = 10,000, all fields, 512 tokens", f"{diagnosis:.0f} ms", "under 100 ms"),
    ]
    for name, value, goal in goals:
        print(f"{name:40}{value:>12}  {goal}")
    reached = (
        checks <= 1.5 * least,
        checks <= report / 10,
        double <= 2.2 * checks,
        memory <= 1,
        small < 20,
        diagnosis < 100,
    )
    return 0 if all(reached) else 1


def session(n: int, num_labels: int) -> tuple[Any, Any, Any]:
    """Return labels, float32 logits and answers of a model that is right nine times in ten."""
    generator = np.random.default_rng(0)
    y_true = generator.integers(0, num_labels, n)
    logits = generator.normal(size=(n, num_labels)).astype(np.float32)
    logits[np.arange(n), y_true] += 3
    return y_true, logits, logits.argmax(1)


def every_field(n: int, *, tokens: int = 512) -> dict[str, Any]:
    """Return a bundle of n examples of a healthy pipeline, with all that a session can record."""
    generator = np.random.default_rng(1)
    y_true, logits, y_pred = session(n, 5)
    y_train, train_logits, _ = session(2 * n, 5)
    names = ["business", "entertainment", "politics", "sport", "tech"]
    counts = generator.integers(50, 4 * tokens, n)
    kept = np.minimum(counts, tokens)
    mask = (np.arange(tokens) < kept[:, None]).astype(np.int64)
    reference = np.where(generator.random(n) < 0.9, y_true, (y_true + 1) % 5)
    probabilities = np.full((len(y_train), 5), 0.02)
    probabilities[np.arange(len(y_train)), y_train] = 0.92
    return {
        "y_true": y_true,
        "logits": logits,
        "y_pred": y_pred,
        "label_names": names,
        "label2id_names": names,
        "dataset_label_names": names,
        "y_train": y_train,
        "train_y_true": y_train[:2000],
        "train_logits": train_logits[:2000],
        "train_reference_y_pred": y_train,
        "train_reference_probabilities": probabilities,
        "token_counts": counts,
        "kept_token_counts": kept,
        "unknown_token_share": np.zeros(n),
        "lowercase_unknown_token_share": np.zeros(96),
        "input_ids": np.where(mask, generator.integers(1000, 30522, mask.shape), 0),
        "attention_mask": mask,
        "max_length": tokens,
        "embedding_rows": 30522,
        "tokenizer_size": 30522,
        "pad_token_id": 0,
        "loss": np.geomspace(1.6, 0.3, 1000),
        "val_loss": np.geomspace(1.6, 0.5, 10),
        "val_accuracy": np.linspace(0.3, 0.93, 10).round(2),
        "grad_norm": np.ones(1000),
        "learning_rate": np.linspace(2e-5, 0, 1000),
        "train_steps": 1000,
        "batch_size": 16,
        "encoder_update": 0.05,
        "head_update": 0.3,
        "overfit_loss": np.geomspace(1.6, 0.01, 50),
        "unloaded_weights": [],
        "repeated_logits": logits[:32],
        "reloaded_logits": logits[:32],
        "rebatched_logits": logits[:32],
        "padded_logits": logits[:32],
        "tail_logits": logits[:1000],
        "reference_y_pred": reference,
        "kept_reference_y_pred": reference,
        "evaluation_reference_y_pred": reference,
        "baseline_y_pred": reference,
        "baseline_logits": logits,
    }


def judge(y_true: Any, logits: Any, y_pred: Any) -> None:
    """Run all checks that outputs, answers and labels allow, the evidence's validation included."""
    run_checks(Evidence(y_true=y_true, logits=logits, y_pred=y_pred))


def best(function: Callable[[], Any], *, rounds: int = ROUNDS) -> float:
    """Return the shortest time of a call, in ms: what else a machine does only ever adds."""
    shortest = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        shortest = min(shortest, time.perf_counter() - start)
    return 1000 * shortest


def peak(function: Callable[[], Any]) -> float:
    """Return the most memory that a call holds at once, in bytes."""
    function()
    tracemalloc.start()
    function()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return float(most)


if __name__ == "__main__":
    sys.exit(main())
