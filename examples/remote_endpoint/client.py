"""How production calls the service."""

import json
import urllib.request
from collections.abc import Sequence
from typing import Any


class Client:
    """The service at an address.

    Parameters
    ----------
    address
        Such as ``http://127.0.0.1:8000``.
    """

    def __init__(self, address: str) -> None:
        self.address = address

    def predict(self, texts: Sequence[str]) -> list[list[dict[str, Any]]]:
        """Return label and score of each label for each text.

        Raises
        ------
        urllib.error.URLError
            If the service cannot be reached or refuses.
        """
        body = json.dumps(list(texts)).encode()
        request = urllib.request.Request(f"{self.address}/classify", data=body, method="POST")
        with urllib.request.urlopen(request) as response:
            answers: list[list[dict[str, Any]]] = json.load(response)
        return answers
