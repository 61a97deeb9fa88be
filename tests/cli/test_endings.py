"""How commands end: signals say how to go on, and output that nobody takes is no reason to lose anything."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest
from study import toy

import steepest
from steepest.cli.run_study import _conclude, _started_workers
from steepest.errors import StudyFolderError
from steepest.study.run import resume, run

TESTS = Path(__file__).parents[1]
PLACES = os.pathsep.join(map(str, (TESTS, Path(steepest.__file__).parents[1])))
COMMAND = """
import sys, time
from pathlib import Path
from unittest.mock import patch
from types import SimpleNamespace
from study import toy
from steepest.cli import main
from steepest.study.executors import FunctionExecutor, LocalProcesses
from steepest.study.run import run

class Slow(FunctionExecutor):
    slow_ends = {slow_ends}

    def close(self):
        if self.slow_ends:
            self.slow_ends -= 1
            print("closing", flush=True)
            time.sleep(60)
        super().close()

def work(job):
    if job.kind == "train" and list((folder / "curves").iterdir()):
        print("training", flush=True)
        time.sleep(60)
    toy.work(job, folder)

folder = Path(sys.argv[1])
main.app = SimpleNamespace(meta=lambda *args, **how: run(toy.spec(), folder, Slow(work)))
main.main()
"""


def _heed_signals() -> None:
    """A background job of a shell would ignore Ctrl-C, and one under nohup a hang-up, and their children with them."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def started(folder: Path, slow_ends: int = 0) -> subprocess.Popen[str]:
    """A command in the middle of its study."""
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND.format(slow_ends=slow_ends), str(folder)],
        env={**os.environ, "PYTHONPATH": PLACES},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_heed_signals,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "training\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_study_in_order_and_says_how_to_go_on(number, tmp_path):
    folder = tmp_path / "my study"
    process = started(folder)
    process.send_signal(number)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 128 + number
    assert said == (
        f"steepest: Stopped with 36 of 104 trials done, which are kept. Go on with: steepest resume '{folder}'\n"
    )
    assert resume(folder, toy.executor(folder)).finished


def test_a_second_signal_says_how_to_go_on_and_a_third_ends_it_at_once(tmp_path):
    for count in (2, 3):
        process = started(tmp_path / str(count), slow_ends=count - 1)
        assert process.stdout is not None
        for _ in range(count - 1):
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == "closing\n", "it is ending, which takes a while"
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=120)
        how = f"steepest resume {tmp_path}/2\n" if count == 2 else "steepest resume FOLDER\n"
        assert said.lower().endswith(f"go on with: {how}".lower())
        assert said.startswith("steepest: ")
        assert process.returncode == 130


def test_signals_that_are_ignored_stay_ignored():
    code = (
        "import os, signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from steepest.cli.ending import heeding_signals\n"
        "with heeding_signals() as heard: os.kill(os.getpid(), signal.SIGHUP); print(heard.count)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": PLACES},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "0\n"


def command(*words: str | bytes, **how) -> subprocess.CompletedProcess:
    """A command, or the code after -c, in a process of its own."""
    return subprocess.run(
        [sys.executable, *(() if words[0] == "-c" else ("-m", "steepest")), *words],
        env={**os.environ, "PYTHONPATH": PLACES},
        timeout=300,
        check=False,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how},
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("ended") / "study"
    run(toy.spec(), folder, toy.executor(folder))
    return folder


def test_a_full_disk_as_output_is_one_sentence(finished):
    with Path("/dev/full").open("wb") as full:
        done = command("verdict", str(finished), stdout=full)
    assert done.stderr == b"steepest: The output cannot be written: No space left on device.\n"
    assert done.returncode == 1


def test_nowhere_to_complain_is_no_reason_for_a_traceback(finished):
    with Path("/dev/full").open("wb") as full:
        assert command("verdict", str(finished / "nowhere"), stderr=full).returncode == 2


def test_a_reader_that_has_seen_enough_ends_a_command_quietly(finished):
    read, write = os.pipe()
    os.close(read)
    done = command("verdict", str(finished), stdout=write)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


SEVERAL = """
import sys
from steepest.cli.main import main
folder = sys.argv[1]
for words in (["verdict"], ["export"], ["show"], ["watch", "--once"], ["report", "--out", folder + ".html"]):
    main([words[0], folder, *words[1:]])
main(["verdict", "no\\udcff"])
"""


def test_a_name_that_is_not_utf_8_is_shown_with_escapes(finished, tmp_path):
    place = os.fsencode(tmp_path) + b"/st\xffdy"
    Path(os.fsdecode(place)).symlink_to(finished)
    done = command("-c", SEVERAL, place)
    assert done.stderr == b"steepest: no\\udcff is not a study folder: it has no study.json.\n", "and nothing before"
    assert done.stdout.rstrip().endswith(b"st\\udcffdy.html")
    assert Path(os.fsdecode(place + b".html")).stat().st_size > 10_000


def test_a_report_that_cannot_be_written_leaves_the_verdict(finished, tmp_path, capsys):
    folder = Path(shutil.copytree(finished, tmp_path / "study"))
    (folder / "report.html").mkdir()
    with pytest.raises(StudyFolderError, match=r"report\.html cannot be written: Is a directory\. .* --out FILE"):
        _conclude(steepest.Study(folder), json=False, full=False)
    assert "Code to paste: steepest use" in capsys.readouterr().out
    with pytest.raises(StudyFolderError):
        _conclude(steepest.Study(folder), json=True, full=False)
    assert '"report": null' in capsys.readouterr().out


def test_a_study_goes_on_where_nobody_can_see_its_progress(monkeypatch, tmp_path):
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stderr", full)
        with steepest.api._progress(None, quiet=False) as show:
            folder = tmp_path / "study"
            assert run(toy.spec("inside"), folder, toy.executor(folder), show).finished
        with pytest.raises(OSError):
            full.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())


@pytest.mark.parametrize(
    "command, place", [("serve", "."), ("verdict", "."), ("report", "."), ("verdict --csv", "table.csv")]
)
def test_what_may_not_be_read_is_told_in_one_sentence(tmp_path: Path, command: str, place: str) -> None:
    if not (setpriv := shutil.which("setpriv")):
        pytest.skip("needs setpriv, of util-linux")
    locked = tmp_path / "locked"
    locked.mkdir()
    (locked / "study.json").touch()
    (locked / "table.csv").touch(mode=0o000)
    locked.chmod(0o600)
    without_rights = [setpriv, "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]
    done = subprocess.run(
        [*without_rights, sys.executable, "-m", "steepest", *command.split(), str(locked / place)],
        env={**os.environ, "PYTHONPATH": PLACES},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2, done.stderr
    assert re.fullmatch(r"steepest: \S+ cannot be (read|used): Permission denied.\n", done.stderr), done.stderr


def test_fewer_workers_than_asked_for_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    with (
        patch("steepest.cli.run_study.prestarted_workers") as started,
        patch("steepest.cli.run_study.cores", lambda: 2),
    ):
        _started_workers(12)
        assert capsys.readouterr().err == "This machine has 2 cores: 2 workers.\n"
        _started_workers(2)
        _started_workers(None)
    assert [call.args for call in started.call_args_list] == [(2,), (2,), (2,)]
    assert not capsys.readouterr().err
