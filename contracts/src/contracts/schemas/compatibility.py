"""Whether a schema may replace another: consumers of the old one must understand what follows the new one. Pure.

Only what leaves everything else as it was passes: an added field that may be missing.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

_ANNOTATIONS = frozenset({"title", "description", "$schema", "$defs", "examples"})
_COMPARED_BY_NAME = frozenset({"properties", "required"})
_VALUES = ("additionalProperties", "items")


def incompatibilities(old: Schema, new: Schema) -> list[str]:
    """Return what forbids the new schema: one sentence for each, [] when it may replace the old one."""
    return list(_compare(_Place(old, old, "data"), _Place(new, new, "data")))


class _Place:
    """One subschema, with the document that its references point into."""

    def __init__(self, document: Schema, schema: Schema, path: str) -> None:
        while "$ref" in schema:
            schema = document["$defs"][schema["$ref"].removeprefix("#/$defs/")] | {
                key: value for key, value in schema.items() if key != "$ref"
            }
        self.schema = schema
        self.path = path
        self._document = document

    def inside(self, schema: Schema, name: str) -> "_Place":
        return _Place(self._document, schema, f"{self.path}.{name}")

    @property
    def properties(self) -> dict[str, "_Place"]:
        return {name: self.inside(schema, name) for name, schema in self.schema.get("properties", {}).items()}

    @property
    def required(self) -> frozenset[str]:
        return frozenset(self.schema.get("required", ()))

    @property
    def parts(self) -> dict[str, list["_Place"]]:
        """Return what is compared one by one: alternatives, and the values of mappings and lists."""
        parts = {"anyOf": [self.inside(schema, f"anyOf[{n}]") for n, schema in enumerate(self.schema.get("anyOf", ()))]}
        for keyword in _VALUES:
            value = self.schema.get(keyword)
            if isinstance(value, Mapping):
                parts[keyword] = [self.inside(value, keyword)]
        return parts

    @property
    def rest(self) -> dict[str, Any]:
        """Return what has to stay the same."""
        elsewhere = _ANNOTATIONS | _COMPARED_BY_NAME | self.parts.keys()
        return {key: value for key, value in self.schema.items() if key not in elsewhere}


def _compare(old: _Place, new: _Place) -> Iterator[str]:
    if old.rest != new.rest:
        yield f"{old.path} was {old.rest} and is {new.rest}"
    for name, before in old.properties.items():
        after = new.properties.get(name)
        if after is None:
            yield f"{before.path} is gone"
        else:
            yield from _compare(before, after)
    for name in sorted(new.required - old.required):
        yield f"{new.path}.{name} is newly required"
    for name in sorted(old.required - new.required):
        yield f"{old.path}.{name} may be missing now"
    for keyword in sorted(old.parts.keys() | new.parts.keys()):
        before_parts, after_parts = old.parts.get(keyword, []), new.parts.get(keyword, [])
        if len(before_parts) != len(after_parts):
            yield f"{old.path} has other {keyword}"
            continue
        for before, after in zip(before_parts, after_parts, strict=True):
            yield from _compare(before, after)
