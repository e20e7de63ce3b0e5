"""A small transformer learns to predict characters: `edgetwin train char-transformer --plan ...`.

The text is the help of Python's own language reference (pydoc_data.topics), which every Python
ships. The data of the device are its second half; the proxy split is the first half. Two layers of
width 48 over 32 characters, so that a CPU learns it in seconds; AdamW, learning rate 0.003 at batch
32. The metric is the loss on held-out text in nats per character.
"""

from typing import Any

import torch
from torch import nn

from edgetwin.systems.planner.hook import training_hook

NETWORK = "char-transformer"
TARGET = 2.45
IS_FALLING = True  # the metric is a loss
MOST_SAMPLES = 60_000
EVALUATE_EVERY = 512  # samples
LENGTH, WIDTH, SYMBOLS = 32, 48, 128


def data(is_proxy: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """ASCII codes for training and for testing, (n,) each."""
    from pydoc_data.topics import topics

    text = "".join(topics[name] for name in sorted(topics))
    codes = torch.tensor([c for c in text.encode() if c < SYMBOLS], dtype=torch.long)
    half = len(codes) // 2
    part = codes[:half] if is_proxy else codes[half:]
    return part[:-20_000], part[-20_000:]


class Characters(nn.Module):
    """Embedding, two causal transformer layers, scores of the next character."""

    def __init__(self) -> None:
        super().__init__()
        self.letters = nn.Embedding(SYMBOLS, WIDTH)
        self.places = nn.Parameter(0.02 * torch.randn(LENGTH, WIDTH))
        layer = nn.TransformerEncoderLayer(
            WIDTH, 4, 4 * WIDTH, dropout=0.0, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.scores = nn.Linear(WIDTH, SYMBOLS)
        self.mask = nn.Transformer.generate_square_subsequent_mask(LENGTH)

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """Scores (batch, LENGTH, SYMBOLS) of the characters that follow."""
        hidden = self.letters(codes) + self.places
        scores: torch.Tensor = self.scores(self.layers(hidden, mask=self.mask, is_causal=True))
        return scores


def loss_of(net: nn.Module, codes: torch.Tensor, starts: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of the characters after these starts, in nats."""
    windows = codes[starts[:, None] + torch.arange(LENGTH + 1)]
    scores = net(windows[:, :-1])
    return nn.functional.cross_entropy(scores.flatten(0, 1), windows[:, 1:].flatten())


def main() -> None:
    """Train until the target loss, or until MOST_SAMPLES were seen."""
    hook = training_hook(batch=32)
    torch.manual_seed(hook.seed)
    train, test = data(hook.is_proxy)
    net = Characters()
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.003 * hook.rate_factor)
    held_out = torch.arange(0, len(test) - LENGTH - 1, 128)
    seen, looked = 0, 0
    while seen < MOST_SAMPLES:
        starts = torch.randint(len(train) - LENGTH, (hook.batch,))
        loss = loss_of(net, train, starts)
        optimizer.zero_grad()
        backward: Any = loss.backward
        backward()
        optimizer.step()
        hook.step(net.parameters())
        seen += len(starts)
        if seen // EVALUATE_EVERY > looked:
            looked = seen // EVALUATE_EVERY
            with torch.no_grad():
                now = loss_of(net, test, held_out)
            if hook.report(float(now)):
                return


if __name__ == "__main__":
    main()
