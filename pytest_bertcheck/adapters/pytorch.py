"""PyTorch models of transformers 4.x and 5.x."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..evidence import outputs_to_array
from ..pipeline import FitStep, NotPossible
from .batches import Forward, copied, relative_change
from .fingerprints import reject_own_code
from .untrained import rate_for, shallow

__all__ = [
    "LAYERS",
    "REGISTRY",
    "WEIGHTS",
    "content_of",
    "embedding_rows",
    "forward_of",
    "load",
    "optimizer_content",
    "precision",
    "reject_own_code_in",
    "start_training",
]

LAYERS = "torch.nn.modules."
"""How the modules begin that define the layers of PyTorch."""

REGISTRY = ("modeling_auto", "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING")
"""Where transformers keeps which class a configuration stands for."""

WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
"""Files one of which a saved model has; others would have to be unpickled."""

Inputs = Mapping[str, Any]


def load(folder: Path) -> tuple[Any, dict[str, Any]]:
    """Return the saved model in inference mode and what loading says of its weights.

    Raises
    ------
    OSError, ValueError
        If the folder holds no such model in safetensors; other files would have to be unpickled.
    """
    import transformers

    auto = transformers.AutoModelForSequenceClassification
    model, info = auto.from_pretrained(
        folder, output_loading_info=True, local_files_only=True, use_safetensors=True
    )
    return model, info


def embedding_rows(model: Any) -> int:
    """Return the number of token ids that the model has an embedding for."""
    return len(model.get_input_embeddings().weight)


def content_of(model: Any, optimizer: Any) -> list[Any]:
    """Return what the answers of the model and its training depend on.

    Raises
    ------
    NotPossible
        If some of it is code that is none of a known library.
    """
    import torch

    reject_own_code_in(model)
    weights = [*model.named_parameters(), *model.named_buffers()]
    return [
        type(model).__qualname__,
        str(model),
        str(getattr(model.config, "_attn_implementation", None)),
        [module.training for module in model.modules()],
        [
            [
                name,
                str(weight.dtype),
                str(tuple(weight.shape)),
                weight.requires_grad,
                weight.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy(),
            ]
            for name, weight in weights
        ],
        optimizer_content(optimizer, model),
    ]


def reject_own_code_in(model: Any) -> None:
    """Raise ``NotPossible`` if a layer, its call or a hook is none of a known library."""
    for module in model.modules():
        hooks = (*module._forward_hooks.values(), *module._forward_pre_hooks.values())
        own = [item for item in (vars(module).get("forward"), *hooks) if item is not None]
        reject_own_code(type(module), type(module).forward, *own)


def optimizer_content(optimizer: Any, model: Any = None) -> list[Any]:
    """Return what a step of the optimizer depends on, and which weights of a model it moves.

    Raises
    ------
    NotPossible
        If it is code that is none of a known library.
    """
    if optimizer is None:
        return []
    optimizer = _unwrapped(optimizer)
    reject_own_code(type(optimizer))
    weights = [] if model is None else model.named_parameters()
    names = {id(weight): name for name, weight in weights}
    return [
        type(optimizer).__qualname__,
        *(
            [
                [names.get(id(weight)) for weight in group["params"]],
                [f"{name}={value!r}" for name, value in group.items() if name != "params"],
            ]
            for group in optimizer.param_groups
        ),
    ]


def precision() -> str:
    """Return in which precision a model is loaded that says nothing of it."""
    torch = sys.modules.get("torch")  # else nobody has set a default
    return "torch.float32" if torch is None else str(torch.get_default_dtype())


def _unwrapped(optimizer: Any) -> Any:
    while hasattr(optimizer, "optimizer"):  # as accelerate wraps it
        optimizer = optimizer.optimizer
    return optimizer


def forward_of(model: Any) -> Callable[[Inputs], Forward]:
    """Return how the model is called, in the mode in which it is, whatever its inputs."""
    import torch

    def outputs_of(inputs: Inputs) -> Any:
        with torch.no_grad():
            return outputs_to_array(model(**_tensors(inputs, model.device)))

    return lambda inputs: Forward(outputs_of)


def start_training(
    model: Any, inputs_of: Callable[[Sequence[str]], Inputs], optimizer: Any
) -> Callable[[float | None], FitStep]:
    """Return how to train an untrained copy of the model, with or without the team's optimizer."""

    def start(learning_rate: float | None) -> FitStep:
        import torch

        if learning_rate is None and optimizer is None:
            raise NotPossible("no optimizer is known: give optimizer or a Trainer")
        config = model.config if learning_rate is None else shallow(model.config)
        fresh = type(model)(config).to(device=model.device, dtype=model.dtype)
        fresh.eval()  # dropout only makes learning by heart slower, and draws random numbers
        if learning_rate is None:
            own = _same_optimizer(optimizer, model, fresh)
        else:
            own = torch.optim.AdamW(fresh.parameters(), lr=rate_for(config, learning_rate))
        # Random embeddings tell words apart as well as learnt ones, and are most of the weights.
        fresh.get_input_embeddings().requires_grad_(False)
        # Each look costs a copy.
        before = copied(_weights(fresh)) if learning_rate is None else {}

        def fit_step(texts: Sequence[str], y_true: Any) -> dict[str, float]:
            labels = torch.tensor(y_true, device=model.device)
            fresh.zero_grad()
            loss = fresh(**_tensors(inputs_of(texts), model.device), labels=labels).loss
            if loss is None:
                raise NotPossible("the model returns no loss for its labels")
            if loss.requires_grad:  # else all is frozen
                loss.backward()
                if own is not None:
                    torch.nn.utils.clip_grad_norm_(fresh.parameters(), 1.0)
                    own.step()
            moved = relative_change(before, _weights(fresh)) if before else {}
            return {"loss": loss.item(), **moved}

        return fit_step

    return start


def _same_optimizer(optimizer: Any, model: Any, fresh: Any) -> Any:
    """Return the optimizer for the copy's weights, at its peak; ``None`` if it has none of them."""
    optimizer = _unwrapped(optimizer)
    names = {id(weight): name for name, weight in model.named_parameters()}
    own = dict(fresh.named_parameters())
    for name, weight in model.named_parameters():
        own[name].requires_grad_(weight.requires_grad)
    groups = []
    for group in optimizer.param_groups:
        weights = [own[names[id(weight)]] for weight in group["params"] if id(weight) in names]
        options = {name: value for name, value in group.items() if name in optimizer.defaults}
        options["lr"] = group.get("initial_lr", group["lr"])  # a schedule may have ended at zero
        if weights:
            groups.append({**options, "params": weights})
    return type(optimizer)(groups, lr=groups[0]["lr"]) if groups else None


def _weights(model: Any) -> dict[str, list[Any]]:
    """Return the weights of encoder and head, but not the input embeddings."""
    embeddings = {id(weight) for weight in model.get_input_embeddings().parameters()}
    encoder = f"{model.base_model_prefix}."
    groups: dict[str, list[Any]] = {"encoder": [], "head": []}
    for name, weight in model.named_parameters():
        if id(weight) not in embeddings:
            group = "encoder" if name.startswith(encoder) else "head"
            groups[group].append(weight.detach().float().cpu())
    return groups


def _tensors(inputs: Inputs, device: Any) -> dict[str, Any]:
    import torch

    return {name: torch.tensor(array, device=device) for name, array in inputs.items()}
