"""Law 2: company does not matter; every draw comes from the image's own stream."""

from __future__ import annotations

import pytest
import torch
from members import (
    OPTIMIZERS,
    RANDOM_TRANSFORMS,
    TRANSFORMS,
    UNITS,
    canvas_channels,
    canvas_for,
    first_channel,
    latents,
    name_of,
    parameterizations,
    transforms_for,
)
from networks import SIZE, conv_net, quick, random_images, stream_names

import phosphene as ph
from phosphene import transforms as t
from phosphene.functional.random import stream_seed
from phosphene.transforms import ViewPipeline, ViewPlan

DOUBLE = {"dtype": torch.float64}


def alike(a: torch.Tensor, b: torch.Tensor) -> None:
    torch.testing.assert_close(a, b, rtol=0, atol=1e-6)


@pytest.mark.parametrize("transform", TRANSFORMS, ids=name_of)
@pytest.mark.parametrize(("channels", "views"), [(3, 1), (1, 3), (5, 2)])
def test_the_views_of_an_image_are_the_same_alone_and_in_a_batch(transform, channels, views):
    images = random_images(3, canvas_channels(transform, channels), SIZE)
    names = ["a", "b", "c"]
    together = ViewPipeline([transform], ViewPlan(SIZE, stream_names(names), views, SIZE)).look(0)(images)
    for i, name in enumerate(names):
        alone = ViewPipeline([transform], ViewPlan(SIZE, stream_names([name]), views, SIZE)).look(0)(images[i : i + 1])
        torch.testing.assert_close(together[i * views : (i + 1) * views], alone, rtol=0, atol=1e-12)


@pytest.mark.parametrize("transform", RANDOM_TRANSFORMS, ids=name_of)
def test_every_image_and_every_view_has_a_draw_of_its_own(transform):
    image = random_images(1, canvas_channels(transform, 3), SIZE).expand(3, -1, -1, -1)
    made = ViewPipeline([transform], ViewPlan(SIZE, stream_names(["a", "b", "c"]), 4, SIZE))
    views = torch.cat([made.look(step)(image) for step in range(5)])
    distinct = len({v.numpy().tobytes() for v in views})
    n_options = {
        t.Jitter(2, mode="crop"): 9,
        t.Jitter(2): 25,
        t.Flip(0.5, 0.5): 4,
        t.Rotate(options_deg=(0.0, 90.0)): 2,
        t.Scale(options=(0.5, 1.0, 1.5)): 3,
    }
    most = n_options.get(transform, 60)
    assert min(most, 20) - 1 <= distinct <= most


@pytest.mark.parametrize("transform", TRANSFORMS, ids=name_of)
def test_a_render_through_a_transform_is_the_same_alone_and_in_a_batch(transform):
    net = conv_net()
    units = [ph.Channel("conv2", 0), ph.Channel("conv2", 4), ph.Neuron("conv2", 1)]
    options = {"transforms": (transform, t.ToInput()), "views": 2, "steps": 2, **DOUBLE}
    options["parameterization"] = canvas_for(transform, *SIZE)
    together = quick(net, units, **options)
    for i in (0, 2):
        alone = quick(net, units[i], **options)
        alike(together.images[i], alone.images[0])
        alike(together.scores[i], alone.scores[0])
        alike(together.robust_scores[i], alone.robust_scores[0])


@pytest.mark.parametrize("unit", UNITS, ids=name_of)
def test_every_unit_gets_the_same_image_alone_and_among_others(unit):
    net = conv_net()
    options = {"transforms": ph.transforms.random_views(0.5, rotate_deg=5, noise=0.1), **DOUBLE}
    company = (
        [ph.Channel("conv2", 1), unit, ph.Layer("conv2")]
        if unit != ph.Layer("conv2")
        else [ph.Channel("conv2", 1), unit]
    )
    together, alone = quick(net, company, **options), quick(net, unit, **options)
    alike(together.images[1], alone.images[0])
    alike(together.final_scores[1], alone.final_scores[0])


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=name_of)
@pytest.mark.parametrize("kind", [ph.Pixels, ph.Fourier])
def test_every_optimizer_gives_an_image_the_same_alone_and_in_a_batch(optimizer, kind):
    net = conv_net()
    units = [ph.Channel("conv2", i) for i in (3, 0, 5)]
    options = {"optimizer": optimizer, "parameterization": kind(*SIZE), "steps": 4, **DOUBLE}
    together, alone = quick(net, units, **options), quick(net, units[2], **options)
    alike(together.images[2], alone.images[0])


def test_the_size_of_the_batches_does_not_matter():
    net = conv_net()
    units = [ph.Channel("conv2", i) for i in range(5)]
    options = {"transforms": t.lucid(), "parameterization": ph.Fourier(24, 23), **DOUBLE}
    whole, halves = quick(net, units, **options), quick(net, units, batch_size=2, **options)
    alike(whole.images, halves.images)


def test_the_order_of_the_units_does_not_matter():
    net = conv_net()
    units = [ph.Channel("conv2", i) for i in range(3)]
    alike(quick(net, units, **DOUBLE).images.flip(0), quick(net, units[::-1], **DOUBLE).images)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (ph.Direction("conv2", [1, 0, 0, 0, 0, 0]), ph.Direction("conv2", [0, 1, 0, 0, 0, 0])),
        (ph.Direction("conv2", [1] * 6), ph.Direction("conv2", [1] * 6, cossim_power=1)),
        (ph.Channel("conv2", 0) - ph.regularizers.L1(0.5), ph.Channel("conv2", 0) - ph.regularizers.L1(0.2)),
        (1.0000001 * ph.Channel("conv2", 0), 1.0000002 * ph.Channel("conv2", 0)),
        (ph.objectives.Custom(first_channel, ("conv1",)), ph.objectives.Custom(first_channel, ("conv2",))),
        (ph.Channel("conv2", 1), ph.Channel("conv2", 2)),
    ],
    ids=lambda o: str(o),
)
def test_objectives_that_look_alike_in_print_keep_their_own_streams(first, second):
    net = conv_net()
    together, alone = quick(net, [first, second], **DOUBLE), quick(net, second, **DOUBLE)
    alike(together.images[1], alone.images[0])


def test_duplicates_of_a_unit_get_different_images_and_the_first_is_the_one_alone():
    net, unit = conv_net(), ph.Channel("conv2", 1)
    twice, alone = quick(net, [unit, unit], **DOUBLE), quick(net, unit, **DOUBLE)
    alike(twice.images[0], alone.images[0])
    assert (twice.images[0] - twice.images[1]).abs().max() > 1e-3


def test_duplicates_of_a_unit_get_different_images_across_batches():
    net, unit = conv_net(), ph.Channel("conv2", 1)
    images = quick(net, [unit] * 4, batch_size=2).images
    assert len({image.numpy().tobytes() for image in images}) == 4


def test_duplicates_do_not_depend_on_the_size_of_the_batches():
    net, unit = conv_net(), ph.Channel("conv2", 1)
    alike(quick(net, [unit] * 4, batch_size=2, **DOUBLE).images, quick(net, [unit] * 4, batch_size=4, **DOUBLE).images)


def test_another_seed_is_another_image():
    net, unit = conv_net(), ph.Channel("conv2", 1)
    assert (quick(net, unit, seed=0).images - quick(net, unit, seed=1).images).abs().max() > 1e-3


def test_a_stream_depends_on_seed_and_on_every_name():
    seeds = [
        stream_seed(0, "a"),
        stream_seed(1, "a"),
        stream_seed(0, "b"),
        stream_seed(0, "a", "b"),
        stream_seed(0, "ab"),
        stream_seed(0, "b", "a"),
    ]
    assert len(set(seeds)) == 6
    assert all(0 <= s < 2**63 for s in seeds)


@pytest.mark.parametrize("parameterization", [*parameterizations(7, 6), *latents(7, 6)], ids=name_of)
def test_the_start_of_an_image_is_its_own_and_the_same_alone(parameterization):
    def start(names):
        made = parameterization.build(
            len(names), stream_names(names).fork("start"), device=torch.device("cpu"), dtype=torch.float64
        )
        found = {name: value for name, value in made.named_parameters() if name not in made.shared}
        return found if parameterization.couples else {**found, "image": made()}

    # What images share is the exception, and is declared.
    together, alone = start(["a", "b", "a"]), start(["b"])
    assert set(together) <= set(alone)
    for name, values in together.items():
        torch.testing.assert_close(values[1:2], alone[name], rtol=0, atol=1e-14)
    assert any(not torch.equal(values[0], values[2]) for values in together.values())
    assert any(not torch.equal(values[0], values[1]) for values in together.values())


@pytest.mark.parametrize(
    "parameterization", [p for p in (*parameterizations(*SIZE), *latents(*SIZE)) if not p.couples], ids=name_of
)
def test_a_render_of_any_parameterization_is_the_same_alone_and_in_a_batch(parameterization):
    net = conv_net()
    units = [ph.Channel("conv2", i) for i in (3, 0, 5)]
    options = {"parameterization": parameterization, "transforms": transforms_for(parameterization), **DOUBLE}
    together, alone = quick(net, units, **options), quick(net, units[2], **options)
    alike(together.images[2], alone.images[0])


@pytest.mark.parametrize("parameterization", [p for p in parameterizations(*SIZE) if p.couples], ids=name_of)
def test_images_that_share_parameters_stay_in_one_batch_however_small_the_batches(parameterization):
    net = conv_net()
    units = [ph.Channel("conv2", i) for i in (3, 0, 5)]
    options = {"parameterization": parameterization, "transforms": transforms_for(parameterization), **DOUBLE}
    together = quick(net, units, **options)
    alike(together.images, quick(net, units, batch_size=1, **options).images)
    assert (together.images[2] - quick(net, units[2], **options).images[0]).abs().max() > 1e-4
