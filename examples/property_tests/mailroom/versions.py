"""The one switch: the pipelines as they are, or as they were first written."""

import os
from typing import Any

VARIABLE = "MAILROOM"


def version(*, fixed: Any, buggy: Any) -> Any:
    """The part to test: the buggy one if the environment has `MAILROOM=buggy`."""
    return buggy if os.environ.get(VARIABLE) == "buggy" else fixed
