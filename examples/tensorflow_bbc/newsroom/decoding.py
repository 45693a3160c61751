"""Raw outputs to labels."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from transformers.modeling_tf_outputs import TFSequenceClassifierOutput

from newsroom.settings import ServingSettings


def decode(outputs: TFSequenceClassifierOutput, serving: ServingSettings) -> NDArray[np.int64]:
    """The model's label id for each row."""
    scores = outputs.hidden_states[-1][:, 0] if serving.decoded_tensor == "cls" else outputs.logits
    return np.argmax(scores, axis=serving.argmax_axis)


def to_dataset_ids(
    ids: NDArray[np.int64], id2label: Mapping[int, str], dataset_label_names: Sequence[str]
) -> NDArray[np.int64]:
    """The model's label ids as the data set numbers the same names.

    An id that the model has no name for stays as it is: the evaluation has to see it.
    """
    dataset_ids = {id_: dataset_label_names.index(name) for id_, name in id2label.items()}
    return np.array([dataset_ids.get(int(id_), int(id_)) for id_ in ids])
