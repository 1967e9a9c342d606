"""The session-anchored transport demo over real UDP with real cryptography: a server, a client, two transports.

In a source tree the package `jumping` is taken from ``bindings/python`` unless it is installed.
"""

from __future__ import annotations

import importlib.util
import os
import struct
import sys
from pathlib import Path
from typing import TextIO

__all__ = ["BINDINGS", "COUNTER", "PASSPHRASE", "REALM", "TRANSPORTS", "put", "text_address"]

#: Where a source tree keeps the Python package.
BINDINGS = Path(__file__).resolve().parents[3] / "bindings" / "python"
if importlib.util.find_spec("jumping") is None and BINDINGS.is_dir():
    sys.path.insert(0, str(BINDINGS))

#: Names the deployment when a passphrase becomes a key.
REALM = "jumping-demo"
#: What the demo's commands take as passphrase unless told otherwise. It is public: change it for anything but a demo.
PASSPHRASE = "DEMO_PSK_CHANGE_ME"
#: The two transports, first the one the session begins on.
TRANSPORTS = ("udp:A", "udp:B")
#: A payload begins with its counter.
COUNTER = struct.Struct("!Q")


def text_address(address: object) -> str:
    """``("127.0.0.1", 9999)`` as ``127.0.0.1:9999``; IPv6 hosts in brackets; ``none`` for no address."""
    if not isinstance(address, tuple):
        return "none"
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def put(stream: TextIO, text: str) -> bool:
    """Writes text at once. False when nobody reads the stream any more; it then leads to nowhere from now on."""
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        return False
    return True
