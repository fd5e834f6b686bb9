"""Parquet files of strangers: what they unpack to is counted before any of it is unpacked.

A few bytes of Parquet can stand for gigabytes: rows of one run, one long text that all rows name,
a page packed of zeros. The footer may lie, so the heads of the pages themselves are walked.
"""

from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Any

from configs.errors import InputError

if TYPE_CHECKING:
    import pyarrow.parquet as pq

__all__ = ["MOST_ROWS", "decoded_bytes"]

MOST_ROWS, MOST_COLUMNS, MOST_PAGES = 5_000_000, 200, 200_000
MOST_STRINGS, MOST_ITEMS = 16 << 20, 1_000_000
"""Of the footer, in bytes and entries."""

BATCH = 8192
OBJECT = 56
"""Bytes that a text, shape or day takes in memory besides its own."""

ENCODINGS = {0, 2, 3, 8}
"""Plain, by runs and by dictionary; deltas of texts can stand for any number of bytes."""

UNPACKED, PACKED, PAGE, PAGE_2 = 2, 3, 5, 8
"""Fields of the head of a page; of the heads inside it the encoding is `ENCODING_OF`."""
ENCODING_OF = {PAGE: 2, PAGE_2: 4}
DEEPEST = 8


def decoded_bytes(data: bytes, most: int, where: str, fix: str) -> int:
    """Return about how many bytes the columns of a Parquet file take once they are read.

    Parameters
    ----------
    data : bytes
    most : int
        Bytes at which counting stops.
    where, fix : str
        For the message.

    Raises
    ------
    InputError
        If there are more bytes, rows, columns or pages than are read, columns hold lists or
        records, or pages are packed in an unusual way. Memory stays far below `most` until then.
    """
    import pyarrow.parquet as pq

    limits = {"thrift_string_size_limit": MOST_STRINGS, "thrift_container_size_limit": MOST_ITEMS}
    file = pq.ParquetFile(BytesIO(data), **limits)
    columns = [file.schema.column(i) for i in range(min(len(file.schema), MOST_COLUMNS + 1))]
    told = None
    if file.metadata.num_rows > MOST_ROWS or len(columns) > MOST_COLUMNS:
        told = f"{file.metadata.num_rows} rows of {len(file.schema)} columns are too many"
    elif any(c.max_repetition_level or c.path != c.name for c in columns):
        told = "a column holds lists or records"
    if told is None:
        told = _fault_of_pages(data, file.metadata, most)
    if told is not None:
        raise InputError(told, where, fix)
    texts = [c.name for c in columns if c.physical_type == "BYTE_ARRAY"]
    size = 0
    for batch in pq.ParquetFile(BytesIO(data), read_dictionary=texts, **limits).iter_batches(BATCH):
        size += sum(_unpacked(column) for column in batch.columns)
        if size > most:
            raise InputError(f"the table takes more than {most / 1e6:.0f} MB", where, fix)
    return size


def _unpacked(column: Any) -> int:
    """Return the bytes of a column in which every row holds its own text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_dictionary(column.type):
        plain = pa.types.is_primitive(column.type) and not pa.types.is_temporal(column.type)
        return int(column.nbytes) + (0 if plain else OBJECT * len(column))
    size = OBJECT * len(column)
    if len(column.dictionary):
        sizes = pc.binary_length(column.dictionary).cast(pa.int64())
        size += int(pc.sum(sizes.take(column.indices)).as_py() or 0)
    return size


def _fault_of_pages(data: bytes, told: "pq.FileMetaData", most: int) -> str | None:
    """Return what is wrong with the pages of a file."""
    size, count = 0, 0
    for start, end in _chunks(told):
        if not 0 <= start <= end <= len(data):
            return "a column lies outside the file"
        while start < end:
            try:
                head, body = _struct(data, start, 0)
                unpacked, packed = head[UNPACKED], head[PACKED]
                inner = [head[f][e] for f, e in ENCODING_OF.items() if f in head]
            except (IndexError, KeyError, TypeError):
                return "the head of a page is damaged"
            if unpacked < 0 or packed < 0 or not ENCODINGS.issuperset(inner):
                return "a page is packed in an unusual way"
            size, count, start = size + unpacked, count + 1, body + packed
            if size > most or count > MOST_PAGES:
                return f"the table takes more than {most / 1e6:.0f} MB or {MOST_PAGES} pages"
    return None


def _chunks(told: "pq.FileMetaData") -> Iterator[tuple[int, int]]:
    """Yield where the pages of each column begin and end, as a reader takes them."""
    for group in range(told.num_row_groups):
        part = told.row_group(group)
        for place in range(part.num_columns):
            column = part.column(place)
            start = column.data_page_offset
            if start == 0:  # a column without a row; no page can begin where the file does
                continue
            if column.has_dictionary_page and 0 < column.dictionary_page_offset < start:
                start = column.dictionary_page_offset
            yield start, start + column.total_compressed_size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80 or shift > 63:
            return value, at


def _signed(data: bytes, at: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    return (value >> 1) ^ -(value & 1), at


def _struct(data: bytes, at: int, depth: int) -> tuple[dict[int, Any], int]:
    """Read a record of the compact protocol of Thrift: whole numbers and records inside it."""
    found: dict[int, Any] = {}
    field = 0
    while data[at]:
        step, kind = data[at] >> 4, data[at] & 0x0F
        at += 1
        if step:
            field += step
        else:
            field, at = _signed(data, at)
        found[field], at = _value(data, at, kind, depth)
    return found, at + 1


def _value(data: bytes, at: int, kind: int, depth: int) -> tuple[Any, int]:
    """Read a value; `KeyError` for kinds that no page has."""
    if kind in (1, 2):
        return None, at
    if kind in (4, 5, 6):
        return _signed(data, at)
    if kind == 8:
        size, at = _varint(data, at)
        return None, at + size
    if kind == 12 and depth < DEEPEST:
        return _struct(data, at, depth + 1)
    return None, at + {3: 1, 7: 8}[kind]
