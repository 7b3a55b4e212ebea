#!/usr/bin/env python3
"""Trains a small convolutional network to read digits, in a way that survives being killed at any moment.

Everything that the next step depends on is in one checkpoint: weights, the optimiser's averages, the place in the
learning-rate schedule, the gradient scaler, every random generator, and the place in the shuffled data. Stopped or
killed and started again with the same command, it ends with the same weights, byte for byte, as a run that nobody
disturbed. README.md says what each habit is for.

One process, one GPU or the CPU. Not covered: several processes (DDP, FSDP), where one rank alone may write and all
must agree on the step to stop at.

Exit codes: 0 trained to the end (or finished already), 1 damaged or foreign checkpoint, 2 usage, 75 stopped shortly
before a reclaim and wants to be run again, 130 and 143 after SIGINT and SIGTERM.
"""

import argparse
import os
import random
import signal
import sys
import time
from pathlib import Path

# cuBLAS computes the same twice only with this, and reads it when it starts.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

import torch  # noqa: E402

from checkpoint import BadCheckpoint, finished_steps, load_checkpoint, random_states, save_checkpoint, set_random_states, write_weights  # noqa: E402
from digits import Digits, ResumableBatches  # noqa: E402
from notice import read_notice, seconds_left  # noqa: E402

BATCH = 32
LEARNING_RATE = 0.004
WEIGHT_DECAY = 0.01
TRAINING_IMAGES = 2000
HELD_OUT_IMAGES = 500
# sysexits.h EX_TEMPFAIL: nothing is wrong, and the work is not done.
STOPPED_EARLY = 75


class Run:
    """What is trained, and all that has a state besides the weights."""

    def __init__(self, options: argparse.Namespace):
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.on_gpu = self.device.type == "cuda"
        random.seed(options.seed)
        torch.manual_seed(options.seed)
        self.step = 0
        self.model = network().to(self.device)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, T_max=options.steps)
        self.scaler = grad_scaler(self.on_gpu)
        self.data = Digits(TRAINING_IMAGES, options.seed)
        self.batches = ResumableBatches(self.data, BATCH, options.seed)
        # A checkpoint of another of these is of another run, and is refused.
        self.settings = {
            "seed": options.seed,
            "steps": options.steps,
            "batch": BATCH,
            "learning_rate": LEARNING_RATE,
            "weight_decay": WEIGHT_DECAY,
            "data": self.data.sha256(),
        }
        # Another of these may round otherwise: the run goes on, and its bytes are no longer promised.
        name = torch.cuda.get_device_name() if self.on_gpu else "cpu"
        self.arithmetic = {"torch": str(torch.__version__), "device": name, "threads": torch.get_num_threads()}

    def parts(self) -> dict:
        return {
            "model": self.model,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
            "scaler": self.scaler,
            "batches": self.batches,
        }

    def save(self, folder: Path) -> None:
        state = {name: part.state_dict() for name, part in self.parts().items()}
        state.update(settings=self.settings, arithmetic=self.arithmetic, step=self.step, random=random_states())
        save_checkpoint(folder, state)

    def resume(self, folder: Path) -> bool:
        """False when there is no checkpoint. Raises BadCheckpoint rather than begin again from nothing."""
        state = load_checkpoint(folder, self.settings)
        if state is None:
            return False
        for name, part in self.parts().items():
            # The scaler of a run without a GPU has no state, and takes none.
            if state[name]:
                part.load_state_dict(state[name])
        self.step = state["step"]
        set_random_states(state["random"])
        for name, value in self.arithmetic.items():
            if state["arithmetic"][name] != value:
                print(f"made with {name} {state['arithmetic'][name]}, goes on with {value}: the last bits may differ", flush=True)
        return True


def network() -> torch.nn.Module:
    """Batch normalisation and dropout on purpose: both have a state that is easy to forget."""
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 16, 5, stride=2, padding=2),
        torch.nn.BatchNorm2d(16),
        torch.nn.ReLU(),
        torch.nn.Conv2d(16, 32, 3, stride=2, padding=1),
        torch.nn.BatchNorm2d(32),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Dropout(0.2),
        torch.nn.Linear(32 * 3 * 3, 10),
    )


def grad_scaler(on_gpu: bool):
    """Keeps small float16 gradients from vanishing; without a GPU it does nothing and has no state."""
    if hasattr(torch.amp, "GradScaler"):
        return torch.amp.GradScaler("cuda", enabled=on_gpu)
    return torch.cuda.amp.GradScaler(enabled=on_gpu)


def train_step(run: Run, images: torch.Tensor, labels: torch.Tensor) -> float:
    # Shifted by up to a pixel by Python's generator, with noise from PyTorch's: both are in the checkpoint.
    images = torch.roll(images, (random.randint(-1, 1), random.randint(-1, 1)), dims=(2, 3))
    images = images + 0.1 * torch.randn(images.shape)
    images, labels = images.to(run.device), labels.to(run.device)
    run.optimizer.zero_grad()
    with torch.autocast("cuda", enabled=run.on_gpu):
        loss = torch.nn.functional.cross_entropy(run.model(images), labels)
    run.scaler.scale(loss).backward()
    run.scaler.step(run.optimizer)
    run.scaler.update()
    run.schedule.step()
    run.step += 1
    return loss.item()


def accuracy(run: Run, held_out: Digits) -> float:
    run.model.eval()
    with torch.no_grad():
        guesses = run.model(held_out.images.to(run.device)).argmax(1).cpu()
    run.model.train()
    return (guesses == held_out.labels).float().mean().item()


def train(options: argparse.Namespace) -> int:
    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    signals = listen_for_signals()
    run = Run(options)
    if finished_steps(options.out, run.settings) == options.steps:
        print(f"finished already: {options.out} holds the weights after step {options.steps}", flush=True)
        return 0
    resumed = run.resume(options.checkpoint_dir)
    print(f"resumed at step {run.step}" if resumed else "starting at step 0", f"of {options.steps}", flush=True)
    trace = Trace(options.trace, run.step)
    stopped = run_steps(options, run, signals, trace)
    run.save(options.checkpoint_dir)
    if stopped is not None:
        print(f"stopped at step {run.step}: {stopped[1]}; checkpoint saved", flush=True)
        return stopped[0]
    share = accuracy(run, Digits(HELD_OUT_IMAGES, options.seed + 1))
    write_weights(options.out, run.model.state_dict(), run.settings, run.step)
    print(f"finished at step {run.step}, accuracy {share:.2f} on held-out images: {options.out}", flush=True)
    return 0


def run_steps(options: argparse.Namespace, run: Run, signals: list, trace: "Trace"):
    """Runs to the last step (returns None), or until there is a reason to stop: exit code and words."""
    notice = None
    batches = iter(run.batches)
    while run.step < options.steps:
        loss = train_step(run, *next(batches))
        trace.step(run.step)
        if run.step % options.print_every == 0:
            print(f"step {run.step} loss {loss:.4f} rate {run.schedule.get_last_lr()[0]:.5f}", flush=True)
        if run.step == options.steps:
            return None
        before, notice = notice, read_notice()
        if notice is not None and seconds_left(notice) <= options.stop_before:
            return STOPPED_EARLY, f"the machine goes in {max(0, seconds_left(notice)):.1f} s"
        every = options.checkpoint_every if notice is None else max(1, options.checkpoint_every // 5)
        if run.step % every == 0 or (notice is not None and before is None):
            run.save(options.checkpoint_dir)
        say_notice(before, notice, run.step)
        time.sleep(options.step_ms / 1000)
        if signals:
            return 128 + signals[0], signal.Signals(signals[0]).name
    return None


def say_notice(before, now, step: int) -> None:
    if now is not None and before is None:
        left = seconds_left(now)
        when = f"goes in {max(0, left):.0f} s" if left < float("inf") else "will be reclaimed"
        print(f"notice: this machine {when}; checkpoint saved at step {step}, training goes on with more of them", flush=True)
    if now is None and before is not None:
        print("notice withdrawn: back to normal", flush=True)


def listen_for_signals() -> list:
    """Gets the number of a signal when one came; the loop looks at it between two steps."""
    received: list = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda which, _frame: received.append(which))
    return received


class Trace:
    """A line for the start and for each step, with the time: what a reclaim cost can be read from it afterwards."""

    def __init__(self, file, step: int):
        self.stream = None if file is None else open(file, "ab", buffering=0)
        self.line(f"start {step}")

    def step(self, step: int) -> None:
        self.line(f"step {step}")

    def line(self, text: str) -> None:
        if self.stream is not None:
            self.stream.write(f"{time.time():.3f} {text}\n".encode())


def read_options() -> argparse.Namespace:
    def whole(least: int):
        def convert(text: str) -> int:
            if not text.isdigit() or int(text) < least:
                raise argparse.ArgumentTypeError(f"wants a whole number of at least {least}, not {text!r}")
            return int(text)

        return convert

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--steps", type=whole(1), default=3000, help="steps in all (3000)")
    add("--step-ms", type=whole(0), default=0, help="pause after each step, so that there is something to watch (0)")
    add("--checkpoint-every", type=whole(1), default=50, help="steps between checkpoints (50)")
    add("--print-every", type=whole(1), default=100, help="steps between lines of progress (100)")
    add("--seed", type=whole(0), default=1, help="same seed, same weights, byte for byte (1)")
    add("--threads", type=whole(1), default=1, help="of the CPU; sums are rounded otherwise with another number (1)")
    add("--stop-before", type=float, default=2, help="stop so many seconds before a notice's deadline (2)")
    folder = Path(os.environ.get("SPOT_CHECKPOINT_DIR") or "checkpoints")
    add("--checkpoint-dir", type=Path, default=folder, help="SPOT_CHECKPOINT_DIR, or ./checkpoints")
    volume = Path(os.environ.get("SPOT_VOLUME_DIR") or ".")
    add("--out", type=Path, default=volume / "final.safetensors", help="SPOT_VOLUME_DIR/final.safetensors, or ./final.safetensors")
    add("--trace", type=Path, help="append the time of every step to this file")
    return parser.parse_args()


def main() -> int:
    try:
        return train(read_options())
    except BadCheckpoint as error:
        print(f"train: {error}", file=sys.stderr)
        print("train: refusing to begin again from nothing; put back an older checkpoint, or remove the file to start over", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
