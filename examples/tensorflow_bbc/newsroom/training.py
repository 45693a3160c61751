"""Fine-tuning, and the run directory that it leaves behind."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras
from numpy.typing import NDArray
from tqdm import tqdm
from transformers import BertConfig, BertTokenizerFast, TFBertForSequenceClassification

from newsroom.data import NewsSplit, Rows, first_seen_names, split_articles
from newsroom.encoding import encode, pretrained_tokenizer
from newsroom.modeling import id2label, pretrained_model
from newsroom.prediction import predict
from newsroom.runs import RUN_FILE, Run, write_history
from newsroom.settings import TrainingSettings

RECORDED_TRAIN_ROWS = 100

History = dict[str, NDArray[np.generic]]


def train(run: Run, directory: Path) -> None:
    """Fine-tune the classifier and save it, its tokenizer and its history."""
    # The training process is the newsroom's own, so it may seed globally: head and dropout need it.
    tf_keras.utils.set_random_seed(run.seed)
    split = split_articles(run.seed, run.training)
    tokenizer = pretrained_tokenizer(run.training.max_length)
    model, _ = pretrained_model(split.label_names)
    history = fit(model, tokenizer, split, run)

    directory.mkdir(parents=True, exist_ok=True)
    # The h5 file, not safetensors: TensorFlow reads it back without PyTorch.
    model.save_pretrained(directory, safe_serialization=False)
    tokenizer.save_pretrained(directory)
    write_history(directory, history)
    _write_serving(run, split, directory)


def derive(run: Run, trained_directory: Path, directory: Path) -> None:
    """Make a run out of another one's weights, where the two differ in serving alone."""
    trained = Run.read(trained_directory)
    if (trained.training, trained.seed) != (run.training, run.seed):
        raise ValueError(
            f"{run.fault}, seed {run.seed}, needs a training of its own: {trained_directory} is "
            f"{trained.fault}, seed {trained.seed}"
        )
    shutil.copytree(
        trained_directory,
        directory,
        ignore=shutil.ignore_patterns(RUN_FILE),
        dirs_exist_ok=True,  # what an interrupted copy left behind is overwritten
    )
    _write_serving(run, split_articles(run.seed, run.training), directory)


def fit(
    model: TFBertForSequenceClassification,
    tokenizer: BertTokenizerFast,
    split: NewsSplit,
    run: Run,
) -> History:
    """Train with Adam at a constant rate, and record how it goes.

    `loss` and `learning_rate` have a value per step; `val_loss` and `val_accuracy` one before the
    first step and one after every epoch.
    """
    settings = run.training
    optimizer = tf_keras.optimizers.Adam(settings.learning_rate)
    loss_function = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function
    def train_step(inputs: dict[str, tf.Tensor], labels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits = model(inputs, training=True).logits
            loss = loss_function(labels, logits)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    def validate(rows: Rows) -> tuple[float, float]:
        logits = predict(rows.texts, model, tokenizer).logits
        accuracy = np.mean(np.argmax(logits, axis=-1) == rows.labels)
        return float(loss_function(rows.labels, logits)), float(accuracy)

    encoded = encode(split.train.texts, tokenizer)
    steps = list(_batches(len(split.train.texts), settings, np.random.default_rng(run.seed)))
    steps_per_epoch = len(split.train.texts) // settings.batch_size
    loss: list[float] = []
    learning_rate: list[float] = []
    validation = [validate(split.evaluation)]
    with tqdm(steps, desc=f"{run.fault}, seed {run.seed}", unit="step") as progress:
        for step, rows in enumerate(progress, start=1):
            inputs = {name: tf.constant(values[rows]) for name, values in encoded.items()}
            loss.append(float(train_step(inputs, tf.constant(split.train.labels[rows]))))
            learning_rate.append(float(optimizer.learning_rate))
            if step % steps_per_epoch == 0 or step == len(steps):
                validation.append(validate(split.evaluation))
            progress.set_postfix(
                loss=f"{loss[-1]:.3f}", val_accuracy=f"{validation[-1][1]:.3f}", refresh=False
            )

    val_loss, val_accuracy = np.array(validation).T
    return {
        "loss": np.array(loss),
        "learning_rate": np.array(learning_rate),
        "val_loss": val_loss,
        "val_accuracy": val_accuracy,
        "train_steps": np.array(len(steps)),
        "batch_size": np.array(settings.batch_size),
        "train_logits": predict(
            split.train.texts[:RECORDED_TRAIN_ROWS], model, tokenizer
        ).logits.numpy(),
        "train_y_true": split.train.labels[:RECORDED_TRAIN_ROWS],
    }


def _batches(
    num_rows: int, settings: TrainingSettings, rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Rows of each step: the first epoch in the order given, every further one shuffled anew."""
    order = np.arange(num_rows)
    steps_per_epoch = num_rows // settings.batch_size
    max_steps = settings.max_steps or settings.epochs * steps_per_epoch
    for step in range(max_steps):
        position = step % steps_per_epoch * settings.batch_size
        if step and position == 0:
            rng.shuffle(order)
        yield order[position : position + settings.batch_size].copy()


def _write_serving(run: Run, split: NewsSplit, directory: Path) -> None:
    """Write what serving reads: the label order into the model's config, then the run itself."""
    if run.serving.label_order == "first-seen":
        label_names = first_seen_names(split.train, split.label_names)
    else:
        label_names = split.label_names
    config = BertConfig.from_pretrained(directory)
    config.id2label = id2label(label_names)
    config.label2id = {name: id_ for id_, name in config.id2label.items()}
    config.save_pretrained(directory)
    run.write(directory)
