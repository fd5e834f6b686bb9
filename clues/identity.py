"""Identity over time: what became of every known object in a period, by outlines and dates alone.

An *object* is one thing on the ground; patches are what a period shows of it. Two kinds of pairs
tell different things. A pair whose before image is not younger than that of the object is
*cumulative*: the object must show again, and is gone where it does not. A pair whose before image
already holds the object is *consecutive*: it shows only what was added, what touches the object is
its growth, and a change back on its ground ends it. Ground that was not observed tells nothing:
pieces that hang together over it show one thing, what it hides stays with the thing.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import shapely

from clues.adoption import adopted
from clues.changekinds import is_back, is_pseudo, judged_grounds, listed_grounds
from clues.objects import CurrentPatch, FateName, Fates, KnownObject, ObjectFate, Tolerance
from clues.pieces import areal, joined_over
from tiles.geodesy import ellipsoidal_area, metres_per_unit

__all__ = ["trace_fates"]

DM2 = 100.0
DEFAULT = Tolerance()


def trace_fates(
    known: Iterable[KnownObject],
    current: Iterable[CurrentPatch],
    seen: Any,
    *,
    crs: str,
    tolerance: Tolerance = DEFAULT,
    later: Iterable[KnownObject] = (),
    before: dt.date | None = None,
) -> Fates:
    """Tell what became of every known object, and which object each patch shows.

    Parameters
    ----------
    known : iterable of KnownObject
        Last state of the objects before this period; those that ended are skipped.
    current : iterable of CurrentPatch
        All of one pair.
    seen : Polygon, MultiPolygon or None
        Ground that was observed at both dates; None: not known, so that absence tells nothing.
    crs : str
        Of all outlines.
    tolerance : Tolerance
    later : iterable of KnownObject
        Objects that the register knows only from this period or later ones: a patch that is none
        of `known` takes over the number of the one on its ground.
    before : date, optional
        Of the pair; by default that of its patches. A pair without patches needs it.

    Returns
    -------
    Fates
        The same for any order of the input.
    """
    objects = sorted((k for k in known if k.status != "ended"), key=lambda k: k.object_id)
    patches = sorted(current, key=lambda c: c.patch_id)
    day = before or min((c.before for c in patches), default=None)
    work = _Trace(objects, patches, seen, crs, tolerance, day)
    rows = [*work.patch_rows(), *work.silent_rows()]
    names = {k.object_id for k in objects}
    rows = adopted(rows, patches, sorted(later, key=lambda k: k.object_id), names, work)
    return Fates(tuple(sorted(rows, key=lambda f: f.object_id)))


class _Trace:
    """Links between known objects (index k) and patches (index c), and what follows from them."""

    def __init__(
        self,
        known: Sequence[KnownObject],
        patches: Sequence[CurrentPatch],
        seen: Any,
        crs: str,
        tolerance: Tolerance,
        before: dt.date | None,
    ) -> None:
        self.known, self.patches, self.seen = known, patches, seen
        self.crs, self.tolerance, self.before = crs, tolerance, before
        self.reach = self._reach()
        self.weight: dict[tuple[int, int], int] = {}
        self.back: dict[int, dict[int, int]] = defaultdict(dict)
        self.parents: dict[int, list[int]] = defaultdict(list)
        self.children: dict[int, list[int]] = defaultdict(list)
        self._link()
        self.pieces = {k: self._pieces(k, cs) for k, cs in self.children.items()}
        self.stem = {c: self._stem(c, ks) for c, ks in self.parents.items()}
        self.heir = {k: self._heir(k, cs) for k, cs in self.children.items()}

    def _reach(self) -> float:
        shapes = [p.geometry for p in self.patches] or [k.geometry for k in self.known]
        if not shapes:
            return 0.0
        x, y = shapely.bounds(shapes[0])[:2]
        return self.tolerance.reach_m / min(metres_per_unit(self.crs, float(x), float(y)))

    def area(self, shape: Any) -> int:
        """Return the dm² of a geometry."""
        return int(np.rint(ellipsoidal_area([shape], self.crs)[0] * DM2))

    def beyond(self, shape: Any, other: Any) -> int:
        """Return the dm² of `shape` that lie further from `other` than the rim of an outline."""
        return self.area(shapely.difference(shape, shapely.buffer(other, self.reach)))

    def is_much(self, area: int, of: int) -> bool:
        """Tell whether ground that was added to, or taken from, a thing is more than tolerance."""
        limit = self.tolerance
        least = max(limit.growth_dm2, limit.growth_share * of)
        return area >= min(least, max(limit.growth_dm2, limit.growth_sure_dm2))

    def is_again(self, k: int, c: int) -> bool:
        """Tell whether an object must show in a pair: its before image is older than the object."""
        return self.patches[c].before <= self.known[k].before

    def _link(self) -> None:
        """Find which patches show, grow or undo which objects."""
        if not self.known or not self.patches:
            return
        ours = np.array([k.geometry for k in self.known], dtype=object)
        shown = np.array([c.geometry for c in self.patches], dtype=object)
        pairs = shapely.STRtree(ours).query(shown, predicate="dwithin", distance=self.reach)
        common = shapely.intersection(ours[pairs[1]], shown[pairs[0]])
        areas = np.rint(ellipsoidal_area(common, self.crs) * DM2).astype(np.int64)
        for c, k, shared in sorted(zip(*pairs.tolist(), areas.tolist(), strict=True)):
            known, patch = self.known[k], self.patches[c]
            if is_pseudo(known) != is_pseudo(patch):
                continue
            is_one = shared >= self.tolerance.match * min(known.area_dm2, patch.area_dm2)
            is_after = patch.before >= known.after
            if is_after and is_back(known, patch):
                if is_one:
                    self.back[k][c] = shared
            elif is_one or is_after:
                self.weight[k, c] = known.area_dm2 if is_after else shared
                self.parents[c].append(k)
                self.children[k].append(c)

    def _main(self, names: Sequence[int], weight: Callable[[int], int]) -> int | None:
        """Return the one that holds most of all weight, if one does; of equals the first."""
        best = max(names, key=lambda n: (weight(n), -n))
        total = sum(weight(n) for n in names)
        return best if weight(best) >= self.tolerance.main * total else None

    def _stem(self, c: int, objects: Sequence[int]) -> int | None:
        """Return the object that a patch goes on as; None where equals were merged."""
        return self._main(objects, lambda k: self.weight[k, c])

    def _heir(self, k: int, patches: Sequence[int]) -> int | None:
        """Return the patch that goes on as object `k`; None where the object fell into parts."""
        groups = self.pieces[k]
        if groups:
            held = [sum(self.weight[k, c] for c in group) for group in groups]
            main = self._main(range(len(groups)), held.__getitem__)
            patches = [] if main is None else groups[main]
        return max(patches, key=lambda c: (self.patches[c].area_dm2, -c), default=None)

    def _pieces(self, k: int, patches: Sequence[int]) -> list[list[int]]:
        """Return the patches that show object `k` again; those of one list hang together.

        They do where only ground of the object that was not observed lies between them.
        """
        again = [c for c in patches if self.patches[c].before < self.known[k].after]
        if len(again) < 2:
            return [again] if again else []
        shapes = [self.patches[c].geometry for c in again]
        groups = joined_over(self._hidden(k), shapes, self.reach)
        return [[again[i] for i in group] for group in groups]

    def _hidden(self, k: int) -> Any:
        """Return the ground of an object that was not observed."""
        if self.seen is None:
            return shapely.Polygon()
        return areal(shapely.difference(self.known[k].geometry, self.seen))

    def _shown(self, k: int) -> Any:
        """Return the ground of all pieces that go on as object `k` together."""
        heir = self.heir[k]
        group = next((g for g in self.pieces[k] if heir in g), [heir])
        return shapely.union_all([self.patches[c].geometry for c in group if c is not None])

    def _piece_of(self, c: int) -> int | None:
        """Return the object that a patch shows a further piece of; None where it shows a thing."""
        k = self.stem[c]
        if k is None or any(self.heir[other] == c for other in self.parents[c]):
            return None
        heir = self.heir[k]
        together = any(c in group and heir in group for group in self.pieces[k])
        return k if together and heir is not None and self.stem[heir] == k else None

    def patch_rows(self) -> list[ObjectFate]:
        """Return the fate of what each patch shows."""
        rows = []
        undone = {c for patches in self.back.values() for c in patches}
        for c, patch in enumerate(self.patches):
            own = patch.object_id or patch.patch_id
            if c in undone:
                rows.append(self._undoing(c, own))
            elif c in self.parents:
                rows.append(self._continued(c, own))
            else:
                dates = (patch.before, patch.after)
                rows.append(
                    ObjectFate(
                        *(own, "new", patch.patch_id, (), patch.area_dm2, 0),
                        *(patch.geometry, patch.area_dm2, *dates),
                        since_verdict_dm2=patch.area_dm2,
                    )
                )
        return rows

    def _continued(self, c: int, own: str) -> ObjectFate:
        """Return the fate of a patch that shows, or adds to, known objects."""
        patch, parents, stem = self.patches[c], self.parents[c], self.stem[c]
        goes_on = stem is not None and self.heir[stem] == c
        whole = [k for k in parents if self.heir[k] == c]
        piece_of = self._piece_of(c)
        name: FateName = "split" if piece_of is None else self._grows(piece_of, patch.geometry)
        if goes_on and stem is not None:
            name = "merged" if len(whole) > 1 else self._sizes(stem, c)
        elif piece_of is None and len(parents) > 1:
            name = "merged"
        elif piece_of is None and patch.before >= self.known[parents[0]].after:
            name = "grown"
        thing = self.known[stem].object_id if goes_on and stem is not None else own
        ground = shapely.union_all([self.known[k].geometry for k in parents])
        further = shapely.difference(
            shapely.union_all([self._shown(k) for k in whole]), patch.geometry
        )
        rest = shapely.union_all([self._left(k, c) for k in whole])
        rest = shapely.union(further, shapely.difference(rest, patch.geometry))
        area = patch.area_dm2 + (0 if rest.is_empty else self.area(rest))
        shown = patch.area_dm2 + (0 if further.is_empty else self.area(further))
        both = shapely.union(patch.geometry, further)
        added = shown - min(self.area(shapely.intersection(ground, both)), shown)
        held = sum(self.known[k].area_dm2 for k in whole)
        dates = [(self.known[k].before, self.known[k].after) for k in parents]
        row = ObjectFate(
            thing,
            name,
            patch.patch_id,
            tuple(sorted({self.known[k].object_id for k in parents} - {thing})),
            added,
            max(held + added - area, 0) if whole else 0,
            areal(shapely.union(patch.geometry, rest)),
            area,
            *min(dates, key=lambda d: (d[1], d[0])),
            is_observed=piece_of is None,
        )
        same = stem if goes_on else piece_of
        return self._listed(self._judged(row, c), c, same)

    def _sizes(self, k: int, c: int) -> FateName:
        known, ground = self.known[k], self._shown(k)
        if (name := self._grows(k, ground)) == "grown":
            return name
        if self.seen is not None and self.is_again(k, c):
            shown = shapely.intersection(known.geometry, self.seen)
            if self.is_much(self.beyond(shown, ground), known.area_dm2):
                return "shrunk"
        return "persisting"

    def _grows(self, k: int, shown: Any) -> FateName:
        known = self.known[k]
        added = self.beyond(shown, known.geometry)
        return "grown" if self.is_much(added, known.area_dm2) else "persisting"

    def _left(self, k: int, c: int) -> Any:
        """Return the ground of an object that stays with it although the patch shows it not."""
        if not self.is_again(k, c) or self.seen is None:
            return self.known[k].geometry
        return self._hidden(k)

    def _undoing(self, c: int, own: str) -> ObjectFate:
        """Return the fate told by a patch that shows a change back.

        Of several such patches on one object, that with the most of its ground tells its fate;
        another one is a thing of its own, over as soon as it is seen.
        """
        patch = self.patches[c]
        k = max((k for k in self.back if c in self.back[k]), key=lambda k: (self.back[k][c], -k))
        if self._undoer(k) == c:
            row = self._remains(k)
            return replace(row, patch_id=patch.patch_id, since_verdict_dm2=patch.area_dm2)
        known = self.known[k]
        return ObjectFate(
            *(own, "ended", patch.patch_id, (known.object_id,), 0, 0),
            *(patch.geometry, patch.area_dm2, patch.before, patch.after),
            since_verdict_dm2=patch.area_dm2,
        )

    def _undoer(self, k: int) -> int | None:
        """Return the patch whose fate is that of an undone object."""
        if k in self.children or k not in self.back:
            return None
        best = max(self.back[k], key=lambda c: (self.back[k][c], -c))
        own = max(
            (o for o in self.back if best in self.back[o]), key=lambda o: (self.back[o][best], -o)
        )
        return best if own == k else None

    def _remains(self, k: int) -> ObjectFate:
        """Return what changes back leave of an object."""
        known = self.known[k]
        gone = shapely.union_all([self.patches[c].geometry for c in sorted(self.back[k])])
        rest = areal(shapely.difference(known.geometry, gone))
        least = (1 - self.tolerance.main) * known.area_dm2
        if rest.is_empty or self.beyond(known.geometry, gone) <= least:
            return self._silent(k, "ended", removed_dm2=known.area_dm2)
        area = min(self.area(rest), known.area_dm2)
        row = self._silent(k, "shrunk", removed_dm2=known.area_dm2 - area)
        return replace(row, geometry=rest, area_dm2=area)

    def _silent(self, k: int, fate: FateName, **values: Any) -> ObjectFate:
        known = self.known[k]
        row = ObjectFate(
            *(known.object_id, fate, "", (), 0, 0, known.geometry, known.area_dm2),
            *(known.before, known.after),
            verdict=known.verdict,
        )
        return replace(row, **values)

    def _judged(self, row: ObjectFate, c: int) -> ObjectFate:
        """Tell whether people decided on the ground of a patch already."""
        patch = self.patches[c]
        told = [
            k for k in self.parents[c] if self.known[k].verdict and self.known[k].judged is not None
        ]
        if not told:
            return replace(row, since_verdict_dm2=patch.area_dm2)
        grounds = [g for k in told for g in judged_grounds(self.known[k], patch)]
        row = replace(row, verdict=self._word(told, patch))
        if not grounds:
            return replace(row, since_verdict_dm2=patch.area_dm2)
        ground = shapely.union_all([g.ground for g in grounds])
        shared = min(self.area(shapely.intersection(ground, patch.geometry)), patch.area_dm2)
        shown = not self.has_grown(patch, ground)
        return replace(row, since_verdict_dm2=patch.area_dm2 - shared, judged_before=shown)

    def _listed(self, row: ObjectFate, c: int, own: int | None) -> ObjectFate:
        """Tell whether another period listed, as the object `own`, what a patch shows."""
        patch, parents = self.patches[c], [self.known[k] for k in self.parents[c]]
        grounds = [g.ground for k in parents for g in listed_grounds(k, patch)]
        if own is None or not self.known[own].listed or not grounds:
            return row
        grew = self.has_grown(patch, shapely.union_all(grounds))
        return replace(row, listed_before=not grew)

    def has_grown(self, patch: CurrentPatch, ground: Any) -> bool:
        """Tell whether a patch shows more than tolerance beyond ground that was told."""
        return self.is_much(self.beyond(patch.geometry, ground), self.area(ground))

    def _word(self, told: Sequence[int], patch: CurrentPatch) -> str:
        """Return the word of people on most of a patch; of equals the last one."""
        words: dict[str, int] = defaultdict(int)
        for k in told:
            for one in self.known[k].judged_kinds:
                shared = shapely.intersection(one.ground, patch.geometry)
                words[one.verdict or str(self.known[k].verdict)] += self.area(shared)
        if any(words.values()):
            return max(reversed(words), key=lambda w: words[w])
        return str(self.known[max(told, key=lambda k: (self.known[k].area_dm2, -k))].verdict)

    def silent_rows(self) -> list[ObjectFate]:
        """Return the fates of objects that no patch goes on as."""
        rows = []
        for k in range(len(self.known)):
            if k in self.children:
                heir = self.heir[k]
                if heir is None or self.stem[heir] != k:
                    rows.append(self._silent(k, "split" if heir is None else "merged"))
            elif k in self.back:
                if self._undoer(k) is None:
                    rows.append(self._remains(k))
            else:
                rows.append(self._unshown(k))
        return rows

    def _unshown(self, k: int) -> ObjectFate:
        """Return the fate of an object without any patch: gone, or nothing is told of it."""
        known = self.known[k]
        if self.seen is None:
            return self._silent(k, "persisting", is_observed=False)
        shown = self.area(shapely.intersection(known.geometry, self.seen))
        is_observed = shown >= self.tolerance.main * known.area_dm2
        if is_observed and self.before is not None and self.before <= known.before:
            return self._silent(k, "ended", removed_dm2=known.area_dm2)
        return self._silent(k, "persisting", is_observed=is_observed)
