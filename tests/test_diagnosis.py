"""From findings to causes: on recordings of real models, and by the rules of the table."""

from __future__ import annotations

import dataclasses
import functools
import json
import string

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from benchmarks.zoo.score import AMOUNTS
from pytest_bertcheck import Diagnosis, Evidence, Finding, Verdict, diagnose
from pytest_bertcheck.checks import all_checks, find_check, run_checks
from pytest_bertcheck.diagnosis import ASKS, SIGNS, TABLE, rank_causes, with_expected_failures
from pytest_bertcheck.findings import CAUSES, STAGES

from .simulate import ZOO, load_bundle, softmax, trained, zoo_index

FIELDS = {declared.name for declared in dataclasses.fields(Evidence)}
INDEX = zoo_index()

with_zoo = pytest.mark.skipif(not INDEX, reason=f"no recordings at {ZOO} (set BERTCHECK_ZOO)")


@functools.cache
def diagnosed():
    """Diagnose every recording once: name -> diagnosis."""
    return {name: diagnose(load_bundle(name)) for name in INDEX}


def top(diagnosis):
    return diagnosis.causes[0].code if diagnosis.causes else None


# Recordings of real fine-tuned models


@with_zoo
def test_no_healthy_recording_fails():
    """No healthy model of the recordings has a failed finding, or a cause."""
    failed = {
        name: str(diagnosis).splitlines()[0]
        for name, diagnosis in diagnosed().items()
        if not INDEX[name]["causes"] and not INDEX[name]["weak"]
        and (diagnosis.verdict == "failed" or diagnosis.causes)
    }  # fmt: skip
    assert {} == failed
    assert 20 < sum(not entry["causes"] and not entry["weak"] for entry in INDEX.values())


@with_zoo
def test_no_wrong_cause_is_certain():
    """What a diagnosis states as a fact is one, in every recording."""
    wrong = {
        (name, cause.code)
        for name, diagnosis in diagnosed().items()
        for cause in diagnosis.causes
        if cause.certain and cause.code not in INDEX[name]["causes"]
    }
    assert set() == wrong


@with_zoo
def test_harmful_faults_are_detected():
    """At least 96 % of the faults that cost accuracy fail."""
    harmful = [name for name in INDEX if INDEX[name].get("harmful")]
    missed = [name for name in harmful if diagnosed()[name].verdict != "failed"]
    assert 300 < len(harmful)
    assert len(missed) <= 0.04 * len(harmful), missed


@with_zoo
def test_identifiable_causes_come_first():
    """Of the harmful faults whose cause the arrays can tell, at least 97 % are named first."""
    harmful = [
        name for name in INDEX if INDEX[name].get("harmful") and INDEX[name].get("identifiable")
    ]
    missed = {
        name: (top(diagnosed()[name]), INDEX[name]["causes"])
        for name in harmful
        if top(diagnosed()[name]) not in INDEX[name]["causes"]
    }
    assert 250 < len(harmful)
    assert len(missed) <= 0.03 * len(harmful), missed


@with_zoo
@pytest.mark.parametrize("family", ["decode", "label"])
def test_faults_after_training_are_always_named(family):
    """Wrong decoding and wrong labels of a trained model: at least 97 % are named first."""
    names = [
        name
        for name, entry in INDEX.items()
        if entry["family"] == family and entry.get("harmful") and entry.get("identifiable")
    ]
    missed = [name for name in names if top(diagnosed()[name]) not in INDEX[name]["causes"]]
    assert len(missed) <= 0.03 * len(names), missed


@with_zoo
def test_less_evidence_makes_no_wrong_fact():
    """With any fields left out, what is stated as a fact is still one, and the healthy pass."""
    generator = np.random.default_rng(20)
    wrong = {}
    for name, entry in INDEX.items():
        fields = load_bundle(name).fields()
        kept = {field: value for field, value in fields.items() if generator.random() < 0.6}
        diagnosis = diagnose(Evidence(**kept))
        for cause in diagnosis.causes:
            if cause.certain and cause.code not in entry["causes"]:
                wrong[name, cause.code] = sorted(kept)
        if not entry["causes"] and not entry["weak"] and diagnosis.verdict == "failed":
            wrong[name, "healthy"] = sorted(kept)
    assert {} == wrong


@with_zoo
def test_more_evidence_takes_no_fact_back():
    """What outputs, labels, tokens or history prove is still proved with more of them.

    Of every fourth recording: what ``python -m benchmarks.zoo score`` prints is of all.
    """
    taken_back = {}
    for name in list(INDEX)[::4]:
        fields, facts = load_bundle(name).fields(), set()
        for amount, kept in AMOUNTS.items():
            evidence = Evidence(**{key: fields[key] for key in fields if key in kept})
            certain = {cause.code for cause in diagnose(evidence).causes if cause.certain}
            if facts - certain:
                taken_back[name, amount] = facts - certain
            facts |= certain
    assert {} == taken_back


@with_zoo
def test_every_report_is_harmless_and_short():
    """Each report and message: first line within 100 characters, no control characters."""
    for diagnosis in diagnosed().values():
        for text in (str(diagnosis), *map(str, diagnosis.findings)):
            lines = text.split("\n")
            assert 0 < len(lines[0]) <= 100
            assert all(line.isprintable() for line in lines)


@with_zoo
def test_summaries_fit_the_first_line():
    """The numbers of a failed finding are not cut off: its summary has at most 100 characters."""
    long = {
        finding.summary
        for diagnosis in diagnosed().values()
        for finding in diagnosis.findings
        if finding.verdict == "failed" and len(finding.summary) > 100
    }
    assert set() == long


@with_zoo
def test_every_diagnosis_survives_the_way_through_json():
    """to_dict of each is JSON, and from_dict of it reads the same."""
    for diagnosis in diagnosed().values():
        text = json.dumps(diagnosis.to_dict())
        again = Diagnosis.from_dict(json.loads(text))
        assert text == json.dumps(again.to_dict())
        assert str(diagnosis) == str(again)


@with_zoo
def test_findings_keep_to_what_their_check_declares():
    """Findings name declared causes only, and are certain only where they failed."""
    declared = {check.name: set(check.causes) for check in all_checks()}
    undeclared = {
        (finding.check, code)
        for diagnosis in diagnosed().values()
        for finding in diagnosis.findings
        for code in finding.causes
        if code not in declared[finding.check]
    }
    assert set() == undeclared
    for diagnosis in diagnosed().values():
        for finding in diagnosis.findings:
            assert finding.verdict is Verdict.FAILED or not finding.certain
            assert set() == {part for need in finding.needs for part in need.split(" or ")} - FIELDS
            assert finding.fix or finding.verdict is not Verdict.FAILED


def placeholders(sentence):
    """The statistics that a sentence fills in."""
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


def sentences_can_be_filled(findings):
    """Fail if a finding shows a sign whose sentence needs a number that it does not give."""
    for finding in findings:
        for sign, seen in finding.signs.items():
            for name in placeholders(SIGNS.get(sign, ("", ""))[0 if seen else 1]):
                assert finding.statistics.get(name) is not None, (finding.check, sign, name)


@with_zoo
def test_sentences_are_filled_by_the_check_that_saw_the_sign():
    """The numbers in the words for a sign come from the very finding that shows it."""
    for diagnosis in diagnosed().values():
        sentences_can_be_filled(diagnosis.findings)


SERIES = st.lists(st.floats(allow_nan=True, width=32), min_size=1, max_size=3)


@given(
    fields=st.fixed_dictionaries(
        {},
        optional={
            "loss": SERIES,
            "val_loss": SERIES,
            "learning_rate": SERIES,
            "train_steps": st.integers(0, 30),
            "batch_size": st.integers(1, 8),
            "y_train": st.lists(st.integers(-1, 3), min_size=1, max_size=9),
            "max_length": st.integers(1, 99),
            "token_counts": st.lists(st.integers(0, 99), min_size=3, max_size=3),
            "kept_token_counts": st.lists(st.integers(0, 9), min_size=3, max_size=3),
            "unloaded_weights": st.lists(st.text(max_size=3), max_size=2),
        },
    ),
    outputs=st.sampled_from(
        [None, [[2.0, 0.0]] * 3, [[np.nan, 0.0]] * 3, [[1.0, 0], [0, 1], [0, 3]]]
    ),
)
@settings(deadline=None, max_examples=120)
def test_any_mixture_of_training_and_tokens_is_put_into_words(fields, outputs):
    """Whatever was recorded of training and tokens, the report can be written."""
    evidence = Evidence(logits=outputs, y_true=[0, 1, 1], label_names=["a", "b"], **fields)
    diagnosis = diagnose(evidence)
    sentences_can_be_filled(diagnosis.findings)
    assert str(diagnosis)


# The table of causes


def emitted_signs():
    """Every sign that the checks emit, over the recordings and what none of them holds."""
    alike = Evidence(input_ids=np.ones((9, 4)), train_steps=0, kept_token_counts=[2] * 9)
    outside = Evidence(y_true=[0, 9], label_names=["a", "b"], loss=[0.7, np.nan])
    findings = [finding for diagnosis in diagnosed().values() for finding in diagnosis.findings]
    cross_validated = Evidence(
        y_train=[0, 1] * 20, train_reference_y_pred=[0, 1] * 20, y_true=[0, 1],
        evaluation_reference_y_pred=[0, 1],
    )  # fmt: skip
    unloaded = Evidence(unloaded_weights=["head"])
    cut = Evidence(y_true=[0, 1], logits=np.eye(2), tail_logits=np.eye(2),
                   token_counts=[9, 9], kept_token_counts=[3, 3])  # fmt: skip
    wiring = Evidence(
        y_true=[0, 1], logits=np.eye(2), padded_logits=-np.eye(2), rebatched_logits=np.eye(2) * 3,
        attention_mask=[[1, 1], [1, 1]], learning_rate=[1e-5], encoder_update=0.1, head_update=0.1,
        overfit_loss=[0.7] * 9, val_loss=[-np.log(np.e / (1 + np.e))],
    )  # fmt: skip
    capitals = Evidence(unknown_token_share=[0.2] * 40, lowercase_unknown_token_share=[0.0] * 40)
    before = Evidence(y_true=[0, 1] * 40, y_pred=[0, 0] * 40, baseline_y_pred=[0, 1] * 40)
    for evidence in (alike, outside, cross_validated, unloaded, cut, wiring, capitals, before):
        findings += run_checks(evidence)
    findings.append(find_check("few_negative_flips")(before))
    for finding in findings:
        yield from finding.signs
    yield "no-progress"  # the diagnosis' own, from the training check's verdict


@with_zoo
def test_every_sign_of_the_table_is_emitted():
    """A row that asks for a sign that no check emits could never be right."""
    known = set(emitted_signs())
    asked = {
        (code, sign)
        for code, row in TABLE.items()
        for need in (*row.requires, *row.forbids, *row.weights)
        for sign in ((need,) if isinstance(need, str) else need)
    }
    assert set() == {(code, sign) for code, sign in asked if sign not in known}


def test_every_sign_that_weighs_has_a_sentence():
    """A sign that speaks for a cause, seen or not seen, has words for the reader."""
    for code, row in TABLE.items():
        for sign, (seen, unseen) in row.weights.items():
            sentences = SIGNS.get(sign, ("", ""))
            if seen > 0:
                assert sentences[0], (code, sign)
            if unseen >= 2:
                assert sentences[1], (code, sign)


def test_the_table_speaks_the_vocabulary():
    """Rows are causes, what a sign asks for is a field, and each row says how to settle it."""
    assert set() == set(TABLE) - set(CAUSES)
    assert set() == set(ASKS.values()) - FIELDS
    for code, row in TABLE.items():
        assert row.settled_by, code


@pytest.mark.parametrize("check", all_checks(), ids=lambda check: check.name)
def test_checks_declare_what_exists(check):
    """Each check has a stage, documentation, fields that exist and causes of the vocabulary."""
    assert check.stage in STAGES
    assert set() == set(check.causes) - set(CAUSES)
    needed = {name for need in check.needs for name in ((need,) if isinstance(need, str) else need)}
    assert set() == needed - FIELDS
    assert "?" in check.description.splitlines()[0]


def test_names_and_order_of_the_checks():
    """Checks come in the order of the stages, each name once."""
    stages = [STAGES.index(check.stage) for check in all_checks()]
    assert sorted(stages) == stages
    names = [check.name for check in all_checks()]
    assert len(set(names)) == len(names)


NUMBERS = {
    name: 1 for sentences in SIGNS.values() for text in sentences for name in placeholders(text)
}
SIGNS_DRAWN = st.dictionaries(st.sampled_from(sorted(SIGNS)), st.booleans(), max_size=12)


@given(signs=SIGNS_DRAWN, check=st.sampled_from(all_checks()), certain=st.booleans())
@settings(deadline=None, max_examples=150)
def test_ranking_keeps_its_promises_for_any_signs(signs, check, certain):
    """Whatever was seen: a failure has a cause, facts lead, codes exist and come once."""
    assume(check.causes or not certain)
    finding = Finding(
        Verdict.FAILED, "it failed", check=check.name, stage=check.stage,
        causes=check.causes, certain=certain, signs=signs, p_value=None if certain else 0.0001,
        statistics=NUMBERS,
    )  # fmt: skip
    causes = rank_causes([finding])
    codes = [cause.code for cause in causes]
    assert causes
    assert len(set(codes)) == len(codes)
    assert set() == set(codes) - set(CAUSES)
    facts = [cause.certain for cause in causes]
    harmless = "label-names-missing"
    assert [certain] == facts[:1] or harmless in codes
    assert all(cause.stage == CAUSES[cause.code][0] for cause in causes)
    if certain and check.causes[0] != harmless:
        assert check.causes[0] == codes[0]
    if "unknown" in codes:
        assert not certain


def test_what_no_cause_explains_still_says_what_to_change():
    """Progress that was lost again, with nothing known of the rate, has no cause but has a fix."""
    y_true, y_pred = np.random.default_rng(0).integers(0, 2, (2, 200))
    evidence = Evidence(
        y_true=y_true, y_pred=y_pred, val_accuracy=[0.71, 0.88, 0.53],
        val_loss=[0.6, 0.4, 0.9], dataset_label_names=["ham", "spam"],
    )  # fmt: skip
    diagnosis = diagnose(evidence)
    assert ["training_progressed"] == [f.check for f in diagnosis.findings if f.verdict == "failed"]
    assert "unknown" == diagnosis.causes[0].code
    assert "keep the best weights" in diagnosis.causes[0].fix
    assert "progress lost" in diagnosis.causes[0].reasons[0]


@given(signs=SIGNS_DRAWN)
@settings(deadline=None, max_examples=60)
def test_without_a_failure_there_is_no_cause(signs):
    """Signs alone, without a failed finding, accuse nobody."""
    findings = [
        Finding(verdict, "s", check="beats_majority", stage="outputs", signs=signs,
                statistics=NUMBERS)
        for verdict in (Verdict.PASSED, Verdict.INCONCLUSIVE, Verdict.SKIPPED)
    ]  # fmt: skip
    assert () == rank_causes(findings)


def row_of_signs(code):
    """The signs with which a cause agrees best: what it requires and all that speaks for it."""
    row = TABLE[code]
    signs = {}
    for sign, (seen, unseen) in row.weights.items():
        if max(seen, unseen) > 0:
            signs[sign] = seen >= unseen
    for need in row.requires:
        choice = (need,) if isinstance(need, str) else need
        if not any(signs.get(sign) for sign in choice):
            signs[next(sign for sign in choice if sign not in row.forbids)] = True
    return {**signs, **dict.fromkeys(row.forbids, False)}


@pytest.mark.parametrize("code", TABLE)
def test_a_cause_whose_signs_are_all_seen_stands(code):
    """Each row, given all that speaks for it, is among the causes; forbidden, it is not."""
    signs = row_of_signs(code)
    named = [check for check in all_checks() if code in check.causes]
    failing = "training_progressed" if "no-progress" in str(TABLE[code].requires) else None
    check = next((c for c in named if c.name == failing), named[0] if named else all_checks()[0])
    finding = Finding(
        Verdict.FAILED, "it failed", check=check.name, stage=check.stage, causes=(code,),
        signs=signs, statistics=NUMBERS,
    )  # fmt: skip
    assert code in [cause.code for cause in rank_causes([finding])]
    for forbidden in TABLE[code].forbids:
        ruled_out = dataclasses.replace(finding, signs={**signs, forbidden: True})
        assert code not in [cause.code for cause in rank_causes([ruled_out])]


def test_a_fact_explains_what_lies_downstream():
    """Beside a fact that did the damage, no likelihoods are listed."""
    run = trained(5, 0)
    evidence = run.evidence(y_pred=run.outputs.argmin(axis=1), reference_y_pred=run.answers)
    diagnosis = diagnose(evidence)
    assert 1 < sum(finding.verdict == "failed" for finding in diagnosis.findings)
    assert all(cause.certain for cause in diagnosis.causes)


# What the outputs alone tell of a collapse


def collapsed_outputs(spread, *, offset=1.0, n=300, seed=0):
    """Outputs of three labels of which the first always wins, with so much left of the input."""
    generator = np.random.default_rng(seed)
    return np.array([offset, 0.0, -offset]) + spread * generator.normal(size=(n, 3))


TURNS = np.arange(300) % 3


@pytest.mark.parametrize(
    ("logits", "code"),
    [
        (collapsed_outputs(1e-7), "learning-rate-too-high"),
        (collapsed_outputs(0, offset=1e4), "diverged"),
        (collapsed_outputs(0), "inputs-constant"),
        (collapsed_outputs(2e-4, offset=0.05), "weights-not-loaded"),
        (collapsed_outputs(0.3, offset=3.0) + 0.5 * np.eye(3)[TURNS], "class-imbalance"),
    ],
    ids=["rounding", "huge", "equal", "faint", "ranks the labels"],
)
def test_what_is_left_of_the_input_tells_collapses_apart(logits, code):
    """Blown-up weights let nothing through, random ones a little, a learnt prior all of it."""
    diagnosis = diagnose(Evidence(logits=logits, y_true=TURNS, label_names=["a", "b", "c"]))
    assert "failed" == diagnosis.verdict
    assert code == top(diagnosis), str(diagnosis)
    assert not diagnosis.causes[0].certain


def test_outputs_that_rank_the_labels_of_a_balanced_training_are_no_imbalance():
    """What outputs say of an imbalance, the training labels take back."""
    logits = collapsed_outputs(0.3, offset=3.0) + 0.5 * np.eye(3)[TURNS]
    evidence = Evidence(logits=logits, y_true=TURNS, y_train=np.arange(900) % 3)
    assert "class-imbalance" not in [cause.code for cause in diagnose(evidence).causes]


@pytest.mark.parametrize(
    ("reference", "cause"),
    [(np.zeros(300, int), "class-imbalance"), (TURNS, "learning-rate-too-high")],
    ids=["collapses too", "learns"],
)
def test_a_reference_tells_a_high_rate_from_an_imbalance(reference, cause):
    """What no learning rate can do is the imbalance's work; what the reference learns is not."""
    y_train = np.zeros(300, int)
    y_train[[20, 90, 150, 260]], y_train[[40, 120, 200, 280]] = 1, 2
    evidence = Evidence(
        logits=collapsed_outputs(1e-6, offset=3.0), y_true=TURNS, y_train=y_train,
        reference_y_pred=reference, learning_rate=[1e-3] * 20, loss=[1.1] + [0.1] * 19,
        val_loss=[0.3, 0.2],
    )  # fmt: skip
    assert cause == top(diagnose(evidence))


@pytest.mark.parametrize("history", [
    {"loss": [1.1, 1.1], "val_loss": [1.1, 1.1], "learning_rate": [1e-3, 1e-3]}, {},
], ids=["a high rate", "no history"])  # fmt: skip
def test_texts_of_one_length_under_equal_outputs_are_one_text(history):
    """All outputs are equal and all texts have six tokens: the texts, not the training."""
    evidence = Evidence(
        logits=collapsed_outputs(0), y_true=TURNS, token_counts=[6] * 300,
        kept_token_counts=[6] * 300, **history,
    )  # fmt: skip
    assert "inputs-constant" == top(diagnose(evidence))


# Answers no better than chance


def guesses(**fields):
    """Sure outputs that have nothing to do with the labels."""
    generator = np.random.default_rng(5)
    logits = 4 * np.eye(3)[generator.integers(0, 3, 300)] + generator.normal(size=(300, 3))
    return Evidence(logits=logits, y_true=TURNS, label_names=["a", "b", "c"], **fields)


def test_answers_at_chance_have_candidates_but_no_verdict():
    """Hard or broken is open; what it would be, if broken, is said, and what would tell."""
    diagnosis = diagnose(guesses())
    assert "inconclusive" == diagnosis.verdict
    assert "labels-misaligned" == top(diagnosis)
    assert (
        "verdict: inconclusive, labels-misaligned (if it is broken)"
        == str(diagnosis).split("\n")[0]
    )
    assert "predict a few rows one at a time" in diagnosis.causes[0].settled_by


def test_a_plain_model_at_chance_too_says_that_the_task_is_hard():
    """Where TF-IDF learns nothing either, nothing is suspected."""
    reference = np.random.default_rng(6).integers(0, 3, 300)
    diagnosis = diagnose(guesses(reference_y_pred=reference))
    assert "inconclusive" == diagnosis.verdict
    assert () == diagnosis.causes


def test_few_rows_at_chance_are_no_reason_to_suspect():
    """Of nine rows at chance nobody can say that they are bad."""
    evidence = Evidence(y_true=np.arange(9) % 3, y_pred=[0, 0, 0, 1, 1, 1, 2, 2, 2])
    assert () == diagnose(evidence).causes


@pytest.mark.parametrize("history", [
    {"learning_rate": [1e-3, 1e-3]}, {"train_steps": 5},
    {"encoder_update": 0.0, "head_update": 0.0},
], ids=["a high rate", "few steps", "no update"])  # fmt: skip
def test_a_model_that_was_good_in_validation_was_trained_well(history):
    """Good in validation and at chance afterwards: training is not to blame, whatever it was."""
    diagnosis = diagnose(guesses(y_train=np.arange(900) % 3, val_accuracy=[0.6, 0.905], **history))
    assert "failed" == diagnosis.verdict
    named = [cause for cause in diagnosis.causes if not cause.certain]
    assert "training" not in {cause.stage for cause in named}


def test_missing_names_do_not_explain_a_collapse():
    """Placeholder names are a fact that never moved an answer: the collapse keeps its causes."""
    run = trained(3, 0)
    evidence = run.evidence(
        logits=np.tile([2.0, 0.0, -1.0], (150, 1)), label_names=["LABEL_0", "LABEL_1", "LABEL_2"]
    )
    codes = [cause.code for cause in diagnose(evidence).causes]
    assert "label-names-missing" == codes[-1]
    assert 1 < len(codes)


# Faults put into a real pipeline


def retrained(run, y_train, *, strength=100.0):
    """Train the run's model again on other labels; return its outputs on the evaluation set."""
    features = run.vectorizer.transform(run.train_texts)
    model = LogisticRegression(C=strength, max_iter=1000).fit(features, y_train)
    scores = model.decision_function(run.vectorizer.transform(run.texts))
    return np.stack([-scores / 2, scores / 2], axis=1) if scores.ndim == 1 else scores


def fault_shuffled_labels(run):
    """Training labels shuffled against their texts."""
    y_train = np.random.default_rng(0).permutation(run.y_train)
    return {"logits": retrained(run, y_train), "y_train": y_train}


def fault_swapped_training_labels(run):
    """Two labels exchanged while encoding the training set."""
    swap = np.arange(len(run.names))
    swap[[0, 1]] = [1, 0]
    return {"logits": retrained(run, swap[run.y_train]), "y_train": swap[run.y_train]}


def fault_axis(run):
    """Decoded over the examples."""
    return {"y_pred": run.outputs.argmax(axis=0)}


def fault_rolled(run):
    """Predictions paired with the next text."""
    return {"y_pred": np.roll(run.answers, 1)}


def fault_ids_from_one(run):
    """Evaluation labels that start at 1."""
    return {"y_true": run.y_true + 1}


def fault_names(run):
    """The model's names in the order in which labels were first seen."""
    return {"label_names": run.names[::-1]}


def fault_imbalance(run):
    """Trained on 99 % of one label, with a strong prior: answers that label to everything."""
    kept = np.flatnonzero(run.y_train == 0).tolist() * 6
    kept += [int(np.flatnonzero(run.y_train == label)[0]) for label in range(1, len(run.names))]
    features = run.vectorizer.transform([run.train_texts[i] for i in kept])
    model = LogisticRegression(C=0.05, max_iter=1000).fit(features, run.y_train[kept])
    scores = model.decision_function(run.vectorizer.transform(run.texts))
    scores = np.stack([-scores / 2, scores / 2], axis=1) if scores.ndim == 1 else scores
    return {"logits": scores, "y_train": run.y_train[kept]}


def fault_constant_text(run):
    """Every text replaced by the same one on its way to the model."""
    return {
        "logits": run.logits([run.texts[0]] * len(run.texts)),
        "input_ids": np.tile([101, 7, 9, 102], (len(run.texts), 1)),
    }


def fault_dropout(run):
    """Features dropped at random at inference."""
    generator = np.random.default_rng(0)
    features = run.vectorizer.transform(run.texts).toarray()

    def call():
        scores = run.model.decision_function(features * (generator.random(features.shape) > 0.1))
        return np.stack([-scores / 2, scores / 2], axis=1) if scores.ndim == 1 else scores

    return {"logits": call(), "repeated_logits": call()}


def fault_nan(run):
    """A division by zero in the features of some texts."""
    logits = run.outputs.copy()
    logits[::7] = np.nan
    return {"logits": logits}


FAULTS = {
    "swapped training labels": (fault_swapped_training_labels, "label-mapping-swapped", False),
    "axis": (fault_axis, "argmax-wrong-axis", True),
    "rolled": (fault_rolled, "labels-misaligned", True),
    "ids from 1": (fault_ids_from_one, "label-out-of-range", True),
    "names": (fault_names, "label-mapping-swapped", True),
    "imbalance": (fault_imbalance, "class-imbalance", False),
    "constant text": (fault_constant_text, "inputs-constant", True),
    "dropout": (fault_dropout, "dropout-at-inference", True),
    "NaN": (fault_nan, "diverged", True),
}


@pytest.mark.parametrize("num_labels", [3, 5])
@pytest.mark.parametrize(("fault", "cause", "certain"), FAULTS.values(), ids=FAULTS)
def test_a_fault_in_a_real_pipeline_is_named(fault, cause, certain, num_labels):
    """A healthy real classifier passes; with one fault put in, that fault is the first cause."""
    run = trained(num_labels, 0, n=300)
    healthy = {"y_train": run.y_train, "reference_y_pred": run.answers}
    assert "passed" == diagnose(run.evidence(**healthy)).verdict
    diagnosis = diagnose(run.evidence(**{**healthy, **fault(run)}))
    assert "failed" == diagnosis.verdict
    assert cause == top(diagnosis)
    assert certain is diagnosis.causes[0].certain
    assert diagnosis.causes[0].reasons
    assert diagnosis.causes[0].fix


@pytest.mark.parametrize("num_labels", [2, 3, 5])
def test_shuffled_training_labels_are_detected(num_labels):
    """A model of shuffled labels beside a sound reference: detected, and nothing is certain."""
    run = trained(num_labels, 0, n=300)
    diagnosis = diagnose(run.evidence(reference_y_pred=run.answers, **fault_shuffled_labels(run)))
    assert "failed" == diagnosis.verdict
    assert not any(cause.certain for cause in diagnosis.causes)


# The function itself


def test_no_evidence_is_skipped():
    """Without evidence every check is skipped, and so is the diagnosis."""
    diagnosis = diagnose(Evidence())
    assert "skipped" == diagnosis.verdict
    assert {"skipped"} == {finding.verdict.value for finding in diagnosis.findings}
    assert () == diagnosis.causes
    assert "checks skipped; give" in str(diagnosis)


def test_the_verdict_is_the_worst_finding():
    """Failed before inconclusive before passed before skipped."""
    run = trained(3, 0)
    assert "passed" == diagnose(run.evidence()).verdict
    unsettled = run.evidence(token_counts=[90] * 150, kept_token_counts=[20] * 150,
                             logits=np.random.default_rng(0).normal(size=(150, 3)))  # fmt: skip
    assert "inconclusive" == diagnose(unsettled).verdict
    assert "failed" == diagnose(run.evidence(y_true=run.y_true - 1)).verdict


def test_counts_and_confusion_are_the_evidences():
    """The report's counts per label and confusion matrix are those of the answers."""
    run = trained(3, 0)
    diagnosis = diagnose(run.evidence())
    assert list(run.names) == [label.name for label in diagnosis.labels]
    assert np.bincount(run.y_true).tolist() == [label.true for label in diagnosis.labels]
    assert np.bincount(run.answers).tolist() == [label.predicted for label in diagnosis.labels]
    assert 150 == sum(map(sum, diagnosis.confusion))


@pytest.mark.parametrize("n", [999, 1000, 3000])
def test_counts_of_large_sets(n):
    """Counting is the same below and above a thousand examples."""
    y_pred = np.random.default_rng(0).integers(0, 3, n)
    diagnosis = diagnose(Evidence(y_pred=y_pred, label_names=list("abc")))
    assert np.bincount(y_pred).tolist() == [label.predicted for label in diagnosis.labels]
    assert {None} == {label.true for label in diagnosis.labels}
    assert {int} == {type(label.predicted) for label in diagnosis.labels}


def test_checks_can_be_chosen():
    """Only the checks that were named run, by either form of their name."""
    run = trained(3, 0)
    names = ["labels_valid", "outputs::not_collapsed"]
    findings = diagnose(run.evidence(), checks=names).findings
    assert ["labels_valid", "not_collapsed"] == [finding.check for finding in findings]


def test_expected_failures_carry_their_reason():
    """A failure that is known is marked with its reason; other findings are not."""
    findings = run_checks(Evidence(y_true=[0, -1]))
    marked = with_expected_failures(findings, {"labels_valid": "hidden test set"})
    reasons = {finding.check: finding.expected_failure for finding in marked}
    assert "hidden test set" == reasons.pop("labels_valid")
    assert {None} == set(reasons.values())


@given(seed=st.integers(0, 2**32 - 1), temperature=st.floats(0.2, 5))
@settings(deadline=None, max_examples=20)
def test_a_diagnosis_does_not_depend_on_form(seed, temperature):
    """Shifted logits, probabilities and float32 are the same model: the same verdict."""
    run = trained(3, 1)
    shift = np.random.default_rng(seed).normal(scale=5, size=(150, 1))
    logits = temperature * run.outputs
    forms = (logits, logits + shift, logits.astype(np.float32), softmax(logits))
    verdicts = {diagnose(run.evidence(logits=form)).verdict for form in forms}
    assert {Verdict.PASSED} == verdicts


def test_numpy_scalars_in_statistics_reach_json():
    """Statistics may hold NumPy scalars; what leaves for a report never does."""
    finding = Finding(
        Verdict.FAILED, "s", check="c", stage="outputs",
        statistics={"share": np.float32(0.5), "counts": np.arange(3), "flag": np.True_},
        p_value=np.float64(0.01), signs={"seen": np.True_},
    )  # fmt: skip
    diagnosis = Diagnosis(Verdict.FAILED, (), (finding,))
    text = json.dumps(diagnosis.to_dict())
    again = Diagnosis.from_dict(json.loads(text)).findings[0]
    assert {"share": 0.5, "counts": [0, 1, 2], "flag": True} == again.statistics
    assert {"seen": True} == again.signs
