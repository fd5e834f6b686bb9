"""Tables of a run in Parquet, a row group for every batch: written and read a batch at a time."""

import json
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import shapely
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["BATCH", "RowGroups", "columns_of", "joined", "read_rows", "records", "row_batches"]

BATCH = 5000
"""Rows, or patches with all of their rows, that are worked on at a time."""

SHAPE = "geometry"


class RowGroups:
    """A GeoParquet file that grows by a row group for every batch.

    Parameters
    ----------
    path : Path
    texts : sequence of str, optional
        Columns of texts, whose kind a batch without rows does not tell. Without them the first
        row tells the kinds of all columns.
    """

    def __init__(self, path: Path, texts: Sequence[str] | None = None) -> None:
        self.path, self.texts = path, texts
        self._writer: Any = None
        self._schema: pa.Schema | None = None

    def add(self, table: Any) -> None:
        """Append the rows of a GeoDataFrame; the first batch settles the columns."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        if self._schema is None:
            self._schema = _schema_of(table, self.texts)
            self._writer = pq.ParquetWriter(self.path, self._schema)
        if not len(table):
            return
        columns = [
            pa.array(_values(table, field.name), type=field.type, from_pandas=True)
            for field in self._schema
        ]
        self._writer.write_table(
            pa.Table.from_arrays(columns, schema=self._schema), row_group_size=len(table)
        )

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _schema_of(table: Any, texts: Sequence[str] | None) -> "pa.Schema":
    """Return the columns of a table as GeoParquet tells them, of outlines in any place and form."""
    import pyarrow.parquet as pq

    target = BytesIO()
    if texts is not None:
        table.iloc[:0].astype(dict.fromkeys(texts, "str")).to_parquet(target, index=False)
        return pq.read_schema(target)
    table.iloc[:1].to_parquet(target, index=False)
    schema = pq.read_schema(target)
    told = json.loads(schema.metadata[b"geo"])
    told["columns"][SHAPE].pop("bbox", None)
    told["columns"][SHAPE]["geometry_types"] = []
    return schema.with_metadata({**schema.metadata, b"geo": json.dumps(told).encode()})


def _values(table: Any, name: str) -> Any:
    if name == SHAPE:
        return shapely.to_wkb(table.geometry.to_numpy())
    return table[name].to_numpy(dtype=object if table[name].dtype in ("str", object) else None)


def joined(paths: Iterable[Path], target: Path) -> None:
    """Put the row groups of files of the same columns one after the other into one file."""
    import pyarrow.parquet as pq

    writer: Any = None
    for path in paths:
        with pq.ParquetFile(path) as file:
            writer = writer or pq.ParquetWriter(target, file.schema_arrow)
            for group in range(file.num_row_groups):
                writer.write_table(file.read_row_group(group))
    if writer is not None:
        writer.close()


def records(table: Any) -> list[dict[str, Any]]:
    """Return the rows of a table by column name: `to_dict` in a third of its time.

    Values are what the columns hold: `pandas.NA` and NumPy scalars of object columns stay.
    """
    names = [str(name) for name in table.columns]
    columns = (table.iloc[:, i].astype(object).tolist() for i in range(len(names)))
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def columns_of(path: Path) -> list[str]:
    """Return the names of the columns of a file."""
    import pyarrow.parquet as pq

    return list(pq.read_schema(path).names)


def row_batches(path: Path, crs: Any, columns: Sequence[str] | None = None) -> Iterator[Any]:
    """Yield the rows of a file in order, some thousands at a time.

    Parameters
    ----------
    path : Path
    crs : CRS
        Of the outlines.
    columns : sequence of str, optional
        All by default.

    Yields
    ------
    GeoDataFrame
        A DataFrame where the columns hold no outline; the index tells places in the file.
    """
    import pyarrow.parquet as pq

    at = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(BATCH, columns=None if columns is None else list(columns)):
            yield _frame(batch, crs, np.arange(at, at + len(batch)))
            at += len(batch)


def read_rows(
    path: Path, rows: NDArray[np.integer], crs: Any, columns: Sequence[str] | None = None
) -> Any:
    """Return rows of a file by their places, in the order of the file.

    Parameters
    ----------
    path : Path
    rows : ndarray of int
    crs : CRS
    columns : sequence of str, optional
        All by default.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    wanted, parts, at = np.unique(rows), [], 0
    names = None if columns is None else list(columns)
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            count = file.metadata.row_group(group).num_rows
            own = wanted[(wanted >= at) & (wanted < at + count)] - at
            if len(own):
                parts.append(file.read_row_group(group, columns=names).take(pa.array(own)))
            at += count
        empty = file.schema_arrow.empty_table()
    table = pa.concat_tables(parts) if parts else empty.select(names or empty.column_names)
    return _frame(table, crs, wanted)


def _frame(table: Any, crs: Any, index: NDArray[np.integer]) -> Any:
    """Return rows as a GeoDataFrame, or a DataFrame where no outlines were read."""
    import geopandas as gpd
    import pandas as pd

    plain = [name for name in table.schema.names if name != SHAPE]
    frame: pd.DataFrame = table.select(plain).to_pandas(ignore_metadata=True)
    frame.index = pd.Index(index)
    if SHAPE not in table.schema.names:
        return frame
    shapes = shapely.from_wkb(table.column(SHAPE).to_numpy(zero_copy_only=False))
    whole = gpd.GeoDataFrame(frame, geometry=shapes, crs=crs)
    return whole[list(table.schema.names)]
