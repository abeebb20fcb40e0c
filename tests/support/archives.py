"""Exported programs in files, as they are and with members changed."""

import torch
from torch import nn
from torch.export.pt2_archive import PT2ArchiveReader, PT2ArchiveWriter


class Small(nn.Module):
    """Images [B, 3, 8, 8] -> logits [B, 5], with a parameter, a buffer and a constant."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(4, 5)
        self.register_buffer("shift", torch.arange(4.0))
        self.factor = torch.tensor([1.0, 2.0, 3.0, 4.0])

    def forward(self, images):
        return self.head(self.conv(images).flatten(2).mean(-1) * self.factor + self.shift)


class Words(nn.Module):
    """Images [B, 1, 4, 4] -> logits [B, 16], by the operators that PT2E writes."""

    def forward(self, images):
        ops = torch.ops.quantized_decomposed
        words = ops.quantize_per_tensor(images.flatten(1), 0.5, 3, -128, 127, torch.int8)
        return ops.dequantize_per_tensor(words, 0.5, 3, -128, 127, torch.int8)


def save(module, path, *, images):
    """`module`, exported for any batch of such `images`, in the file `path`."""
    program = torch.export.export(module.eval(), (images,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
    torch.export.save(program, path)


def rewrite(path, changes):
    """Change members of an archive: name -> bytes, or a function from the bytes there to those to be."""
    reader = PT2ArchiveReader(str(path))
    kept = {name: reader.read_bytes(name) for name in reader.get_file_names() if not name.startswith(".data")}
    for name, change in changes.items():
        kept[name] = change(kept[name]) if callable(change) else change
    with PT2ArchiveWriter(str(path)) as writer:
        for name, data in kept.items():
            writer.write_bytes(name, data)
