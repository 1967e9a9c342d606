"""Finds, loads and checks libjumping; turns statuses into exceptions.

Looked for, in this order:

1. the file named by the environment variable ``JUMPING_LIBRARY`` (then nothing else is tried);
2. a library carried inside this package (``jumping/_carried``; see ``setup.py``);
3. the system's ``libjumping.so.0``, as the dynamic loader finds it;
4. the release build of the source tree this package lies in (``.build/release``).
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Optional

from . import _constants as c
from ._functions import FUNCTIONS
from ._structs import SIZES
from .errors import AbiMismatchError, LibraryNotFoundError, SessionTerminated, error_class_for_status

__all__ = ["LIBRARY_PATH", "calls", "calls_without_gil", "check", "fail", "ready", "text", "version"]

SONAME = "libjumping.so.0"
_ENVIRONMENT_VARIABLE = "JUMPING_LIBRARY"
_PACKAGE = Path(__file__).resolve().parent


def _candidates() -> Iterator[tuple[str, str]]:
    """(what it is, what to give the dynamic loader), best first."""
    named = os.environ.get(_ENVIRONMENT_VARIABLE)
    if named:
        yield f"the file named by {_ENVIRONMENT_VARIABLE}", named
        return
    for name in (SONAME, "libjumping.so"):
        carried = _PACKAGE / "_carried" / name
        if carried.exists():
            yield "the library carried by the package", str(carried)
    yield "the system's library", SONAME
    for folder in _PACKAGE.parents:
        if (folder / "Package.swift").exists():
            for name in (SONAME, "libjumping.so"):
                built = folder / ".build" / "release" / name
                if built.exists():
                    yield "the source tree's release build", str(built)
            return


def _open() -> tuple[str, ctypes.CDLL, ctypes.PyDLL]:
    """Loads the first candidate that loads; raises LibraryNotFoundError naming every one that was tried."""
    tried = []
    for what, name in _candidates():
        try:
            return name, ctypes.CDLL(name), ctypes.PyDLL(name)
        except OSError as error:
            tried.append(f"  {what}: {error}")
    if not tried:
        tried.append("  nothing")
    raise LibraryNotFoundError(
        "libjumping was not found. Tried:\n" + "\n".join(tried) + "\n"
        f"Build it with `swift build -c release` in the source tree, install it where the dynamic loader looks, "
        f"or name the file in {_ENVIRONMENT_VARIABLE}.")


def _check_abi(name: str, library: ctypes.CDLL) -> None:
    try:
        abi_version = library.jmp_abi_version
    except AttributeError:
        raise AbiMismatchError(f"{name} is not libjumping: it has no jmp_abi_version") from None
    abi_version.restype = ctypes.c_uint32
    found = abi_version()
    if found != c.JMP_ABI_VERSION:
        raise AbiMismatchError(
            f"{name} speaks ABI {found}, this package speaks ABI {c.JMP_ABI_VERSION}: install a matching pair, "
            f"or name another library in {_ENVIRONMENT_VARIABLE}")
    for struct, size in SIZES.items():
        if ctypes.sizeof(struct) != size:
            raise AbiMismatchError(f"{struct.__name__} has {ctypes.sizeof(struct)} bytes here and {size} in the library: "
                                   "this platform lays out C structs in another way")


class _Calls:
    """The library's functions, with their prototypes set, as attributes."""

    def __init__(self, name: str, library: ctypes.CDLL) -> None:
        for function_name, (result_type, argument_types) in FUNCTIONS.items():
            try:
                function = getattr(library, function_name)
            except AttributeError:
                raise AbiMismatchError(f"{name} lacks {function_name}") from None
            function.restype = result_type
            function.argtypes = argument_types
            setattr(self, function_name, function)

    if TYPE_CHECKING:
        def __getattr__(self, name: str) -> Any: ...


def _load() -> tuple[str, _Calls, _Calls, ctypes.PyDLL]:
    if not sys.platform.startswith("linux"):
        raise LibraryNotFoundError(f"libjumping needs Linux (CLOCK_BOOTTIME), this is {sys.platform}")
    name, releasing, holding = _open()
    _check_abi(name, releasing)
    return name, _Calls(name, holding), _Calls(name, releasing), holding


# Calls take about a microsecond, less than a hand-over of the interpreter lock costs; and while the lock is held, two
# Python threads that misuse one endpoint cannot be inside the library at once. The passphrase stretcher takes some
# 100 ms: it alone goes through the handle that releases the lock.
LIBRARY_PATH, calls, calls_without_gil, _holding = _load()


@functools.cache
def ready(function_name: str) -> Any:
    """The function without its prototype, for arguments that are C values already (``c_uint64``, ``byref`` ...).

    Checking and converting eight arguments costs ctypes more than the rest of a call: the data path keeps its C values and
    calls through this. A Python int must never be passed: ctypes would take it for a C int of 32 bits.
    """
    function = _holding[function_name]  # an item, unlike an attribute, is a function object of its own
    function.restype = ctypes.c_int32
    return function


def text(function_name: str, number: int) -> str:
    """The constant string that a ``jmp_*_name`` function or ``jmp_strerror`` has for ``number``."""
    if not -2**31 <= number < 2**32:
        raise ValueError(f"{number} does not fit the library's 32 bits")
    return getattr(calls, function_name)(number).decode("ascii")  # type: ignore[no-any-return]


def version() -> str:
    """The version of the library that was loaded."""
    return calls.jmp_version().decode("ascii")  # type: ignore[no-any-return]


def fail(status: int, detail: Optional[str] = None, reason: Optional[str] = None) -> NoReturn:
    """Raises the exception for a negative ``status``; ``detail`` follows the library's own sentence."""
    message = calls.jmp_strerror(status).decode("ascii", "replace")
    if detail:
        message = f"{message}: {detail}"
    error_class = error_class_for_status(status)
    if error_class is SessionTerminated:
        raise SessionTerminated(status, f"{message} ({reason})" if reason else message, reason)
    raise error_class(status, message)


def check(status: int, detail: Optional[str] = None) -> None:
    """Raises unless ``status`` is success."""
    if status != 0:
        fail(status, detail)
