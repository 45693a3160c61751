"""Code of the team's own, put into transformers in ways that a saved folder does not show."""

from __future__ import annotations

import pytest

from pytest_bertcheck.pipeline import NotPossible


def assert_told(fingerprint, monkeypatch, *, auto, base, layers, call):
    """Assert that there is no fingerprint under a registered class, or under a replaced call.

    ``auto`` is the auto class, ``base`` the model's own; ``layers`` are classes that a model is
    made of, and ``call`` is the name of what they do when they are called.
    """
    from transformers import BertConfig

    class Own(base):
        """The team's own model."""

    known = fingerprint()
    auto.register(BertConfig, Own, exist_ok=True)
    try:
        with pytest.raises(NotPossible, match="Own is code of your own"):
            fingerprint()
    finally:
        auto._model_mapping._extra_content.pop(BertConfig)
    for layer in layers:
        with monkeypatch.context() as patched:
            patched.setattr(layer, call, lambda *arguments, **options: None)
            with pytest.raises(NotPossible, match="code of your own"):
                fingerprint()
    assert known == fingerprint()
