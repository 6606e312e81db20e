"""What TensorBoard shows, in the form of its files: images, and hyper-parameters beside the curves of a run."""

import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trainkit.autograd import Tensor
from trainkit.errors import ArgumentError

__all__ = ["image_summary", "session_ended", "session_started"]

_MOST, _GAP = 64, 2  # images in a grid, and the pixels between them
_COLOURS = {1: 0, 3: 2, 4: 6}  # PNG's numbers for grey, RGB and RGBA


def image_summary(tag: str, images: Any) -> Any:
    """Return an image, or several in a grid, as a Summary.

    Args:
        tag: its name.
        images: (H, W), (C, H, W) with 1, 3 or 4 channels, (N, H, W) or (N, C, H, W): bytes as they are, other numbers
            in 0..1, or stretched to it where they leave it.

    Raises:
        ArgumentError: it has another shape.
    """
    from tensorboardX.proto.summary_pb2 import Summary

    pixels = _grid(_pixels(images))
    height, width, channels = pixels.shape
    image = Summary.Image(height=height, width=width, colorspace=channels, encoded_image_string=_png(pixels))
    return Summary(value=[Summary.Value(tag=tag, image=image)])


def _pixels(images: Any) -> np.ndarray[Any, Any]:
    """Return (N, C, H, W) bytes."""
    array = images.detach().numpy() if isinstance(images, Tensor) else np.asarray(images)
    if array.ndim == 2 or (array.ndim == 3 and array.shape[0] in _COLOURS):
        array = array[None]
    if array.ndim == 3:
        array = array[:, None]
    if array.ndim != 4 or array.shape[1] not in _COLOURS or not array.size:
        raise ArgumentError(f"images are (N, C, H, W) with 1, 3 or 4 channels, or one of them, got shape {array.shape}")
    array = array[:_MOST]
    if array.dtype == np.uint8:
        return array
    array = np.nan_to_num(array.astype(np.float64))
    low, high = min(array.min(), 0.0), max(array.max(), 1.0)
    if low < 0 or high > 1:
        low, high = array.min(), max(array.max(), array.min() + 1e-12)
    scaled: np.ndarray[Any, Any] = np.rint((array - low) / (high - low) * 255).astype(np.uint8)
    return scaled


def _grid(images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Put (N, C, H, W) side by side, nearly in a square: (H, W, C)."""
    count, channels, height, width = images.shape
    across = math.ceil(math.sqrt(count))
    down = math.ceil(count / across)
    grid = np.zeros((down * (height + _GAP) - _GAP, across * (width + _GAP) - _GAP, channels), np.uint8)
    for place, image in enumerate(images):
        top, left = place // across * (height + _GAP), place % across * (width + _GAP)
        grid[top : top + height, left : left + width] = image.transpose(1, 2, 0)
    return grid


def _png(pixels: np.ndarray[Any, Any]) -> bytes:
    """Encode (H, W, C) bytes as PNG: https://www.w3.org/TR/png-3/."""
    height, width, channels = pixels.shape

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1)  # filter 0 for each
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOURS[channels], 0, 0, 0)
    data = zlib.compress(rows.tobytes())
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def session_started(hparams: Mapping[str, Any], metrics: Sequence[str]) -> list[Any]:
    """Return the hyper-parameters of a run, and the tags of the scalars beside which they are shown, as Summaries.

    What is no number, string or boolean is text. Without tags TensorBoard shows all scalars there are.
    """
    from tensorboardX.proto.api_pb2 import DataType, Experiment, HParamInfo, MetricInfo, MetricName
    from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData, SessionStartInfo

    start, infos = SessionStartInfo(), []
    for name, value in hparams.items():
        if isinstance(value, (bool, np.bool_)):
            start.hparams[name].bool_value, kind = bool(value), "BOOL"
        elif isinstance(value, (int, float, np.number)):
            start.hparams[name].number_value, kind = float(value), "FLOAT64"
        else:
            start.hparams[name].string_value, kind = str(value), "STRING"
        infos.append(HParamInfo(name=name, type=DataType.Value(f"DATA_TYPE_{kind}")))
    summaries = [_hparams_summary("session_start_info", HParamsPluginData(session_start_info=start, version=0))]
    if metrics:
        experiment = Experiment(
            hparam_infos=infos, metric_infos=[MetricInfo(name=MetricName(tag=tag)) for tag in metrics]
        )
        summaries.append(_hparams_summary("experiment", HParamsPluginData(experiment=experiment, version=0)))
    return summaries


def session_ended(failed: bool) -> Any:
    """Return how a run ended as a Summary."""
    from tensorboardX.proto.api_pb2 import Status
    from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData, SessionEndInfo

    info = SessionEndInfo(status=Status.Value("STATUS_FAILURE" if failed else "STATUS_SUCCESS"))
    return _hparams_summary("session_end_info", HParamsPluginData(session_end_info=info, version=0))


def _hparams_summary(name: str, content: Any) -> Any:
    from tensorboardX.proto.summary_pb2 import Summary, SummaryMetadata

    plugin = SummaryMetadata.PluginData(plugin_name="hparams", content=content.SerializeToString())
    return Summary(value=[Summary.Value(tag=f"_hparams_/{name}", metadata=SummaryMetadata(plugin_data=plugin))])
