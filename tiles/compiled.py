"""How loops over pixels and runs are compiled: without Python's lock, kept on disk.

A *kernel* is called from Python. An *inner* function is called by kernels only and is compiled
without the wrappers that Python and C would need, which takes an eighth of the time of compiling.
Those ending in ``_ieee`` divide as arrays do: by zero gives infinity or NaN, not an error.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeVar

from numba import njit

__all__ = ["inner", "inner_ieee", "kernel", "kernel_ieee"]

Loop = TypeVar("Loop", bound=Callable[..., Any])


class _Compile(Protocol):
    """A compiled loop is called as it is written."""

    def __call__(self, loop: Loop, /) -> Loop: ...


_loop: Any = partial(njit, nogil=True, cache=True, no_cfunc_wrapper=True)
_inner: Any = partial(_loop, no_cpython_wrapper=True)

kernel: _Compile = _loop()
kernel_ieee: _Compile = _loop(error_model="numpy")
inner: _Compile = _inner()
inner_ieee: _Compile = _inner(error_model="numpy")
