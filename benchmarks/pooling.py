"""Pooling, resizing and padding alone, on the shapes of ResNet-18: forward and backward."""

from collections.abc import Callable
from typing import Any

from benchmarks.losses import there_and_back
from benchmarks.workloads import Workload

__all__ = ["WORKLOADS"]


def row(title: str, shape: tuple[int, ...], call: Callable[[Any, Any], Any]) -> Workload:
    """Return the row of `call(functional, x)` with an x of `shape`."""
    size = "x".join(map(str, shape))
    return Workload(f"{title} {size}, forward and backward", there_and_back(call, shape))


WORKLOADS = {
    "pool_max_3": row("max pool 3x3, stride 2, padding 1", (8, 64, 112, 112), lambda F, x: F.max_pool2d(x, 3, 2, 1)),
    "pool_max_2": row("max pool 2x2", (8, 64, 112, 112), lambda F, x: F.max_pool2d(x, 2)),
    "pool_max_3d": row("max pool 2x2x2", (2, 16, 16, 56, 56), lambda F, x: F.max_pool3d(x, 2)),
    "pool_avg_2": row("average pool 2x2", (8, 64, 112, 112), lambda F, x: F.avg_pool2d(x, 2)),
    "pool_avg_3": row("average pool 3x3, stride 1, padding 1", (8, 64, 56, 56), lambda F, x: F.avg_pool2d(x, 3, 1, 1)),
    "pool_global": row("global average pool", (32, 512, 7, 7), lambda F, x: F.adaptive_avg_pool2d(x, 1)),
    "pool_adaptive": row("adaptive average pool to 7x7", (8, 512, 14, 14), lambda F, x: F.adaptive_avg_pool2d(x, 7)),
    "pool_adaptive_max": row("adaptive max pool to 7x7", (8, 512, 14, 14), lambda F, x: F.adaptive_max_pool2d(x, 7)),
    "resize_bilinear": row(
        "bilinear upsampling x2", (8, 64, 56, 56), lambda F, x: F.interpolate(x, scale_factor=2, mode="bilinear")
    ),
    "resize_nearest": row("nearest upsampling x2", (8, 64, 56, 56), lambda F, x: F.interpolate(x, scale_factor=2)),
    "resize_bicubic": row(
        "bicubic upsampling x2", (8, 64, 56, 56), lambda F, x: F.interpolate(x, scale_factor=2, mode="bicubic")
    ),
    "pad_reflect": row("reflection padding", (8, 64, 56, 56), lambda F, x: F.pad(x, (1, 1, 1, 1), mode="reflect")),
}
