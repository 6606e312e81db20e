import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from trainkit import kernels
from trainkit.errors import ArgumentError
from trainkit.kernels import cache

PROGRAM = """
import numpy as np
from trainkit import kernels
x = np.linspace(-1, 1, 7000, dtype=np.float32)  # few elements would be numpy's
assert (kernels.relu(x) == np.maximum(x, 0)).all()
info = kernels.cache_info()
print(info.folder, info.files, sep="\\n")
"""


def start(cache, program=PROGRAM, **variables):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TRAINKIT_")}
    environment |= {"TRAINKIT_CACHE": str(cache), "PYTHONWARNINGS": "error"} | variables
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process):
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return output.splitlines(), errors


def test_two_processes_compile_at_once_and_the_third_finds_their_code(tmp_path):
    both = [start(tmp_path), start(tmp_path)]
    for process in both:
        (folder, files), errors = end(process)
        assert Path(folder).parent == tmp_path / "kernels"
        assert int(files) >= 2
        lines = errors.splitlines()
        assert len(lines) in {0, 2}  # none for the one that came too late to compile anything
        assert all(line.startswith("trainkit: ") for line in lines)
    before = sorted(path.name for path in Path(folder).iterdir())
    _, errors = end(start(tmp_path))
    assert errors == ""
    assert sorted(path.name for path in Path(folder).iterdir()) == before


def test_torn_files_are_compiled_again(tmp_path):
    (folder, _), _ = end(start(tmp_path, TRAINKIT_QUIET="1"))
    for file in Path(folder).glob("*.nb[ic]"):
        file.write_bytes(file.read_bytes()[:20])
    _, errors = end(start(tmp_path, TRAINKIT_QUIET="1"))
    assert errors == ""


def damaged(folder, ending, change):
    files = list(Path(folder).glob(f"*{ending}"))
    assert files
    for file in files:
        file.write_bytes(change(bytearray(file.read_bytes())))


@pytest.mark.parametrize(("ending", "count"), [(".nbi", 16), (".nbc", 1)])
def test_damaged_files_are_compiled_again(tmp_path, ending, count):
    """One bit in the middle, as a disk that fails leaves it: machine code that runs all the same, and computes else.

    In an index a single bit may be one that says nothing.
    """

    def flip(content):
        middle = len(content) // 2
        content[middle : middle + count] = bytes(byte ^ 1 for byte in content[middle : middle + count])
        return content

    (folder, _), _ = end(start(tmp_path))
    damaged(folder, ending, flip)
    _, errors = end(start(tmp_path))
    assert "compiled" in errors
    _, errors = end(start(tmp_path))
    assert errors == "", "what was damaged has been replaced"


def test_data_that_is_another_kinds_is_not_taken(tmp_path):
    """An index that names the wrong file would have float64 computed by the code of float32."""
    two = PROGRAM.replace("info =", "kernels.relu(x.astype(np.float64))\ninfo =")
    (folder, _), _ = end(start(tmp_path, two))
    kinds = {}
    for file in Path(folder).glob("*.nbc"):
        kinds.setdefault(file.name.rsplit(".", 2)[0], []).append(file)
    pairs = [files for files in kinds.values() if len(files) == 2]
    assert pairs
    for one, other in pairs:
        first, second = one.read_bytes(), other.read_bytes()
        one.write_bytes(second)
        other.write_bytes(first)
    _, errors = end(start(tmp_path, two))
    assert "compiled" in errors


def test_what_lies_in_a_read_only_folder_is_used(tmp_path):
    """The folder is said to be one: root, as whom tests often run, writes into every folder."""
    (folder, _), _ = end(start(tmp_path))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    program = f"""
import tempfile
plain = tempfile.TemporaryFile
def refuse(*args, dir=None, **options):
    if str(dir) == {folder!r}:
        raise PermissionError(13, "read-only")
    return plain(*args, dir=dir, **options)
tempfile.TemporaryFile = refuse
{PROGRAM}
print(info.wanted)
"""
    (elsewhere, files, wanted), errors = end(start(tmp_path, program, TMPDIR=str(temporary)))
    assert Path(elsewhere).is_relative_to(temporary)
    assert wanted == folder
    assert (files, errors) == ("0", ""), "nothing was compiled"


def test_the_key_is_of_sources_versions_and_cpu(monkeypatch):
    import llvmlite.binding
    import numba

    key = cache._key.__wrapped__
    plain = key()
    assert plain == key() == cache._key()
    monkeypatch.setattr(numba, "__version__", "0.0.0")
    assert key() != plain
    monkeypatch.undo()
    monkeypatch.setattr(llvmlite.binding, "get_host_cpu_name", lambda: "abacus")
    assert key() != plain
    monkeypatch.undo()
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read(path) + b"#" * (path.name == "simd.py"))
    assert key() != plain


def test_finding_kernels_does_not_import_the_compilers_library(tmp_path):
    """It would take half a second, more than all else of a first step; numba's own way does."""
    end(start(tmp_path))
    end(start(tmp_path, PROGRAM + "import sys; assert 'numba.np.arraymath' not in sys.modules"))


def test_a_folder_that_cannot_be_written_is_replaced_by_a_temporary_one(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("a file where the folder should be: not even root can write into it")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    (folder, _), _ = end(start(blocked, TMPDIR=str(temporary)))
    assert Path(folder).is_relative_to(temporary)


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="owners and modes are POSIX")
def test_a_temporary_folder_that_others_can_write_is_not_trusted(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    planted = tmp_path / f"trainkit-{os.getuid()}"
    planted.mkdir()
    planted.chmod(0o777)
    (folder, _), _ = end(start(blocked, TMPDIR=str(tmp_path)))
    assert not Path(folder).is_relative_to(planted)
    assert not Path(folder).exists()  # it was this process' own, and went with it


PLANTED = "0123456789abcdef0123"


def plant(
    cache, name=PLANTED, files=("some.kernel-1.py311.nbi", "some.kernel-1.py311.1.nbc", ".lock", ".used"), days=31
):
    """A folder of another key, not used for some days."""
    folder = cache / "kernels" / name
    folder.mkdir(parents=True)
    for file in files:
        (folder / file).write_text("something")
    then = time.time() - days * 86_400
    for path in [*folder.iterdir(), folder]:
        os.utime(path, (then, then))
    return folder


def tidied(cache, program="from trainkit import kernels; print(kernels.cache_info().folder)", **variables):
    """The folder of a process that uses a cache for the first time that day."""
    (folder,), errors = end(start(cache, program, **variables))
    assert errors == ""
    return Path(folder)


def test_folders_of_other_keys_are_removed_when_nobody_has_used_them_for_long(tmp_path):
    stamped = plant(tmp_path)
    before_stamps = plant(tmp_path, PLANTED[::-1], ["some.kernel-1.py311.nbi", "some.kernel-1.py311.1.nbc.tmp.0a1b"])
    interrupted = plant(tmp_path, f"{'f' * 20}.old", ["some.kernel-1.py311.1.nbc"])
    recent = plant(tmp_path, "a" * 20, days=29)
    folder = tidied(tmp_path)
    assert not stamped.exists()
    assert not before_stamps.exists()
    assert not interrupted.exists()
    assert sorted(folder.parent.iterdir()) == sorted([folder, recent])


def test_one_start_a_day_tidies_up(tmp_path):
    folder = tidied(tmp_path)
    stamp = folder / ".used"
    planted, first = plant(tmp_path), stamp.stat().st_mtime
    tidied(tmp_path)
    assert planted.exists()
    assert stamp.stat().st_mtime == first
    os.utime(stamp, (first - 90_000, first - 90_000))
    tidied(tmp_path)
    assert not planted.exists()
    assert stamp.stat().st_mtime >= first, "and it says again that the folder was used"


def test_nothing_is_removed_but_what_is_ours(tmp_path):
    kept = [
        plant(tmp_path, PLANTED[:19]),
        plant(tmp_path, PLANTED + "4"),
        plant(tmp_path, PLANTED.upper()),
        plant(tmp_path, PLANTED + ".bak"),
        plant(tmp_path, "b" * 20, [".used", "letter.txt"]),
        plant(tmp_path, "c" * 20, []),
        plant(tmp_path, "kernels"),
        plant(tmp_path / "elsewhere"),
    ]
    nested = plant(tmp_path, "d" * 20, [".used"])
    (nested / "folder.nbi").mkdir()
    os.utime(nested, (0, 0))
    link = tmp_path / "kernels" / ("e" * 20)
    link.symlink_to(kept[-1], target_is_directory=True)
    before = sorted(tmp_path.rglob("*"))
    folder = tidied(tmp_path)
    assert sorted(path for path in tmp_path.rglob("*") if not path.is_relative_to(folder)) == before


@pytest.mark.skipif(os.name != "posix", reason="locks are POSIX")
def test_a_folder_in_use_is_not_removed_however_old_its_stamp_is(tmp_path):
    own = tidied(tmp_path)
    program = "from trainkit.kernels import cache; cache._hold(cache.Path({!r})); print('held', flush=True); input()"
    planted = plant(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-c", program.format(str(planted))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "held\n"
        for path in (planted / ".used", planted, own / ".used"):
            os.utime(path, (0, 0))  # it has run for years
        tidied(tmp_path)
        assert planted.exists()
    finally:
        process.communicate("", timeout=60)
    os.utime(own / ".used", (0, 0))
    tidied(tmp_path)
    assert not planted.exists()


def test_a_folder_that_is_removed_while_it_is_taken_up_is_made_anew(tmp_path, monkeypatch):
    folder = plant(tmp_path)
    plain, calls = cache._opened, []

    def opened(stamp):
        if not calls:  # between the opening and the lock
            calls.append(plain(stamp))
            os.utime(stamp, (0, 0))
            cache._remove_unused(folder)
            assert not folder.exists()
            return calls[0]
        return plain(stamp)

    monkeypatch.setattr(cache, "_opened", opened)
    assert cache._hold(folder)
    assert [path.name for path in folder.iterdir()] == [".used"]


def test_many_processes_tidy_up_at_once(tmp_path):
    planted = [plant(tmp_path, f"{i:020x}") for i in range(60)]
    program = "from trainkit import kernels; print(kernels.cache_info().folder)"
    for process in [start(tmp_path, program) for _ in range(4)]:
        (folder,), errors = end(process)
        assert errors == ""
    assert not any(path.exists() for path in planted)
    assert list((tmp_path / "kernels").iterdir()) == [Path(folder)]


@pytest.mark.parametrize("function", ["rename", "iterdir", "unlink", "lstat"])
def test_a_parent_that_cannot_be_written_or_read_stops_nobody(tmp_path, function):
    """The folder is said to be one: root, as whom tests often run, writes into every folder."""
    planted = plant(tmp_path)
    program = f"""
from pathlib import Path
plain = Path.{function}
def refuse(path, *args, **options):
    if path.name in ("kernels", {PLANTED!r}) or path.parent.name.endswith(".old"):
        raise PermissionError(13, "read-only")
    return plain(path, *args, **options)
Path.{function} = refuse
from trainkit import kernels
print(kernels.cache_info().folder)
"""
    folder = tidied(tmp_path, program)
    assert folder.is_dir()
    assert planted.exists() or planted.with_suffix(".old").exists()


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() == 0, reason="root writes everywhere")
def test_a_parent_that_is_read_only_stops_nobody(tmp_path):
    folder, planted = tidied(tmp_path), plant(tmp_path)
    os.utime(folder / ".used", (0, 0))
    folder.parent.chmod(0o555)
    try:
        assert tidied(tmp_path) == folder
        assert planted.exists()
    finally:
        folder.parent.chmod(0o755)


def test_a_stamp_that_cannot_be_written_stops_nobody(tmp_path):
    folder = tidied(tmp_path)
    (folder / ".used").unlink()
    (folder / ".used").mkdir()
    assert tidied(tmp_path) == folder


def test_numba_keeps_its_settings(tmp_path):
    program = """
import numba, numpy as np
before = numba.get_num_threads(), numba.get_parallel_chunksize(), numba.config.CACHE_DIR
from trainkit import kernels
kernels.set_num_threads(1)
kernels.channel_sum(np.ones((2, 3, 4), np.float32))
assert (numba.get_num_threads(), numba.get_parallel_chunksize(), numba.config.CACHE_DIR) == before
assert kernels.get_num_threads() == 1
"""
    end(start(tmp_path, program, TRAINKIT_QUIET="1"))


def test_the_number_of_threads(tmp_path):
    program = "from trainkit import kernels; print(kernels.get_num_threads())"
    assert end(start(tmp_path, program, TRAINKIT_NUM_THREADS="1"))[0] == ["1"]
    most = end(start(tmp_path, program))[0]
    assert end(start(tmp_path, program, TRAINKIT_NUM_THREADS="100000"))[0] == most
    for wrong in ("0", "many", ""):
        assert end(start(tmp_path, program, TRAINKIT_NUM_THREADS=wrong))[0] == most
    for wrong in (0, -1, 1.5, True):
        with pytest.raises(ArgumentError, match="at least 1"):
            kernels.set_num_threads(wrong)


def test_kernels_run_from_several_python_threads():
    from concurrent.futures import ThreadPoolExecutor

    x = np.random.default_rng(0).standard_normal((8, 40_000)).astype(np.float32)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(kernels.relu, [x] * 16):
            np.testing.assert_array_equal(found, np.maximum(x, 0))


def test_the_door():
    assert sorted(kernels.__all__) == kernels.__all__ or set(kernels.__all__) == set(dict.fromkeys(kernels.__all__))
    for name in kernels.__all__:
        assert getattr(kernels, name).__doc__
