"""The pipeline under test, as a team hands it over: callables and data, most of them optional."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .evidence import Evidence

__all__ = ["FitStep", "NotPossible", "Pipeline"]

FitStep = Callable[[Sequence[str], Any], Any]
"""``fit_step(texts, y_true)``: one optimizer step; the loss, or a mapping that has it."""

Predict = Callable[[Sequence[str]], Any]

CALLABLES = ("predict", "decode", "encode", "predict_padded", "load", "start_training")


class NotPossible(Exception):
    """Raised by a part that cannot do what is asked; its text is why the probe is skipped."""


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
        Label names, or what a ``TextClassificationPipeline`` returns, are read by ``label_names``.
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
    predict_padded
        As ``predict``, with the inputs padded further than they need to be.
    load
        Loads the saved pipeline again, as serving does, and returns its ``predict``. A function
        that another process can import is called in one, under another hash seed.
    start_training
        ``start_training(learning_rate)`` returns :data:`fit_step <FitStep>` of a fresh, untrained
        copy of the model at that rate, or at the team's own for ``None``. Beside ``loss`` its
        mapping may have ``encoder_update`` and ``head_update`` since the start.
    label_names, dataset_label_names
        Names by id as the model has them, and as the data set has them.
    label2id_names
        Names by id as the model's ``label2id`` has them.
    max_length
        The truncation limit in tokens.
    train_texts, y_train
        The training rows as they were fed; the reference model is trained on them.
    recorded
        Other fields of :class:`Evidence` that training recorded: ``loss``, ``val_loss``, ... A
        probe whose fields are all there is not run.
    timeout
        Seconds after which a call of a part is given up. Where the operating system has no
        ``SIGALRM`` (Windows), and in a thread, a call is waited for.
    fingerprint
        What changes whenever an answer of a callable other than ``decode`` may, or a function that
        returns it: a hash of the weights and of the code. An adapter has its own, of what it calls
        itself. With it ``--bertcheck-cache`` keeps what was observed.
    name
        Names the pipeline in reports; for people only.

    Raises
    ------
    TypeError
        If a callable is none, or ``recorded`` has fields that no evidence has.
    ValueError
        If there are no texts, not as many as labels, or no time to answer.

    Examples
    --------
    >>> import numpy as np
    >>> pipeline = Pipeline(
    ...     predict=lambda texts: np.array([[0.0, 2.0 * ("win" in text) - 1] for text in texts]),
    ...     texts=["hello there", "win money now"],
    ...     y_true=[0, 1],
    ... )
    >>> pipeline.observe()
    Evidence(y_true=(2,), logits=(2, 2), repeated_logits=(2, 2), rebatched_logits=(2, 2), \
skipped_probes=(19,), example_keys=(2,))
    """

    predict: Predict
    texts: Sequence[str]
    y_true: Any
    decode: Callable[[Any], Any] | None = None
    encode: Callable[[Sequence[str]], Mapping[str, Any]] | None = None
    predict_padded: Predict | None = None
    load: Callable[[], Predict] | None = None
    start_training: Callable[[float | None], FitStep] | None = None
    label_names: Any = None
    label2id_names: Any = None
    dataset_label_names: Any = None
    max_length: int | None = None
    train_texts: Sequence[str] | None = None
    y_train: Any = None
    recorded: Mapping[str, Any] = field(default_factory=dict)
    timeout: float = 600.0
    fingerprint: Callable[[], str] | str | None = None
    name: str = "pipeline"

    def __post_init__(self) -> None:
        for part in CALLABLES:
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
        if not isinstance(self.timeout, (int, float)) or not self.timeout > 0:
            raise ValueError(
                f"Pipeline: timeout: expected a number of seconds above 0, got {self.timeout!r:.60}"
            )
        if not (self.fingerprint is None or isinstance(self.fingerprint, str)) and not callable(
            self.fingerprint
        ):
            raise TypeError(
                "Pipeline: fingerprint: expected a str or a function that returns one, "
                f"got {type(self.fingerprint).__name__}"
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
        """Return the pipeline of a transformers model, in TensorFlow (4.x) or PyTorch (4.x, 5.x).

        Parameters
        ----------
        model
            A ``...ForSequenceClassification``, the folder of a saved one, a
            ``TextClassificationPipeline`` or a ``Trainer``. A model is called in the mode in which
            it is: one that was left in training mode drops out.
        tokenizer
            Its tokenizer; by default that of the folder, the pipeline or the trainer.
        **parts
            ``texts`` and ``y_true``, and any other part of :class:`Pipeline`, of which those that
            the model tells by itself are filled in: all but ``decode``, and the history of a
            ``Trainer``. ``optimizer`` is that of a PyTorch model that was trained by other means.

        Raises
        ------
        ImportError
            If the framework of the model is not installed.
        ValueError
            If the folder holds no such model, or a tokenizer is missing. Its weights are read once
            the pipeline is called: what was observed in an earlier run needs none.
        """
        from .adapters.transformers import parts_of

        return cls(**parts_of(model, tokenizer, **parts))

    @classmethod
    def from_keras(cls, model: Any, vectorizer: Any = None, **parts: Any) -> Pipeline:
        """Return the pipeline of a Keras 3 or tf-keras model.

        Parameters
        ----------
        model
            A model that takes texts, or what ``vectorizer`` makes of them.
        vectorizer
            A ``TextVectorization`` layer, or any callable from a list of texts to inputs.
        **parts
            ``texts`` and ``y_true``, and any other part of :class:`Pipeline`, of which those that
            the model tells by itself are filled in (``encode``, ``predict_padded``,
            ``start_training`` if it is compiled, the learning rates of its schedule).
            ``history`` is what ``fit`` returned.

        Raises
        ------
        TypeError
            If ``model`` is no Keras model.
        """
        from .adapters.keras import parts_of

        return cls(**parts_of(model, vectorizer, **parts))

    @classmethod
    def from_sklearn(cls, estimator: Any, **parts: Any) -> Pipeline:
        """Return the pipeline of a fitted scikit-learn classifier that takes texts.

        Parameters
        ----------
        estimator
            A classifier or ``sklearn.pipeline.Pipeline`` with ``predict_proba`` or
            ``decision_function``. What it answers is its own ``predict``.
        **parts
            ``texts`` and ``y_true``, as ids or as the estimator's own ``classes_``, and any other
            part of :class:`Pipeline`.

        Raises
        ------
        TypeError
            If it is no classifier with scores.
        ValueError
            If it is not fitted.

        Examples
        --------
        >>> from sklearn.feature_extraction.text import TfidfVectorizer
        >>> from sklearn.linear_model import LogisticRegression
        >>> from sklearn.pipeline import make_pipeline
        >>> texts, labels = ["lunch today", "win money now"] * 4, ["ham", "spam"] * 4
        >>> model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, labels)
        >>> pipeline = Pipeline.from_sklearn(model, texts=texts, y_true=labels)
        >>> pipeline.label_names
        ('ham', 'spam')
        """
        from .adapters.sklearn import parts_of

        return cls(**parts_of(estimator, **parts))

    def observe(self) -> Evidence:
        """Run the pipeline and the probes, once, and return what was observed.

        Raises
        ------
        ValueError, TypeError
            If a part returned what no such part returns.
        Exception
            Whatever ``predict``, ``decode`` or ``encode`` raise of the evaluation texts.
        """
        from .probes import observe

        observed = observe(self)
        if observed.broken is not None:
            raise observed.broken
        return observed.evidence
