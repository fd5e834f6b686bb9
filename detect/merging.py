"""Growing parts together: neighbours of one kind unite, small ones and rims are absorbed."""

import heapq
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Merger"]


class Merger:
    """Parts that grow together; the number of the one that absorbs stays.

    Parameters
    ----------
    size, edges, kind : list of int
        Pixels, pixel edges around and kind of each part.
    weak : list of bool
        Parts that join a neighbour whatever their size.
    borders : iterable of (part, part, edges)
        Those that touch, with the length of the common border.
    """

    def __init__(
        self,
        size: list[int],
        edges: list[int],
        kind: list[int],
        weak: list[bool],
        borders: Iterable[tuple[int, int, int]],
    ) -> None:
        self.size, self.edges, self.kind, self.weak = size, edges, kind, weak
        self.into = list(range(len(size)))
        self.near: list[dict[int, int]] = [{} for _ in size]
        for one, other, length in borders:
            self.near[one][other] = self.near[one].get(other, 0) + length
            self.near[other][one] = self.near[other].get(one, 0) + length

    def work(self, least_px: int) -> NDArray[np.int64]:
        """Return the part that each part went into."""
        for i in range(len(self.size)):
            if self.into[i] == i:
                self._take_alike(i)
        heap = [
            (s, i)
            for i, s in enumerate(self.size)
            if self.into[i] == i and self._is_slight(i, least_px)
        ]
        heapq.heapify(heap)
        while heap:
            size, i = heapq.heappop(heap)
            stale = self.into[i] != i or size != self.size[i]
            if stale or not self.near[i] or not self._is_slight(i, least_px):
                continue
            near = self.near[i]
            j = max(near, key=lambda k: (near[k], self.size[k], -k))
            self._absorb(j, i)
            self._take_alike(j)
            if self._is_slight(j, least_px):
                heapq.heappush(heap, (self.size[j], j))
        into = np.array(self.into, np.int64)
        while (into[into] != into).any():
            into = into[into]
        return into

    def _is_slight(self, i: int, least_px: int) -> bool:
        rim = least_px > 0 and self.size[i] < self.edges[i]
        return self.weak[i] or self.size[i] < least_px or rim

    def _absorb(self, j: int, i: int) -> None:
        self.edges[j] += self.edges[i] - 2 * self.near[i][j]
        for k, length in self.near[i].items():
            del self.near[k][i]
            if k != j:
                self.near[j][k] = self.near[j].get(k, 0) + length
                self.near[k][j] = self.near[j][k]
        self.size[j] += self.size[i]
        self.near[i], self.into[i] = {}, j

    def _take_alike(self, j: int) -> None:
        while alike := [k for k in self.near[j] if self.kind[k] == self.kind[j]]:
            for k in alike:
                self.weak[j] = self.weak[j] and self.weak[k]
                self._absorb(j, k)
