import sys
from pathlib import Path

# pytest imports test files by their path here; the helper beside them is found by its name.
sys.path.insert(0, str(Path(__file__).parent))
