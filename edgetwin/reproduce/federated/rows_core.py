"""Rows of the study that need no language model: exactness and protocol."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from edgetwin.reproduce.federated.rows_protocol import drops, hostile, thousand
from edgetwin.studies import Figure, Rows, row

if TYPE_CHECKING:
    from edgetwin.systems.federated.batch import Batch
    from edgetwin.systems.federated.split_zo import SplitZO

EPS = 2.0**-10


def core_rows() -> Rows:
    """The rows by name."""
    return {
        "spsa": ("joint coupling, one perturbation a block: SPSA with the same noise", spsa),
        "unbiased": ("estimates against autograd", unbiased),
        "replay": ("server replay against client weights after 1000 steps", replay),
        "upload": ("upload per local step at P2 = 4", upload),
        "thousand": ("1000 clients, 100 a round", thousand),
        "drops": ("30 % of clients dropping, server killed and resumed twice", drops),
        "hostile": ("malformed and hostile updates", hostile),
    }


def _small(seed: int = 1, width: int = 16) -> tuple[Any, "Batch"]:
    """A perceptron of a few thousand weights, and 16 random examples."""
    import torch

    from edgetwin.systems.federated.batch import Batch
    from edgetwin.systems.federated.mlp import ResidualMLP

    generator = torch.Generator().manual_seed(7)
    x = torch.randn(16, 12, generator=generator)
    labels = torch.randint(0, 3, (16,), generator=generator)
    model = ResidualMLP(inputs=12, width=width, depth=4, classes=3, seed=seed)
    return model, Batch(inputs={"x": x}, labels=labels)


def spsa(quick: bool) -> dict[str, Any]:
    """Steps of the optimiser, and of SPSA written out here, from the same weights and noise."""
    import torch
    from torch.nn.functional import cross_entropy

    from edgetwin.systems.federated.grid import UNIT
    from edgetwin.systems.federated.methods import make_method
    from edgetwin.systems.federated.noise.bits import noise
    from edgetwin.systems.federated.split_zo import rounded

    model, batch = _small()
    method = make_method("fedspzo", model, at=2, counts=(1, 1), coupling="joint", lr=(1e-2, 1e-2))
    other, _ = _small()
    parts = [
        [p for block in other.blocks[a:b] for p in block.parameters()] for a, b in ((0, 2), (2, 4))
    ]
    flat = [torch.cat([p.detach().reshape(-1) for p in part]) for part in parts]
    flat = [(w / UNIT).round() * UNIT for w in flat]

    def loss(weights: list[Any]) -> float:
        for part, w in zip(parts, weights, strict=True):
            at = 0
            for p in part:
                p.data = w[at : at + p.numel()].view(p.shape)
                at += p.numel()
        with torch.inference_mode():
            return float(cross_entropy(other(batch), batch.labels))

    steps, differ = 200 if quick else 1000, 0
    for seed in range(steps):
        packet = method.estimate(batch, seed)
        method.apply(packet, 1.0)
        z = [torch.from_numpy(noise(seed, b, 0, len(w)).astype("f4")) for b, w in enumerate(flat)]
        sides = [loss([w + s * EPS * v for w, v in zip(flat, z, strict=True)]) for s in (1, -1)]
        g = np.float32((sides[0] - sides[1]) / (2 * EPS))
        differ += int((packet.scalars != g).sum())
        for b, v in enumerate(z):
            units = float(rounded(np.array([[-1e-2 * float(g) / UNIT]]), [seed], b)[0, 0])
            flat[b] = flat[b] + units * UNIT * v
    mine = np.frombuffer(method.snapshot()["weights"], "<i4")
    theirs = np.concatenate([(w.double() / UNIT).numpy() for w in flat])
    return row(
        {
            "different_scalars": Figure(value=differ, bar=0),
            "different_weights": Figure(value=int((mine != theirs).sum()), bar=0),
        },
        steps=steps,
    )


def _tiny(coupling: str) -> tuple["SplitZO", "Batch", Callable[[Any, Any], Any]]:
    """Two small layers whose gradient is known to autograd."""
    import torch

    from edgetwin.systems.federated.batch import Batch, cross_entropy
    from edgetwin.systems.federated.mlp import Enter, Leave
    from edgetwin.systems.federated.split_zo import SplitZO

    generator = torch.Generator().manual_seed(3)
    first, second = Enter(4, 5), Leave(5, 3)
    with torch.no_grad():
        for p in (first.weight, second.weight):
            p.normal_(0.0, 0.7, generator=generator)
    x = torch.randn(8, 4, generator=generator)
    batch = Batch(inputs={"x": x}, labels=torch.arange(8) % 3)
    optimizer = SplitZO(first, second, counts=(1, 4), coupling=coupling, eps=2.0**-7)  # type: ignore[arg-type]
    return optimizer, batch, cross_entropy


def unbiased(quick: bool) -> dict[str, Any]:
    """Mean estimates of both blocks against the gradient, and the mean squares of the scalars."""
    import torch

    from edgetwin.systems.federated.noise.bits import noise
    from edgetwin.systems.federated.settings import COUPLINGS

    draws, worst, squares = 10_000 if quick else 100_000, {}, {}
    for coupling in COUPLINGS:
        optimizer, batch, loss = _tiny(coupling)
        weights = [p for group in optimizer.param_groups for p in group["params"]]
        output = optimizer.blocks[1](optimizer.blocks[0](batch.inputs))
        truth = [g.reshape(-1).numpy() for g in torch.autograd.grad(loss(output, batch), weights)]
        sums = [np.zeros((2, g.size)) for g in truth]
        square = np.zeros(2)
        for seed in range(draws):
            scalars = optimizer.estimate(batch, seed).scalars
            for b, part in enumerate((scalars[:1], scalars[1:])):
                z = np.array([noise(seed, b, j, truth[b].size) for j in range(len(part))])
                found = part @ z / len(part)
                sums[b] += [found, found**2]
                square[b] += float((part**2).mean())
        means = [s / draws for s in sums]
        errors = [np.sqrt((m[1] - m[0] ** 2) / draws) for m in means]
        worst[coupling] = max(
            float((np.abs(m[0] - g) / e).max())
            for m, g, e in zip(means, truth, errors, strict=True)
        )
        squares[coupling] = (square / draws).tolist()
    second = {coupling: found[1] for coupling, found in squares.items()}
    return row(
        {
            "largest_error_in_standard_errors": Figure(value=max(worst.values()), bar=4.0),
            "centred_over_decoupled": Figure(
                value=second["centred"] / second["decoupled"], bar=1.0, at_least=True
            ),
            "joint_over_centred": Figure(
                value=second["joint"] / second["centred"], bar=1.0, at_least=True
            ),
        },
        draws=draws, errors=worst, mean_squares=squares,
    )  # fmt: skip


def replay(quick: bool) -> dict[str, Any]:
    """A client takes steps; a server that sees only the packets, shuffled, ends where it does."""
    import torch

    from edgetwin.systems.federated.methods import make_method
    from edgetwin.systems.federated.packet import Packet

    steps, differ = 1000, {}
    for dtype in (torch.float32, torch.bfloat16):
        model, batch = _small()
        client = make_method("fedspzo", model, dtype=dtype, lr=(1e-3, 4e-3))
        server = make_method("fedspzo", _small()[0], lr=(1e-3, 4e-3))
        sent = []
        for seed in range(steps):
            packet = client.estimate(batch, seed)
            client.apply(packet, 0.25)
            sent.append(packet.to_bytes())
        for at in np.random.default_rng(0).permutation(steps):
            server.apply(Packet.from_bytes(sent[at]), 0.25)
        mine, theirs = (np.frombuffer(m.snapshot()["weights"], "<i4") for m in (client, server))
        differ[str(dtype).removeprefix("torch.")] = int((mine != theirs).sum())
    figures = {f"different_{name}": Figure(value=n, bar=0) for name, n in differ.items()}
    return row(figures, steps=steps)


def upload(quick: bool) -> dict[str, Any]:
    """Bytes of one packet for models of different sizes."""
    from edgetwin.systems.federated.methods import make_method

    sizes = {}
    for width in (16, 256):
        model, batch = _small(width=width)
        packet = make_method("fedspzo", model).estimate(batch, 2**64 - 1)
        sizes[width] = len(packet.to_bytes())
    return row(
        {
            "packet_bytes": Figure(value=max(sizes.values()), bar=32),
            "bytes_that_depend_on_the_model": Figure(value=sizes[256] - sizes[16], bar=0),
        }
    )
