"""Dropout masks with the same bits as torch's on the CPU, drawn several times as fast: torch's generator, MT19937
(M. Matsumoto, T. Nishimura, 1998), run a block of words at a time. A number is 1 where 53 bits of two words, read as a
fraction, are below the probability. A comparison finds out whether torch on this machine draws so.
"""

from collections.abc import Sequence
from ctypes import CDLL, c_longlong, c_void_p
from functools import cache

import numpy as np
import torch
from torch import Tensor

from steepest.codegen.elementwise_loop import NUMBER_TYPES
from steepest.codegen.toolchain import NoCompiler, load, unavailable_reason

COMPARED_NUMBERS = 1000
"""Numbers drawn for the comparison: more than one block."""


def draw_masks(seeds: Sequence[int], odds: Sequence[float], rows: Sequence[Tensor]) -> None:
    """Fill `rows`, each [steps, numbers], as successive calls of `bernoulli_` with these odds do after seeding the
    generator for each step. Call only if `is_available`.
    """
    low = np.array([seed % 2**32 for seed in seeds], dtype=np.uint32)
    addresses = np.array([row.data_ptr() for row in rows], dtype=np.uint64)
    sizes = np.array([row.shape[1] for row in rows], dtype=np.int64)
    shares = np.array(odds, dtype=np.float64)
    pointers = (x.ctypes.data for x in (low, sizes, shares, addresses))
    getattr(_library(), f"masks_{NUMBER_TYPES[rows[0].dtype]}")(len(low), len(rows), *pointers)


def is_available() -> bool:
    """Whether there is a compiler, and torch on this machine draws by the same algorithm."""
    return not unavailable_reason() and _matches_torch()


@cache
def _matches_torch() -> bool:
    seeds, odds, ours = (5, 2**62 + 7), (0.3, 0.9), [torch.empty(2, COMPARED_NUMBERS) for _ in range(2)]
    try:
        draw_masks(seeds, odds, ours)
    except NoCompiler:
        return False
    generator = torch.Generator()
    for step, seed in enumerate(seeds):
        generator.manual_seed(seed)
        for p, row in zip(odds, ours, strict=True):
            if not torch.equal(torch.empty(COMPARED_NUMBERS).bernoulli_(p, generator=generator), row[step]):
                return False
    return True


@cache
def _library() -> CDLL:
    library = load(_CPP_TEMPLATE)
    for name in NUMBER_TYPES.values():
        function = getattr(library, f"masks_{name}")
        function.argtypes = [c_longlong, c_longlong, *[c_void_p] * 4]
        function.restype = None
    return library


_CPP_TEMPLATE = """\
#include <cmath>
#include <cstdint>

struct Words {  // of MT19937, a block of 624 at a time
    static constexpr int N = 624, M = 397;
    uint32_t state[N], words[N];
    int next = N;

    explicit Words(uint32_t seed) {
        state[0] = seed;
        for (int k = 1; k < N; ++k) state[k] = 1812433253u * (state[k - 1] ^ (state[k - 1] >> 30)) + k;
    }

    static uint32_t twisted(uint32_t a, uint32_t b) {
        return (((a & 0x80000000u) | (b & 0x7fffffffu)) >> 1) ^ ((b & 1u) ? 0x9908b0dfu : 0u);
    }

    void more() {
#pragma omp simd safelen(16)
        for (int k = 0; k < N - M; ++k) state[k] = state[k + M] ^ twisted(state[k], state[k + 1]);
#pragma omp simd safelen(16)
        for (int k = N - M; k < N - 1; ++k) state[k] = state[k + M - N] ^ twisted(state[k], state[k + 1]);
        state[N - 1] = state[M - 1] ^ twisted(state[N - 1], state[0]);
#pragma omp simd
        for (int k = 0; k < N; ++k) {
            uint32_t y = state[k];
            y ^= y >> 11;
            y ^= (y << 7) & 0x9d2c5680u;
            y ^= (y << 15) & 0xefc60000u;
            words[k] = y ^ (y >> 18);
        }
        next = 0;
    }
};

template <typename T>
static void masks(
    long long steps, long long draws, const uint32_t *seeds, const long long *sizes, const double *odds, T **to) {
    for (long long step = 0; step < steps; ++step) {
        Words from(seeds[step]);
        for (long long draw = 0; draw < draws; ++draw) {
            T *x = to[draw] + step * sizes[draw];
            const int64_t below = static_cast<int64_t>(std::ceil(std::ldexp(odds[draw], 53)));
            for (long long left = sizes[draw]; left > 0;) {
                if (from.next == Words::N) from.more();
                const uint32_t *words = from.words + from.next;
                const int whole = (Words::N - from.next) / 2, count = left < whole ? int(left) : whole;
#pragma omp simd
                for (int i = 0; i < count; ++i) {  // the first word of two is the upper one
                    const int64_t bits = (int64_t(words[2 * i] & 0x1fffffu) << 32) | words[2 * i + 1];
                    x[i] = bits < below ? T(1) : T(0);
                }
                x += count, left -= count, from.next += 2 * count;
            }
        }
    }
}

extern "C" void masks_float(
    long long steps, long long draws, const uint32_t *seeds, const long long *sizes, const double *odds, float **to) {
    masks<float>(steps, draws, seeds, sizes, odds, to);
}
extern "C" void masks_double(
    long long steps, long long draws, const uint32_t *seeds, const long long *sizes, const double *odds, double **to) {
    masks<double>(steps, draws, seeds, sizes, odds, to);
}
"""
