"""What scripts take from `torch` that is neither a function nor a dtype: numbers, and the names of memory formats.

Every tensor here is laid out by its strides and made in the order of its dimensions; formats may be named and mean
nothing.
"""

from math import e, inf, nan, pi

import numpy as np

__all__ = [
    "channels_last",
    "channels_last_3d",
    "contiguous_format",
    "dtype",
    "e",
    "inf",
    "nan",
    "newaxis",
    "pi",
    "preserve_format",
    "strided",
]

newaxis = None
dtype = np.dtype  # of what `isinstance(x.dtype, trainkit.dtype)` asks
strided = "strided"
contiguous_format, preserve_format = "contiguous_format", "preserve_format"
channels_last, channels_last_3d = "channels_last", "channels_last_3d"
