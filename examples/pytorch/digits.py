"""Ten digits, drawn from a font and spoiled by noise: data that is made in a moment and needs no download."""

import hashlib

import torch

# Seven rows of five pixels each, as bits.
FONT = [
    "0e 11 13 15 19 11 0e",
    "04 0c 04 04 04 04 0e",
    "0e 11 01 02 04 08 1f",
    "1f 02 04 02 01 11 0e",
    "02 06 0a 12 1f 02 02",
    "1f 10 1e 01 01 11 0e",
    "06 08 10 1e 11 11 0e",
    "1f 01 02 04 08 08 08",
    "0e 11 11 0e 11 11 0e",
    "0e 11 11 0f 01 02 0c",
]
SIDE = 12


class Digits(torch.utils.data.Dataset):
    """The same images for the same seed."""

    def __init__(self, count: int, seed: int):
        generator = torch.Generator().manual_seed(seed)
        glyphs = torch.tensor([[[(int(row, 16) >> (4 - column)) & 1 for column in range(5)] for row in glyph.split()] for glyph in FONT])
        self.labels = torch.randint(10, (count,), generator=generator)
        self.images = torch.zeros(count, 1, SIDE, SIDE)
        left = torch.randint(2, 5, (count,), generator=generator).tolist()
        top = torch.randint(1, 4, (count,), generator=generator).tolist()
        for index, label in enumerate(self.labels.tolist()):
            self.images[index, 0, top[index] : top[index] + 7, left[index] : left[index] + 5] = glyphs[label].float()
        self.images += 0.3 * torch.randn(self.images.shape, generator=generator)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int):
        return self.images[index], self.labels[index]

    def sha256(self) -> str:
        """Of the labels and of the images to a hundredth: other data is another run."""
        rounded = (self.images * 100).round().to(torch.int64) % 256
        return hashlib.sha256(bytes(self.labels.tolist() + rounded.flatten().tolist())).hexdigest()


class ResumableBatches:
    """Batches without end, each pass in an order of its own, and the place in it as a state.

    What is counted are batches that were handed out, not those that workers have fetched ahead.
    """

    def __init__(self, data: torch.utils.data.Dataset, size: int, seed: int):
        self.data, self.size, self.seed = data, size, seed
        self.epoch = 0
        self.taken = 0

    def __iter__(self):
        while True:
            order = torch.randperm(len(self.data), generator=torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch))
            batches = [batch.tolist() for batch in order.split(self.size) if len(batch) == self.size]
            # A DataLoader draws one number whenever a pass begins. With a generator of its own, a pass that begins once
            # more after a resume leaves PyTorch's generator alone.
            loader = torch.utils.data.DataLoader(self.data, batch_sampler=batches[self.taken :], generator=torch.Generator())
            for batch in loader:
                self.taken += 1
                yield batch
            self.epoch += 1
            self.taken = 0

    def state_dict(self) -> dict:
        return {"epoch": self.epoch, "taken": self.taken}

    def load_state_dict(self, state: dict) -> None:
        self.epoch, self.taken = state["epoch"], state["taken"]
