"""The two networks of the DCGAN example, for images of 28 x 28.

Source: Radford, Metz and Chintala, 2016, https://arxiv.org/abs/1511.06434.
"""

import trainkit as tk
from trainkit import nn

LATENT = 64


class Generator(nn.Module):
    """Draws images: (N, LATENT, 1, 1) of noise to (N, 1, 28, 28) in [-1, 1]."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose2d(LATENT, 4 * width, 7, bias=False),  # 7 x 7
            nn.BatchNorm2d(4 * width),
            nn.ReLU(),
            nn.ConvTranspose2d(4 * width, 2 * width, 4, stride=2, padding=1, bias=False),  # 14 x 14
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.ConvTranspose2d(2 * width, 1, 4, stride=2, padding=1, bias=False),  # 28 x 28
            nn.Tanh(),
        )

    def forward(self, noise: tk.Tensor) -> tk.Tensor:
        """Map noise to images."""
        return self.main(noise)


class Discriminator(nn.Module):
    """Tells images from drawn ones: (N, 1, 28, 28) to (N,) logits, above 0 for what looks real."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(1, width, 4, stride=2, padding=1, bias=False),  # 14 x 14
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1, bias=False),  # 7 x 7
            nn.BatchNorm2d(2 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 7, bias=False),
        )

    def forward(self, images: tk.Tensor) -> tk.Tensor:
        """Map images to logits."""
        return self.main(images).flatten()


def draw_weights(module: nn.Module) -> None:
    """Give a layer the initial values of the paper; for `net.apply`."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1, 0.02)
