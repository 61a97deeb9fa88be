"""Packages of each kind are opened by the bytes, and each client is asked in its own way; nothing in them is run."""

import hashlib
import io
import os
import tarfile
import zipfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from steepest.datasets.download import WebFile
from steepest.datasets.packages import CLIENTS, Package, Unavailable, downloaded, handed, installed, opened

FILES = {"box/data/b.txt": b"bee", "box/data/a.txt": b"ay", "box/data/c.bin": b"sea"}


@cache  # a zipped archive holds the time of its making
def packed(files: tuple[tuple[str, bytes], ...], kind: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{kind}") as archive:  # type: ignore[call-overload]
        for name, content in files:
            item = tarfile.TarInfo(name)
            item.size = len(content)
            archive.addfile(item, io.BytesIO(content))
    return buffer.getvalue()


def tar(files: dict[str, bytes] = FILES, kind: str = "gz") -> bytes:
    return packed(tuple(files.items()), kind)


def deb(files: dict[str, bytes]) -> bytes:
    """A Debian package by the book: an `ar` archive of a version, a control archive of odd size, and the files."""
    package = b"!<arch>\n"
    members = ((b"debian-binary", b"2.0\n"), (b"control.tar.xz", b"odd"), (b"data.tar.xz", tar(files, "xz")))
    for name, content in members:
        package += name.ljust(16) + b"0".ljust(12) + b"0".ljust(6) * 2 + b"100644  "
        package += str(len(content)).encode().ljust(10) + b"`\n" + content + b"\n" * (len(content) % 2)
    return package


def package(content: bytes, **changes) -> Package:
    given = Package(
        kind="npm",
        name="steepest-test-box",
        version="1.0",
        members=("box/data/*.txt",),
        read=lambda files: {},
        file="steepest-test-box-1.0.tgz",
        sha256=hashlib.sha256(content).hexdigest(),
    )
    return replace(given, **changes)


@pytest.mark.parametrize("kind", ["npm", "sdist"])
def test_the_members_of_an_archive_come_in_the_order_of_their_names(kind):
    assert opened(package(tar(), kind=kind), tar()) == [b"ay", b"bee"]
    both = package(tar(), kind=kind, members=("box/data/c.bin", "box/data/a.txt"))
    assert opened(both, tar()) == [b"sea", b"ay"]


def test_a_debian_package_is_opened_without_any_tool_of_debian():
    archive = deb({f"./usr/share/{name}": content for name, content in FILES.items()})
    assert opened(package(archive, kind="deb", members=("usr/share/box/data/*.txt",)), archive) == [b"ay", b"bee"]


def test_an_altered_package_is_refused_before_it_is_opened():
    with pytest.raises(Unavailable, match="damaged or altered"):
        opened(package(tar()), tar()[:-1])


def test_a_member_that_is_missing_is_named():
    with pytest.raises(Unavailable, match=r"does not contain box/data/\*\.json"):
        opened(package(tar(), members=("box/data/*.txt", "box/data/*.json")), tar())
    with pytest.raises(Unavailable, match="no files"):
        opened(package(deb({})[:-200][:72], kind="deb"), deb({})[:-200][:72])


def test_a_package_file_is_handed_over_or_not_there(tmp_path):
    box = package(tar())
    assert handed(box, tmp_path) is None
    (tmp_path / box.file).write_bytes(tar())
    assert handed(box, tmp_path) == [b"ay", b"bee"]


def test_only_what_can_be_installed_for_all_is_looked_for():
    assert installed(package(tar())) is None
    assert installed(package(tar(), kind="wheel")) is None
    found = installed(package(tar(), kind="wheel", name="pytest", members=("_pytest/_py/*.py",)))
    assert found
    assert installed(package(tar(), kind="deb", members=("etc/hostname-of-nobody",))) is None


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_the_archive_of_a_publisher_is_opened_as_a_package_is(tmp_path, kind):
    (tmp_path / "box").write_bytes(zipped(FILES) if kind == "zip" else tar())
    content = (tmp_path / "box").read_bytes()
    file = WebFile("box", "https://example.org/get?file=7", hashlib.sha256(content).hexdigest(), len(content))
    box = package(b"", kind="web", members=("box/data/*.txt",), web=(file,))
    assert handed(box, tmp_path) == [b"ay", b"bee"]
    assert (file.host, installed(box)) == ("example.org", None)
    assert handed(box, tmp_path / "elsewhere") is None
    (tmp_path / "box").write_bytes(content[:-1])
    with pytest.raises(Unavailable, match="box is damaged or altered"):
        handed(box, tmp_path)


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_a_client_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Unavailable, match=r"npm pack steepest-test-box@1\.0 failed: npm is not installed"):
        downloaded(package(tar()), tmp_path)
    with pytest.raises(Unavailable, match=r"apt-get download steepest-test-box=1.0 failed: apt-get is not installed"):
        downloaded(package(tar(), kind="deb"), tmp_path)


def test_pip_runs_no_source_package_but_the_one_that_is_meant(tmp_path, monkeypatch):
    """Asked what it needs, a source package is run: so the checksum has to be looked at before that."""
    ran = tmp_path / "it-ran"
    setup = (
        f"open({str(ran)!r}, 'w').close()\nfrom setuptools import setup\nsetup(name='steepest-test-box', version='1.0')"
    )
    source = tar({"steepest-test-box-1.0/setup.py": setup.encode()})
    (tmp_path / "steepest-test-box-1.0.tar.gz").write_bytes(source)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    meant = package(b"another", kind="sdist", file="steepest-test-box-1.0.tar.gz", members=("steepest-test-box-1.0/*",))
    with pytest.raises(Unavailable, match="damaged or altered"):
        downloaded(meant, tmp_path)
    assert not ran.exists()


def test_a_wheel_for_another_machine_is_asked_for_by_that_machines_name(tmp_path):
    box = package(b"", kind="wheel", file="box-1.0-cp311-cp311-manylinux.whl", platform="manylinux2014_x86_64")
    command = [*CLIENTS["wheel"].command(box, tmp_path)]
    assert command[command.index("--platform") + 1] == "manylinux2014_x86_64"
    assert command[command.index("--python-version") + 1] == "311"
    assert Path(command[command.index("--requirement") + 1]).read_text().startswith("steepest-test-box==1.0 --hash")
