"""Layers in a PostGIS database: read whole, by table, through the optional package psycopg."""

import hashlib
from typing import Any

import shapely

from configs.errors import LayerError

__all__ = ["database_fingerprint", "read_postgis"]


def _connect(url: str, where: str) -> Any:
    try:
        import psycopg
    except ModuleNotFoundError as error:
        raise LayerError(
            "reading a database needs the package psycopg",
            where,
            "install it: pip install 'tuban[postgis]'",
        ) from error
    try:
        connection = psycopg.connect(url, connect_timeout=10, autocommit=False)
    except psycopg.Error as error:
        raise LayerError(
            f"the database cannot be reached ({str(error).strip()})",
            where,
            "check host, database and user; the password comes from PGPASSWORD or ~/.pgpass",
        ) from error
    connection.read_only = True
    return connection


def _table(layer: str | None, where: str) -> tuple[str, str]:
    parts = (layer or "").split(".")
    if not layer or len(parts) > 2 or not all(parts):
        raise LayerError("a database needs the name of a table", where, "add `layer: SCHEMA.TABLE`")
    return (parts[0], parts[1]) if len(parts) == 2 else ("public", parts[0])


def read_postgis(url: str, layer: str | None, where: str) -> Any:
    """Read a table with one geometry column.

    Parameters
    ----------
    url : str
        ``postgresql://[USER@]HOST[:PORT]/DATABASE``.
    layer : str
        ``SCHEMA.TABLE`` or ``TABLE`` of the schema public.
    where : str
        For errors.

    Returns
    -------
    GeoDataFrame
        All rows in order of their content, so that the order in the database does not matter.

    Raises
    ------
    LayerError
        If psycopg is missing, the database cannot be reached, the table is not there or holds no
        geometry column or several, or its geometries are of several CRSs.
    """
    import geopandas
    import psycopg
    from psycopg import sql

    schema, name = _table(layer, where)
    with _connect(url, where) as connection, connection.cursor() as cursor:
        try:
            column, srid = _geometry_column(cursor, schema, name, where)
            query = sql.SQL("SELECT t.*, ST_AsBinary(t.{g}) AS _wkb FROM {t} t ORDER BY t::text")
            cursor.execute(query.format(g=sql.Identifier(column), t=sql.Identifier(schema, name)))
            rows = cursor.fetchall()
        except psycopg.Error as error:
            raise LayerError(
                f"the table cannot be read ({str(error).strip()})",
                where,
                "check the name of the table and the rights of the user",
            ) from error
        names = [c.name for c in cursor.description]
    kept = [i for i, n in enumerate(names) if n not in (column, "_wkb")]
    columns = {names[i]: [row[i] for row in rows] for i in kept}
    shapes = shapely.from_wkb([row[-1] for row in rows])
    return geopandas.GeoDataFrame(columns, geometry=shapes, crs=f"EPSG:{srid}" if srid else None)


def _geometry_column(cursor: Any, schema: str, name: str, where: str) -> tuple[str, int]:
    from psycopg import sql

    cursor.execute(
        "SELECT f_geometry_column FROM geometry_columns "
        "WHERE f_table_schema = %s AND f_table_name = %s",
        (schema, name),
    )
    found = [row[0] for row in cursor.fetchall()]
    if len(found) != 1:
        raise LayerError(
            f"the table {schema}.{name} has {len(found)} geometry columns",
            where,
            "check the name of the table; give a view with one geometry column",
        )
    query = sql.SQL("SELECT DISTINCT ST_SRID({g}) FROM {t} WHERE {g} IS NOT NULL")
    column, table = sql.Identifier(found[0]), sql.Identifier(schema, name)
    cursor.execute(query.format(g=column, t=table))
    srids = sorted(row[0] for row in cursor.fetchall())
    if len(srids) > 1:
        raise LayerError(
            f"the geometries are of several CRSs: {', '.join(map(str, srids))}",
            where,
            "give a view with ST_Transform to one of them",
        )
    return str(found[0]), int(srids[0]) if srids else 0


def database_fingerprint(url: str, layer: str | None, where: str) -> str:
    """Return a fingerprint of all rows of a table, whatever their order."""
    from psycopg import sql

    schema, name = _table(layer, where)
    with _connect(url, where) as connection, connection.cursor() as cursor:
        query = sql.SQL("SELECT count(*), md5(string_agg(h, '' ORDER BY h)) FROM ({inner}) AS s")
        inner = sql.SQL("SELECT md5(t::text) AS h FROM {t} t").format(
            t=sql.Identifier(schema, name)
        )
        cursor.execute(query.format(inner=inner))
        return hashlib.sha256(repr(cursor.fetchone()).encode()).hexdigest()[:32]
