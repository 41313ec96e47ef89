"""Quantised vectors: a quarter of the bytes, and how far off their dot products can be.

Also what a similarity is, to the last bit. Which rows are worth a look is decided in wanted.py; search.py joins them.

The bound. Let x be a row and y a probe, both of length at most N = `LONGEST`. With int8 values q, p and scales s, t

    x = s q + r,   |r| <= rho   (per row, measured when the row is stored and rounded up)
    y = t p + e,   |e| <= eta   (per probe, likewise)

and so x.y = st (q.p) + r.(t p) + x.e, where |t p| <= N + eta. By Cauchy-Schwarz

    |x.y - st (q.p)| <= rho (N + eta) + N eta.

Nothing is assumed about how the residuals are distributed: the bound holds for vectors made to break it.

Rounding, with u = 2**-24. A component is off by at most half a scale, the scale is the largest component / 127, so rho
and eta are at most sqrt(dims) / 254 * N < 0.253 at 4096 dims (about 0.007 for faces at 512). q.p is a whole number that
comes as a float32; multiplied by s and t it has been rounded three times and stays below (N + 0.253)**2 < 1.6: off by
less than 5 u. The width, below 0.6, is rounded six times on its way: 4 u. Taking it off an estimate or a bound, adding
it, and both where a row is first held against the widest: 8 u. The similarity is x.y rounded to float32, with a float64
sum before: 2 u. Together less than 19 u; `SLACK` is 64 u.

The float32 scan. Each float32 dot product of n terms, in whatever order and with or without fused multiply-add, is off
by at most g |x||y| with g = n u / (1 - n u), u = 2**-24 (Higham, Accuracy and Stability of Numerical Algorithms, 3.1).
"""

from dataclasses import dataclass

import numpy as np
import simsimd
from numpy.typing import NDArray

MOST_DIMS = 4096  #: up to here the bound is proven
SQUARE_WITHIN = 1e-3  #: how far the square of a vector's length may be from 1, measured in float32
LONGEST = 1.001  #: so no length is above this: float32 at 4096 dims takes off less than 2.5e-4 of the square
SLACK = 64 * 2.0**-24  #: for every rounding, of the scan and of the similarity
_LEVELS = 127
_ROWS_AT_ONCE = 512
_EXACT_AT_ONCE = 128

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Quantised:
    """Vectors as small whole numbers: row n is about `values[n] * scales[n]`."""

    values: NDArray[np.int8]  #: (n, dims), -127 to 127
    scales: Floats  #: (n,)
    residuals: Floats  #: (n,) length of what was lost, rounded up

    @classmethod
    def empty(cls, rows: int, dims: int) -> "Quantised":
        """Room for so many rows."""
        return cls(
            values=np.zeros((rows, dims), np.int8),
            scales=np.zeros(rows, np.float32),
            residuals=np.zeros(rows, np.float32),
        )


def quantise(vectors: Floats, into: Quantised) -> None:
    """Fill `into` with the vectors (n, dims); copies made on the way are zeroed."""
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        exact = vectors[rows].astype(np.float64)
        scales = (np.abs(exact).max(axis=1) / _LEVELS).astype(np.float32)
        scale = scales.astype(np.float64)[:, None]
        values = np.divide(exact, scale, out=np.zeros_like(exact), where=scale > 0)
        np.clip(np.rint(values, out=values), -_LEVELS, _LEVELS, out=values)
        into.values[rows] = values
        into.scales[rows] = scales
        exact -= np.multiply(values, scale, out=values)
        lost = np.sqrt(np.einsum("ij,ij->i", exact, exact)) * (1 + 1e-12)  # 1e-12: the float64 sum's own error
        into.residuals[rows] = np.nextafter(lost.astype(np.float32), np.float32(np.inf))
        exact.fill(0)
        values.fill(0)


def estimates(probes: Quantised, rows: Quantised) -> Floats:
    """Similarities (probes, rows) from the quantised vectors, each off by its `widths` at most."""
    # Not `out=`: simsimd 6.5 then gives back None without counting the reference, and the process dies in the end.
    about: Floats = np.asarray(simsimd.cdist(probes.values, rows.values, metric="dot", out_dtype="float32"))
    about *= rows.scales
    about *= probes.scales[:, None]
    return about


def widths(probe_residuals: Floats, row_residuals: Floats | np.float32) -> Floats:
    """How far an estimate may be off, for residuals that fit each other as NumPy has it."""
    longest = np.float32(LONGEST)
    return row_residuals * (longest + probe_residuals) + (longest * probe_residuals + np.float32(SLACK))


def float_width(dims: int) -> np.float32:
    """How far a float32 dot product of two unit vectors may be off the similarity."""
    unit = 2.0**-24
    return np.float32(dims * unit / (1 - dims * unit) * LONGEST**2 + SLACK)


def similarities(vectors: Floats, probe: Floats) -> Floats:
    """The similarity of a probe (dims,) to each vector (n, dims), the same bits on every machine.

    Products of float32 are exact in float64; they are added by halves (the upper half of the terms to the lower, again
    and again, zeros making up a power of two), each addition being one that IEEE 754 fixes; then rounded to float32.
    """
    result = np.empty(len(vectors), np.float32)
    exact_probe = probe.astype(np.float64)[:, None]
    dims, width = len(probe), 1 << (len(probe) - 1).bit_length()
    for start in range(0, len(vectors), _EXACT_AT_ONCE):
        some = vectors[start : start + _EXACT_AT_ONCE]
        terms = np.empty((width, len(some)), np.float64)  # rows side by side, so that a half is one stretch
        terms[dims:] = 0
        np.multiply(some.T, exact_probe, out=terms[:dims])
        half = width
        while half > 1:
            half //= 2
            terms[:half] += terms[half : 2 * half]
        result[start : start + len(some)] = terms[0]
        terms.fill(0)
    return result
