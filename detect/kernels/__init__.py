"""Numba kernels: plain loops over arrays that their callers allocate and check."""
