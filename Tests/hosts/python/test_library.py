"""How the package finds its library, what it says when it cannot, what pip installs, and which Pythons can read it.

``JUMPING_TEST_PYTHON`` names an interpreter whose pip and setuptools may build the wheel; ``JUMPING_TEST_INCLUDE`` the folder
of ``jumping.h``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import venv
import zipfile
from pathlib import Path

import jumping
from jumping import _constants, _functions, _structs

PROJECT = Path(__file__).resolve().parents[3]
PACKAGE = PROJECT / "bindings" / "python"
LIBRARY = Path(jumping.LIBRARY_PATH)
IMPORT = "import jumping; print(jumping.LIBRARY_PATH); print(jumping.library_version())"


def clean_environment(**environment: str) -> dict[str, str]:
    """The given variables and hardly any other.

    Above all no PYTHONPATH: ``pip install bindings/python`` leaves ``jumping.egg-info`` beside the sources, and with them on the
    path pip takes the package for installed already and installs nothing.
    """
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", **environment}


def python(code: str, *, interpreter: str = sys.executable, where: str = "/", **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs ``code`` with a clean environment and the given variables."""
    return subprocess.run([interpreter, "-c", code], env=clean_environment(**environment), cwd=where,
                          capture_output=True, text=True, timeout=60, check=False)


def find_interpreter(version: str) -> "str | None":
    """An interpreter of ``version`` that runs, from PATH or pyenv."""
    candidates = [shutil.which(f"python{version}"), *map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))]
    for candidate in candidates:
        if candidate and python(f"import sys; assert sys.version.startswith('{version}.')", interpreter=candidate).returncode == 0:
            return candidate
    return None


class Finding(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def compile(self, source: str, name: str = "libjumping.so.0") -> str:
        """A shared library of its own kind."""
        (self.folder / "fake.c").write_text(source, encoding="ascii")
        subprocess.run(["cc", "-shared", "-fPIC", f"-Wl,-soname,{name}", "-o", name, "fake.c"], cwd=self.folder, check=True)
        return str(self.folder / name)

    def refusal(self, **environment: str) -> str:
        tried = python(IMPORT, PYTHONPATH=str(PACKAGE), **environment)
        self.assertNotEqual(tried.returncode, 0)
        self.assertIn("ImportError", python(
            "try:\n import jumping\nexcept ImportError as error: print(type(error).__mro__)", PYTHONPATH=str(PACKAGE), **environment).stdout)
        return tried.stderr.strip().splitlines()[-1] if "not found" not in tried.stderr else tried.stderr

    def test_another_abi(self) -> None:
        other = _constants.JMP_ABI_VERSION + 41
        said = self.refusal(JUMPING_LIBRARY=self.compile(f"unsigned jmp_abi_version(void) {{ return {other}; }}"))
        self.assertIn("AbiMismatchError", said)
        self.assertIn(f"ABI {other}", said)
        self.assertIn(f"ABI {_constants.JMP_ABI_VERSION}", said)
        self.assertIn(str(self.folder), said)

    def test_not_libjumping(self) -> None:
        self.assertIn("has no jmp_abi_version", self.refusal(JUMPING_LIBRARY=self.compile("int nothing;")))

    def test_a_function_is_missing(self) -> None:
        said = self.refusal(JUMPING_LIBRARY=self.compile(f"unsigned jmp_abi_version(void) {{ return {_constants.JMP_ABI_VERSION}; }}"))
        self.assertRegex(said, "AbiMismatchError: .* lacks jmp_")

    def test_no_library(self) -> None:
        said = self.refusal(JUMPING_LIBRARY=str(self.folder / "absent.so"))
        self.assertIn("LibraryNotFoundError", said)
        self.assertIn("absent.so", said)
        self.assertIn("JUMPING_LIBRARY", said)
        (self.folder / "text.so").write_text("no library", encoding="ascii")
        self.assertIn("text.so", self.refusal(JUMPING_LIBRARY=str(self.folder / "text.so")))

    def test_system_library(self) -> None:
        shutil.copyfile(LIBRARY.resolve(), self.folder / "libjumping.so.0")
        shutil.copytree(PACKAGE / "jumping", self.folder / "jumping", ignore=shutil.ignore_patterns("__pycache__", "_carried"))
        found = python(IMPORT, PYTHONPATH=str(self.folder), LD_LIBRARY_PATH=str(self.folder))
        self.assertEqual(found.stdout.split()[:1], ["libjumping.so.0"], found.stderr)

    def test_source_tree(self) -> None:
        package = self.folder / "bindings" / "python"
        shutil.copytree(PACKAGE / "jumping", package / "jumping", ignore=shutil.ignore_patterns("__pycache__", "_carried"))
        (self.folder / "Package.swift").touch()
        built = self.folder / ".build" / "release"
        built.mkdir(parents=True)
        shutil.copyfile(LIBRARY.resolve(), built / "libjumping.so")
        if python("import ctypes; ctypes.CDLL('libjumping.so.0')").returncode == 0:
            self.skipTest("libjumping is installed on this machine and comes first")
        found = python(IMPORT, PYTHONPATH=str(package))
        self.assertEqual(found.stdout.split()[:1], [str(built / "libjumping.so")], found.stderr)


class Interface(unittest.TestCase):
    def test_header_and_package_agree(self) -> None:
        """Every function and every constant of the header is in the package, and nothing else."""
        include = Path(os.environ.get("JUMPING_TEST_INCLUDE", PROJECT / "include"))
        header = (include / "jumping.h").read_text(encoding="utf-8")
        declared = set(re.findall(r"^[a-z][\w ]*[ *](jmp_\w+)\(", header, re.MULTILINE))
        self.assertGreater(len(declared), 50)
        self.assertEqual(declared, set(_functions.FUNCTIONS))
        constants = dict(re.findall(r"^#define (JMP_\w+) \(?(-?[0-9]+)u?\)?(?:\s|$)", header, re.MULTILINE))
        self.assertGreater(len(constants), 150)
        self.assertEqual({name: getattr(_constants, name, None) for name in constants},
                         {name: int(value) for name, value in constants.items()})
        sizes = dict(re.findall(r"sizeof\((jmp_\w+)\) == (\d+)", header))
        self.assertEqual({struct.__name__: size for struct, size in _structs.SIZES.items()},
                         {name: int(size) for name, size in sizes.items()})
        for struct, field, offset in re.findall(r"offsetof\((jmp_\w+), (\w+)\) == (\d+)", header):
            known = getattr(_structs, struct)
            self.assertEqual(getattr(known, field if hasattr(known, field) else field + "_").offset, int(offset), f"{struct}.{field}")


class Python39(unittest.TestCase):
    def test_syntax_and_import(self) -> None:
        interpreter = find_interpreter("3.9")
        if interpreter is None:
            self.skipTest("no Python 3.9 here")
        compiled = python("import pathlib, sys\nfor path in sorted(pathlib.Path(sys.argv[-1] if len(sys.argv) > 1 else '.').rglob('*.py')):\n"
                          "    compile(path.read_bytes(), str(path), 'exec'); print(path)", interpreter=interpreter, where=str(PACKAGE))
        self.assertEqual(compiled.returncode, 0, compiled.stderr)
        self.assertGreater(len(compiled.stdout.split()), 20)
        imported = python("import typing, jumping, jumping.aio\n"
                          "for thing in (jumping.Endpoint.connect, jumping.Session.info, jumping.aio.AsyncEndpoint.events):\n"
                          "    assert thing.__annotations__\n" + IMPORT,
                          interpreter=interpreter, PYTHONPATH=str(PACKAGE), JUMPING_LIBRARY=str(LIBRARY.resolve()))
        self.assertEqual(imported.stdout.split()[:1], [str(LIBRARY.resolve())], imported.stderr)


@unittest.skipUnless(os.environ.get("JUMPING_TEST_PYTHON"), "JUMPING_TEST_PYTHON names no interpreter with setuptools")
class Installing(unittest.TestCase):
    """The wheel that pip makes of bindings/python, with a library and without."""

    def build(self, folder: Path, carry: str) -> Path:
        """Builds a wheel of a copy of the package, so that nothing is left in the source tree."""
        copied = folder / "source"
        if not copied.exists():
            shutil.copytree(PACKAGE, copied, ignore=shutil.ignore_patterns("__pycache__", "_carried", "build", "*.egg-info", ".*"))
        made = folder / f"wheel-{len(list(folder.iterdir()))}"
        subprocess.run(
            [os.environ["JUMPING_TEST_PYTHON"], "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps",
             "--no-index", "--no-build-isolation", "--wheel-dir", str(made), str(copied)],
            env=clean_environment(JUMPING_CARRY=carry), cwd=folder, check=True, capture_output=True, timeout=120)
        wheel, = made.glob("*.whl")
        return wheel

    def test_wheels(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            carrying, bare = self.build(folder, str(LIBRARY.resolve())), self.build(folder, "none")
            self.assertRegex(carrying.name, r"^jumping-[0-9.]+-py3-none-linux_\w+\.whl$")
            self.assertRegex(bare.name, r"^jumping-[0-9.]+-py3-none-any\.whl$")
            names = set(zipfile.ZipFile(carrying).namelist())
            self.assertIn("jumping/_carried/libjumping.so.0", names)
            self.assertIn("jumping/py.typed", names)
            modules = {str(path.relative_to(PACKAGE)) for path in (PACKAGE / "jumping").rglob("*.py")}
            self.assertEqual({entry for entry in names if entry.endswith(".py")}, modules)
            self.assertFalse([entry for entry in zipfile.ZipFile(bare).namelist() if "_carried" in entry])
            self.install_and_use(folder, carrying)

    def install_and_use(self, folder: Path, wheel: Path) -> None:
        venv.create(folder / "venv", with_pip=False)
        interpreter = str(folder / "venv" / "bin" / "python")
        subprocess.run([os.environ["JUMPING_TEST_PYTHON"], "-m", "pip", "--python", interpreter, "install", "--quiet",
                        "--disable-pip-version-check", "--no-index", str(wheel)], env=clean_environment(), cwd=folder, check=True,
                       capture_output=True, timeout=120)
        used = python(IMPORT + "; jumping.Endpoint().close()", interpreter=interpreter)
        self.assertEqual(used.returncode, 0, used.stderr)
        self.assertRegex(used.stdout.split()[0], "site-packages/jumping/_carried/libjumping.so.0$")
        if (PACKAGE / "jumping" / "audit.py").exists():
            helped = subprocess.run([str(folder / "venv" / "bin" / "jumping-audit"), "--help"], env=clean_environment(), cwd=folder,
                                    capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(helped.returncode, 0, helped.stderr)


if __name__ == "__main__":
    unittest.main()
