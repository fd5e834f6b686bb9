"""Tiny deliveries in the layouts of their suppliers, made from reflectances."""

from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.control import GroundControlPoint

from tests.tiles.rawimage import Camera, write_raw

Values = NDArray[np.float32]
CRS = "EPSG:32650"
WEST, NORTH = 500000.0, 4002560.0
S2_INDEX = {"B02": 1, "B03": 2, "B04": 3, "B08": 7, "B11": 11, "B12": 12}


def reflectance(side: int = 64, seed: int = 0, dark: float = 0.01) -> Values:
    """Return six bands with a dark corner (water) and a texture elsewhere."""
    noise = np.random.default_rng(seed).random((6, side, side))
    values = 0.05 + 0.3 * noise
    values[:, : side // 4, : side // 4] = dark
    return values.astype(np.float32)


def write(path: Path, stored: NDArray[np.generic], size: float, **options: object) -> Path:
    """Write one band or a stack in the projected CRS of all tests."""
    stored = stored[None] if stored.ndim == 2 else stored
    path.parent.mkdir(parents=True, exist_ok=True)
    is_jp2 = path.suffix == ".jp2"
    more = {"QUALITY": "100", "REVERSIBLE": "YES"} if is_jp2 else {}
    with rasterio.open(
        path, "w", driver="JP2OpenJPEG" if is_jp2 else "GTiff", dtype=stored.dtype,
        count=len(stored), height=stored.shape[1], width=stored.shape[2], crs=CRS,
        transform=Affine(size, 0, WEST, 0, -size, NORTH), **more, **options,
    ) as ds:  # fmt: skip
        ds.write(stored)
    return path


def safe(
    folder: Path,
    values: Values,
    *,
    level: str = "L2A",
    baseline: str = "0509",
    stored_offset: int | None = None,
    day: str = "20230305",
) -> Path:
    """Write a Sentinel-2 product in SAFE layout; return its folder.

    `stored_offset` is what is really added to the values; by default what the baseline says.
    """
    declared = 1000 if baseline >= "0400" else 0
    added = declared if stored_offset is None else stored_offset
    granule = f"T49QCD_{day}T030539"
    product = folder / f"S2B_MSI{level}_{day}T030539_N{baseline}_R075_T49QCD_{day}T060000.SAFE"
    images = product / "GRANULE" / f"{level}_T49QCD_A031234_{day}T030539" / "IMG_DATA"
    stored = np.rint(values * 10000 + added).astype(np.uint16)
    for number, band in enumerate(S2_INDEX):
        fine = band in ("B02", "B03", "B04", "B08")
        step = 1 if fine else 2
        part = stored[number, ::step, ::step]
        if level == "L2A":
            metres = "10m" if fine else "20m"
            file = images / f"R{metres}" / f"{granule}_{band}_{metres}.jp2"
        else:
            file = images / f"{granule}_{band}.jp2"
        write(file, part, 10.0 * step)
    write(images.parent / "QI_DATA" / "MSK_CLASSI_B00.jp2", np.zeros((8, 8), np.uint8), 80.0)
    write(images.parent / "QI_DATA" / "MSK_DETFOO_B02.jp2", np.zeros((8, 8), np.uint8), 80.0)
    if level == "L2A":
        scl = np.full((values.shape[1] // 2, values.shape[2] // 2), 4, np.uint8)
        scl[:, -4:] = 9
        write(images / "R20m" / f"{granule}_SCL_20m.jp2", scl, 20.0)
        write(images / "R10m" / f"{granule}_TCI_10m.jp2", np.ones((64, 64), np.uint8), 10.0)
    _safe_metadata(product, images.parent, level, baseline, declared, day)
    return product


def _safe_metadata(
    product: Path, granule: Path, level: str, baseline: str, declared: int, day: str
) -> None:
    kind = "BOA" if level == "L2A" else "RADIO"
    name = "BOA_QUANTIFICATION_VALUE" if level == "L2A" else "QUANTIFICATION_VALUE"
    added = "".join(
        f'<{kind}_ADD_OFFSET band_id="{i}">-{declared}</{kind}_ADD_OFFSET>' for i in range(13)
    )
    date = f"{day[:4]}-{day[4:6]}-{day[6:]}"
    (product / f"MTD_MSI{level}.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n<n1:Level-2A_User_Product '
        'xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product.xsd"><n1:General_Info>'
        f"<PROCESSING_LEVEL>Level-{level[1:]}</PROCESSING_LEVEL>"
        f"<PROCESSING_BASELINE>{baseline[:2]}.{baseline[2:]}</PROCESSING_BASELINE>"
        f"<DATATAKE_SENSING_START>{date}T03:05:39.024Z</DATATAKE_SENSING_START>"
        f'<{name} unit="none">10000</{name}>{added if declared else ""}'
        "</n1:General_Info><n1:Quality_Indicators_Info>"
        "<Cloud_Coverage_Assessment>12.5</Cloud_Coverage_Assessment>"
        "</n1:Quality_Indicators_Info></n1:Level-2A_User_Product>",
        encoding="utf-8",
    )
    (granule / "MTD_TL.xml").write_text(
        f"<n1:Tile xmlns:n1='x'><SENSING_TIME>{date}T03:11:22.123456Z</SENSING_TIME>"
        "<Mean_Sun_Angle><ZENITH_ANGLE>40.25</ZENITH_ANGLE><AZIMUTH_ANGLE>150</AZIMUTH_ANGLE>"
        "</Mean_Sun_Angle><Mean_Viewing_Incidence_Angle bandId='7'><ZENITH_ANGLE>6.5"
        "</ZENITH_ANGLE><AZIMUTH_ANGLE>104</AZIMUTH_ANGLE></Mean_Viewing_Incidence_Angle>"
        "</n1:Tile>",
        encoding="utf-8",
    )


def landsat(folder: Path, values: Values, product: str, sun: float = 30.0) -> Path:
    """Write a Landsat Collection 2 product of level 1 or 2; return its folder."""
    home = folder / product
    second = "_L2SP_" in product
    names = (2, 3, 4, 5, 6, 7) if product[2:4] in ("08", "09") else (1, 2, 3, 4, 5, 7)
    scale, offset = (0.0000275, -0.2) if second else (2e-5, -0.1)
    toa = values if second else values * np.sin(np.radians(sun))
    for band, plane in zip(names, toa, strict=True):
        stored = np.rint((plane - offset) / scale).astype(np.uint16)
        write(home / f"{product}_{'SR_' if second else ''}B{band}.TIF", stored, 30.0)
    quality = np.full(values.shape[1:], 1 << 6, np.uint16)
    quality[:, -8:] = 1 << 3
    write(home / f"{product}_QA_PIXEL.TIF", quality, 30.0)
    levels = [("LEVEL1_RADIOMETRIC_RESCALING", 2e-5, -0.1)]
    if second:
        levels.insert(0, ("LEVEL2_SURFACE_REFLECTANCE_PARAMETERS", scale, offset))
    day = product.split("_")[3]
    text = [
        "GROUP = LANDSAT_METADATA_FILE", "  GROUP = IMAGE_ATTRIBUTES",
        f"    DATE_ACQUIRED = {day[:4]}-{day[4:6]}-{day[6:]}",
        '    SCENE_CENTER_TIME = "02:44:20.1234560Z"', "    CLOUD_COVER = 3.21",
        f"    SUN_ELEVATION = {sun}", "    SUN_AZIMUTH = 151.5", "  END_GROUP = IMAGE_ATTRIBUTES",
        f'  PROCESSING_LEVEL = "{product.split("_")[1]}"',
    ]  # fmt: skip
    for group, mult, add in levels:
        text += [f"  GROUP = {group}"]
        text += [f"    REFLECTANCE_MULT_BAND_{b} = {mult:.5E}" for b in names]
        text += [f"    REFLECTANCE_ADD_BAND_{b} = {add:.6f}" for b in names]
        text += [f"  END_GROUP = {group}"]
    (home / f"{product}_MTL.txt").write_text("\n".join([*text, "END"]), encoding="ascii")
    return home


def gaofen(
    folder: Path, product: str, image: str, pan: str | None, day: str = "2025-06-12"
) -> Path:
    """Write a raw delivery of a Chinese satellite with companions; return its folder."""
    home = folder / product
    for kind, bands, side in ((image, 4, 32), (pan, 1, 128)):
        if kind is None:
            continue
        stem = f"{product}-{kind}"
        stored = np.random.default_rng(bands).integers(100, 900, (bands, side, side))
        write_raw(home / f"{stem}.tiff", stored.astype(np.uint16))
        Camera(117.5, 36.7, side, side, 3.2 * 32 / side).write_rpb(home / f"{stem}.rpb")
        order = ",".join(str(i + 1) for i in range(bands))
        (home / f"{stem}.xml").write_text(
            f"<ProductMetaData><CenterTime>{day} 23:30:05</CenterTime>"
            f"<ProductLevel>LEVEL1A</ProductLevel><Bands>{order}</Bands>"
            "<CloudPercent>7</CloudPercent><SolarZenith>25</SolarZenith>"
            "<RollViewingAngle>-8.5</RollViewingAngle>"
            f"<WidthInPixels>{side}</WidthInPixels><HeightInPixels>{side}</HeightInPixels>"
            "</ProductMetaData>",
            encoding="utf-8",
        )
    return home


def swath(row: float, col: float) -> tuple[float, float]:
    """Return longitude and latitude of a radar pixel: turned, and bent across the swath."""
    lon = 117 + 1.1e-4 * col - 2e-5 * row + 2e-8 * col * col
    return lon, 37 - 9e-5 * row - 1.5e-5 * col


def sigma_divisor(row: float, col: float) -> float:
    """Return the divisor of the calibration at a pixel."""
    return 400.0 + 0.5 * col + 0.25 * row


def grd(
    folder: Path, *, day: str = "20250305", power: Values | None = None, points_apart: int = 16
) -> Path:
    """Write a Sentinel-1 GRD product: control points only, one file per polarisation.

    `power` (polarisation, y, x) is what calibration must give back; `points_apart` of the control
    points in pixels.
    """
    times = f"{day}t102030-{day}t102055-058000-072b5c"
    home = folder / f"S1A_IW_GRDH_1SDV_{times.upper().replace('-', '_')}_1234.SAFE"
    power = np.full((2, 64, 64), 0.05, np.float32) if power is None else power
    height, width = power.shape[1:]
    rows, cols = np.indices(power.shape[1:])
    amplitude = np.rint(np.sqrt(power) * sigma_divisor(rows, cols)).astype(np.uint16)
    points = [
        GroundControlPoint(row, col, *swath(row, col), 50.0)
        for row in range(0, height + 1, points_apart)
        for col in range(0, width + 1, points_apart)
    ]
    for number, band in enumerate(("vv", "vh"), start=1):
        stem = f"s1a-iw-grd-{band}-{times}-00{number}"
        path = home / "measurement" / f"{stem}.tiff"
        path.parent.mkdir(parents=True, exist_ok=True)
        with rasterio.open(
            path, "w", driver="GTiff", dtype="uint16", count=1, height=height, width=width,
            gcps=points, crs="EPSG:4326",
        ) as ds:  # fmt: skip
            ds.write(amplitude[number - 1 : number])
        _calibration(home / "annotation" / "calibration" / f"calibration-{stem}.xml", *power.shape)
        (home / "annotation" / f"{stem}.xml").write_text(
            "<product><adsHeader><productType>GRD</productType>"
            f"<startTime>{day[:4]}-{day[4:6]}-{day[6:]}T10:20:30.123456</startTime></adsHeader><imageAnnotation>"
            "<imageInformation><incidenceAngleMidSwath>38.9</incidenceAngleMidSwath>"
            "</imageInformation></imageAnnotation></product>",
            encoding="utf-8",
        )
    return home


def _calibration(path: Path, _: int, height: int, width: int) -> None:
    """Write calibration vectors; the lines have pixels of their own, the first lies outside."""
    path.parent.mkdir(parents=True, exist_ok=True)
    vectors = []
    for line in (-20, height // 2, height + 20):
        pixels = [0, width // 3, width - 1] if line else [0, width - 1]
        divisors = " ".join(f"{sigma_divisor(line, p):.6e}" for p in pixels)
        vectors.append(
            "<calibrationVector><azimuthTime>2025-03-05T10:20:30</azimuthTime>"
            f"<line>{line}</line><pixel count='3'>{' '.join(map(str, pixels))}</pixel>"
            f"<sigmaNought count='3'>{divisors}</sigmaNought>"
            f"<betaNought count='3'>{'237.0 ' * len(pixels)}</betaNought></calibrationVector>"
        )
    path.write_text(
        "<calibration><adsHeader><productType>GRD</productType></adsHeader>"
        f"<calibrationVectorList count='3'>{''.join(vectors)}</calibrationVectorList>"
        "</calibration>",
        encoding="utf-8",
    )
