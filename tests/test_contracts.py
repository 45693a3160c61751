"""The contracts: kept by functions that are right, broken by the bug that each is for."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import LabelEncoder
from sklearn.tree import DecisionTreeClassifier

import pytest_bertcheck
from pytest_bertcheck import contracts, fresh_process
from pytest_bertcheck.contracts import (
    assert_encoding_roundtrip,
    assert_label_permutation_equivariant,
    assert_metric_detects_collapse,
    assert_metric_detects_swap,
    assert_order_invariant,
    assert_survives_imbalance,
)
from pytest_bertcheck.findings import CAUSES

from . import label_codes

ROOT = Path(__file__).parents[1]
TEXTS = ["hello friend", "win money", "lunch with a friend", "money prize"]
LABELS = ["ham", "spam", "ham", "spam"]
RARE_SPAM = ["ham"] * 95 + ["spam"] * 5
SLOW = settings(deadline=None)
"""Training and starting a process take longer than an example is allowed by default."""


def classifier(model, vectorizer=TfidfVectorizer):
    def fit_predict(texts, labels, eval_texts):
        return make_pipeline(vectorizer(), model).fit(texts, labels).predict(eval_texts)

    return fit_predict


HEALTHY = {
    "logistic regression": classifier(LogisticRegression()),
    "weighted": classifier(LogisticRegression(class_weight="balanced")),
    "naive Bayes": classifier(MultinomialNB(), CountVectorizer),
    "nearest neighbour": classifier(KNeighborsClassifier(1)),
    "decision tree": classifier(DecisionTreeClassifier(random_state=0)),
}


def first_seen_names(texts, labels, eval_texts):
    """Decode the columns of scikit-learn, which are sorted, in the order of first sight."""
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, labels)
    names = list(dict.fromkeys(labels))
    return [names[id_] for id_ in model.predict_proba(eval_texts).argmax(axis=1)]


def ids_for_names(texts, labels, eval_texts):
    ids = LabelEncoder().fit_transform(labels)
    return HEALTHY["logistic regression"](texts, ids, eval_texts)


def decoded_over_texts(texts, labels, eval_texts):
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, labels)
    return model.classes_[model.predict_proba(eval_texts).argmax(axis=0) % len(model.classes_)]


def spam_is_special(texts, labels, eval_texts):
    weights = {label: 20 if label == "spam" else 1 for label in labels}
    return classifier(LogisticRegression(class_weight=weights))(texts, labels, eval_texts)


class Unseeded:
    """Training that starts from other weights each time."""

    def __init__(self):
        self.generator = np.random.default_rng(0)

    def __call__(self, texts, labels, eval_texts):
        return self.generator.choice(labels, len(eval_texts))


def message_of(call):
    """Return the message of a contract that is broken, whose form is that of every message."""
    with pytest.raises(AssertionError) as caught:
        call()
    message = str(caught.value)
    lines = message.splitlines()
    assert len(lines[0]) <= 100
    assert max(map(len, lines)) <= 110
    page, _, anchor = lines[-1].removeprefix("docs:  ").partition("#")
    assert f"## {anchor}\n" in (ROOT / page).read_text(encoding="utf-8")
    for line in lines:
        if line.startswith("cause: "):
            codes = line.removeprefix("cause: ").partition(":")[0].split(" | ")
            assert set() == set(codes) - set(CAUSES)
    return message


# Label permutation


@pytest.mark.parametrize("fit_predict", HEALTHY.values(), ids=HEALTHY)
def test_renaming_labels_renames_answers(fit_predict) -> None:
    """A pipeline of scikit-learn keeps the contract with names, ids, and names of another kind."""
    assert_label_permutation_equivariant(fit_predict, TEXTS, LABELS)
    assert_label_permutation_equivariant(fit_predict, TEXTS, np.array([0, 1, 0, 1]))
    assert_label_permutation_equivariant(
        fit_predict, TEXTS, LABELS, eval_texts=["friend"], renaming={"ham": "z", "spam": "10"}
    )


words = st.sampled_from(["money", "prize", "friend", "lunch"])
rows = st.lists(
    st.tuples(st.lists(words, min_size=1, max_size=4).map(" ".join), st.sampled_from("abc")),
    min_size=2,
    max_size=8,
).filter(lambda drawn: len({label for _, label in drawn}) > 1)


@pytest.mark.parametrize("name", HEALTHY)
@given(drawn=rows)
@settings(SLOW, max_examples=40)
def test_ties_are_no_fault(name: str, drawn) -> None:
    """Texts whose label the training data leave open do not fail a pipeline that is right."""
    texts, labels = zip(*drawn, strict=True)
    assert_label_permutation_equivariant(HEALTHY[name], texts, labels)


def test_a_tie_alone_is_no_fault() -> None:
    """The same text under both labels is answered with the smaller name, which renaming changes."""
    assert_label_permutation_equivariant(
        HEALTHY["logistic regression"], ["money", "money"], ["ham", "spam"]
    )


def test_names_from_another_order_are_found() -> None:
    """Names in the order of first sight for columns in sorted order are called swapped."""
    message = message_of(
        lambda: assert_label_permutation_equivariant(first_seen_names, TEXTS, LABELS)
    )
    assert message.startswith(
        "renamed labels, wrong answers: 4/4 after 'ham' -> 'spam', 'spam' -> 'ham'\n\n"
        "  text                 before  expected  after\n"
        "  hello friend            ham      spam    ham\n"
    )
    assert "\ncause: label-mapping-swapped: " in message


def test_a_label_treated_by_its_name_is_found() -> None:
    """A weight for the name 'spam' follows the name and not the texts, and no swap is claimed."""
    texts = ["money", "lunch", "lunch", "friend", "friend", "money friend lunch home"]
    labels = ["spam", "ham", "ham", "ham", "ham", "ham"]
    message = message_of(
        lambda: assert_label_permutation_equivariant(
            spam_is_special, texts * 3, labels * 3, eval_texts=["home", "money"]
        )
    )
    assert message.startswith("renamed labels, wrong answers: 1/2 after ")


def test_training_that_cannot_be_repeated_is_no_verdict() -> None:
    """Two trainings on the same data that disagree are misuse, whatever renaming does."""
    with pytest.raises(ValueError, match=r"two trainings on the same data, got [1-4] of 4 others"):
        assert_label_permutation_equivariant(Unseeded(), TEXTS, LABELS)


def test_min_agreement_allows_so_many_differences() -> None:
    """A share of the answers may differ where training starts from a head of its own."""

    def one_of_four_wrong(texts, labels, eval_texts):
        answers = list(HEALTHY["logistic regression"](texts, labels, eval_texts))
        return ["ham", *answers[1:]]

    assert_label_permutation_equivariant(one_of_four_wrong, TEXTS, LABELS, min_agreement=0.75)
    message = message_of(
        lambda: assert_label_permutation_equivariant(
            one_of_four_wrong, TEXTS, LABELS, min_agreement=0.76
        )
    )
    assert message.startswith("renamed labels, wrong answers: 1/4 after ")


@pytest.mark.parametrize(
    ("fit_predict", "says"),
    [
        (ids_for_names, "no labels: 4/4 answers such as 0 are not in the training labels 'ham', "),
        (decoded_over_texts, "2 answers for 4 texts\ncause: argmax-wrong-axis"),
    ],
    ids=["ids", "axis"],
)
def test_answers_that_are_no_labels_of_the_texts(fit_predict, says: str) -> None:
    """Ids in place of names, and answers over the wrong axis, break both contracts of training."""
    assert message_of(
        lambda: assert_label_permutation_equivariant(fit_predict, TEXTS, LABELS)
    ).startswith(says)
    assert message_of(lambda: assert_survives_imbalance(fit_predict, TEXTS, LABELS)).startswith(
        says
    )


# Encoding


@pytest.mark.parametrize(
    ("encode", "decode"),
    [
        (label_codes.encode, label_codes.decode),
        (label_codes.encode_one_hot, label_codes.decode_one_hot),
        (label_codes.Codes.encode, label_codes.Codes.decode),
        (label_codes.encode_and_talk, label_codes.decode),
    ],
    ids=["functions", "one-hot", "static", "talkative"],
)
@given(labels=st.lists(st.sampled_from(label_codes.ORDERED), min_size=1))
@settings(SLOW, max_examples=20)
def test_encoders_that_depend_on_nothing_pass(encode, decode, labels, monkeypatched_stdin) -> None:
    """Ids that a fresh process gives too pass, whatever the functions print and read."""
    assert_encoding_roundtrip(encode, decode, np.array(labels))


@pytest.fixture(scope="module")
def monkeypatched_stdin():
    """An empty standard input for what reads it here; in a fresh process it is empty already."""
    with pytest.MonkeyPatch.context() as patch, Path("/dev/null").open() as empty:
        patch.setattr(sys, "stdin", empty)
        yield


def test_a_set_has_another_order_in_a_fresh_process() -> None:
    """Ids by the order of a set are found, whatever the hash seed of this process."""
    message = message_of(
        lambda: assert_encoding_roundtrip(
            label_codes.encode_by_set, label_codes.decode_by_set, label_codes.ORDERED
        )
    )
    assert re.match(
        r"encoding differs in a fresh process: \d/7 labels changed under PYTHONHASHSEED=[012]\n\n"
        r"  label   id here  id there\n",
        message,
    )
    assert "\ncause: label-mapping-swapped: " in message
    assert_encoding_roundtrip(
        label_codes.encode_by_set,
        label_codes.decode_by_set,
        label_codes.ORDERED,
        fresh_process=False,
    )


def test_what_only_this_process_has_seen_is_lost() -> None:
    """An encoder that is fitted by earlier calls fails in a process that had none."""
    label_codes.SEEN[:] = ["ham", "spam"]
    message = message_of(
        lambda: assert_encoding_roundtrip(
            label_codes.encode_what_was_seen, label_codes.decode_what_was_seen, ["ham"]
        )
    )
    assert message.startswith("encoding lost in a fresh process: encode: ValueError: ")


def test_an_encoder_fitted_again_is_found() -> None:
    """Fitted on the labels at hand, an encoder gives the only label the id of another."""

    def encode(labels):
        return LabelEncoder().fit_transform(labels)

    def decode(ids):
        return np.array(["ham", "spam"])[ids]

    assert_encoding_roundtrip(encode, decode, ["spam", "ham"], fresh_process=False)
    message = message_of(
        lambda: assert_encoding_roundtrip(encode, decode, ["spam"] * 3, fresh_process=False)
    )
    assert message.startswith(
        "encoding does not come back: 3/3 labels changed, 'spam' -> '0' -> 'ham'\n\n"
        "  label  id  decoded\n"
        "  spam    0      ham\n\n"
        "cause: label-mapping-swapped: "
    )


def test_labels_that_get_lost_are_counted() -> None:
    """Fewer ids than labels are said as such."""
    message = message_of(
        lambda: assert_encoding_roundtrip(set_of_ids, list, ["a", "a"], fresh_process=False)
    )
    assert message.startswith("encoding does not come back: 2 labels, 1 ids\n")


def set_of_ids(labels):
    return sorted(set(labels))


def test_a_fresh_process_that_hangs_is_given_up() -> None:
    """An encoder that does not return there is a TimeoutError that names it, each time anew."""
    for _ in range(2):
        with pytest.raises(TimeoutError, match="label_codes:encode_but_hang: no answer from"):
            assert_encoding_roundtrip(
                label_codes.encode_but_hang, label_codes.decode, ["ham"], timeout=0.5
            )


def test_a_fresh_process_that_dies_is_reported() -> None:
    """An encoder that takes its process down is a broken contract, each time anew."""
    for _ in range(2):
        message = message_of(
            lambda: assert_encoding_roundtrip(
                label_codes.encode_but_exit, label_codes.decode, ["ham"]
            )
        )
        assert message.startswith(
            "encoding lost in a fresh process: encode or decode: it ended with exit code 7\n"
        )


def test_fresh_processes_are_few_and_end(pytester: pytest.Pytester) -> None:
    """A hundred examples of two properties start three processes each; none outlives the run."""
    script = pytester.makepyfile(
        script=f"""
        import subprocess, sys
        sys.path.insert(0, {str(ROOT)!r})
        started = []
        class Popen(subprocess.Popen):
            def __init__(self, *args, **options):
                super().__init__(*args, **options)
                started.append(self)
        subprocess.Popen = Popen
        from pytest_bertcheck.contracts import assert_encoding_roundtrip
        from tests import label_codes as codes
        for _ in range(100):
            assert_encoding_roundtrip(codes.encode, codes.decode, ["ham", "spam"])
        first = list(started)
        for _ in range(100):
            assert_encoding_roundtrip(codes.encode_one_hot, codes.decode_one_hot, ["ham"])
        print(len(first), len(started), {{process.returncode for process in first}})
        print(*(process.pid for process in started), flush=True)
        """
    )
    result = pytester.runpython(script)
    counts, pids = result.outlines
    assert "3 6 {0}" == counts
    assert [] == [pid for pid in pids.split() if Path("/proc", pid).exists()]


def test_an_import_path_leads_back_to_the_function() -> None:
    """What another process cannot import has no path: lambdas, closures, partial, bound methods."""
    assert "tests.label_codes:encode" == fresh_process.import_path(label_codes.encode)
    assert "tests.label_codes:Codes.decode" == fresh_process.import_path(label_codes.Codes.decode)
    for function in [
        lambda labels: labels,
        classifier(None),
        functools.partial(label_codes.encode),
        label_codes.Codes().encode_bound,
        Unseeded(),
    ]:
        assert fresh_process.import_path(function) is None


# Order


def logits_of(texts):
    return np.array([[len(text), text.count("e")] for text in texts], dtype=np.float32)


def sorted_by_length(texts):
    return logits_of(sorted(texts, key=len))


def moved_by_one(texts):
    return np.roll(logits_of(texts), 1, axis=0)


def padded_to_the_longest(texts, batch_size=2):
    batches = [texts[start : start + batch_size] for start in range(0, len(texts), batch_size)]
    return np.concatenate(
        [logits_of(batch) / max(len(text) for text in batch) for batch in batches]
    )


class Shuffling:
    """A data set that is shuffled whenever it is read; with bare labels or with outputs."""

    def __init__(self, outputs):
        self.outputs, self.generator = outputs, np.random.default_rng(0)

    def __call__(self, texts):
        return self.outputs([texts[n] for n in self.generator.permutation(len(texts))])


class DropsOut:
    """Outputs that are different at each call."""

    def __init__(self):
        self.generator = np.random.default_rng(0)

    def __call__(self, texts):
        return logits_of(texts) * self.generator.uniform(0.5, 1.5, (len(texts), 1))


LENGTHS = [f"{'e' * n} text {'x' * n * n}" for n in range(7)]


@given(
    order=st.integers(2, 12).flatmap(lambda n: st.permutations(range(n))),
    outputs=st.sampled_from([logits_of, lambda texts: [text.upper() for text in texts]]),
)
def test_outputs_of_each_text_alone_pass(order, outputs) -> None:
    """What depends on its own text keeps the contract, under every order and by default."""
    texts = [f"text {'e' * n}" for n in range(len(order))]
    assert_order_invariant(outputs, texts)
    if order != sorted(order):
        assert_order_invariant(outputs, texts, order=order)


def test_rounding_is_no_difference() -> None:
    """Outputs that rounding changes with the batch pass, NaN that stays NaN too."""

    def predict(texts):
        outputs = logits_of(texts) * (1 + 1e-6 * np.arange(len(texts))[:, None])
        outputs[[text == LENGTHS[2] for text in texts]] = np.nan
        return outputs

    assert_order_invariant(predict, LENGTHS)


@pytest.mark.parametrize(
    ("predict", "says", "cause"),
    [
        (
            sorted_by_length,
            r"order lost: 6/7 outputs are those of other texts",
            "labels-misaligned: ",
        ),
        (moved_by_one, r"order lost: 7/7 outputs are those of other texts", "labels-misaligned: "),
        (
            padded_to_the_longest,
            r"order matters: \d/7 outputs change when the texts are shuffled",
            "attention-mask-ignored | loss-misconfigured",
        ),
        (
            Shuffling(logits_of),
            r"order lost: \d/7 outputs of a second, identical call are those of other texts",
            "labels-misaligned: ",
        ),
        (
            Shuffling(lambda texts: [len(text) for text in texts]),
            r"two identical calls differ: \d/7 outputs change",
            "dropout-at-inference | labels-misaligned",
        ),
        (
            DropsOut(),
            r"two identical calls differ: \d/7 outputs change",
            "dropout-at-inference: ",
        ),
        (
            lambda texts: [len(text) for text in sorted(texts)],
            r"order matters: \d/7 outputs change when the texts are shuffled",
            "attention-mask-ignored | labels-misaligned",
        ),
        (lambda texts: logits_of(texts).argmax(axis=0), "2 outputs for 7 texts", None),
        (lambda texts: logits_of(texts[:-1]), "6 outputs for 7 texts", None),
        (lambda texts: np.float32(0.5), "0 outputs for 7 texts", None),
        (lambda texts: logits_of(texts)[:, : texts[0].count("e") % 2 + 1], r"order matters", "att"),
    ],
    ids=[
        "sorted",
        "moved",
        "padded",
        "shuffled",
        "labels",
        "dropout",
        "sorted-labels",
        "axis",
        "lost",
        "scalar",
        "width",
    ],
)
def test_outputs_that_depend_on_the_order(predict, says: str, cause: str | None) -> None:
    """Each way to lose the order is told by its signs, and no cause is claimed beyond them."""
    message = message_of(lambda: assert_order_invariant(predict, LENGTHS))
    assert re.match(says, message.splitlines()[0])
    if cause is not None:
        assert f"\ncause: {cause}" in message


# Metrics


def worst_recall(y_true, y_pred):
    return metrics.recall_score(y_true, y_pred, average=None, labels=np.unique(y_true)).min()


def folded_auc(y_true, y_pred):
    auc = metrics.roc_auc_score(y_true == "spam", y_pred == "spam")
    return max(auc, 1 - auc)


SEE_A_COLLAPSE = (metrics.balanced_accuracy_score, metrics.matthews_corrcoef, worst_recall)
some_labels = st.lists(st.sampled_from("abcd"), min_size=2).filter(lambda y: len(set(y)) > 1)


@given(y_true=some_labels, metric=st.sampled_from(SEE_A_COLLAPSE))
def test_metrics_that_see_every_collapse(y_true, metric) -> None:
    """Metrics that do not favour the commonest label pass on every balance of labels."""
    assert_metric_detects_collapse(metric, y_true)


@given(y_true=some_labels)
def test_the_worst_recall_sees_every_swap(y_true) -> None:
    """A label that is exchanged has a recall of zero, however rare it is."""
    assert_metric_detects_swap(worst_recall, y_true)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda: assert_metric_detects_collapse(metrics.accuracy_score, RARE_SPAM),
            """blind to collapse: accuracy_score 0.95 for always 'ham', 0.8 for 80% of each label \
right

  answers                  score
  all right                1.000
  80% of each label right  0.800
  always 'ham'             0.950
""",
        ),
        (
            lambda: assert_metric_detects_collapse(metrics.recall_score, [0] * 50 + [1] * 50),
            "blind to collapse: recall_score 1 for always '1', 0.8 for 80% of each label right\n",
        ),
        (
            lambda: assert_metric_detects_collapse(
                metrics.zero_one_loss, RARE_SPAM, greater_is_better=False
            ),
            "blind to collapse: zero_one_loss 0.05 for always 'ham', 0.2 for 80% of each ",
        ),
        (
            lambda: assert_metric_detects_collapse(
                metrics.balanced_accuracy_score, RARE_SPAM, threshold=0.4
            ),
            "blind to collapse: balanced_accuracy_score 0.5 for always 'ham', 0.4 for the threshol",
        ),
        (
            lambda: assert_metric_detects_collapse(
                lambda y_true, y_pred: 1.0 if len(set(y_pred)) > 1 else np.nan, RARE_SPAM
            ),
            "blind to collapse: <lambda> nan for always ",
        ),
        (
            lambda: assert_metric_detects_swap(folded_auc, RARE_SPAM),
            "blind to swap: folded_auc 1 for 'ham' <-> 'spam', 0.8 for 80% of each label right\n",
        ),
        (
            lambda: assert_metric_detects_swap(metrics.adjusted_rand_score, RARE_SPAM),
            "blind to swap: adjusted_rand_score 1 for 'ham' <-> 'spam', ",
        ),
        (
            lambda: assert_metric_detects_swap(metrics.accuracy_score, ["a"] * 90 + ["b", "c"] * 5),
            "blind to swap: accuracy_score 0.9 for 'b' <-> 'c', 0.8 for 80% of each label right\n",
        ),
    ],
    ids=["accuracy", "recall", "loss", "threshold", "nan", "auc", "rand", "rare"],
)
def test_blind_metrics_are_found(call, says: str) -> None:
    """A metric that accepts a broken model is named with its scores."""
    assert message_of(call).startswith(says)


def test_a_threshold_above_the_broken_model_is_enough() -> None:
    """Accuracy does for a team that accepts nothing below what the broken models get."""
    assert_metric_detects_collapse(metrics.accuracy_score, RARE_SPAM, threshold=0.96)
    assert_metric_detects_swap(metrics.accuracy_score, ["a"] * 90 + ["b", "c"] * 5, threshold=0.95)
    assert_metric_detects_collapse(
        metrics.zero_one_loss, RARE_SPAM, threshold=0.04, greater_is_better=False
    )


def test_warnings_about_labels_never_predicted_are_expected() -> None:
    """That scikit-learn warns of a precision without predictions fails no run under -W error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_metric_detects_collapse(
            lambda y_true, y_pred: metrics.precision_score(y_true, y_pred, average="macro"),
            RARE_SPAM,
        )


# Imbalance


@pytest.mark.parametrize("name", ["weighted", "naive Bayes", "nearest neighbour", "decision tree"])
@given(majority_share=st.floats(0.51, 0.97), num_labels=st.integers(2, 4))
@settings(SLOW, max_examples=10)
def test_pipelines_that_stand_an_imbalance(name: str, majority_share, num_labels) -> None:
    """On texts whose words decide the label these find rare labels up to 97% of one label."""
    names = ["a", "b", "c", "d"][:num_labels]
    assert_survives_imbalance(
        HEALTHY[name], majority_share=majority_share, label_names=names, size=150
    )


def test_the_majority_alone_is_found() -> None:
    """Inverted weights leave the commonest label the only answer."""

    def inverted(texts, labels, eval_texts):
        weights = {label: number / len(labels) for label, number in Counter(labels).items()}
        return classifier(LogisticRegression(class_weight=weights))(texts, labels, eval_texts)

    message = message_of(lambda: assert_survives_imbalance(inverted))
    assert message.startswith(
        "majority alone: 40/40 answers are 'ham', 50% of the texts, 90% in training\n\n"
        "  label  training  true  predicted\n"
        "  ham          90    20         40\n"
        "  spam         10    20          0\n\n"
        "cause: class-imbalance: "
    )
    message = message_of(lambda: assert_survives_imbalance(inverted, TEXTS * 4, ["a"] * 15 + ["b"]))
    assert message.startswith("majority alone: 16/16 answers are 'a', 94% of the texts, 94% in ")


@given(
    share=st.floats(0.34, 0.97),
    num_labels=st.integers(3, 8),
    size=st.integers(250, 400),
)
def test_the_texts_of_the_contract_are_what_it_says(share, num_labels, size) -> None:
    """The commonest label has its share, the others share the rest, and words decide the label."""
    names = [f"label {n}" for n in range(num_labels)]
    texts, labels, eval_texts, y_true = contracts._separable(names, share, size)
    counts = Counter(labels)
    assert size == len(texts) == len(labels)
    assert abs(counts[names[0]] - share * size) <= 0.5
    others = [counts[name] for name in names[1:]]
    assert 0 <= max(others) - min(others) <= 1
    assert dict.fromkeys(names, 20) == Counter(y_true)
    for text, label in [*zip(texts, labels, strict=True), *zip(eval_texts, y_true, strict=True)]:
        topics = [n for n, topic in enumerate(contracts.TOPICS) if set(topic) & set(text.split())]
        assert [names.index(label)] == topics


def test_no_contract_touches_global_random_state() -> None:
    """NumPy's and Python's global generators are where they were."""
    import random

    before = random.getstate(), np.random.get_state()[1].tolist()
    fit_predict = HEALTHY["logistic regression"]
    assert_label_permutation_equivariant(fit_predict, TEXTS, LABELS)
    assert_survives_imbalance(fit_predict, majority_share=0.6)
    assert_order_invariant(logits_of, LENGTHS)
    assert before == (random.getstate(), np.random.get_state()[1].tolist())


# Misuse


def permute(*args, **options):
    return lambda: assert_label_permutation_equivariant(*args, **options)


def roundtrip(*args, **options):
    return lambda: assert_encoding_roundtrip(*args, **options)


def order(*args, **options):
    return lambda: assert_order_invariant(*args, **options)


def collapse(*args, **options):
    return lambda: assert_metric_detects_collapse(*args, **options)


def imbalance(*args, **options):
    return lambda: assert_survives_imbalance(*args, **options)


FIT, ACCURACY = HEALTHY["logistic regression"], metrics.accuracy_score
MISUSE = [
    (permute(None, TEXTS, LABELS), TypeError, "fit_predict: expected a callable, got NoneType"),
    (permute(FIT, "hello", LABELS), TypeError, "texts: expected a sequence of str, got str"),
    (permute(FIT, 3, LABELS), TypeError, "texts: expected a sequence of str, got int"),
    (permute(FIT, [1, 2], LABELS), TypeError, "texts: expected str, got 1"),
    (permute(FIT, [], []), ValueError, "texts: expected at least one text, got none"),
    (permute(FIT, TEXTS, LABELS[:2]), ValueError, "texts and labels: .* got 4 and 2"),
    (permute(FIT, TEXTS, ["a"] * 4), ValueError, "labels: .* 2 different labels, got 'a'"),
    (permute(FIT, TEXTS, "hamx"), TypeError, "labels: expected a list or an array, got str"),
    (permute(FIT, TEXTS, [None] * 4), TypeError, "labels: expected a list .* got NoneType"),
    (permute(FIT, TEXTS, [0.5] * 4), TypeError, "labels: expected str or int, got 0.5"),
    (permute(FIT, TEXTS, [0, "a", 0, 1]), TypeError, "labels: expected int like .* got 'a'"),
    (permute(FIT, TEXTS, [[0], [1]]), TypeError, r"labels: expected str or int, got \[0\]"),
    (permute(FIT, TEXTS, []), ValueError, "labels: expected at least one label, got none"),
    (permute(FIT, TEXTS, LABELS, eval_texts=[]), ValueError, "eval_texts: expected at least one"),
    (permute(FIT, TEXTS, LABELS, renaming=["b"]), TypeError, "renaming: .* mapping, got list"),
    (permute(FIT, TEXTS, LABELS, renaming={"ham": "x"}), ValueError, "new name for 'spam'"),
    (
        permute(FIT, TEXTS, LABELS, renaming={"ham": "x", "spam": "x"}),
        ValueError,
        "renaming: expected different new names",
    ),
    (
        permute(FIT, TEXTS, LABELS, renaming={"ham": "ham", "spam": "spam"}),
        ValueError,
        "renaming: expected at least one label to change",
    ),
    (permute(FIT, TEXTS, LABELS, min_agreement=0), ValueError, "min_agreement: .* got 0"),
    (permute(FIT, TEXTS, LABELS, min_agreement=1.1), ValueError, "min_agreement: .* got 1.1"),
    (permute(lambda *_: None, TEXTS, LABELS), TypeError, "fit_predict: .* got NoneType"),
    (permute(lambda *_: [[1]] * 4, TEXTS, LABELS), TypeError, "fit_predict: .* got a list for"),
    (roundtrip(1, len, ["a"]), TypeError, "encode: expected a callable, got int"),
    (roundtrip(len, 1, ["a"]), TypeError, "decode: expected a callable, got int"),
    (roundtrip(list, list, []), ValueError, "labels: expected at least one label"),
    (roundtrip(list, list, ["a"], timeout=0), ValueError, "timeout: expected seconds.* got 0"),
    (roundtrip(list, list, ["a"], timeout="9"), ValueError, "timeout: .* got '9'"),
    (roundtrip(lambda x: x, list, ["a"]), TypeError, "encode: .* '<lambda>'|<lambda>"),
    (roundtrip(list, Unseeded(), ["a"]), TypeError, "decode: .* 'Unseeded'; move it to a module"),
    (
        roundtrip(lambda _: {"a": 1}, list, ["a"], fresh_process=False),
        TypeError,
        "encode: expected a list or an array of str or numbers, got dict",
    ),
    (
        roundtrip(list, lambda _: None, ["a"], fresh_process=False),
        TypeError,
        "decode: expected a list or an array of str or numbers, got NoneType",
    ),
    (order(None, TEXTS), TypeError, "predict: expected a callable, got NoneType"),
    (order(logits_of, TEXTS[:1]), ValueError, "texts: expected at least 2 texts, got 1"),
    (order(logits_of, TEXTS, order=[0, 1]), ValueError, r"order: .* permutation of 0..3"),
    (order(logits_of, TEXTS, order=7), TypeError, "order: expected a list or an array, got int"),
    (order(lambda texts: {"x": 1}, TEXTS), TypeError, "predict: .* mapping with keys"),
    (order(lambda texts: [{}] * 4, TEXTS), TypeError, "predict: expected an array of numbers"),
    (collapse("accuracy", RARE_SPAM), TypeError, "metric: expected a callable, got str"),
    (collapse(ACCURACY, ["a", "a"]), ValueError, "y_true: .* 2 different labels, got 'a'"),
    (collapse(ACCURACY, RARE_SPAM, threshold="x"), TypeError, "threshold: .* number, got 'x'"),
    (collapse(lambda *_: None, RARE_SPAM), TypeError, "metric: expected a number, got None"),
    (
        collapse(metrics.confusion_matrix, RARE_SPAM),
        TypeError,
        "metric: expected a number, got array",
    ),
    (
        collapse(metrics.zero_one_loss, RARE_SPAM),
        ValueError,
        "metric: expected a higher score .* pass greater_is_better=False",
    ),
    (
        collapse(ACCURACY, RARE_SPAM, greater_is_better=False),
        ValueError,
        "metric: expected a lower score .* pass greater_is_better=True",
    ),
    (imbalance(None), TypeError, "fit_predict: expected a callable, got NoneType"),
    (imbalance(FIT, TEXTS), ValueError, "texts, labels, majority_share: expected texts with"),
    (
        imbalance(FIT, TEXTS, LABELS, majority_share=0.9),
        ValueError,
        "texts, labels, majority_share: expected texts with",
    ),
    (imbalance(FIT, majority_share=0.5), ValueError, "majority_share: .* more than 1/2 .* 0.5"),
    (imbalance(FIT, majority_share=1), ValueError, "majority_share: .* less than 1, got 1"),
    (imbalance(FIT, majority_share="x"), ValueError, "majority_share: .* got 'x'"),
    (imbalance(FIT, label_names=["a"]), ValueError, "label_names: expected 2 to 8"),
    (imbalance(FIT, label_names=["a", "a"]), ValueError, "label_names: .* different labels"),
    (imbalance(FIT, size=3), ValueError, "size: expected enough texts .* got 3"),
    (imbalance(FIT, size="x"), ValueError, "size: expected enough texts .* got 'x'"),
]


@pytest.mark.parametrize(("call", "error", "says"), MISUSE, ids=[says for *_, says in MISUSE])
def test_misuse_is_named(call, error, says: str) -> None:
    """What is no use of a contract raises an error that names it, what was expected and given."""
    with pytest.raises(error, match=says):
        call()


def test_a_module_that_a_fresh_process_cannot_import(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function of a module that was made on the fly is refused with advice."""
    import types

    module = types.ModuleType("made_on_the_fly")
    exec("def encode(labels):\n    return list(labels)\n", vars(module))
    monkeypatch.setitem(sys.modules, "made_on_the_fly", module)
    with pytest.raises(TypeError, match=r"ModuleNotFoundError.*; move them to a module, or pass"):
        assert_encoding_roundtrip(module.encode, module.encode, ["a"])


def test_contracts_are_public() -> None:
    """Every contract is imported from the package itself."""
    assert set() == set(contracts.__all__) - set(pytest_bertcheck.__all__)


def test_every_contract_has_its_place_in_the_docs() -> None:
    """The page of the contracts has a heading for each, to which its message links."""
    page = (ROOT / contracts.PAGE).read_text(encoding="utf-8")
    names = [name.removeprefix("assert_") for name in contracts.__all__]
    assert names == re.findall(r"^## (.*)$", page, re.MULTILINE)


def test_a_failure_points_at_the_users_test(pytester: pytest.Pytester) -> None:
    """Inside @given the message stands first, with the data that Hypothesis shrank it to."""
    pytester.makepyfile(
        """
        from hypothesis import given, strategies as st
        from sklearn.metrics import accuracy_score
        from pytest_bertcheck.contracts import assert_metric_detects_collapse

        @given(rare=st.integers(1, 50), common=st.integers(1, 50))
        def test_metric(rare, common):
            assert_metric_detects_collapse(accuracy_score, ["spam"] * rare + ["ham"] * common)
        """
    )
    result = pytester.runpytest_inprocess("-p", "hypothesispytest")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E *AssertionError: blind to collapse: accuracy_score 0.* for always *"]
    )
    result.stdout.no_fnmatch_line("*contracts.py:*: AssertionError")


def test_the_linear_example_finds_every_bug_and_nothing_else() -> None:
    """All its tests pass on the pipeline as it is, and all fail on it as it was first written."""
    demo = subprocess.run(
        [sys.executable, "demo.py", "tests/test_linear.py", "tests/test_own_code.py"],
        cwd=ROOT / "examples" / "property_tests",
        env=os.environ | {"PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == demo.returncode, demo.stdout + demo.stderr
    assert 9 == demo.stdout.count(": passed\n") == demo.stdout.count(": failed\n")
