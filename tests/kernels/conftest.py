import sys
from pathlib import Path

import pytest

from trainkit.kernels import conv

# pytest imports test files by their path here; the helper beside them is found by its name.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def _planned_anew():
    """Plans of convolutions are kept; those that a test has changed are not for the tests behind it."""
    yield
    conv._forward.cache_clear()
    conv._phase_ways.cache_clear()
