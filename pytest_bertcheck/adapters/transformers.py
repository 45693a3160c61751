"""TensorFlow models of transformers 4.x, from memory or from a saved folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..evidence import label_names_of

__all__ = ["from_folder", "parts_of"]

BATCH_SIZE = 32


def from_folder(folder: Path, data: Path) -> Any:
    """Return the pipeline of a saved model on labelled texts from a file.

    Raises
    ------
    ValueError
        If folder or file cannot be used; the message says what was expected.
    ImportError
        If TensorFlow or transformers 4.x is not installed.
    """
    from ..pipeline import Pipeline
    from .files import label_ids, read_labelled_texts

    texts, labels = read_labelled_texts(data)
    parts = parts_of(folder, None, texts=texts)
    y_true = label_ids(labels, parts["label_names"])
    return Pipeline(**{**parts, "y_true": y_true, "name": folder.name})


def parts_of(model: Any, tokenizer: Any = None, **parts: Any) -> dict[str, Any]:
    """Return the parts of a pipeline that the model and its tokenizer tell by themselves."""
    transformers = _import_transformers()
    folder = Path(model) if isinstance(model, (str, Path)) else None
    recorded = dict(parts.pop("recorded", None) or {})
    if folder is not None:
        model, unloaded = _load(folder)
        recorded.setdefault("unloaded_weights", unloaded)
        if tokenizer is None:
            tokenizer = _load_tokenizer(transformers, folder)
    if tokenizer is None:
        raise ValueError("tokenizer: expected the model's tokenizer, got none")
    limit = parts.pop("max_length", None) or _max_length(tokenizer, model.config)
    encode = _encode(tokenizer, limit)
    own: dict[str, Any] = {
        "predict": _predict(model, encode),
        "encode": encode,
        "label_names": label_names_of(model.config.id2label),
        "label2id_names": label_names_of(model.config.label2id, "label2id"),
        "max_length": limit,
        "recorded": recorded,
    }
    if folder is not None:
        own["load"] = lambda: _predict(_load(folder)[0], encode)
    return {**own, **parts}


def _import_transformers() -> Any:
    try:
        import tensorflow  # noqa: F401  # named in the message if it is what is missing
        import transformers

        transformers.TFAutoModelForSequenceClassification  # noqa: B018  # gone in 5.x
    except (ImportError, AttributeError, RuntimeError) as error:
        raise ImportError(
            "a transformers model needs TensorFlow and transformers 4.x: "
            f"pip install 'pytest-bertcheck[tensorflow]' ({error})"
        ) from error
    return transformers


def _load(folder: Path) -> tuple[Any, list[str]]:
    """Return the model and the names of the weights that loading left at random values."""
    transformers = _import_transformers()
    if not (folder / "config.json").is_file():
        raise ValueError(f"{folder}: expected a saved transformers model, got no config.json")
    auto = transformers.TFAutoModelForSequenceClassification
    try:
        model, info = auto.from_pretrained(folder, output_loading_info=True, local_files_only=True)
    except TypeError as error:
        if "safe_open" not in str(error):
            raise
        # transformers 4.55 to 4.57 cannot read safetensors that PyTorch wrote.
        model, info = _load_pytorch_safetensors(folder)
    except (OSError, ValueError) as error:
        message = str(error).splitlines()[0]
        raise ValueError(f"{folder}: expected a saved transformers model: {message}") from error
    mismatched = [str(key[0] if isinstance(key, tuple) else key) for key in info["mismatched_keys"]]
    return model, [*map(str, info["missing_keys"]), *mismatched]


def _load_pytorch_safetensors(folder: Path) -> tuple[Any, dict[str, Any]]:
    import safetensors.numpy
    import transformers
    from transformers.modeling_tf_pytorch_utils import load_pytorch_state_dict_in_tf2_model

    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
    model = transformers.TFAutoModelForSequenceClassification.from_config(config)
    weights = safetensors.numpy.load_file(str(folder / "model.safetensors"))
    model, info = load_pytorch_state_dict_in_tf2_model(
        model, weights, allow_missing_keys=True, output_loading_info=True
    )
    return model, info


def _load_tokenizer(transformers: Any, folder: Path) -> Any:
    try:
        return transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        message = str(error).splitlines()[0]
        raise ValueError(f"{folder}: expected the model's tokenizer too: {message}") from error


def _max_length(tokenizer: Any, config: Any) -> int:
    positions = getattr(config, "max_position_embeddings", None) or 512
    return int(min(tokenizer.model_max_length, positions))


def _encode(tokenizer: Any, max_length: int) -> Callable[[Sequence[str]], Mapping[str, Any]]:
    def encode(texts: Sequence[str]) -> Mapping[str, Any]:
        whole = tokenizer(list(texts), truncation=False, verbose=False)["input_ids"]
        encoding = tokenizer(
            list(texts),
            truncation=True,
            max_length=max_length,
            padding=True,
            return_tensors="np",
        )
        unknown = (encoding["input_ids"] == tokenizer.unk_token_id) & (
            encoding["attention_mask"] == 1
        )
        kept = encoding["attention_mask"].sum(axis=1)
        return {
            **encoding,
            "token_counts": [len(ids) for ids in whole],
            "unknown_token_share": unknown.sum(axis=1) / np.maximum(kept, 1),
        }

    return encode


def _predict(
    model: Any, encode: Callable[[Sequence[str]], Mapping[str, Any]]
) -> Callable[[Sequence[str]], Any]:
    def predict(texts: Sequence[str]) -> Any:
        logits = []
        for start in range(0, len(texts), BATCH_SIZE):
            encoding = encode(texts[start : start + BATCH_SIZE])
            inputs = {
                name: encoding[name]
                for name in ("input_ids", "attention_mask", "token_type_ids")
                if name in encoding
            }
            logits.append(np.asarray(model(inputs, training=False).logits))
        return np.concatenate(logits)

    return predict
