"""A block network of a phone chip under a spreader and a sink: 68 nodes, made up, stated here.

14 blocks in two rows; silicon, interface, spreader and sink below each block are four nodes,
and 12 rim nodes carry heat to the spreader's and the sink's edges. Conductances follow from
geometry: k A / d between layers, k t w / d between neighbours of a layer.
"""

import numpy as np
from numpy.typing import NDArray

from hw_models.thermal import Network

Array = NDArray[np.float64]
N_BLOCKS, N_RIM = 14, 12
HEIGHT_M = 4e-3
WIDTHS_M = np.array([1.0, 1.0, 1.5, 2.0, 2.5, 3.0, 2.0]) * 1e-3
# Layers from the top: conductivity W/(m K), heat capacity J/(m3 K), thickness m.
LAYERS = ((130.0, 1.63e6, 0.3e-3), (4.0, 4.0e6, 20e-6), (400.0, 3.55e6, 1e-3), (237.0, 2.4e6, 4e-3))
RIM_J_PER_K, RIM_W_PER_K = 1.5, 0.4
AMBIENT_K_PER_W = 7.0


def network() -> Network:
    """The network; part k is block k of the silicon."""
    areas_m2 = np.tile(WIDTHS_M, 2) * HEIGHT_M
    n = 4 * N_BLOCKS + N_RIM
    g = np.zeros((n, n))
    capacity_j_per_k = np.concatenate(
        [c * t * areas_m2 for _, c, t in LAYERS] + [np.full(N_RIM, RIM_J_PER_K)]
    )
    for layer in range(4):
        _neighbours(g, layer)
        if layer < 3:
            _below(g, layer, areas_m2)
    for rim in range(N_RIM):  # 4 around the spreader, 8 around the sink
        layer, block = (2, 4 * rim) if rim < 4 else (3, 2 * (rim - 4))
        _link(g, layer * N_BLOCKS + block % N_BLOCKS, 4 * N_BLOCKS + rim, RIM_W_PER_K)
    out = np.zeros(n)
    out[3 * N_BLOCKS : 4 * N_BLOCKS] = areas_m2 / areas_m2.sum() * 0.5 / AMBIENT_K_PER_W
    out[4 * N_BLOCKS + 4 :] = 0.5 / AMBIENT_K_PER_W / 8
    parts = np.arange(N_BLOCKS, dtype=np.int64)
    return Network.from_matrices(g + np.diag(out), capacity_j_per_k, out, parts)


def _neighbours(g: Array, layer: int) -> None:
    """Links within a layer: along each row of blocks, and between the rows."""
    conductivity, _, thickness_m = LAYERS[layer]
    columns, first = len(WIDTHS_M), layer * N_BLOCKS
    for i in range(columns):
        across = conductivity * thickness_m * WIDTHS_M[i] / HEIGHT_M
        _link(g, first + i, first + columns + i, across)
        for row in range(2 if i + 1 < columns else 0):
            way_m = (WIDTHS_M[i] + WIDTHS_M[i + 1]) / 2
            a = first + row * columns + i
            _link(g, a, a + 1, conductivity * thickness_m * HEIGHT_M / way_m)


def _below(g: Array, layer: int, areas_m2: Array) -> None:
    """Links to the layer below: half a thickness of either in series."""
    (k1, _, t1), (k2, _, t2) = LAYERS[layer], LAYERS[layer + 1]
    per_m2 = 1.0 / (0.5 * t1 / k1 + 0.5 * t2 / k2)
    for block, area_m2 in enumerate(areas_m2):
        a = layer * N_BLOCKS + block
        _link(g, a, a + N_BLOCKS, per_m2 * area_m2)


def _link(g: Array, a: int, b: int, flow_w_per_k: float) -> None:
    g[[a, b], [a, b]] += flow_w_per_k
    g[[a, b], [b, a]] -= flow_w_per_k
