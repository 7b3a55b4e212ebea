"""What examples/pytorch/train.py promises of itself, in one process: importing PyTorch takes longer than all of it.

Prints one line of JSON for the test beside it. Usage: pytorch-pieces.py FOLDER-OF-THE-EXAMPLE FOLDER-FOR-FILES
"""

import contextlib
import io
import json
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])

import torch  # noqa: E402
import train  # noqa: E402

TOP = Path(sys.argv[2])
# Passes over the data are of 62 steps: there is one end of a pass among these.
STEPS = "70"
SIGTERM = 15


def run(name: str, *options: str):
    """Exit code and words of one run."""
    words = io.StringIO()
    sys.argv = ["train.py", "--checkpoint-dir", str(TOP / name), "--out", str(TOP / f"{name}.safetensors"), *options]
    with contextlib.redirect_stdout(words), contextlib.redirect_stderr(words):
        try:
            code = train.main()
        except SystemExit as end:
            code = end.code
    return code, words.getvalue()


def stopped_after_every_step(name: str) -> int:
    """How often it was stopped."""
    stops = 0
    listen = train.listen_for_signals
    train.listen_for_signals = lambda: [SIGTERM]
    while run(name, "--steps", STEPS)[0] == 128 + SIGTERM:
        stops += 1
    train.listen_for_signals = listen
    return stops


def spoiled(name: str, spoil):
    """What a run says of a checkpoint that was changed, and whether it left it as it was."""
    run(name, "--steps", "3")
    (TOP / f"{name}.safetensors").unlink()
    file = TOP / name / "checkpoint.pt"
    file.write_bytes(spoil(file.read_bytes()))
    before = file.read_bytes()
    code, words = run(name, "--steps", "3")
    return {"code": code, "words": words, "untouched": file.read_bytes() == before, "result": (TOP / f"{name}.safetensors").exists()}


def bit_changed(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def weights(name: str) -> bytes:
    return (TOP / f"{name}.safetensors").read_bytes()


learned = run("learned", "--steps", "1000")
whole = run("whole", "--steps", STEPS)
stops = stopped_after_every_step("pieces")
run("other", "--steps", STEPS, "--seed", "2")
run("seed", "--steps", "3")
print(
    json.dumps(
        {
            "torch": torch.__version__,
            "learned": learned,
            "whole": whole,
            "stops": stops,
            "samePieces": weights("pieces") == weights("whole"),
            "sameOther": weights("other") == weights("whole"),
            "again": run("whole", "--steps", STEPS),
            "otherSeed": run("seed", "--steps", "3", "--seed", "2"),
            "otherSteps": run("seed", "--steps", "4"),
            "damaged": {
                "cut short": spoiled("cut", lambda content: content[:5000]),
                "empty": spoiled("empty", lambda _: b""),
                "first byte": spoiled("first", lambda content: bit_changed(content, 0)),
                "a byte in the middle": spoiled("middle", lambda content: bit_changed(content, len(content) // 2)),
                "last byte": spoiled("last", lambda content: bit_changed(content, len(content) - 1)),
            },
        }
    )
)
