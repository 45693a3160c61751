"""The classifier as pytest-bertcheck sees it: the newsroom's own functions, handed over."""

from collections.abc import Callable, Sequence
from pathlib import Path

from transformers.modeling_tf_outputs import TFSequenceClassifierOutput

from newsroom.data import split_articles
from newsroom.decoding import decode, to_dataset_ids
from newsroom.encoding import encode_with_statistics, load_tokenizer
from newsroom.modeling import load_model
from newsroom.prediction import predict
from newsroom.runs import Run, read_history
from pytest_bertcheck import Pipeline


def build_pipeline(directory: Path) -> Pipeline:
    """The pipeline of a run directory, loaded as serving loads it."""
    run = Run.read(directory)
    split = split_articles(run.seed, run.training)
    tokenizer = load_tokenizer(directory)
    model, unloaded_weights = load_model(directory, run.serving)
    id2label = model.config.id2label

    def load() -> Callable[[Sequence[str]], TFSequenceClassifierOutput]:
        reloaded, _ = load_model(directory, run.serving)
        return lambda texts: predict(texts, reloaded, tokenizer)

    return Pipeline(
        predict=lambda texts: predict(texts, model, tokenizer),
        texts=split.evaluation.texts,
        y_true=split.evaluation.labels,
        decode=lambda outputs: to_dataset_ids(
            decode(outputs, run.serving), id2label, split.label_names
        ),
        encode=lambda texts: encode_with_statistics(texts, tokenizer),
        load=load,
        label_names=id2label,
        dataset_label_names=split.label_names,
        max_length=tokenizer.model_max_length,
        train_texts=split.train.texts,
        y_train=split.train.labels,
        recorded={**read_history(directory), "unloaded_weights": unloaded_weights},
        name=directory.name,
    )
