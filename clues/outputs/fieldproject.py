"""The QGIS and QField project of a field package: layers, styles, the check card as a form."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pyproj

from clues.fieldform import FILLED, SHOWN, CardField, field_title
from clues.outputs.archive import fixed_zip
from clues.outputs.fieldlayers import CARDS, PATCHES, PHOTO_FIELDS, PHOTOS, POINTS

__all__ = ["ProjectImage", "write_project"]

QGIS = "3.22.0"
"""Older projects open in newer programs."""

COLOURS = {"suspected": "204,13,26", "unresolved": "184,84,0"}
OTHER = "64,89,140"
NAMES = {
    PATCHES: ("图斑", "Patches"),
    POINTS: ("中心点", "Points"),
    CARDS: ("核查登记卡", "Check cards"),
    PHOTOS: ("照片", "Photos"),
}
PHOTO_FOLDER = "DCIM"
LAYER_IDS = {name: f"tuban_{name}_layer" for name in NAMES}
"""QGIS gives layers with ids of less than ten letters new ones."""


@dataclass(frozen=True)
class ProjectImage:
    """An image beside the project: its file name, title, and whether it is shown at first."""

    file: str
    title: str
    shown: bool = True


def write_project(
    path: Path,
    data: str,
    crs: str,
    bounds: tuple[float, float, float, float],
    images: Sequence[ProjectImage],
    outcomes: Sequence[tuple[str, str]],
    titled: tuple[str, str],
    language: str,
) -> None:
    """Write the project.

    Parameters
    ----------
    path : Path
        ``.qgz``; the same content gives the same bytes.
    data : str
        File name of the GeoPackage beside it.
    crs : str
    bounds : tuple of float
        West, south, east, north that is shown first.
    images : sequence of ProjectImage
    outcomes : sequence of (str, str)
        Outcomes with their names, for the colours of the patches.
    titled : tuple of str
        Title of the project, and who is entered as the one who checked; "" for nobody.
    language : {"zh", "en"}
    """
    project = Project(data, crs, bounds, images, outcomes, *titled, language)
    out = io.BytesIO()
    ET.ElementTree(project.root()).write(out, encoding="utf-8", xml_declaration=False)
    doctype = b"<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
    with fixed_zip(path) as archive:
        archive.add(f"{path.stem}.qgs", doctype + out.getvalue())


@dataclass(frozen=True)
class Project:
    """Builds the XML of the project."""

    data: str
    crs: str
    bounds: tuple[float, float, float, float]
    images: Sequence[ProjectImage]
    outcomes: Sequence[tuple[str, str]]
    title: str
    inspector: str
    language: str

    def root(self) -> ET.Element:
        """Return the document."""
        root = ET.Element("qgis", version=QGIS, projectname=self.title)
        _text(root, "title", self.title)
        self._srs(_sub(root, "projectCrs"))
        tree = _sub(root, "layer-tree-group")
        layers = _sub(root, "projectlayers")
        for name in (POINTS, PATCHES, CARDS, PHOTOS):
            shown = "Qt::Checked" if name != POINTS else "Qt::Unchecked"
            self._node(tree, LAYER_IDS[name], self._name(name), self._source(name), "ogr", shown)
            layers.append(self._vector(name))
        group = _sub(tree, "layer-tree-group", name=self._word("影像", "Images"), expanded="1")
        for image in self.images:
            shown = "Qt::Checked" if image.shown else "Qt::Unchecked"
            source, name = f"./{image.file}", _image_id(image)
            self._node(group, name, image.title, source, "gdal", shown)
            layers.append(self._raster(image))
        relations = _sub(root, "relations")
        for child in (CARDS, PHOTOS):
            relation = _sub(
                relations,
                "relation",
                id=f"{child}_of_patch",
                name=self._name(child),
                referencedLayer=LAYER_IDS[PATCHES],
                referencingLayer=LAYER_IDS[child],
                strength="Association",
            )
            _sub(relation, "fieldRef", referencedField="clue_no", referencingField="clue_no")
        self._canvas(root)
        properties = _sub(root, "properties")
        paths = _sub(properties, "Paths")
        _text(paths, "Absolute", "false").set("type", "bool")
        return root

    def _word(self, zh: str, en: str) -> str:
        return zh if self.language == "zh" else en

    def _name(self, layer: str) -> str:
        return self._word(*NAMES[layer])

    def _source(self, layer: str) -> str:
        return f"./{self.data}|layername={layer}"

    def _srs(self, parent: ET.Element) -> None:
        known = pyproj.CRS(self.crs)
        system = _sub(parent, "spatialrefsys")
        _text(system, "wkt", known.to_wkt())
        code = known.to_epsg()
        _text(system, "srid", str(code or 0))
        _text(system, "authid", f"EPSG:{code}" if code else "")
        _text(system, "description", known.name)
        _text(system, "geographicflag", "true" if known.is_geographic else "false")

    def _canvas(self, root: ET.Element) -> None:
        canvas = _sub(root, "mapcanvas", name="theMapCanvas", annotationsVisible="1")
        _text(canvas, "units", "degrees" if pyproj.CRS(self.crs).is_geographic else "meters")
        extent = _sub(canvas, "extent")
        for tag, value in zip(("xmin", "ymin", "xmax", "ymax"), self.bounds, strict=True):
            _text(extent, tag, repr(float(value)))
        self._srs(_sub(canvas, "destinationsrs"))

    def _node(
        self, tree: ET.Element, name: str, title: str, source: str, provider: str, shown: str
    ) -> None:
        _sub(
            tree,
            "layer-tree-layer",
            id=name,
            name=title,
            source=source,
            providerKey=provider,
            checked=shown,
            expanded="1",
        )

    def _raster(self, image: ProjectImage) -> ET.Element:
        layer = ET.Element("maplayer", type="raster")
        _text(layer, "id", _image_id(image))
        _text(layer, "datasource", f"./{image.file}")
        _text(layer, "layername", image.title)
        self._srs(_sub(layer, "srs"))
        _text(layer, "provider", "gdal")
        pipe = _sub(layer, "pipe")
        _sub(
            pipe,
            "rasterrenderer",
            type="multibandcolor",
            redBand="1",
            greenBand="2",
            blueBand="3",
            opacity="1",
            alphaBand="4",
        )
        return layer

    def _vector(self, name: str) -> ET.Element:
        plain = name in (CARDS, PHOTOS)
        geometry = "No geometry" if plain else "Point" if name == POINTS else "Polygon"
        layer = ET.Element(
            "maplayer",
            type="vector",
            geometry=geometry,
            labelsEnabled="1" if name == PATCHES else "0",
            readOnly="0" if plain else "1",
        )
        _text(layer, "id", LAYER_IDS[name])
        _text(layer, "datasource", self._source(name))
        _text(layer, "layername", self._name(name))
        if not plain:
            self._srs(_sub(layer, "srs"))
        _text(layer, "provider", "ogr").set("encoding", "UTF-8")
        if name == PATCHES:
            self._patch_style(layer)
        elif name == POINTS:
            renderer = _sub(layer, "renderer-v2", type="singleSymbol")
            marker = {"color": "255,255,255,255", "outline_color": "204,13,26,255", "size": "2.4"}
            _symbol(_sub(renderer, "symbols"), "0", "marker", "SimpleMarker", marker)
        self._form(layer, name)
        expression = "clue_no" if name != PHOTOS else "photo"
        _text(layer, "previewExpression", f'"{expression}"')
        return layer

    def _patch_style(self, layer: ET.Element) -> None:
        renderer = _sub(layer, "renderer-v2", type="categorizedSymbol", attr="suggestion")
        categories, symbols = _sub(renderer, "categories"), _sub(renderer, "symbols")
        for i, (outcome, name) in enumerate(self.outcomes):
            _sub(categories, "category", value=name, label=name, symbol=str(i), render="true")
            colour = COLOURS.get(outcome, OTHER)
            look = {
                "color": f"{colour},40",
                "style": "solid",
                "outline_color": f"{colour},255",
                "outline_style": "solid",
                "outline_width": "0.8",
                "outline_width_unit": "MM",
            }
            _symbol(symbols, str(i), "fill", "SimpleFill", look)
        labelling = _sub(layer, "labeling", type="simple")
        settings = _sub(labelling, "settings", calloutType="simple")
        style = _sub(
            settings,
            "text-style",
            fieldName='to_string(to_int(right("clue_no", 6)))',
            isExpression="1",
            fontSize="10",
            textColor="0,0,0,255",
        )
        _sub(
            style,
            "text-buffer",
            bufferDraw="1",
            bufferSize="1",
            bufferColor="255,255,255,255",
            bufferSizeUnits="MM",
        )
        _sub(settings, "placement", placement="1")

    def _form(self, layer: ET.Element, name: str) -> None:
        fields = _fields(name)
        filled = {f.key for f in FILLED} if name == CARDS else set()
        filled |= {f.key for f in PHOTO_FIELDS} if name == PHOTOS else set()
        setup = _sub(layer, "fieldConfiguration")
        aliases, editable = _sub(layer, "aliases"), _sub(layer, "editable")
        for i, field in enumerate(fields, start=1):
            place = _sub(setup, "field", name=field.key, configurationFlags="None")
            self._widget(_sub(place, "editWidget"), field, name)
            alias = field_title(field, self.language)
            _sub(aliases, "alias", field=field.key, index=str(i), name=alias)
            can = "1" if field.key in filled else "0"
            _sub(editable, "field", name=field.key, editable=can)
        if name == CARDS:
            defaults = _sub(layer, "defaults")
            told = {"checked_on": "to_date(now())"}
            if self.inspector:
                told["checked_by"] = "'" + self.inspector.replace("'", "''") + "'"
            for key, value in told.items():
                expression = f'coalesce("{key}", {value})'
                _sub(defaults, "default", field=key, expression=expression, applyOnUpdate="1")
        _text(layer, "editorlayout", "generatedlayout")

    def _widget(self, widget: ET.Element, field: CardField, layer: str) -> None:
        words = field.choices(self.language)
        kind, options = "TextEdit", {"IsMultiline": field.kind == "long", "UseHtml": False}
        config = _sub(widget, "config")
        if words:
            widget.set("type", "ValueMap")
            rows = _sub(_sub(config, "Option", type="Map"), "Option", name="map", type="List")
            for word in ("", *words):
                row = _sub(rows, "Option", type="Map")
                _sub(row, "Option", name=word or "—", value=word, type="QString")
            return
        told: dict[str, Any] = dict(options)
        if field.kind == "date":
            kind = "DateTime"
            told = {"display_format": "yyyy-MM-dd", "field_format": "yyyy-MM-dd"}
            told |= {"calendar_popup": True, "allow_null": True}
        elif layer == PHOTOS and field.key == "photo":
            kind = "ExternalResource"
            told = {"DocumentViewer": 1, "RelativeStorage": 1, "StorageMode": 0}
            told |= {"DefaultRoot": PHOTO_FOLDER, "FileWidget": True, "FileWidgetButton": True}
        widget.set("type", kind)
        top = _sub(config, "Option", type="Map")
        for key, value in told.items():
            _option(top, key, value)


def _fields(layer: str) -> tuple[CardField, ...]:
    if layer == CARDS:
        return (*SHOWN, *FILLED)
    if layer == PHOTOS:
        return PHOTO_FIELDS
    if layer == POINTS:
        return tuple(f for f in SHOWN if f.key in ("clue_no", "patch_id", "suggestion", "priority"))
    return SHOWN


def _option(parent: ET.Element, key: str, value: Any) -> None:
    kinds = {bool: "bool", int: "int"}
    text = str(value).lower() if isinstance(value, bool) else str(value)
    _sub(parent, "Option", name=key, value=text, type=kinds.get(type(value), "QString"))


def _symbol(parent: ET.Element, name: str, kind: str, layer: str, options: dict[str, str]) -> None:
    symbol = _sub(parent, "symbol", name=name, type=kind, alpha="1", clip_to_extent="1")
    drawn = _sub(symbol, "layer", enabled="1", locked="0")
    drawn.set("class", layer)
    drawn.set("pass", "0")
    top = _sub(drawn, "Option", type="Map")
    for key, value in options.items():
        _option(top, key, value)


def _image_id(image: ProjectImage) -> str:
    return "image_" + "".join(c if c.isalnum() and c.isascii() else "_" for c in image.file)


def _sub(parent: ET.Element, tag: str, **attributes: str) -> ET.Element:
    return ET.SubElement(parent, tag, attributes)


def _text(parent: ET.Element, tag: str, text: str) -> ET.Element:
    child = ET.SubElement(parent, tag)
    child.text = text
    return child
