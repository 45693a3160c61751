"""The newsroom's own tests of its classifier, beside the built-in checks of pytest-bertcheck."""

from pathlib import Path

import pytest

from pytest_bertcheck import (
    Evidence,
    Pipeline,
    assert_label_mapping_consistent,
    assert_not_collapsed,
)

pytestmark = pytest.mark.bertcheck

HEADLINES = {
    "Oil company reports record quarterly profits as shares rise on the stock market": "business",
    "Actress wins best film award at the Oscars for her role in a Hollywood drama": "entertainment",
    "Labour and Tory MPs clash in parliament over election pledges": "politics",
    "Striker scores twice as United win the cup final against Arsenal": "sports",
    "New software lets mobile phone users download music and games over broadband": "tech",
}


def test_config_names_the_labels_as_the_data_set_does(
    run_directory: Path, bertcheck_pipeline: Pipeline
) -> None:
    """What serving calls an article is what the editors called it."""
    from transformers import BertConfig

    assert_label_mapping_consistent(
        BertConfig.from_pretrained(run_directory),
        dataset_labels=bertcheck_pipeline.dataset_label_names,
    )


def test_every_desk_gets_articles(bertcheck_evidence: Evidence) -> None:
    """The classifier does not send everything to one desk."""
    assert_not_collapsed(
        bertcheck_evidence.logits,
        y_true=bertcheck_evidence.y_true,
        label_names=bertcheck_evidence.label_names,
    )


def test_plain_headlines_reach_their_desk(bertcheck_pipeline: Pipeline) -> None:
    """Headlines that no editor would hesitate over are answered with their desk."""
    names = list(bertcheck_pipeline.dataset_label_names)
    y_pred = bertcheck_pipeline.decode(bertcheck_pipeline.predict(list(HEADLINES)))

    answers = [names[id_] if id_ < len(names) else str(id_) for id_ in y_pred]

    assert answers == list(HEADLINES.values())
