"""torchvision's networks built of torch.nn by hand, for there is none of torchvision's own here."""

import torch
from torch import nn


def conv(planes, out, size, stride=1):
    return nn.Conv2d(planes, out, size, stride, padding=size // 2, bias=False)


class Basic(nn.Module):
    expansion = 1

    def __init__(self, planes, width, stride, downsample):
        super().__init__()
        self.conv1, self.bn1, self.relu = conv(planes, width, 3, stride), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        self.conv2, self.bn2 = conv(width, width, 3), nn.BatchNorm2d(width)
        self.downsample = downsample

    def forward(self, x):
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    expansion = 4

    def __init__(self, planes, width, stride, downsample):
        super().__init__()
        self.conv1, self.bn1 = conv(planes, width, 1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv(width, width, 3, stride), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = conv(width, 4 * width, 1), nn.BatchNorm2d(4 * width)
        self.relu, self.downsample = nn.ReLU(inplace=True), downsample

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn3(self.conv3(self.relu(self.bn2(self.conv2(y)))))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self, block, layers, num_classes=1000, stem="imagenet"):
        super().__init__()
        self.inplanes = 64
        self.conv1 = conv(3, 64, 7, 2) if stem == "imagenet" else conv(3, 64, 3)
        self.bn1, self.relu = nn.BatchNorm2d(64), nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1) if stem == "imagenet" else nn.Identity()
        self.layer1 = self.stage(block, 64, layers[0], 1)
        self.layer2 = self.stage(block, 128, layers[1], 2)
        self.layer3 = self.stage(block, 256, layers[2], 2)
        self.layer4 = self.stage(block, 512, layers[3], 2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512 * block.expansion, num_classes)

    def stage(self, block, width, count, stride):
        out = width * block.expansion
        downsample = None
        if stride != 1 or self.inplanes != out:
            downsample = nn.Sequential(conv(self.inplanes, out, 1, stride), nn.BatchNorm2d(out))
        blocks = [block(self.inplanes, width, stride, downsample)]
        self.inplanes = out
        return nn.Sequential(*blocks, *[block(out, width, 1, None) for _ in range(1, count)])

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


class VGG(nn.Module):
    def __init__(self, batch_norm=False, num_classes=1000):
        super().__init__()
        layers, planes = [], 3
        for v in [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"]:
            if v == "M":
                layers += [nn.MaxPool2d(2, 2)]
            else:
                layers += [nn.Conv2d(planes, v, 3, padding=1)]
                layers += [nn.BatchNorm2d(v)] if batch_norm else []
                layers += [nn.ReLU(inplace=True)]
                planes = v
        self.features, self.avgpool = nn.Sequential(*layers), nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            *(nn.Linear(512 * 7 * 7, 4096), nn.ReLU(True), nn.Dropout()),
            *(nn.Linear(4096, 4096), nn.ReLU(True), nn.Dropout()),
            nn.Linear(4096, num_classes),
        )

    def forward(self, x):
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


def normalised(planes, out, size=3, stride=1, groups=1):
    """torchvision's Conv2dNormActivation."""
    inner = nn.Conv2d(planes, out, size, stride, (size - 1) // 2, groups=groups, bias=False)
    return nn.Sequential(inner, nn.BatchNorm2d(out), nn.ReLU6(inplace=True))


class InvertedResidual(nn.Module):
    def __init__(self, planes, out, stride, expand_ratio):
        super().__init__()
        hidden = round(planes * expand_ratio)
        self.use_res_connect = stride == 1 and planes == out
        layers = []
        if expand_ratio != 1:
            layers.append(normalised(planes, hidden, 1))
        layers += [normalised(hidden, hidden, 3, stride, hidden), nn.Conv2d(hidden, out, 1, bias=False)]
        self.conv = nn.Sequential(*layers, nn.BatchNorm2d(out))

    def forward(self, x):
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


def make_divisible(v, divisor=8):
    new = max(divisor, int(v + divisor / 2) // divisor * divisor)
    return new + divisor if new < 0.9 * v else new


class MobileNetV2(nn.Module):
    settings = (
        [1, 16, 1, 1],
        [6, 24, 2, 2],
        [6, 32, 3, 2],
        [6, 64, 4, 2],
        [6, 96, 3, 1],
        [6, 160, 3, 2],
        [6, 320, 1, 1],
    )

    def __init__(self, num_classes=1000, width_mult=1.0):
        super().__init__()
        planes, last = make_divisible(32 * width_mult), make_divisible(1280 * max(1.0, width_mult))
        features = [normalised(3, planes, 3, 2)]
        for t, c, n, s in self.settings:
            out = make_divisible(c * width_mult)
            for i in range(n):
                features.append(InvertedResidual(planes, out, s if i == 0 else 1, t))
                planes = out
        self.features = nn.Sequential(*features, normalised(planes, last, 1))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(last, num_classes))

    def forward(self, x):
        x = nn.functional.adaptive_avg_pool2d(self.features(x), (1, 1))
        return self.classifier(torch.flatten(x, 1))


def stir(net):
    """Give the statistics and the weights of normalisation values that no network begins with."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.2)
    return net


NETWORKS = {
    "resnet18": lambda **options: ResNet(Basic, [2, 2, 2, 2], **options),
    "resnet34": lambda **options: ResNet(Basic, [3, 4, 6, 3], **options),
    "resnet50": lambda **options: ResNet(Bottleneck, [3, 4, 6, 3], **options),
    "vgg11": lambda **options: VGG(False, **options),
    "vgg11_bn": lambda **options: VGG(True, **options),
    "mobilenet_v2": MobileNetV2,
}
