"""Caricatures of an image that is seen through the same views as the picture."""

from __future__ import annotations

import pytest
import torch
from networks import SIZE, conv_net, quick, random_images

import phosphene as ph
from phosphene import transforms
from phosphene._types import FrozenArray
from phosphene.errors import ParameterError
from phosphene.objectives import Caricature, CaricatureOf
from phosphene.render import Recipe

SEED = random_images(1, 3, SIZE, seed=5, dtype=torch.float32)[0]


def features(images):
    module = conv_net().module.double()
    with torch.no_grad():
        return module.conv2(module.act1(module.conv1(images.double()))).flatten(1)


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_both_images_are_seen_through_the_same_view(power):
    seen = []

    def note(views):
        turned = views.flip(3) * 0.5 + 0.1
        seen.append(turned.detach())
        return turned

    objective = CaricatureOf("conv2", FrozenArray.of(SEED), power)
    result = quick(conv_net(), objective, transforms=[transforms.Jitter(4, "roll"), note], steps=1, dtype=torch.float64)
    # The look for dead starts comes first; each look shows the picture and then the image.
    picture, image = seen[2], seen[3]
    here, target = features(picture)[0], features(image)[0]
    dot = float(here @ target)
    cosine = dot / float(1e-6 + here.norm()) / float(1e-6 + target.norm())
    assert float(result.scores[0][0]) == pytest.approx(dot * max(0.1, cosine) ** power, rel=1e-5)
    shifts = [(down, right) for down in range(-4, 5) for right in range(-4, 5)]
    rolled = [SEED.double().roll(shift, (1, 2)).flip(2) * 0.5 + 0.1 for shift in shifts]
    assert any(torch.allclose(image[0], one, rtol=0, atol=1e-9) for one in rolled)


def test_without_transforms_it_is_the_caricature_of_the_images_activations():
    net = conv_net()
    target = FrozenArray.of(features(SEED[None]).view(6, 6, 5))
    canvas = ph.Pixels(*SIZE, start=random_images(1, 3, SIZE, dtype=torch.float32)[0])
    given = quick(net, Caricature("conv2", target, 1.0), parameterization=canvas, dtype=torch.float64)
    matched = quick(net, CaricatureOf("conv2", FrozenArray.of(SEED), 1.0), parameterization=canvas, dtype=torch.float64)
    torch.testing.assert_close(matched.images, given.images, rtol=0, atol=1e-5)


def test_it_needs_the_whole_image():
    recipe = Recipe(parameterization=ph.Pixels(*SIZE), tiles=ph.conditioners.Tiles(6, 6))
    with pytest.raises(ParameterError, match=r"CaricatureOf\(conv2\) needs the whole image"):
        ph.render(conv_net(), CaricatureOf("conv2", FrozenArray.of(SEED)), recipe=recipe, progress=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"cossim_power": -1.0}, "cossim_power is -1"), ({"image": FrozenArray.of([1.0])}, "image is")],
)
def test_parameters_out_of_range_are_refused(options, message):
    with pytest.raises(ParameterError, match=message):
        CaricatureOf("conv2", **{"image": FrozenArray.of(SEED), **options})
