"""SplitZO: what it estimates, what a packet does, and that everything can be taken back."""

from functools import partial
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `learn`")

import federated_case as case  # noqa: E402

from edgetwin.systems.federated.batch import Batch  # noqa: E402
from edgetwin.systems.federated.grid import UNIT, Grid  # noqa: E402
from edgetwin.systems.federated.noise import bits, on_device  # noqa: E402
from edgetwin.systems.federated.noise.bits import noise  # noqa: E402
from edgetwin.systems.federated.packet import Packet  # noqa: E402
from edgetwin.systems.federated.settings import COUPLINGS, Perturbing  # noqa: E402
from edgetwin.systems.federated.split_zo import SplitZO, rounded  # noqa: E402
from edgetwin.systems.federated.tree import Tree  # noqa: E402
from edgetwin.systems.federated.walks import scalars_from_afar  # noqa: E402

EPS = 2.0**-10


def two_blocks(**settings: Any) -> tuple[SplitZO, Batch]:
    made = case.model()
    first, second = (torch.nn.Sequential(*made.blocks[a:b]) for a, b in ((0, 3), (3, 4)))
    return SplitZO(first, second, **settings), case.examples(16)


def test_one_perturbation_a_block_in_joint_coupling_is_spsa_bit_for_bit() -> None:
    optimizer, batch = two_blocks(p2=1, coupling="joint", lr=1e-2)
    by_hand = case.model()
    blocks = [by_hand.blocks[:3], by_hand.blocks[3:]]
    parameters = [[p for block in part for p in block.parameters()] for part in blocks]
    with torch.no_grad():
        for part in parameters:
            for p in part:
                p.copy_((p / UNIT).round() * UNIT)

    def move(step: float, seed: int) -> None:
        for b, part in enumerate(parameters):
            signs, at = torch.from_numpy(noise(seed, b, 0, sum(p.numel() for p in part))), 0
            for p in part:
                p.data += step * signs[at : at + p.numel()].view(p.shape)
                at += p.numel()

    def loss() -> float:
        return float(torch.nn.functional.cross_entropy(by_hand(batch), batch.labels))

    with torch.no_grad():
        for seed in range(5):
            packet = optimizer.step(batch, seed)
            move(EPS, seed)
            up = loss()
            move(-2 * EPS, seed)
            down = loss()
            move(EPS, seed)
            g = np.float32((up - down) / (2 * EPS))
            assert packet.scalars.tolist() == [g, g]
            for b, part in enumerate(parameters):
                units = float(rounded(np.array([[-1e-2 * float(g) / UNIT]]), [seed], b)[0, 0])
                signs, at = torch.from_numpy(noise(seed, b, 0, sum(p.numel() for p in part))), 0
                for p in part:
                    p.data += units * UNIT * signs[at : at + p.numel()].view(p.shape)
                    at += p.numel()
    mine = [p for group in optimizer.param_groups for p in group["params"]]
    theirs = [p for part in parameters for p in part]
    assert all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))


class Linear(torch.nn.Module):
    """Adds its weights, or adds the product of its weights with what came: a known gradient."""

    def __init__(self, start: list[float]) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.tensor(start))

    def forward(self, given: Any) -> Any:
        return self.w.clone() if isinstance(given, dict) else given @ torch.diag(self.w) + self.w


SETTINGS = [
    {"coupling": c, "difference": d, "shared": s}
    for c in COUPLINGS
    for d in ("central", "forward")
    for s in (False, True)
]


@pytest.mark.parametrize("how", SETTINGS, ids=lambda s: "-".join(map(str, s.values())))
def test_scalars_are_unbiased_for_every_block(how: dict[str, Any]) -> None:
    starts = [[0.5, -1.0, 0.25], [0.75, 0.5, -0.5], [1.0, -0.25, 0.5]]
    blocks = [Linear(start) for start in starts]
    loss = lambda output, _: (output**2).sum() / 2 + output.sum()  # noqa: E731
    counts = (1, 2, 4)
    optimizer = SplitZO(*blocks, lr=1.0, counts=counts, eps=2.0**-8, loss=loss, **how)
    batch = Batch(inputs={}, labels=torch.zeros(1))
    truth = torch.autograd.grad(
        loss(blocks[2](blocks[1](blocks[0]({}))), batch), [b.w for b in blocks]
    )
    sums = [[] for _ in blocks]
    for seed in range(400):
        packet, at = optimizer.estimate(batch, seed), 0
        for b, count in enumerate(optimizer.form.groups):
            rows = np.array([noise(seed, b, j, 3) for j in range(count)])
            sums[b].append(packet.scalars[at : at + count] @ rows / count)
            at += count
    for b, gradient in enumerate(truth):
        draws = np.array(sums[b])
        error = draws.std(axis=0) / len(draws) ** 0.5
        # forward differences are off by eps / 2 times a third moment, which is small here
        assert np.abs(draws.mean(axis=0) - gradient.numpy()).max() < 4.5 * error.max() + 0.01


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("how", [{}, {"wide": True}, {"difference": "forward"}])
def test_an_estimate_leaves_weights_and_parameters_as_they_were(
    dtype: torch.dtype, how: dict[str, Any]
) -> None:
    optimizer, batch = two_blocks(dtype=dtype, **how)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    before, kept = optimizer.snapshot(), [p.clone() for p in parameters]
    packet = optimizer.estimate(batch, 11)
    assert optimizer.snapshot() == before
    assert all(torch.equal(p, k) for p, k in zip(parameters, kept, strict=True))
    assert np.isfinite(packet.scalars).all() and np.abs(packet.scalars).max() > 0


def test_a_loss_that_raises_leaves_the_weights_as_they_were() -> None:
    def broken(output: Any, batch: Batch) -> Any:
        raise ArithmeticError("no loss today")

    optimizer, batch = two_blocks(loss=broken)
    before = optimizer.snapshot()
    parameters = [p.clone() for group in optimizer.param_groups for p in group["params"]]
    with pytest.raises(ArithmeticError):
        optimizer.estimate(batch, 1)
    now = [p for group in optimizer.param_groups for p in group["params"]]
    assert optimizer.snapshot() == before
    assert all(torch.equal(p, k) for p, k in zip(now, parameters, strict=True))


def test_bfloat16_parameters_are_the_cast_of_the_float32_weights() -> None:
    fine, batch = two_blocks()
    coarse, _ = two_blocks(dtype=torch.bfloat16)
    packet = fine.estimate(batch, 3)
    for optimizer in (fine, coarse):
        optimizer.apply(packet)
    assert fine.snapshot() == coarse.snapshot()
    pairs = zip(fine.grids, coarse.grids, strict=True)
    assert all(torch.equal(f.forward.bfloat16(), c.forward) for f, c in pairs)


def test_more_perturbations_follow_the_tree_and_its_cost() -> None:
    how = Perturbing(counts=(1, 4, 16))
    assert (how.calls, how.groups) == ((2, 8, 32), (1, 4, 16))
    assert how.flops([10.0, 2.0, 1.0]) == 2 * 10 + 8 * 2 + 32 * 1
    forward = Perturbing(counts=(1, 4), difference="forward")
    assert forward.flops([10.0, 1.0]) == 2 * 10 + (2 + 4) * 1
    joint = Perturbing(counts=(5,), coupling="joint", difference="forward")
    assert joint.flops([3.0]) == 6 * 3
    assert Perturbing(counts=(1, 4), shared=True).groups == (1, 2)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"counts": (1, 3)}, "multiple of 2"),
        ({"counts": (1, 1), "coupling": "centred"}, "two perturbations"),
        ({"counts": (0, 2)}, "one perturbation or more"),
        ({"coupling": "loose"}, "give a coupling"),
        ({"eps": 0.0}, "eps is 0.0"),
    ],
)
def test_settings_that_do_not_fit_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Perturbing(**given)


def test_forward_calls_are_those_that_the_settings_announce() -> None:
    for how in ({}, {"counts": (2, 8)}, {"difference": "forward"}, {"coupling": "joint"}):
        optimizer, batch = two_blocks(**how)
        calls = [0, 0]
        for b, block in enumerate(optimizer.blocks):
            block.register_forward_hook(partial(_count, calls, b))
        optimizer.estimate(batch, 0)
        assert tuple(calls) == optimizer.how.calls


def _count(calls: list[int], block: int, *_: Any) -> None:
    calls[block] += 1


def test_a_packet_is_32_bytes_at_four_perturbations_and_survives_the_wire() -> None:
    optimizer, batch = two_blocks()
    packet = optimizer.estimate(batch, 2**64 - 1)
    data = packet.to_bytes()
    again = Packet.from_bytes(data)
    assert len(data) == 32
    assert (again.seed, again.kind) == (packet.seed, packet.kind)
    assert np.array_equal(again.scalars, packet.scalars)


def test_rates_below_the_unit_are_kept_on_average() -> None:
    taken = rounded(np.full((4000, 2), [0.3, -0.3]), range(4000), 0)
    assert np.mean(taken, axis=0) == pytest.approx([0.3, -0.3], abs=4 * 0.46 / 4000**0.5)


def test_a_rate_of_zero_or_a_tied_parameter_is_refused() -> None:
    first, second = torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)
    with pytest.raises(ValueError, match="positive"):
        SplitZO(first, second, lr=0.0)
    second.weight = first.weight
    with pytest.raises(ValueError, match="share a trainable parameter"):
        SplitZO(first, second)
    with pytest.raises(ValueError, match="nothing to train"):
        SplitZO(torch.nn.ReLU(), first)


def test_weights_beyond_the_grid_are_refused_at_the_start_and_on_the_way() -> None:
    with pytest.raises(ValueError, match="a weight is 9"):
        Grid([torch.nn.Parameter(torch.full((3,), 9.0))], 0)
    grid = Grid([torch.nn.Parameter(torch.zeros(3))], 0)
    with pytest.raises(OverflowError, match="reaches 16"):
        for seed in range(40):
            grid.shift([seed], np.array([[2.0**22]]))


@pytest.mark.parametrize("more", [{}, {"dtype": torch.bfloat16}, {"wide": True, "momentum": 0.5}])
@pytest.mark.parametrize("scale", [1.0, 500.0])
def test_a_round_replayed_at_once_is_its_packets_one_by_one(
    more: dict[str, Any], scale: float
) -> None:
    """Also where the sum of all steps could leave the grid, and each by itself does not."""
    one, batch = two_blocks(lr=1e-2, **more)
    other, _ = two_blocks(lr=1e-2, **more)
    found = [one.estimate(batch, seed) for seed in range(40)]
    packets = [Packet(seed=p.seed, scalars=p.scalars * np.float32(scale / 40)) for p in found]
    entries = [((-1.0) ** k * 0.5, packet) for k, packet in enumerate(packets)]
    for weight, packet in entries:
        one.apply(packet, weight)
    other.replay(entries)
    assert one.snapshot() == other.snapshot()
    other.replay([(-weight, packet) for weight, packet in reversed(entries)])
    assert other.snapshot()["weights"] == two_blocks(lr=1e-2, **more)[0].snapshot()["weights"]


def test_momentum_goes_on_between_rounds_like_nesterovs() -> None:
    optimizer, batch = two_blocks(momentum=0.5, lr=1e-2)
    start = case.weights(optimizer)  # type: ignore[arg-type]
    packet = optimizer.estimate(batch, 1)
    optimizer.apply(packet)
    step = case.weights(optimizer) - start  # type: ignore[arg-type]
    optimizer.end_round([packet])
    once = case.weights(optimizer) - start - step  # type: ignore[arg-type]
    assert np.abs(once - step / 2).max() <= 0.5
    optimizer.end_round([])
    twice = case.weights(optimizer) - start - step - once  # type: ignore[arg-type]
    assert np.abs(twice - once / 2).max() <= 0.5


def test_normalised_scalars_do_not_depend_on_the_scale_of_the_loss() -> None:
    moved = []
    for scale in (1.0, 8.0):
        loss = lambda out, b, s=scale: s * torch.nn.functional.cross_entropy(out, b.labels)  # noqa: E731
        optimizer, batch = two_blocks(normalise=True, lr=1e-3, loss=loss)
        first = optimizer.step(batch, 0)
        assert case.weights(optimizer).tolist() == case.weights(two_blocks()[0]).tolist()  # type: ignore[arg-type]
        optimizer.end_round([first])
        before = case.weights(optimizer)  # type: ignore[arg-type]
        optimizer.step(batch, 1)
        moved.append(case.weights(optimizer) - before)  # type: ignore[arg-type]
    assert np.abs(moved[0]).max() > 0
    assert np.abs(moved[0] - moved[1]).max() <= 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("wide", [False, True])
def test_weights_on_another_device_move_as_they_do_on_the_processor(
    dtype: torch.dtype, wide: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def elsewhere(values: Any, seed: int, block: int, *rest: Any, **more: Any) -> None:
        on_device.add_noise(torch.from_numpy(values), seed, block, *rest, **more)

    here, batch = two_blocks(dtype=dtype, wide=wide, lr=1e-2)
    packets = [here.step(batch, seed) for seed in range(3)]

    def all_elsewhere(values: Any, *rest: Any, **more: Any) -> None:
        on_device.add_all_noise(torch.from_numpy(values), *rest, **more)

    monkeypatch.setattr(bits, "add_noise", elsewhere)
    monkeypatch.setattr(bits, "add_all_noise", all_elsewhere)
    there, _ = two_blocks(dtype=dtype, wide=wide, lr=1e-2)
    for packet in packets:
        assert np.array_equal(there.step(batch, packet.seed).scalars, packet.scalars)
    assert here.snapshot() == there.snapshot()


@pytest.mark.parametrize("difference", ["central", "forward"])
@pytest.mark.parametrize("coupling", COUPLINGS)
def test_losses_fetched_at_once_give_the_same_scalars(coupling: Any, difference: Any) -> None:
    optimizer, batch = two_blocks(p2=4, coupling=coupling, difference=difference)
    before = optimizer.snapshot()
    tree = Tree(optimizer.how, optimizer.blocks, optimizer.grids)
    with torch.inference_mode():
        once = tree.scalars(3, batch.inputs, lambda output: float(optimizer.loss(output, batch)))
        twice = scalars_from_afar(
            tree, 3, batch.inputs, lambda output: optimizer.loss(output, batch)
        )
    tree.rest()
    assert once == twice
    assert [g for block in once for g in block] == pytest.approx(
        optimizer.estimate(batch, 3).scalars.tolist()
    )
    assert optimizer.snapshot() == before


@pytest.mark.parametrize("more", [{}, {"dtype": torch.bfloat16}, {"wide": True}])
@pytest.mark.parametrize("difference", ["central", "forward"])
def test_a_series_of_estimates_is_each_by_itself(difference: Any, more: dict[str, Any]) -> None:
    optimizer, batch = two_blocks(p2=4, difference=difference, **more)
    before = optimizer.snapshot()
    shown = [p.detach().clone() for block in optimizer.blocks for p in block.parameters()]
    seeds = [5, 2**64 - 1, 5]
    series = optimizer.estimates([(seed, batch) for seed in seeds])
    alone = [optimizer.estimate(batch, seed) for seed in seeds]
    assert [p.to_bytes() for p in series] == [p.to_bytes() for p in alone]
    assert optimizer.snapshot() == before
    after = [p for block in optimizer.blocks for p in block.parameters()]
    assert all(map(torch.equal, shown, after))


def test_weights_rest_after_a_series_that_breaks_off() -> None:
    optimizer, batch = two_blocks()
    before = optimizer.snapshot()
    foreign = Batch(inputs=batch.inputs, labels=batch.labels + 1000)
    with pytest.raises(IndexError):
        optimizer.estimates([(1, batch), (2, foreign)])
    assert optimizer.snapshot() == before
