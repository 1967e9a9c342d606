"""Builds the package; a wheel carries libjumping when one is found.

The library is the file named by ``JUMPING_CARRY``, else the source tree's release build
(``.build/release/libjumping.so``). ``JUMPING_CARRY=none`` builds a wheel without one, which then uses the system's
library. A wheel that carries the library is tagged for this platform, one that does not for any.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:  # setuptools before 70.1 leaves it to the wheel package
    from wheel.bdist_wheel import bdist_wheel  # type: ignore[import-not-found,no-redef]

HERE = Path(__file__).resolve().parent


def library_to_carry() -> "Path | None":
    """The libjumping that goes into the wheel, or None."""
    named = os.environ.get("JUMPING_CARRY")
    if named == "none":
        return None
    if named:
        path = Path(named)
        if not path.is_file():
            raise SystemExit(f"JUMPING_CARRY names {named}, which is not a file")
        return path
    built = HERE.parent.parent / ".build" / "release" / "libjumping.so"
    return built if built.is_file() else None


class DistributionWithLibrary(Distribution):
    """One that carries a library belongs where platform-dependent packages go, as one with extension modules does."""

    def has_ext_modules(self) -> bool:
        return library_to_carry() is not None


class BuildWithLibrary(build_py):
    """Copies the library beside the modules, under its SONAME."""

    def run(self) -> None:
        super().run()
        carried = Path(self.build_lib) / "jumping" / "_carried"
        shutil.rmtree(carried, ignore_errors=True)
        library = library_to_carry()
        if library is None or getattr(self, "editable_mode", False):
            return
        carried.mkdir(parents=True)
        shutil.copyfile(library.resolve(), carried / "libjumping.so.0")


class PlatformWheel(bdist_wheel):
    """A wheel for any Python 3, and for this platform alone when it carries a library."""

    def finalize_options(self) -> None:
        super().finalize_options()
        self.root_is_pure = library_to_carry() is None

    def get_tag(self) -> "tuple[str, str, str]":
        _, _, platform = super().get_tag()
        return "py3", "none", platform


setup(distclass=DistributionWithLibrary, cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": PlatformWheel})
