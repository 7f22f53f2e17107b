"""Fills a network's parameters by rule, so that two implementations can be compared.

A published network and ours are given the same numbers without either one's
weights being stored: every number follows from the parameter's published name
and its position. Needs NumPy alone.

    state = fill({"blocks.0.attn.qkv.weight": (96, 32), ...})
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

import numpy as np

_MASK = np.uint64(0xFFFFFFFFFFFFFFFF)


def uniform(name: str, count: int) -> np.ndarray:
    """`count` numbers in [0, 1) that follow from `name` alone (splitmix64 of its CRC-32)."""
    with np.errstate(over="ignore"):
        z = np.uint64(zlib.crc32(name.encode())) << np.uint64(32)
        z = z + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = (z ^ (z >> np.uint64(31))) & _MASK
    return (z >> np.uint64(11)).astype(np.float64) / float(1 << 53)


def parameter(name: str, shape: Sequence[int]) -> np.ndarray:
    """One parameter or buffer: float32 of `shape` (int64 zeros for step counters)."""
    shape = tuple(int(n) for n in shape)
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    u = uniform(name, int(np.prod(shape, dtype=np.int64))).reshape(shape)
    if name.endswith("running_var"):
        value = 0.5 + u
    elif len(shape) <= 1 and name.endswith("weight"):  # a normalisation's gain
        value = 1.0 + 0.2 * (u - 0.5)
    elif len(shape) <= 1:  # a bias, a running mean, a scalar
        value = 0.2 * (u - 0.5)
    else:
        fan_in = max(1, int(np.prod(shape[1:])))
        value = (u - 0.5) * 2.0 * np.sqrt(3.0 / fan_in)
    return value.astype(np.float32)


def fill(shapes: Mapping[str, Sequence[int]]) -> dict[str, np.ndarray]:
    """The whole state dict for the published parameter names and shapes."""
    return {name: parameter(name, shape) for name, shape in shapes.items()}
