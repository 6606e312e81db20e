"""The initial values that torchvision gives its networks."""

from trainkit import nn
from trainkit.nn import init
from trainkit.nn.module import Module

__all__ = ["draw_weights"]


def draw_weights(net: Module) -> None:
    """Draw the weights of convolutions and linear layers; normalisation starts as the identity, biases at 0.

    Source: He et al., 2015, https://arxiv.org/abs/1502.01852, by the fan out; linear layers have a deviation of 0.01.
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            init.normal_(module.weight, 0, 0.01)
        if isinstance(module, (nn.Conv2d, nn.Linear)) and module.bias is not None:
            init.zeros_(module.bias)
