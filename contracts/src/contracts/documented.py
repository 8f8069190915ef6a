"""What the source says of a class's fields: the text below each. Schemas and documents show it to other services."""

import ast
import inspect
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any


@dataclass(frozen=True, slots=True)
class Field:
    """One field, as the source has it."""

    name: str
    annotation: str
    text: str
    """Empty when the name says it all."""
    may_be_missing: bool


def summary_of(documented: type) -> str:
    """Return the first paragraph of a class's docstring."""
    return " ".join(inspect.cleandoc(documented.__doc__ or "").split("\n\n")[0].split())


def fields_of(documented: type) -> list[Field]:
    """Return the fields of a class in order."""
    body = _class_in(sys.modules[documented.__module__], documented.__name__).body
    return [
        Field(statement.target.id, ast.unparse(statement.annotation), _text(below), _may_be_missing(statement))
        for statement, below in zip(body, [*body[1:], None], strict=True)
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
    ]


def aliases_of(module: ModuleType) -> list[Field]:
    """Return the names that a module gives to types."""
    body = _parsed(module).body
    return [
        Field(statement.target.id, ast.unparse(statement.value), _text(below), may_be_missing=False)
        for statement, below in zip(body, [*body[1:], None], strict=True)
        if isinstance(statement, ast.AnnAssign)
        and isinstance(statement.target, ast.Name)
        and statement.value is not None
        and ast.unparse(statement.annotation) == "TypeAlias"
    ]


def describe(schemas: dict[str, Any], classes: Iterable[type]) -> dict[str, Any]:
    """Return JSON Schemas by class name with a description at each field that has a text."""
    texts = {each.__name__: {field.name: field.text for field in fields_of(each) if field.text} for each in classes}
    return {name: _described(schema, texts.get(name, {})) for name, schema in schemas.items()}


def _described(schema: dict[str, Any], texts: dict[str, str]) -> dict[str, Any]:
    if "properties" not in schema:
        return schema
    properties = {
        name: property_ | ({"description": texts[name]} if name in texts else {})
        for name, property_ in schema["properties"].items()
    }
    return schema | {"properties": properties}


@cache
def _parsed(module: ModuleType) -> ast.Module:
    return ast.parse(inspect.getsource(module))


def _class_in(module: ModuleType, name: str) -> ast.ClassDef:
    return next(each for each in _parsed(module).body if isinstance(each, ast.ClassDef) and each.name == name)


def _may_be_missing(statement: ast.AnnAssign) -> bool:
    match statement.value:
        case ast.Call(func=ast.Name(id="Field"), args=[], keywords=keywords):
            return any(keyword.arg in {"default", "default_factory"} for keyword in keywords)
    return statement.value is not None


def _text(statement: ast.stmt | None) -> str:
    match statement:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return " ".join(text.split())
    return ""
