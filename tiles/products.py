"""Product folders of stacked images with companions: multispectral, panchromatic, XML, RPC."""

import re
from collections.abc import Sequence
from pathlib import Path

from configs.errors import RasterError
from configs.sensors import (
    DeliveredImage,
    Delivery,
    SensorSpec,
    detect_sensor,
    sensor_names,
    sensor_spec,
)
from tiles.bands import band_source, checked
from tiles.metadata import Metadata, read_metadata
from tiles.naming import acquired_from_name
from tiles.rasters import RasterFacts, inspect_raster
from tiles.scene import BandSource, Scene

__all__ = ["is_product_image", "multispectral_images", "product_scene", "require_product"]


def multispectral_images(files: Sequence[Path], sensor: str | None) -> list[tuple[Path, str]]:
    """Return the multispectral images of known products among files, each with its sensor."""
    names = [sensor] if sensor else sensor_names()
    found = []
    for file in files:
        for name in names:
            delivery = sensor_spec(name).delivery
            if delivery and re.search(delivery.image.file, file.name):
                found.append((file, name))
                break
    return found


def is_product_image(path: Path, sensor: str | None) -> bool:
    """Return whether a file is an image, multispectral or not, of a product with companions."""
    kind = sensor or detect_sensor(path.name)
    return kind is not None and sensor_spec(kind).delivery is not None


def require_product(folder: Path, files: Sequence[Path], sensor: str | None) -> None:
    """Raise if a folder is a product by its name or files and has no multispectral image.

    Raises
    ------
    RasterError
    """
    names = (folder.name, *(f.name for f in files))
    kind = sensor or next((k for n in names if (k := detect_sensor(n))), None)
    delivery = sensor_spec(kind).delivery if kind else None
    if delivery is not None:
        raise RasterError(
            f"the multispectral image of the delivery is missing ({sensor_spec(kind or '').title})",
            str(folder),
            f"copy the whole delivery; the file is named like {_example(delivery.image)}; "
            "where yours is not, name the file instead of the folder",
        )


def product_scene(
    image: Path, folder: Path, sensor: str, time_zone: str, *, complete: bool = True
) -> Scene:
    """Make a scene of a product folder.

    Parameters
    ----------
    image : Path
        The multispectral image.
    folder : Path
        Searched for the panchromatic image.
    sensor : str
    time_zone : str
    complete : bool
        Whether metadata and panchromatic image must be there.

    Raises
    ------
    RasterError
        If a companion is missing or says something else than the image.
    """
    spec = sensor_spec(sensor)
    delivery = spec.delivery
    assert delivery is not None
    named, metadata = _bands_of(image, delivery.image, spec, delivery, complete)
    match = re.search(delivery.image.file, image.name)
    product = match[1] if match and match.groups() else image.stem
    return Scene(
        scene_id=image.stem,
        bands=checked(
            {r: b for r, b in named.items() if (found := spec.band(r)) and found.analysis}
        ),
        acquired=metadata.acquired or acquired_from_name(image.name, time_zone),
        sensor=sensor,
        attribution=spec.attribution,
        pan=_pan(folder, product, image, spec, complete),
        facts=metadata.facts,
    )


def _pan(
    folder: Path, product: str, image: Path, spec: SensorSpec, complete: bool
) -> BandSource | None:
    delivery = spec.delivery
    if delivery is None or delivery.pan is None:
        return None
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    matches = [(p, m) for p in files if (m := re.search(delivery.pan.file, p.name))]
    same = [p for p, m in matches if m[1] == product]
    if same:
        named, _ = _bands_of(same[0], delivery.pan, spec, delivery, complete)
        return checked(named)["pan"]
    if delivery.pan_required and complete:
        raise RasterError(
            f"the panchromatic image of the delivery is missing ({spec.title})",
            str(folder),
            f"copy it here, named like {product}{_ending(delivery.pan, image)}, "
            "or name the multispectral file itself to go on without it",
        )
    return None


def _bands_of(
    path: Path, image: DeliveredImage, spec: SensorSpec, delivery: Delivery, complete: bool
) -> tuple[dict[str, BandSource], Metadata]:
    facts = inspect_raster(path)
    _require_companions(path, facts, delivery, complete)
    metadata = read_metadata(spec, [path.parent], scene=path.stem, stem=path.stem)
    _require_agreement(facts, image, metadata)
    named = {}
    for i, name in enumerate(image.bands):
        band = spec.band(name)
        assert band is not None
        named[band.role] = band_source(facts, i + 1, spec, band, metadata)
    return named, metadata


def _require_companions(path: Path, facts: RasterFacts, delivery: Delivery, complete: bool) -> None:
    beside = {p.name for p in path.parent.iterdir()}
    if (
        complete
        and delivery.metadata
        and not any(path.stem + s in beside for s in delivery.metadata)
    ):
        raise RasterError(
            f"the metadata file of the image is missing: {path.stem}{delivery.metadata[0]}",
            str(path),
            "copy the whole delivery, or name the image file itself to go on without metadata",
        )
    raw = delivery.sensor_geometry and re.search(delivery.sensor_geometry, path.name)
    if not raw or facts.is_raw or facts.georeferenced:
        return
    there = [path.stem + s for s in delivery.rpc if path.stem + s in beside]
    raise RasterError(
        f"the coefficients cannot be read: {there[0]}"
        if there
        else f"the file with the rational polynomial coefficients is missing: "
        f"{path.stem}{delivery.rpc[0]}",
        str(path),
        "copy the whole delivery: the image is in sensor geometry and lies nowhere without them",
    )


def _require_agreement(facts: RasterFacts, image: DeliveredImage, metadata: Metadata) -> None:
    if facts.count != len(image.bands):
        raise RasterError(
            f"the image has {facts.count} bands, a delivery has {len(image.bands)}",
            str(facts.path),
            "give the supplier's own file, or --sensor generic for a file of your making",
        )
    told = [d.strip().upper() for d in facts.descriptions]
    if all(told) and set(told) == {b.upper() for b in image.bands} and told != [*image.bands]:
        raise _wrong_order(facts.path, told, image)
    numbers = [n.lstrip("Bb0") for n in metadata.band_order]
    expected = [str(i + 1) for i in range(len(image.bands))]
    if len(numbers) == facts.count > 1 and numbers != expected:
        raise _wrong_order(facts.path, numbers, image)
    size = (metadata.rows, metadata.columns)
    if None not in size and size != (facts.height, facts.width):
        raise RasterError(
            f"the image has {facts.height} × {facts.width} pixels, "
            f"its metadata say {size[0]} × {size[1]}",
            str(facts.path),
            "copy the whole delivery again: image and metadata are not of one product",
        )


def _wrong_order(path: Path, told: Sequence[str], image: DeliveredImage) -> RasterError:
    return RasterError(
        f"the bands are in the order {', '.join(told)}, a delivery has {', '.join(image.bands)}",
        str(path),
        "give the supplier's own file; for a reordered one name its bands by role (red, green …) "
        "in the file and use --sensor generic",
    )


def _ending(image: DeliveredImage, beside: Path | None = None) -> str:
    """Return the end of a file name from its pattern: ``-PAN1.tiff``, ``-PAN.tiff`` beside MUX."""
    pattern = re.sub(r"\(\?:([^|()]*)[^()]*\)", r"\1", image.file)
    tail = pattern.rsplit(")", 1)[-1].removesuffix("$").replace("\\", "")
    number = "1" if beside is None else "".join(re.findall(r"\d$", beside.stem))
    return re.sub(r"\[\w+\]\??", number, tail).removesuffix("?")


def _example(image: DeliveredImage) -> str:
    return f"…{_ending(image)}"
