"""Noise is a function of its counter, the same in compiled code and in torch."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `learn`")

from edgetwin.systems.federated.noise import bits, on_device  # noqa: E402
from edgetwin.systems.federated.noise.bits import (  # noqa: E402
    derived_seed,
    drawn,
    noise,
    padded,
    philox,
)

# Random123 1.14, examples/kat_vectors: counter, key, and the four words of Philox4x32-10.
KNOWN = [
    ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_philox_gives_its_published_words(
    counter: list[int], key: list[int], words: list[int]
) -> None:
    given = [np.uint64(x) for x in (*counter, *key)]
    assert [int(w) for w in philox(*given)] == words
    first = torch.tensor([counter[0]])
    made = on_device.philox((first, *counter[1:]), key[1] << 32 | key[0])
    assert [int(w) for w in made] == words


@pytest.mark.parametrize("n", [1, 127, 128, 129, 5000])
@pytest.mark.parametrize("wide", [False, True])
def test_compiled_and_torch_noise_are_the_same_bits(n: int, wide: bool) -> None:
    values = torch.zeros(padded(n), dtype=torch.int32)
    on_device.add_noise(values, 2**63 + 5, 3, 9, [1], wide=wide)
    assert np.array_equal(noise(2**63 + 5, 3, 9, n, wide), values.numpy()[:n])


@pytest.mark.parametrize("wide", [False, True])
def test_noise_from_the_middle_is_a_part_of_the_whole(wide: bool) -> None:
    whole, part = np.zeros(1024, np.int32), np.zeros(512, np.int32)
    bits.add_noise(whole, 4, 0, 0, [1], wide=wide)
    bits.add_noise(part, 4, 0, 0, [1], wide=wide, start=512)
    assert np.array_equal(part, whole[512:])


def test_signs_have_mean_zero_and_do_not_repeat() -> None:
    n = 1_000_000
    made = [noise(seed, block, j, n) for seed in (0, 1) for block in (0, 1) for j in (0, 1)]
    assert all(set(np.unique(z)) == {-1, 1} for z in made)
    assert max(abs(z.mean()) for z in made) < 4 / n**0.5
    products = np.corrcoef(made) - np.eye(len(made))
    assert np.abs(products).max() < 4 / n**0.5


def test_sums_of_sixteen_signs_have_the_moments_of_a_gaussian() -> None:
    z = noise(1, 0, 0, 200_000, wide=True) / 4
    assert z.mean() == pytest.approx(0, abs=0.01)
    assert z.var() == pytest.approx(1, abs=0.02)
    assert (z**4).mean() == pytest.approx(3 - 2 / 16, abs=0.08)  # of 16 signs, exactly


def test_a_step_of_several_perturbations_is_the_sum_of_its_parts() -> None:
    together, apart = np.zeros(256, np.float32), np.zeros(256, np.float32)
    bits.add_noise(together, 6, 1, 2, [0.5, -0.25, 2.0])
    for j, step in enumerate([0.5, -0.25, 2.0]):
        bits.add_noise(apart, 6, 1, 2 + j, [step])
    assert np.array_equal(together, apart)


@pytest.mark.parametrize("kind", [np.float32, np.int32])
@pytest.mark.parametrize("wide", [False, True])
def test_noise_of_many_seeds_at_once_is_the_sum_of_theirs(kind: type, wide: bool) -> None:
    seeds, steps = [6, 2**64 - 1], np.array([[4.0, -2.0, 1.0], [0.0, 8.0, 16.0]])
    at_once, there = np.zeros(128 * 37, kind), torch.zeros(128 * 37)
    bits.add_all_noise(at_once, seeds, 1, steps, wide=wide)
    on_device.add_all_noise(there, seeds, 1, steps, wide=wide)
    made = [[noise(seed, 1, j, 128 * 37, wide) for j in range(3)] for seed in seeds]
    assert np.array_equal(at_once, np.einsum("sj,sjn->n", steps, np.array(made)))
    assert np.array_equal(at_once, there.numpy())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")
@pytest.mark.parametrize(("dtype", "step"), [(torch.float32, 2.0**-10), (torch.int32, 3)])
@pytest.mark.parametrize("seed", [5, 2**63 + 5, 2**64 - 1])
def test_the_fused_kernel_makes_the_same_bits(dtype: torch.dtype, step: float, seed: int) -> None:
    there = torch.zeros(128 * 777, dtype=dtype, device="cuda")
    on_device.add_noise(there, seed, 2, 37, [step, 2 * step], start=1280)
    here = torch.zeros(128 * 777, dtype=dtype).numpy()
    bits.add_noise(here, seed, 2, 37, [step, 2 * step], start=1280)
    assert np.array_equal(there.cpu().numpy(), here)


def test_derived_seeds_differ() -> None:
    seeds = {derived_seed(9, r, c, s) for r in range(20) for c in range(20) for s in range(5)}
    assert len(seeds) == 2000


def test_a_seed_of_more_than_64_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="2\\*\\*64"):
        noise(2**64, 0, 0, 8)


def test_draws_are_without_repetition_and_every_number_equally_often() -> None:
    counts = np.zeros(20)
    for version in range(3000):
        some = drawn(2**64 - 1, version, 1, 20, 5)
        assert len(set(some.tolist())) == 5
        counts[some] += 1
    assert np.abs(counts - 750).max() < 5 * (750 * 0.75) ** 0.5
    assert sorted(drawn(1, 2, 3, 7, 7).tolist()) == list(range(7))
    with pytest.raises(ValueError, match="8 of 7"):
        drawn(1, 2, 3, 7, 8)
