"""Models of transformers, from memory or from a saved folder, in TensorFlow or PyTorch."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from ..assertions import history_fields
from ..evidence import label_names_of
from ..pipeline import NotPossible
from . import pytorch, tensorflow
from .batches import Forward, in_batches
from .fingerprints import files_in, reject_changed_layers, reject_own_code, with_fingerprint

__all__ = ["from_folder", "parts_of"]

FURTHER = 16
"""Tokens by which inputs are padded further: an attention that sees them is far off."""

TRAINING_TOKENS = (16, 32, 64)
"""Tokens of rows that are to be learnt by heart: as few of these as tell the rows apart."""

ENCODED_AT_ONCE = 256
"""Texts that are encoded at a time: of a whole text the tokenizer holds far more than its ids."""

Array = npt.NDArray[Any]

NEEDS_A_FRAMEWORK = (
    "a transformers model needs PyTorch, or TensorFlow and transformers 4.x: "
    "pip install 'pytest-bertcheck[torch]' or 'pytest-bertcheck[tensorflow]' ({})"
)

A_SAVED_MODEL = "a saved transformers model"

MODEL_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def from_folder(folder: Path, data: Path) -> Any:
    """Return the pipeline of a saved model on labelled texts from a file.

    Raises
    ------
    ValueError
        If folder or file cannot be used; the message says what was expected.
    ImportError
        If neither PyTorch nor TensorFlow with transformers 4.x is installed.
    """
    from ..pipeline import Pipeline
    from .files import label_ids, read_labelled_texts

    texts, labels = read_labelled_texts(data)
    parts = parts_of(folder, None, texts=texts)
    y_true = label_ids(labels, parts["label_names"])
    return Pipeline(**{**parts, "y_true": y_true, "name": folder.name})


def parts_of(
    model: Any, tokenizer: Any = None, optimizer: Any = None, **parts: Any
) -> dict[str, Any]:
    """Return the parts of a pipeline that the model and its tokenizer tell by themselves."""
    if isinstance(model, (str, Path)):
        return _parts_of_saved(Path(model), tokenizer, optimizer, parts)
    recorded: dict[str, Any] = {}
    served = trainer = None
    if hasattr(model, "postprocess"):  # a TextClassificationPipeline
        served, tokenizer, model = model, tokenizer or model.tokenizer, model.model
    elif hasattr(model, "state") and hasattr(model, "args"):  # a Trainer
        trainer = model
        recorded = _recorded_by(trainer)
        given = getattr(trainer, "processing_class", None) or getattr(trainer, "tokenizer", None)
        tokenizer, optimizer = tokenizer or given, optimizer or trainer.optimizer
        model = trainer.model
    backend = _backend_of(model)
    if tokenizer is None:
        raise ValueError("tokenizer: expected the model's tokenizer, got none")
    tokens = _Tokens(
        tokenizer, parts.pop("max_length", None) or _max_length(tokenizer, model.config)
    )
    recorded["embedding_rows"] = backend.embedding_rows(model)
    forward_for = backend.forward_of(model)
    predict: Any = _Predict(forward_for, tokens.inputs_of)
    padded: Any = _Predict(forward_for, tokens.padded_inputs_of)
    if served is not None:
        predict = _predict_served(served)
    if trainer is not None:
        predict, padded = _evaluating(model, predict), _evaluating(model, padded)
    own = {
        **_told_by(model.config, tokens, recorded, parts),
        "predict": predict,
        "predict_padded": padded,
        "start_training": backend.start_training(model, tokens.short_inputs_of, optimizer),
    }

    def content() -> list[Any]:
        return [
            backend.content_of(model, optimizer),
            model.config.to_json_string(use_diff=False),
            _tokenizer_content(tokenizer),
            None if served is None else _served_content(served),
        ]

    return with_fingerprint(own, parts, content)


def _parts_of_saved(
    folder: Path, tokenizer: Any, optimizer: Any, parts: dict[str, Any]
) -> dict[str, Any]:
    """Return the parts of a pipeline that a folder tells; its model is loaded once it is called.

    What was observed in an earlier run does not need the model.
    """
    folder = folder.resolve()
    backend = _backend_of_saved(folder)
    import transformers

    config = _read(folder, A_SAVED_MODEL, transformers.AutoConfig)
    if not any((folder / name).is_file() for name in backend.WEIGHTS):
        raise ValueError(
            f"{folder}: expected {A_SAVED_MODEL}, got no {' or '.join(backend.WEIGHTS)}"
        )
    tokenizer = tokenizer or _read(folder, "the model's tokenizer too", transformers.AutoTokenizer)
    tokens = _Tokens(tokenizer, parts.pop("max_length", None) or _max_length(tokenizer, config))
    saved = _Saved(backend, folder)

    def load() -> Any:
        again = _Saved(backend, folder)
        return _Predict(again.forward_for, tokens.inputs_of, again.unloaded_weights)

    def start_training(learning_rate: float | None) -> Any:
        start = backend.start_training(saved.model, tokens.short_inputs_of, optimizer)
        return start(learning_rate)

    own = {
        **_told_by(config, tokens, {"embedding_rows": getattr(config, "vocab_size", None)}, parts),
        "predict": _Predict(saved.forward_for, tokens.inputs_of),
        "predict_padded": _Predict(saved.forward_for, tokens.padded_inputs_of),
        "load": load,
    }
    if "train_texts" in parts:  # of a model that is only served, nobody asks
        own["start_training"] = start_training

    def content() -> list[Any]:
        saved.reject_own_code(config)
        return [
            backend.precision(),
            backend.optimizer_content(optimizer),
            files_in(folder),
            _tokenizer_content(tokenizer),
        ]

    return with_fingerprint(own, parts, content)


def _told_by(
    config: Any, tokens: _Tokens, recorded: dict[str, Any], parts: dict[str, Any]
) -> dict[str, Any]:
    """Return the parts of a pipeline that tokenizer and config tell without the model."""
    return {
        "encode": tokens.encode,
        "label_names": label_names_of(config.id2label),
        # A config that was given id2label alone may say nothing.
        "label2id_names": config.label2id and label_names_of(config.label2id, "label2id"),
        "max_length": tokens.limit,
        "recorded": {
            **recorded,
            "tokenizer_size": len(tokens.tokenizer),
            "pad_token_id": config.pad_token_id,
            **(parts.pop("recorded", None) or {}),
        },
    }


def _tokenizer_content(tokenizer: Any) -> list[Any]:
    """Return what a tokenizer makes of texts depends on; each call says how to cut and to pad."""
    reject_own_code(type(tokenizer))
    fast = getattr(tokenizer, "backend_tokenizer", None)
    if fast is None:
        pieces = getattr(tokenizer, "sp_model", None)
        vocabulary: Any = [
            sorted(tokenizer.get_vocab().items()),
            repr(getattr(tokenizer, "bpe_ranks", None)),
            None if pieces is None else pieces.serialized_model_proto(),
        ]
    else:
        whole = json.loads(fast.to_str())
        vocabulary = json.dumps({**whole, "truncation": None, "padding": None})
    return [type(tokenizer).__qualname__, repr(tokenizer), repr(tokenizer.init_kwargs), vocabulary]


def _served_content(pipeline: Any) -> list[Any]:
    """Return how a TextClassificationPipeline was told to call its tokenizer and its model."""
    reject_own_code(type(pipeline))
    settings = [name for name in sorted(vars(pipeline)) if name.endswith(("_params", "_size"))]
    return [[name, repr(vars(pipeline)[name])] for name in settings]


def _backend_of(model: Any) -> ModuleType:
    """Return the module of the framework of a model.

    Raises
    ------
    TypeError
        If it is no model of transformers.
    """
    modules = {base.__module__.partition(".")[0] for base in type(model).__mro__}
    if not {"torch", "tf_keras", "keras", "tensorflow"} & modules or not hasattr(model, "config"):
        raise TypeError(
            "from_transformers: expected a transformers model, a folder, a "
            f"TextClassificationPipeline or a Trainer, got {type(model).__name__}"
        )
    return pytorch if "torch" in modules else tensorflow


def _backend_of_saved(folder: Path) -> ModuleType:
    """Return the module of the framework that can load a folder; that itself is not imported.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    # A folder that both can read goes to the one that is there.
    by_torch = find_spec("torch") is not None and not (folder / "tf_model.h5").is_file()
    for name in ("transformers", "torch" if by_torch else "tensorflow"):
        if find_spec(name) is None:
            raise ImportError(NEEDS_A_FRAMEWORK.format(f"{name} is not installed"))
    if not by_torch and int((found := version("transformers")).partition(".")[0]) >= 5:
        raise ImportError(NEEDS_A_FRAMEWORK.format(f"transformers is {found}"))
    return pytorch if by_torch else tensorflow


class _Saved:
    """A model in a folder, loaded once it is asked for."""

    def __init__(self, backend: ModuleType, folder: Path) -> None:
        self.backend = backend
        self.folder = folder

    @cached_property
    def _loaded(self) -> tuple[Any, dict[str, Any]]:
        _reject_no_config(self.folder)
        try:
            return self.backend.load(self.folder)  # type: ignore[no-any-return]
        except (OSError, ValueError) as error:
            raise _unreadable(self.folder, A_SAVED_MODEL, error) from error

    @property
    def model(self) -> Any:
        """The model."""
        return self._loaded[0]

    @property
    def unloaded_weights(self) -> list[str]:
        """Names of the weights that loading left at random values."""
        told = self._loaded[1]
        mismatched = [key[0] if isinstance(key, tuple) else key for key in told["mismatched_keys"]]
        return [*sorted(map(str, told["missing_keys"])), *map(str, mismatched)]

    @cached_property
    def _forward_for(self) -> Callable[[Mapping[str, Any]], Forward]:
        return self.backend.forward_of(self.model)  # type: ignore[no-any-return]

    def forward_for(self, inputs: Mapping[str, Any]) -> Forward:
        """Return how the model is called, given inputs such as it is to get."""
        return self._forward_for(inputs)

    def reject_own_code(self, config: Any) -> None:
        """Raise if the model is code of the team's own, or will be once it is loaded.

        Raises
        ------
        NotPossible
            With the name of that code; of an adapter, whose base model is elsewhere.
        """
        if (self.folder / "adapter_config.json").is_file():
            raise NotPossible("an adapter has its base model elsewhere")
        family = type(config).__module__.rpartition(".")[0]
        reject_changed_layers(self.backend.LAYERS, f"{family}.")
        module, mapping = self.backend.REGISTRY
        known = getattr(sys.modules.get(f"transformers.models.auto.{module}"), mapping, None)
        registered = getattr(known, "_extra_content", {}).get(type(config))
        reject_own_code(*filter(None, (type(config), registered)))
        if "_loaded" in vars(self):
            self.backend.reject_own_code_in(self.model)


def _read(folder: Path, expected: str, auto: Any) -> Any:
    _reject_no_config(folder)
    try:
        return auto.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise _unreadable(folder, expected, error) from error


def _reject_no_config(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise ValueError(f"{folder}: expected {A_SAVED_MODEL}, got no config.json")


def _unreadable(folder: Path, expected: str, error: Exception) -> ValueError:
    return ValueError(f"{folder}: expected {expected}: {str(error).splitlines()[0]}")


def _recorded_by(trainer: Any) -> dict[str, Any]:
    """Return what a Trainer recorded; nothing if it has not trained."""
    log = [entry for entry in trainer.state.log_history if "loss" in entry or "eval_loss" in entry]
    recorded = history_fields(log) if log else {}
    if trainer.state.global_step:
        recorded["train_steps"] = trainer.state.global_step
        args = trainer.args
        recorded["batch_size"] = (
            args.train_batch_size * args.gradient_accumulation_steps * args.world_size
        )
    return recorded


def _max_length(tokenizer: Any, config: Any) -> int:
    positions = getattr(config, "max_position_embeddings", None) or 512
    return int(min(tokenizer.model_max_length, positions))


class _Tokens:
    """What the tokenizer makes of texts, in the ways in which the model is to be called."""

    def __init__(self, tokenizer: Any, limit: int) -> None:
        self.tokenizer = tokenizer
        self.limit = limit

    def encode(self, texts: Sequence[str]) -> Mapping[str, Any]:
        tokenizer = self.tokenizer
        starts = range(0, max(len(texts), 1), ENCODED_AT_ONCE)
        counts: list[int] = []
        encodings = []
        for start in starts:
            part = list(texts[start : start + ENCODED_AT_ONCE])
            encoded = self._encoding(part, self.limit, padding=True)
            counts += self._counts_before_truncation(part, encoded)
            encodings.append(_model_inputs(encoded))
        encoding = {
            name: self._one_below_another(name, [part[name] for part in encodings])
            for name in encodings[0]
        }
        unknown = (encoding["input_ids"] == tokenizer.unk_token_id) & (
            encoding["attention_mask"] == 1
        )
        kept = encoding["attention_mask"].sum(axis=1)
        return {
            **encoding,
            "token_counts": counts,
            "unknown_token_share": unknown.sum(axis=1) / np.maximum(kept, 1),
        }

    def _counts_before_truncation(self, texts: list[str], encoded: Any) -> list[int]:
        tokenizer = self.tokenizer
        encodings = getattr(encoded, "encodings", None)
        if encodings is None:  # one in Python does not tell what it cut off
            alone = {"return_attention_mask": False, "return_token_type_ids": False}
            whole = tokenizer(texts, truncation=False, verbose=False, **alone)
            return [len(ids) for ids in whole["input_ids"]]
        added = tokenizer.num_special_tokens_to_add()  # to each piece that was cut off, too
        return [
            sum(kept.attention_mask)
            + sum(sum(cut.attention_mask) - added for cut in kept.overflowing)
            for kept in encodings
        ]

    def _one_below_another(self, name: str, arrays: list[Array]) -> Array:
        """Pad arrays to the width of the widest, as the tokenizer itself does."""
        fill = {
            "input_ids": self.tokenizer.pad_token_id,
            "token_type_ids": self.tokenizer.pad_token_type_id,
        }
        width = max(array.shape[1] for array in arrays)
        padded = []
        for array in arrays:
            lacking = width - array.shape[1]
            sides = (lacking, 0) if self.tokenizer.padding_side == "left" else (0, lacking)
            padded.append(np.pad(array, ((0, 0), sides), constant_values=fill.get(name) or 0))
        return np.concatenate(padded)

    def inputs_of(self, texts: Sequence[str]) -> dict[str, Any]:
        return _model_inputs(self._encoding(texts, self.limit, padding=True))

    def short_inputs_of(self, texts: Sequence[str]) -> dict[str, Any]:
        for tokens in TRAINING_TOKENS:
            inputs = _model_inputs(self._encoding(texts, min(self.limit, tokens), padding=True))
            if len(np.unique(inputs["input_ids"], axis=0)) == len(texts):
                break
        return inputs

    def padded_inputs_of(self, texts: Sequence[str]) -> dict[str, Any]:
        longest = self.inputs_of(texts)["input_ids"].shape[1]
        if longest == self.limit:
            raise NotPossible(f"the texts fill the {self.limit} tokens that the model takes")
        wider = min(self.limit, longest + FURTHER)
        return _model_inputs(self._encoding(texts, wider, padding="max_length"))

    def _encoding(self, texts: Sequence[str], limit: int, padding: bool | str) -> Any:
        return self.tokenizer(
            list(texts), truncation=True, max_length=limit, padding=padding, return_tensors="np"
        )


def _model_inputs(encoded: Any) -> dict[str, Any]:
    return {name: encoded[name] for name in MODEL_INPUTS if name in encoded}


@dataclass(frozen=True)
class _Predict:
    """Texts to logits, through a model.

    ``unloaded_weights`` are the names of the weights that loading left at random values.
    """

    forward_for: Callable[[Mapping[str, Any]], Forward]
    inputs_of: Callable[[Sequence[str]], Mapping[str, Any]]
    unloaded_weights: Sequence[str] | None = None

    def __call__(self, texts: Sequence[str]) -> Any:
        return in_batches(self.forward_for(self.inputs_of(texts[:1])), texts, self.inputs_of)


def _evaluating(
    model: Any, predict: Callable[[Sequence[str]], Any]
) -> Callable[[Sequence[str]], Any]:
    """Predict in inference mode, as a Trainer does, and leave every module as it was."""

    def evaluate(texts: Sequence[str]) -> Any:
        modes = [(module, module.training) for module in model.modules()]
        model.eval()
        try:
            return predict(texts)
        finally:
            for module, training in modes:
                module.training = training

    return evaluate


def _predict_served(pipeline: Any) -> Callable[[Sequence[str]], Any]:
    """Return the scores of all labels as a TextClassificationPipeline gives them, as logits."""

    def predict(texts: Sequence[str]) -> Any:
        return pipeline(list(texts), top_k=None, function_to_apply="none")

    return predict
