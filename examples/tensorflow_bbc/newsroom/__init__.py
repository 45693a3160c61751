"""The newsroom's classifier: BBC News articles sorted into five desks by a fine-tuned MiniLM."""

import os

# Set before TensorFlow and transformers are imported, which read them once. The classifier is built
# from installed packages alone; both libraries' notes on every start would tear the progress bar.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
