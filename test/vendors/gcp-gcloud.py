"""Runs commands of gcloud one after the other in one process: its start takes longer than most of what it does.

Reads a JSON list of words a line, writes {"code", "stdout", "stderr"} a line. Argument: the folder of the SDK.
"""
import json
import os
import sys
import tempfile

sdk = sys.argv[1]
sys.path[0:0] = [os.path.join(sdk, "lib"), os.path.join(sdk, "lib", "third_party")]
sys.argv = ["gcloud"]
from googlecloudsdk import gcloud_main  # noqa: E402

cli = gcloud_main.CreateCLI([])
answers = os.fdopen(os.dup(1), "w")


def execute(words):
    """What the command writes, and how it ends; what is written to its descriptors is caught, whoever writes it."""
    caught = [tempfile.TemporaryFile(mode="w+"), tempfile.TemporaryFile(mode="w+")]
    kept = [os.dup(1), os.dup(2)]
    for number, file in enumerate(caught, start=1):
        os.dup2(file.fileno(), number)
    code = 0
    try:
        cli.Execute(words)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, descriptor in enumerate(kept, start=1):
            os.dup2(descriptor, number)
            os.close(descriptor)
    texts = []
    for file in caught:
        file.seek(0)
        texts.append(file.read())
        file.close()
    return {"code": code, "stdout": texts[0], "stderr": texts[1]}


for line in sys.stdin:
    answers.write(json.dumps(execute(json.loads(line))) + "\n")
    answers.flush()
