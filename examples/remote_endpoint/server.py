"""The service: a classifier behind HTTP, on this machine only.

``TRIAGE_FAULT`` puts a defect in, to see whether `pytest --bertcheck` notices.
"""

import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

FAULT = os.environ.get("TRIAGE_FAULT", "")
NAMES = ["normal", "urgent"]
WEIGHTS = {"outage": 3.0, "down": 2.5, "lost": 2.0, "question": -2.5, "feature": -3.0, "idea": -2.0}


def scores(texts: list[str]) -> np.ndarray:
    """Return probabilities, a column for each of NAMES."""
    dropped = np.random.default_rng() if FAULT == "dropout-at-inference" else None
    logits = np.array(
        [
            sum(
                WEIGHTS.get(word, 0.0)
                for word in text.split()
                if dropped is None or dropped.random() < 0.5
            )
            for text in texts
        ]
    )
    both = np.exp(np.column_stack([-logits, logits]) / 2)
    return both / both.sum(axis=0 if FAULT == "loss-misconfigured" else 1, keepdims=True)


class Handler(BaseHTTPRequestHandler):
    """Answers POST /classify: a JSON list of texts in, a list of label and score for each out."""

    def do_POST(self) -> None:  # http.server calls it by this name
        """Answer one request."""
        texts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if FAULT == "hanging":
            time.sleep(30)
        status = 503 if FAULT == "down" else 200
        answers = [
            [{"label": name, "score": score} for name, score in zip(NAMES, row, strict=True)]
            for row in (scores(texts).tolist() if status == 200 else [])
        ]
        body = json.dumps(answers).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Say nothing of each request."""


def end_with_parent(server: ThreadingHTTPServer) -> None:
    """Shut down when the process that started this one has closed its end of the input."""
    sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        print(server.server_port, flush=True)
        threading.Thread(target=end_with_parent, args=(server,), daemon=True).start()
        server.serve_forever()
