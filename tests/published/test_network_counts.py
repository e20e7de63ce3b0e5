"""Counts of the shipped networks against published ones.

Sources: torchvision model pages for ResNet-18 and MobileNetV2 (num_params; "GFLOPS" there counts
multiply-accumulates, with three digits in `_ops` of the source); the Safetensors documentation,
"Metadata parsing", for RoBERTa-large with its language-model head; the configuration published
with facebook/opt-1.3b; PaLM, arXiv:2204.02311, appendix B, for the operations of a transformer.
"""

import pytest

from hw_models.workloads import load_network


@pytest.mark.parametrize(
    ("name", "parameters", "giga_macs"),
    [
        ("resnet-18", 11_689_512, 1.814),
        ("mobilenet-v2", 3_504_872, 0.301),
    ],
)
def test_image_networks_match_torchvision(name: str, parameters: int, giga_macs: float) -> None:
    net = load_network(name)
    assert net.parameter_count == parameters
    assert net.forward_flops / 2 == pytest.approx(giga_macs * 1e9, abs=0.5e6)


def test_roberta_large_has_the_parameters_of_its_published_file() -> None:
    assert load_network("roberta-large").parameter_count == 355_412_057


def test_opt_has_the_parameters_of_its_published_configuration() -> None:
    words, places, width, inner, layers = 50272, 2048 + 2, 2048, 8192, 24
    attention = 4 * (width * width + width)
    feed_forward = 2 * width * inner + inner + width
    norms = 2 * 2 * width
    layer = attention + feed_forward + norms
    total = (words + places) * width + layers * layer + 2 * width
    assert total == 1_315_758_080  # the "1.3B" of arXiv:2205.01068
    assert load_network("opt-1.3b").parameter_count == total


@pytest.mark.parametrize(
    ("name", "layers", "width"), [("opt-1.3b", 24, 2048), ("char-transformer", 6, 264)]
)
def test_training_a_decoder_costs_what_palm_says(name: str, layers: int, width: int) -> None:
    """6 N + 12 L H Q T FLOPs per token; N holds positions, biases and norms (< 1 %) too."""
    net = load_network(name)
    per_token = 6 * net.parameter_count + 12 * layers * width * net.tokens
    assert net.train_flops / net.tokens == pytest.approx(per_token, rel=0.01)
    assert net.forward_flops == pytest.approx(net.train_flops / 3, rel=1e-3)
