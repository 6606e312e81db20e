"""The comparisons run where the oracles are, in the environment of `make oracle`."""

import warnings
from importlib.util import find_spec

collect_ignore_glob = []

if find_spec("torch") and find_spec("ignite"):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # importing ignite calls what torch has deprecated
        import ignite.engine  # noqa: F401
else:
    collect_ignore_glob.append("test_*.py")
