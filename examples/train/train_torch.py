#!/usr/bin/env python3
"""The shape of train.mjs for PyTorch: checkpoints by rename, a resume that goes on exactly, an ear for the notice.

One process, one GPU (or the CPU). Not covered: several processes (DDP, FSDP), where rank 0 alone may write and every
rank must agree on the step to stop at; gradient scalers and learning-rate schedules, whose state_dict() belongs in the
checkpoint as well.

The run continues exactly where it stopped as far as PyTorch itself computes the same twice: on the CPU it does; on a
GPU that takes torch.use_deterministic_algorithms(True) and the same model of GPU.
"""

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path

import torch

HERE = Path(__file__).parent
BATCH = 16


def main() -> int:
    options = read_options()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(options.seed)
    features, labels = load_iris(device)
    model = torch.nn.Sequential(torch.nn.Linear(4, 12), torch.nn.ReLU(), torch.nn.Linear(12, 3)).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    file = options.checkpoint_dir / "checkpoint.pt"
    step = load_checkpoint(file, model, optimizer, options.seed)
    print(f"resumed at step {step}" if step else "starting at step 0", "of", options.steps, flush=True)

    signalled = listen_for_signals()
    noticed = False
    while step < options.steps:
        rows = torch.randint(len(labels), (BATCH,)).to(device)
        loss = torch.nn.functional.cross_entropy(model(features[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        if step % 20 == 0:
            print(f"step {step} loss {loss.item():.4f}", flush=True)

        seconds = seconds_to_reclaim()
        every = options.checkpoint_every if seconds is None else max(1, options.checkpoint_every // 5)
        leaving = signalled or (seconds is not None and seconds <= options.stop_before)
        if leaving or step % every == 0 or (seconds is not None and not noticed):
            save_checkpoint(file, model, optimizer, options.seed, step)
        if seconds is not None and not noticed:
            print(f"notice: this machine goes in {seconds:.0f} s; checkpoint saved at step {step}", flush=True)
        noticed = seconds is not None
        if leaving and step < options.steps:
            print(f"stopped at step {step}; checkpoint saved", flush=True)
            return signalled[0] if signalled else 75
        time.sleep(options.step_ms / 1000)

    save_checkpoint(file, model, optimizer, options.seed, step)
    save_by_rename(options.out, {"step": step, "model": model.state_dict()})
    print(f"finished at step {step}: {options.out}", flush=True)
    return 0


def save_checkpoint(file: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, seed: int, step: int) -> None:
    """Everything that the next step depends on: weights, momentum, step and the random generators."""
    state = {
        "seed": seed,
        "step": step,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "cpu_random": torch.get_rng_state(),
        "cuda_random": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }
    save_by_rename(file, state)
    temporary = file.with_name("STEP.tmp")
    temporary.write_text(f"{step}\n")
    os.replace(temporary, file.with_name("STEP"))


def save_by_rename(file: Path, state: dict) -> None:
    """Data, fsync, rename, fsync of the folder: whoever looks sees the old file or the new one, never half of one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(file.name + ".tmp")
    with open(temporary, "wb") as stream:
        torch.save(state, stream)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def load_checkpoint(file: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> int:
    """The step of the checkpoint, 0 when there is none. A damaged one raises: never begin again from nothing unasked."""
    if not file.exists():
        return 0
    # weights_only: a checkpoint is data, and unpickling anything else could run code. map_location="cpu" because the
    # random generators' states must be CPU tensors; load_state_dict copies weights to where the model lies.
    state = torch.load(file, map_location="cpu", weights_only=True)
    if state["seed"] != seed:
        sys.exit(f"train_torch: {file} was made with seed {state['seed']}, and this run has seed {seed}")
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    torch.set_rng_state(state["cpu_random"])
    if len(state["cuda_random"]) == torch.cuda.device_count() > 0:
        torch.cuda.set_rng_state_all(state["cuda_random"])
    return state["step"]


def seconds_to_reclaim() -> float | None:
    """None while there is no notice. A notice that cannot be read counts, with no deadline known."""
    file = os.environ.get("SPOT_NOTICE_FILE")
    if not file:
        return None
    try:
        text = Path(file).read_text()
    except OSError:
        return None
    try:
        return float(json.loads(text)["deadline"]) - time.time()
    except (ValueError, KeyError, TypeError):
        return float("inf")


def listen_for_signals() -> list[int]:
    """Gets the exit code once a signal came; the loop looks at it between two steps."""
    received: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda which, _frame: received.append(128 + which))
    return received


def load_iris(device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    lines = [line.split(",") for line in (HERE / "iris.csv").read_text().split("\n")[1:] if line]
    names = ["setosa", "versicolor", "virginica"]
    features = torch.tensor([[float(cell) for cell in line[:4]] for line in lines])
    features = (features - features.mean(0)) / features.std(0)
    return features.to(device), torch.tensor([names.index(line[4]) for line in lines]).to(device)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--step-ms", type=int, default=20)
    parser.add_argument("--checkpoint-every", type=int, default=50)
    parser.add_argument("--stop-before", type=float, default=5, help="seconds before a notice's deadline")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--checkpoint-dir", type=Path, default=Path(os.environ.get("SPOT_CHECKPOINT_DIR") or "checkpoints"))
    volume = Path(os.environ.get("SPOT_VOLUME_DIR") or ".")
    parser.add_argument("--out", type=Path, default=volume / "final-weights.pt")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
