"""The reclaim notice: a file that the agent makes, and takes away when the notice is withdrawn."""

import json
import os
import time
from pathlib import Path


def read_notice():
    """None while there is none. A notice that cannot be read counts, with no deadline known."""
    file = os.environ.get("SPOT_NOTICE_FILE")
    if not file:
        return None
    try:
        text = Path(file).read_text()
    except OSError:
        return None
    try:
        return {"deadline": float(json.loads(text)["deadline"])}
    except (ValueError, KeyError, TypeError):
        return {"deadline": float("inf")}


def seconds_left(notice: dict) -> float:
    return notice["deadline"] - time.time()
