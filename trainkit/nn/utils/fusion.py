"""Batch normalisation in evaluation is an affine map, which the layer before it can do as well."""

import copy
from functools import partial
from typing import Any

from trainkit.autograd import no_grad, zeros
from trainkit.errors import ArgumentError, ShapeError
from trainkit.nn.parameter import Parameter

__all__ = ["fuse_conv_bn_eval", "fuse_conv_bn_weights", "fuse_linear_bn_eval", "fuse_linear_bn_weights"]


def fuse_conv_bn_eval(conv: Any, bn: Any, transpose: bool = False) -> Any:
    """Return a convolution that does what `conv` and then `bn` do, both in evaluation; they stay as they are.

    Args:
        conv: a convolution layer.
        bn: the BatchNorm behind it.
        transpose: it is a transposed convolution, which is seen by itself.

    Raises:
        ArgumentError: one of them is in training, or `bn` keeps no statistics.
        ShapeError: the sizes do not fit.

    >>> import trainkit as tk
    >>> net = tk.nn.Sequential(tk.nn.Conv2d(1, 4, 3, bias=False), tk.nn.BatchNorm2d(4)).eval()
    >>> fused = fuse_conv_bn_eval(*net)
    >>> x = tk.randn(2, 1, 5, 5)
    >>> tk.allclose(fused(x), net(x), atol=1e-5)
    True
    """
    transpose = transpose or getattr(conv, "transposed", False)
    return _fused(conv, bn, "fuse_conv_bn_eval", partial(fuse_conv_bn_weights, transpose=transpose))


def fuse_linear_bn_eval(linear: Any, bn: Any) -> Any:
    """Return a linear layer that does what `linear` and then `bn` do, both in evaluation; see `fuse_conv_bn_eval`.

    Raises:
        ArgumentError: one of them is in training, or `bn` keeps no statistics.
        ShapeError: the sizes do not fit.
    """
    return _fused(linear, bn, "fuse_linear_bn_eval", fuse_linear_bn_weights)


def _fused(layer: Any, bn: Any, name: str, fuse: Any) -> Any:
    if layer.training or bn.training:
        raise ArgumentError(f"{name} needs both layers in evaluation; call eval() first")
    if bn.running_mean is None or bn.running_var is None:
        raise ArgumentError(f"{name} needs the statistics of the norm, which does not track any")
    fused = copy.deepcopy(layer)
    fused.weight, fused.bias = fuse(
        layer.weight, layer.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
    )
    return fused


def fuse_conv_bn_weights(
    conv_w: Any,
    conv_b: Any,
    bn_rm: Any,
    bn_rv: Any,
    bn_eps: float,
    bn_w: Any,
    bn_b: Any,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """Return weight and bias of a convolution with a batch normalisation in it.

    Args:
        conv_w: the weight of the convolution, (out, in / groups, ...), or with `transpose` (in, out / groups, ...).
        conv_b: its bias, or None.
        bn_rm: the running mean of the norm.
        bn_rv: its running variance.
        bn_eps: its eps.
        bn_w: its weight, or None.
        bn_b: its bias, or None.
        transpose: the convolution is a transposed one.

    Raises:
        ShapeError: the sizes do not fit.
    """
    channels = bn_rv.shape[0]
    outputs = conv_w.shape[1 if transpose else 0]
    groups = channels // outputs if transpose and channels % outputs == 0 else 1
    if outputs * groups != channels or conv_w.shape[0] % groups:
        raise ShapeError(f"the norm has {channels} channels, the weight has shape {tuple(conv_w.shape)}")
    with no_grad():
        scale = (bn_rv + bn_eps).rsqrt()
        if bn_w is not None:
            scale = scale * bn_w
        shift = ((zeros(channels) if conv_b is None else conv_b) - bn_rm) * scale
        if bn_b is not None:
            shift = shift + bn_b
        grouped = conv_w.reshape(groups, -1, *conv_w.shape[1:])
        shape = (groups, 1, outputs) if transpose else (1, outputs, 1)
        weight = grouped * scale.reshape(*shape, *(1,) * (conv_w.ndim - 2))
        weight, shift = weight.reshape(conv_w.shape).to(conv_w.dtype), shift.to(conv_w.dtype)
    return Parameter(weight, _learns(conv_w)), Parameter(shift, _learns(conv_w if conv_b is None else conv_b))


def fuse_linear_bn_weights(
    linear_w: Any, linear_b: Any, bn_rm: Any, bn_rv: Any, bn_eps: float, bn_w: Any, bn_b: Any
) -> tuple[Parameter, Parameter]:
    """Return weight and bias of a linear layer with a batch normalisation in it; see `fuse_conv_bn_weights`.

    Raises:
        ShapeError: the sizes do not fit.
    """
    return fuse_conv_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)


def _learns(weight: Any) -> bool:
    return bool(weight.requires_grad)
