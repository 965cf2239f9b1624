"""What may be asked of the server of an atlas, as an OpenAPI document."""

from __future__ import annotations

from typing import Any

from phosphene._version import __version__
from phosphene.web.atlas_api import LARGEST_PAGE, SORTS
from phosphene.web.atlas_scripts import Document
from phosphene.web.atlas_view import SHOWN_STATUSES

_WHOLE = {"type": "integer", "minimum": 0, "maximum": 999_999_999}
_NUMBER = {"type": ["number", "null"]}
_TEXT = {"type": "string"}
_OBJECTS = {"type": "array", "items": {"type": "object"}}
_ROW = {
    "type": "object",
    "required": ["unit", "address", "label", "status", "score", "robust", "percentile", "multiple"],
    "properties": {
        "unit": _WHOLE,
        "address": _TEXT,
        "label": _TEXT,
        "status": {"enum": list(SHOWN_STATUSES)},
        "score": _NUMBER,
        "robust": _NUMBER,
        "percentile": _NUMBER,
        "multiple": _NUMBER,
    },
}


def openapi(*, image_search: bool) -> Document:
    """The document, in the form of OpenAPI 3.1."""
    paths = {"/api/units": _units(), "/api/unit/{layer}/{unit}": _unit(), "/api/search": _search()}
    paths |= {f"/pictures/{{id}}.{suffix}": _picture(suffix) for suffix in ("webp", "png")}
    if image_search:
        paths["/api/search/image"] = _search_image()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "phosphene atlas",
            "version": __version__,
            "description": "Reading an atlas; nothing is changed.",
        },
        "paths": paths,
    }


def _units() -> Document:
    asked = [
        _parameter("layer", _TEXT, needed=True),
        _parameter("status", {"enum": list(SHOWN_STATUSES)}),
        _parameter("sort", {"enum": list(SORTS)}),
        _parameter("start", _WHOLE),
        _parameter("limit", _WHOLE | {"description": f"at most {LARGEST_PAGE} are given"}),
    ]
    page = _object(
        {"layer": _TEXT, "slug": _TEXT, "total": _WHOLE, "start": _WHOLE, "units": {"type": "array", "items": _ROW}}
    )
    return {"get": _operation("A page of a layer's units", asked, page)}


def _unit() -> Document:
    asked = [_parameter("layer", _TEXT, place="path"), _parameter("unit", _WHOLE, place="path")]
    shown = {"unit": _WHOLE, "address": _TEXT, "label": _TEXT, "pictures": _OBJECTS, "examples": _OBJECTS}
    return {"get": _operation("A unit, its pictures and what is known of it", asked, _object(shown))}


def _search() -> Document:
    asked = [_parameter("q", {"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"\S"}, needed=True)]
    found = {"q": _TEXT, "units": _OBJECTS, "layers": _OBJECTS, "photographs": _OBJECTS}
    return {"get": _operation("What goes with some words", asked, _object(found))}


def _search_image() -> Document:
    body = {"required": True, "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}}
    return {
        "post": _operation("The units that a picture drives", [], _object({"units": _OBJECTS})) | {"requestBody": body}
    }


def _picture(suffix: str) -> Document:
    asked = [_parameter("id", {"type": "string", "pattern": "^[0-9a-f]{8,128}$"}, place="path")]
    return {"get": _operation("A picture", asked, {"type": "string", "format": "binary"}, kind=f"image/{suffix}")}


def _operation(summary: str, asked: list[Document], schema: Document, *, kind: str = "application/json") -> Document:
    refusals = {"400": "cannot be read", "403": "another host or page", "404": "is not there", "414": "too long"}
    refusals |= {"408": "too slow", "413": "too large", "415": "no picture", "422": "out of range", "503": "is damaged"}
    error = {"application/json": {"schema": _object({"error": _TEXT})}}
    answers: dict[str, Any] = {"200": {"description": "what was asked for", "content": {kind: {"schema": schema}}}}
    answers |= {status: {"description": why, "content": error} for status, why in refusals.items()}
    return {"summary": summary, "parameters": asked, "responses": answers}


def _parameter(name: str, schema: Document, *, place: str = "query", needed: bool = False) -> Document:
    return {"name": name, "in": place, "required": needed or place == "path", "schema": schema}


def _object(properties: Document) -> Document:
    return {"type": "object", "required": list(properties), "properties": properties}
