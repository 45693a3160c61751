"""Texts to the raw outputs of the model."""

from collections.abc import Sequence

import tensorflow as tf
from transformers import BertTokenizerFast, TFBertForSequenceClassification
from transformers.modeling_tf_outputs import TFSequenceClassifierOutput

from newsroom.encoding import encode

BATCH_SIZE = 50


def predict(
    texts: Sequence[str], model: TFBertForSequenceClassification, tokenizer: BertTokenizerFast
) -> TFSequenceClassifierOutput:
    """The model's output for all texts, in their order: logits and the last hidden state."""
    encoded = encode(texts, tokenizer)
    outputs = [
        model(
            {name: values[start : start + BATCH_SIZE] for name, values in encoded.items()},
            output_hidden_states=True,
            training=False,
        )
        for start in range(0, len(texts), BATCH_SIZE)
    ]
    return TFSequenceClassifierOutput(
        logits=tf.concat([output.logits for output in outputs], axis=0),
        hidden_states=(tf.concat([output.hidden_states[-1] for output in outputs], axis=0),),
    )
