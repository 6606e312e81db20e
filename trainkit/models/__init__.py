"""Networks by name, with the parameters of torchvision's: names, shapes, order and initial distributions.

A state dict of theirs loads, from a safetensors file or from torch's own: `net.load_state_dict(trainkit.load(path))`.
Nothing is downloaded.
"""

from trainkit.models.lenet import LeNet5
from trainkit.models.mnist import MNISTNet
from trainkit.models.mobilenet import MobileNetV2, mobilenet_v2
from trainkit.models.resnet import BasicBlock, Bottleneck, ResNet, resnet18, resnet34, resnet50
from trainkit.models.vgg import VGG, vgg11, vgg11_bn

__all__ = [
    "VGG",
    "BasicBlock",
    "Bottleneck",
    "LeNet5",
    "MNISTNet",
    "MobileNetV2",
    "ResNet",
    "mobilenet_v2",
    "resnet18",
    "resnet34",
    "resnet50",
    "vgg11",
    "vgg11_bn",
]
