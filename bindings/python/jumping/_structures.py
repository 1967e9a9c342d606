"""Between Python values and C structs, with every range checked here.

ctypes itself silently cuts an integer that does not fit its field; a library that guards keys must not guess like that.
"""

from __future__ import annotations

import ctypes
import dataclasses
import struct
from typing import Any

__all__ = [
    "U32_MAX", "U64_MAX", "as_bytes", "bounded", "char_array", "field_column", "field_reader", "fill", "key_bytes", "offset_of",
    "read_text", "unsigned", "with_size",
]

U32_MAX = 2**32 - 1
U64_MAX = 2**64 - 1
_SIGNED = (ctypes.c_int32, ctypes.c_int64)


def with_size(struct_class: type[Any]) -> Any:
    """A zeroed struct whose ``struct_size`` is set, as the library asks of every struct it fills."""
    filled = struct_class()
    filled.struct_size = ctypes.sizeof(struct_class)
    return filled


def _located(struct_class: type[Any], name: str) -> tuple[int, Any]:
    """Offset and C type of a field; a dot leads into a nested struct."""
    outer, _, inner = name.partition(".")
    offset, c_type = int(getattr(struct_class, outer).offset), dict(struct_class._fields_)[outer]
    if not inner:
        return offset, c_type
    inside, c_type = _located(c_type, inner)
    return offset + inside, c_type


def offset_of(struct_class: type[Any], name: str) -> int:
    """Where a field begins in its struct, bytes; a dot leads into a nested struct."""
    return _located(struct_class, name)[0]


_FORMATS = {ctypes.c_uint32: "I", ctypes.c_int32: "i", ctypes.c_uint64: "Q", ctypes.c_int64: "q"}


def field_reader(struct_class: type[Any], *names: str) -> struct.Struct:
    """A :class:`struct.Struct` as long as ``struct_class`` that reads the named fields (in their order in the struct; a dot
    leads into a nested one) from its bytes.

    One ``unpack_from`` costs about as much as reading two fields through ctypes. Structs come as bytes.
    """
    pieces, position = ["="], 0
    for name in names:
        offset, c_type = _located(struct_class, name)
        pieces.append(f"{offset - position}x")
        pieces.append(_FORMATS.get(c_type) or f"{ctypes.sizeof(c_type)}s")
        position = offset + ctypes.sizeof(c_type)
    return struct.Struct(f"{''.join(pieces)}{ctypes.sizeof(struct_class) - position}x")


def field_column(struct_class: type[Any], array: memoryview, name: str) -> memoryview:
    """An integer field of every struct in the bytes ``array``, as a strided view: ``column[:2] = array.array("I", (1, 2))``."""
    offset, c_type = _located(struct_class, name)
    size = ctypes.sizeof(c_type)
    numbers: memoryview = array.cast(_FORMATS[c_type])  # type: ignore[call-overload]
    return numbers[offset // size::ctypes.sizeof(struct_class) // size]


def bounded(value: Any, low: int, high: int, name: str) -> int:
    """``value`` as an int within ``low ... high``; TypeError or ValueError naming ``name`` otherwise."""
    try:
        number = value.__index__()
    except AttributeError:
        raise TypeError(f"{name} must be an integer, not {type(value).__name__}") from None
    if not low <= number <= high:
        raise ValueError(f"{name} must lie in {low} ... {high}, not {number}")
    return number  # type: ignore[no-any-return]


def unsigned(value: Any, name: str, maximum: int = U64_MAX) -> int:
    """``value`` as an int within ``0 ... maximum``."""
    return bounded(value, 0, maximum, name)


def char_array(value: str, capacity: int, name: str) -> bytes:
    """``value`` as ASCII for a char field of ``capacity`` bytes, its final zero included."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")
    try:
        encoded = value.encode("ascii")
    except UnicodeEncodeError:
        raise ValueError(f"{name} must be printable ASCII, not {value!r}") from None
    if len(encoded) >= capacity or b"\0" in encoded:
        raise ValueError(f"{name} must have at most {capacity - 1} characters and no NUL, not {value!r}")
    return encoded


def as_bytes(value: Any, name: str) -> bytes:
    """``value`` as bytes; TypeError unless it is bytes, a bytearray or a memoryview."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    raise TypeError(f"{name} must be bytes, a bytearray or a memoryview, not {type(value).__name__}")


def key_bytes(value: Any, length: int, name: str) -> bytes:
    """``value`` as exactly ``length`` bytes. The message never shows the value: it may be a secret."""
    raw = as_bytes(value, name)
    if len(raw) != length:
        raise ValueError(f"{name} must be {length} bytes, not {len(raw)}")
    return raw


def read_text(value: bytes) -> str:
    """A char field (already cut at its zero by ctypes) as str."""
    return value.decode("ascii", "replace")


def fill(target: Any, source: Any) -> None:
    """Copies each field of the dataclass ``source`` into the field of the same name of the struct ``target``."""
    types = dict(target._fields_)
    for field in dataclasses.fields(source):
        name, c_type, value = field.name, types[field.name], getattr(source, field.name)
        if hasattr(c_type, "_length_"):
            setattr(target, name, char_array(value, c_type._length_, name))
            continue
        bits = 8 * ctypes.sizeof(c_type)
        if c_type in _SIGNED:
            setattr(target, name, bounded(value, -2 ** (bits - 1), 2 ** (bits - 1) - 1, name))
        else:
            setattr(target, name, unsigned(value, name, 2**bits - 1))
