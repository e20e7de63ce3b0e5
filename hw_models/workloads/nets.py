"""Networks from their published architectures, as plain torch modules; needs torch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from hw_models.workloads.transformers import Decoder, MaskedEncoder, TransformerConfig


@final
class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (He et al. 2015, figure 2)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_convolution(inputs, outputs, 3, stride),
            nn.ReLU(inplace=True),
            *_convolution(outputs, outputs, 3, 1),
        )
        is_same = stride == 1 and inputs == outputs
        self.shortcut = nn.Sequential(
            *([] if is_same else _convolution(inputs, outputs, 1, stride))
        )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, h, w) to (batch, outputs, h / stride, w / stride)."""
        y: Tensor = self.body(x)
        y += self.shortcut(x)
        out: Tensor = self.relu(y)
        return out


def resnet18(classes: int = 1000, *, small_images: bool = False) -> nn.Module:
    """ResNet-18 for 224x224 images, or with a 3x3 stem and no pooling for 32x32 ones."""
    stem = _convolution(3, 64, 3, 1) if small_images else _convolution(3, 64, 7, 2)
    pool = [] if small_images else [nn.MaxPool2d(3, 2, 1)]
    blocks: list[nn.Module] = []
    inputs = 64
    for outputs, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        blocks += [ResidualBlock(inputs, outputs, stride), ResidualBlock(outputs, outputs, 1)]
        inputs = outputs
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, classes)]
    return nn.Sequential(*stem, nn.ReLU(inplace=True), *pool, *blocks, *head)


@final
class InvertedResidual(nn.Module):
    """Expand, depthwise 3x3, project (Sandler et al. 2018, figure 4)."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        expand = [*_convolution(inputs, hidden, 1, 1), nn.ReLU6(inplace=True)]
        self.body = nn.Sequential(
            *(expand if expansion > 1 else []),
            *_convolution(hidden, hidden, 3, stride, groups=hidden),
            nn.ReLU6(inplace=True),
            *_convolution(hidden, outputs, 1, 1),
        )
        self.is_residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, h, w) to (batch, outputs, h / stride, w / stride)."""
        y: Tensor = self.body(x)
        return x + y if self.is_residual else y


def mobilenet_v2(classes: int = 1000) -> nn.Module:
    """MobileNetV2 of width 1.0 (Sandler et al. 2018, table 2), without dropout."""
    rows = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)]
    rows += [(6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    blocks: list[nn.Module] = []
    inputs = 32
    for expansion, outputs, repeats, stride in rows:
        for i in range(repeats):
            blocks.append(InvertedResidual(inputs, outputs, 1 if i else stride, expansion))
            inputs = outputs
    stem = [*_convolution(3, 32, 3, 2), nn.ReLU6(inplace=True)]
    last = [*_convolution(320, 1280, 1, 1), nn.ReLU6(inplace=True)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, classes)]
    return nn.Sequential(*stem, *blocks, *last, *head)


def digits_cnn() -> nn.Module:
    """Two 3x3 convolutions and two linear layers for the 8x8 grey images of 10 digits."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 4 * 4, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )


def _convolution(
    inputs: int, outputs: int, size: int, stride: int, groups: int = 1
) -> list[nn.Module]:
    padding = size // 2
    layer = nn.Conv2d(inputs, outputs, size, stride, padding, groups=groups, bias=False)
    return [layer, nn.BatchNorm2d(outputs)]


CHARACTER = TransformerConfig(
    layers=6, heads=6, width=264, hidden=1056, vocabulary=128, positions=64, norm_first=True
)
"""6 layers, 6 heads, sequence 64; 264 (heads of 44) because the paper's 256 is no multiple of 6."""

ROBERTA_LARGE = TransformerConfig(
    layers=24, heads=16, width=1024, hidden=4096, vocabulary=50265, positions=514, norm_first=False
)

OPT_1_3B = TransformerConfig(
    layers=24,
    heads=32,
    width=2048,
    hidden=8192,
    vocabulary=50272,
    positions=2050,
    norm_first=True,
    activation=nn.ReLU,
)


def _sgd(parameters: list[nn.Parameter]) -> Optimizer:
    return SGD(parameters, lr=0.1, momentum=0.9, foreach=True)


def _adamw(parameters: list[nn.Parameter]) -> Optimizer:
    return AdamW(parameters, foreach=True)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """How a shipped network is built and what one sample of its input looks like."""

    build: Callable[[], nn.Module]
    shape: tuple[int, ...]
    optimizer: Callable[[list[nn.Parameter]], Optimizer]
    source: str
    tokens: int = 0

    def example(self) -> Tensor:
        """One sample without batch axis: token numbers if it is a sequence, else pixels."""
        dtype = torch.long if self.tokens else torch.float32
        return torch.empty(self.shape, dtype=dtype, device="meta")


def _sequence(build: Callable[[], nn.Module], length: int, source: str) -> Network:
    return Network(build=build, shape=(length,), optimizer=_adamw, source=source, tokens=length)


_RESNET = "ResNet-18, He et al. 2015, arXiv:1512.03385, table 1"
_MOBILENET = "MobileNetV2 1.0, Sandler et al. 2018, arXiv:1801.04381, table 2"

NETWORKS = {
    "resnet-18": Network(
        build=resnet18,
        shape=(3, 224, 224),
        optimizer=_sgd,
        source=f"{_RESNET}, 1000 classes, 224x224, fp32, SGD with momentum",
    ),
    "resnet-18-cifar": Network(
        build=lambda: resnet18(10, small_images=True),
        shape=(3, 32, 32),
        optimizer=_sgd,
        source=f"{_RESNET}, with a 3x3 stem and no pooling, 10 classes, 32x32, fp32, SGD with "
        "momentum",
    ),
    "mobilenet-v2": Network(
        build=mobilenet_v2,
        shape=(3, 224, 224),
        optimizer=_sgd,
        source=f"{_MOBILENET}, 1000 classes, 224x224, fp32, SGD with momentum",
    ),
    "char-transformer": _sequence(
        lambda: Decoder(CHARACTER),
        64,
        "6 layers and 6 heads as in arXiv:2502.18323, width 264, 128 ASCII characters, "
        "sequence 64, fp32, AdamW",
    ),
    "roberta-large": _sequence(
        lambda: MaskedEncoder(ROBERTA_LARGE),
        128,
        "RoBERTa-large, Liu et al. 2019, arXiv:1907.11692, scores of one masked position, "
        "sequence 128, fp32, AdamW",
    ),
    "opt-1.3b": _sequence(
        lambda: Decoder(OPT_1_3B),
        128,
        "OPT-1.3B, Zhang et al. 2022, arXiv:2205.01068, table 1, scores of all positions, "
        "sequence 128, fp32, AdamW",
    ),
    "digits-cnn": Network(
        build=digits_cnn,
        shape=(1, 8, 8),
        optimizer=_sgd,
        source="small CNN for the 8x8 digits of scikit-learn, own design, fp32, SGD with momentum",
    ),
}
"""The networks of networks.toml. Dropout is left out everywhere."""
