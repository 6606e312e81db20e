"""Compile every kernel ahead: `python -m trainkit.warmup`, with `--dtype float32` for one dtype alone."""

import argparse
import os
import sys
import time

from tqdm.auto import tqdm

from trainkit.kernels import cache_info
from trainkit.kernels.jit import compile_counts
from trainkit.random import fork_rng
from trainkit.warmup.rows import ROWS, run_row

__all__ = ["main"]

DTYPES = ("float32", "float64")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser("python -m trainkit.warmup", description="Compile every kernel ahead.")
    parser.add_argument("--dtype", choices=DTYPES, nargs="+", default=DTYPES, help="only these; both by default")
    parser.add_argument("--list", action="store_true", help="show what would be run, and where the cache lies")
    options = parser.parse_args(arguments)
    info = cache_info()
    if options.list:
        _say(*ROWS, f"cache: {info.folder}, {info.files} files, {info.bytes / 1e6:.1f} MB")
        return 0
    begun = time.perf_counter()
    compiled_before, found_before = compile_counts()
    _run(list(dict.fromkeys(options.dtype)))
    compiled, found = compile_counts()
    compiled, found, seconds = compiled - compiled_before, found - found_before, time.perf_counter() - begun
    info = cache_info()
    if compiled:
        _say(f"compiled {compiled} kernels in {seconds:.1f} s ({found} were there)")
    else:
        _say(f"nothing to compile: all {found} kernels were there, found in {seconds:.1f} s")
    _say(f"they lie in {info.folder} ({info.files} files, {info.bytes / 1e6:.1f} MB)")
    if compiled and info.folder != info.wanted:
        _say(
            f"that is a temporary folder, which need not be there at the next start: {info.wanted} cannot be written. "
            "Set TRAINKIT_CACHE to a folder that can."
        )
    return 0


def _run(dtypes: list[str]) -> None:
    quiet = os.environ.get("TRAINKIT_QUIET")
    os.environ["TRAINKIT_QUIET"] = "1"  # one line is enough
    calls = [(name, dtype) for dtype in dtypes for name in ROWS]
    form = "{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"
    interval = 0.1 if sys.stderr is not None and sys.stderr.isatty() else 10.0
    try:
        with fork_rng(), tqdm(calls, "compiling", bar_format=form, mininterval=interval) as bar:
            for name, dtype in bar:
                bar.set_postfix_str(f"{name}, {dtype}", refresh=interval < 1)
                run_row(name, dtype)
    finally:
        del os.environ["TRAINKIT_QUIET"]
        if quiet is not None:
            os.environ["TRAINKIT_QUIET"] = quiet


def _say(*lines: str) -> None:
    for line in lines:
        print(line)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
