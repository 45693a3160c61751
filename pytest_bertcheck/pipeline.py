"""The pipeline under test, as a team hands it over: callables and data, most of them optional."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .evidence import Evidence

__all__ = ["Pipeline"]


OBSERVED = (
    "y_true",
    "logits",
    "y_pred",
    "label_names",
    "label2id_names",
    "dataset_label_names",
    "max_length",
    "y_train",
)
"""Fields that the live pipeline gives: a recording of them would be judged in its place."""


@dataclass(frozen=True, eq=False)
class Pipeline:
    """A team's own classifier: encoding, model and decoding, with the data to judge it by.

    Parameters
    ----------
    predict
        Texts to outputs: ``(n, C)`` logits or a framework's output object, in the texts' order.
    texts : sequence of n str
        The evaluation texts.
    y_true : (n,) int
        Their label ids, in the data set's encoding.
    decode
        What ``predict`` returned to label ids, in the data set's encoding. Without it the answers
        are taken to be the argmax.
    encode
        Texts to a mapping with any of ``input_ids``, ``attention_mask``, ``token_counts`` (before
        truncation), ``kept_token_counts`` and ``unknown_token_share``.
    load
        Loads the saved pipeline again, as serving does, and returns its ``predict``.
    label_names, dataset_label_names
        Names by id as the model has them, and as the data set has them.
    label2id_names
        Names by id as the model's ``label2id`` has them.
    max_length
        The truncation limit in tokens.
    train_texts, y_train
        The training rows as they were fed; the reference model is trained on them.
    recorded
        Other fields of :class:`Evidence` that training recorded: ``loss``, ``val_loss``, ...
    name
        Names the pipeline in reports; for people only.

    Raises
    ------
    TypeError
        If a callable is none, or ``recorded`` has fields that no evidence has.
    ValueError
        If there are no texts, or not as many as labels.

    Examples
    --------
    >>> import numpy as np
    >>> pipeline = Pipeline(
    ...     predict=lambda texts: np.array([[0.0, 2.0 * ("win" in text) - 1] for text in texts]),
    ...     texts=["hello there", "win money now"],
    ...     y_true=[0, 1],
    ... )
    >>> pipeline.observe()
    Evidence(y_true=(2,), logits=(2, 2), repeated_logits=(2, 2), example_keys=(2,))
    """

    predict: Callable[[Sequence[str]], Any]
    texts: Sequence[str]
    y_true: Any
    decode: Callable[[Any], Any] | None = None
    encode: Callable[[Sequence[str]], Mapping[str, Any]] | None = None
    load: Callable[[], Callable[[Sequence[str]], Any]] | None = None
    label_names: Any = None
    label2id_names: Any = None
    dataset_label_names: Any = None
    max_length: int | None = None
    train_texts: Sequence[str] | None = None
    y_train: Any = None
    recorded: Mapping[str, Any] = field(default_factory=dict)
    name: str = "pipeline"

    def __post_init__(self) -> None:
        for part in ("predict", "decode", "encode", "load"):
            value = getattr(self, part)
            if not callable(value) and not (value is None and part != "predict"):
                raise TypeError(
                    f"Pipeline: {part}: expected a callable, got {type(value).__name__}"
                )
        for part in ("texts", "train_texts"):
            texts = getattr(self, part)
            if texts is None and part == "train_texts":
                continue
            if isinstance(texts, str) or not hasattr(texts, "__iter__"):
                raise TypeError(
                    f"Pipeline: {part}: expected a sequence of str, got {type(texts).__name__}"
                )
            texts = list(texts)
            odd = [text for text in texts if not isinstance(text, str)]
            if odd:
                raise TypeError(f"Pipeline: {part}: expected str, got {odd[0]!r:.60}")
            object.__setattr__(self, part, texts)
        if not self.texts:
            raise ValueError("Pipeline: texts: expected at least one text, got none")
        known = Evidence(y_true=self.y_true, y_train=self.y_train)  # raises if they are no ids
        for part, labels in (("texts", "y_true"), ("train_texts", "y_train")):
            texts, ids = getattr(self, part), getattr(known, labels)
            if texts is not None and ids is not None and len(texts) != len(ids):
                raise ValueError(
                    f"Pipeline: {part} and {labels}: expected the same number, "
                    f"got {len(texts)} and {len(ids)}"
                )
        if self.recorded is None:
            object.__setattr__(self, "recorded", {})
        if not isinstance(self.recorded, Mapping):
            raise TypeError(
                "Pipeline: recorded: expected a mapping of evidence fields, "
                f"got {type(self.recorded).__name__}"
            )
        Evidence(**self.recorded)  # raises for what training cannot have recorded
        for name in OBSERVED:
            if name in self.recorded:
                raise ValueError(
                    f"Pipeline: recorded: expected what training recorded, got {name!r}, which is "
                    "observed of the pipeline itself"
                )

    @classmethod
    def from_transformers(cls, model: Any, tokenizer: Any = None, **parts: Any) -> Pipeline:
        """Return the pipeline of a TensorFlow transformers model, or of a folder that holds one.

        Parameters
        ----------
        model
            A ``TF...ForSequenceClassification``, or the folder of a saved one.
        tokenizer
            Its tokenizer; by default the one saved in the folder.
        **parts
            ``texts`` and ``y_true``, and any other part of :class:`Pipeline`. What the model
            tells by itself (``label_names``, ``label2id_names``, ``max_length``, ``encode``,
            ``load``, unloaded weights) is filled in.

        Raises
        ------
        ImportError
            If TensorFlow or transformers 4.x is not installed.
        ValueError
            If the folder holds no such model, or a tokenizer is missing.
        """
        from .adapters.transformers import parts_of

        return cls(**parts_of(model, tokenizer, **parts))

    def observe(self) -> Evidence:
        """Run the pipeline and the probes, once, and return what was observed.

        Raises
        ------
        ValueError, TypeError
            If the pipeline returned what no classifier returns.
        """
        from .probes import observe

        return observe(self)
