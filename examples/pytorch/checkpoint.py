"""One checkpoint, one file: written under another name, down to the disk, then renamed; with a checksum."""

import hashlib
import io
import json
import os
import random
import struct
import sys
from pathlib import Path

import torch

# One line of text before what torch.save wrote, so that damage is found before anything is unpickled.
FORMAT = b"spot-example-pytorch/1"


class BadCheckpoint(Exception):
    """A checkpoint that must not be used: damaged, or of a run with other settings."""


def save_checkpoint(folder: Path, state: dict) -> None:
    """Writes checkpoint.pt, and beside it the small file STEP for people and for `spot checkpoints ls`.

    Both are durable under other names first and then renamed one right after the other; resuming reads checkpoint.pt
    only.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stream = io.BytesIO()
    torch.save(state, stream)
    body = stream.getvalue()
    header = b"%s %s\n" % (FORMAT, hashlib.sha256(body).hexdigest().encode())
    checkpoint = prepare(folder / "checkpoint.pt", header + body)
    step = prepare(folder / "STEP", f"{state['step']}\n".encode())
    os.replace(*checkpoint)
    os.replace(*step)
    sync_folder(folder)


def load_checkpoint(folder: Path, settings: dict):
    """The state in checkpoint.pt, or None when there is no such file. Raises BadCheckpoint when it cannot be used."""
    file = folder / "checkpoint.pt"
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return None
    header, _, body = content.partition(b"\n")
    words = header.split(b" ")
    if words[0] != FORMAT or len(words) != 2:
        raise BadCheckpoint(f"{file} is damaged, or not a checkpoint of this program")
    if hashlib.sha256(body).hexdigest().encode() != words[1]:
        raise BadCheckpoint(f"{file} is damaged: its checksum does not match")
    # To the CPU, because the states of random generators must lie there; load_state_dict copies the rest to where the
    # model is.
    state = torch.load(io.BytesIO(body), map_location="cpu", weights_only=reads_numbers_safely())
    for name, value in settings.items():
        if state["settings"].get(name) != value:
            raise BadCheckpoint(f"{file} was made with {name} {state['settings'].get(name)}, and this run has {name} {value}")
    return state


def reads_numbers_safely() -> bool:
    """A checkpoint is data, and unpickling anything else could run code: that is what weights_only is for. But PyTorch
    1.13 cannot read a plain number that way (pytorch/pytorch issue 94670), so there a checkpoint must be your own."""
    return tuple(int(part) for part in torch.__version__.split(".")[:2]) >= (2, 1)


def random_states() -> dict:
    """Every generator that a step may draw from. NumPy's only when something has loaded it."""
    states = {"python": random.getstate(), "torch": torch.get_rng_state(), "cuda": []}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state_all()
    if "numpy" in sys.modules:
        name, keys, position, has_gauss, gauss = sys.modules["numpy"].random.get_state()
        states["numpy"] = (name, [int(key) for key in keys], int(position), int(has_gauss), float(gauss))
    return states


def set_random_states(states: dict) -> None:
    random.setstate(states["python"])
    torch.set_rng_state(states["torch"])
    if states["cuda"] and len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(states["cuda"])
    if "numpy" in states and "numpy" in sys.modules:
        sys.modules["numpy"].random.set_state(states["numpy"])


def write_weights(file: Path, weights: dict, settings: dict, steps: int) -> None:
    """The result as safetensors: a length, a header in JSON, and the raw numbers. Nothing in it depends on how it was
    made, so two equal results are two equal files; torch.save promises no such thing."""
    header: dict = {"__metadata__": {"settings": json.dumps(settings, sort_keys=True), "steps": str(steps)}}
    blobs = []
    start = 0
    for name, tensor in sorted(weights.items()):
        blob = raw_bytes(tensor)
        header[name] = {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, start + len(blob)]}
        blobs.append(blob)
        start += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    write_by_rename(file, b"".join([struct.pack("<Q", len(text)), text, *blobs]))


def finished_steps(file: Path, settings: dict):
    """The steps that an earlier run with these very settings came to the end with, or None."""
    try:
        with open(file, "rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            about = json.loads(stream.read(length))["__metadata__"]
        return int(about["steps"]) if about["settings"] == json.dumps(settings, sort_keys=True) else None
    except (OSError, ValueError, KeyError, TypeError, struct.error, OverflowError, MemoryError):
        return None


DTYPES = {torch.float32: "F32", torch.int64: "I64"}


def raw_bytes(tensor: torch.Tensor) -> bytes:
    """Bit for bit and little-endian, without NumPy, which PyTorch does not always come with."""
    numbers = tensor.detach().cpu().contiguous().flatten().tolist()
    # A float32 goes through Python's float64 and back without a loss.
    return struct.pack(f"<{len(numbers)}{'f' if tensor.dtype == torch.float32 else 'q'}", *numbers)


def write_by_rename(file: Path, content: bytes) -> None:
    """Data, fsync, rename, fsync of the folder: whoever looks sees the old file or the new one, never half of one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    os.replace(*prepare(file, content))
    sync_folder(file.parent)


def prepare(file: Path, content: bytes):
    """Puts the content on the disk under another name. Returns that name and the right one."""
    temporary = file.with_name(file.name + ".tmp")
    with open(temporary, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    return temporary, file


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
