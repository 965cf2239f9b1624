"""Codes of a generator: the image is what the generator draws, the score climbs, constraints hold, images are alone."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from networks import CPU, conv_net, quick, random_images, scores, seeded, stream_names, streams
from torch import Tensor, nn

import phosphene as ph
from phosphene import optimizers as o
from phosphene.errors import ArgumentError, ParameterError, TrustError, WeightsError
from phosphene.objectives import Custom
from phosphene.parameterizations import Parameterization
from phosphene.parameterizations.generators import (
    CappedNorm,
    CustomGenerator,
    GaussianPrior,
    Latent,
    LatentConstraint,
    UnitNorm,
)
from phosphene.parameterizations.generators.custom import UnsavedGenerator

CODE, CHANNELS, SIZE = 5, 3, (6, 7)
D = CHANNELS * math.prod(SIZE)
CONSTRAINTS = (None, UnitNorm(), UnitNorm(2.5), CappedNorm(1.5), GaussianPrior(0.1))


def linear_module(code: int = CODE, size: tuple[int, int] = SIZE, channels: int = CHANNELS) -> nn.Sequential:
    """z to 0.5 + W z, small enough to stay within [0, 1]."""
    module = seeded(nn.Sequential(nn.Linear(code, channels * math.prod(size)), nn.Unflatten(1, (channels, *size))))
    with torch.no_grad():
        module[0].weight.mul_(0.1)
        module[0].bias.fill_(0.5)
    return module.double()


def norm_module() -> nn.Sequential:
    """A generator with batch normalisation, which in training mode would let images influence each other."""
    return seeded(
        nn.Sequential(
            nn.Unflatten(1, (CODE, 1, 1)),
            nn.ConvTranspose2d(CODE, 8, 4),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.ConvTranspose2d(8, 3, 4, 2, 1),
            nn.Tanh(),
        )
    )


def stripes(codes: Tensor) -> Tensor:
    """A caller's own generator, found by name: code (2,) to 1 × 4 × 6."""
    ramp = torch.linspace(0, 3, 6, dtype=codes.dtype, device=codes.device)
    rows = torch.sigmoid(codes[:, :1] + codes[:, 1:] * ramp)
    return rows[:, None, None, :].expand(-1, 1, 4, -1)


def identity_net() -> ph.Network:
    """A network whose layer ``out`` is the image itself."""
    module = nn.Sequential()
    module.add_module("out", nn.Conv2d(CHANNELS, CHANNELS, 1, groups=CHANNELS, bias=False))
    nn.init.ones_(module.out.weight)  # type: ignore[arg-type]
    return ph.wrap(module, mean=0, std=1, input_size=SIZE)


def canvas(latent: Latent, names: tuple[str, ...] = ("a", "b", "c"), dtype: torch.dtype = torch.float64):
    return latent.build(len(names), stream_names(names).fork("start"), device=CPU, dtype=dtype)


def ascend(latent: Latent, score, *, lr: float, steps: int) -> Tensor:
    """Plain gradient ascent, written out: step, then settle."""
    made = canvas(latent)
    for _ in range(steps):
        (gradient,) = torch.autograd.grad(score(made()).sum(), [made.codes])
        with torch.no_grad():
            made.codes.add_(lr * gradient)
        made.settle()
    return made.codes.detach()


@pytest.mark.parametrize("n", [1, 3])
def test_the_image_is_what_the_generator_draws_of_the_code(n):
    module = linear_module()
    made = canvas(Latent(CustomGenerator(module, (CODE,))), ("a", "b", "c")[:n])
    weight, bias = (p.detach().numpy() for p in module[0].parameters())
    expected = np.stack([(weight @ z + bias).reshape(CHANNELS, *SIZE) for z in made.codes.detach().numpy()])
    assert made.codes.shape == (n, CODE)
    np.testing.assert_allclose(made().detach().numpy(), expected, atol=1e-14)


def test_the_code_is_the_only_parameter_and_no_image_shares_it():
    made = canvas(Latent(CustomGenerator(linear_module(), (CODE,))))
    assert [name for name, _ in made.named_parameters()] == ["codes"]
    assert made.shared == frozenset()


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.0, 1.0), (-3.0, 5.0)])
def test_the_value_range_becomes_zero_to_one_and_is_clamped(low, high):
    def draw(codes: Tensor) -> Tensor:
        return codes[:, :, None, None]

    open_ = CustomGenerator(draw, (4,), (low, high)).open(CPU, torch.float64)
    codes = torch.tensor([[low, high, (low + high) / 2, high + 9]], dtype=torch.float64)
    assert open_(codes).flatten().tolist() == [0.0, 1.0, 0.5, 1.0]


def test_beyond_the_range_only_the_gradient_that_leads_back_passes():
    open_ = CustomGenerator(lambda codes: codes[:, :, None, None], (4,)).open(CPU, torch.float64)
    codes = torch.tensor([[-1.0, -1.0, 2.0, 2.0]], requires_grad=True)
    wish = torch.tensor([1.0, -1.0, 1.0, -1.0])
    (gradient,) = torch.autograd.grad((open_(codes).flatten() * wish).sum(), [codes])
    assert gradient.tolist() == [[1.0, 0.0, 0.0, -1.0]]


@pytest.mark.parametrize("size", [(12, 14), (3, 4), (3, 14), SIZE])
def test_another_size_is_resized_bilinearly_and_averaged_where_it_shrinks(size):
    generator = CustomGenerator(linear_module(), (CODE,))
    own, other = canvas(Latent(generator))(), canvas(Latent(generator, *size))()
    shrinks = any(a < b for a, b in zip(size, SIZE, strict=True))
    expected = F.interpolate(own, size, mode="bilinear", align_corners=False, antialias=shrinks)
    assert torch.equal(other, own if size == SIZE else expected)
    assert other.shape == (3, CHANNELS, *size)


def test_halving_the_size_weighs_pixels_by_the_triangle_of_the_antialiased_filter():
    ramp = torch.arange(8, dtype=torch.float64) / 8
    draw = CustomGenerator(lambda z: ramp.expand(len(z), 1, 1, 8) + 0 * z[:, :, None, None], (1,))
    row = canvas(Latent(draw, 1, 4), ("a",))().flatten().tolist()
    triangle = {-1: 0.125, 0: 0.375, 1: 0.375, 2: 0.125}
    for i in (1, 2):
        assert row[i] == pytest.approx(sum(w * ramp[2 * i + k].item() for k, w in triangle.items()), abs=1e-12)


@pytest.mark.parametrize("sd", [0.5, 1.0, 2.0])
def test_codes_start_from_a_normal_distribution_of_that_standard_deviation(sd):
    draw = CustomGenerator(lambda z: z[:, :1, None, None], (4000,))
    codes = canvas(Latent(draw, sd=sd)).codes
    assert codes.std().item() == pytest.approx(sd, rel=0.03)
    assert canvas(Latent(draw, sd=2 * sd)).codes.equal(2 * codes)


def test_the_start_of_an_image_is_its_own_and_the_same_alone():
    latent = Latent(CustomGenerator(linear_module(), (CODE,)))
    together, alone = canvas(latent, ("a", "b"))(), canvas(latent, ("b",))()
    torch.testing.assert_close(together[1:], alone, rtol=0, atol=1e-14)
    assert not torch.equal(together[0], together[1])


@pytest.mark.parametrize("constraint", CONSTRAINTS, ids=str)
@pytest.mark.parametrize("module", [linear_module, norm_module])
def test_a_render_through_a_generator_is_the_same_alone_and_in_a_batch(constraint, module):
    net, latent = conv_net(), Latent(CustomGenerator(module(), (CODE,), (-1, 1)), 12, 10, constraint=constraint)
    units = [ph.Channel("conv2", 0), ph.Channel("conv2", 4), ph.Neuron("conv2", 1)]
    options = {"parameterization": latent, "steps": 4, "dtype": torch.float64}
    together = quick(net, units, **options)
    for i in (0, 2):
        alone = quick(net, units[i], **options)
        torch.testing.assert_close(together.images[i], alone.images[0], rtol=0, atol=1e-6)
        torch.testing.assert_close(together.final_scores[i], alone.final_scores[0], rtol=0, atol=1e-6)


def test_a_render_climbs_the_unit_and_leaves_the_module_as_it_was():
    module, net = norm_module().train(), conv_net()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    latent = Latent(CustomGenerator(module, (CODE,), (-1, 1)), 12, 10)
    unit, names = ph.Channel("conv2", 0), tuple(map(str, range(100)))
    random = scores(net, [unit] * 100, canvas(latent, names, torch.float32)().detach())
    result = quick(net, unit, parameterization=latent, steps=60, optimizer=o.Adam(0.1))
    assert result.final_scores[0] > random.max()
    assert module.training
    assert all(p.requires_grad and p.grad is None for p in module.parameters())
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_gradient_ascent_under_the_unit_norm_ends_in_the_normalised_direction():
    module = linear_module()
    direction = random_images(1, CHANNELS, SIZE, seed=3)[0] - 0.5
    latent = Latent(CustomGenerator(module, (CODE,)), constraint=UnitNorm(2.0))
    codes = ascend(latent, lambda image: (image * direction).flatten(1).sum(1), lr=5.0, steps=300)
    wanted = module[0].weight.T @ direction.flatten()
    torch.testing.assert_close(codes, (2 * wanted / wanted.norm()).detach().expand(3, -1), rtol=0, atol=1e-10)


@pytest.mark.parametrize(("optimizer", "steps"), [(o.Adam(0.02), 400), (o.LBFGS(), 20)], ids=["Adam", "LBFGS"])
def test_a_linear_generator_ends_at_the_least_squares_solution(optimizer, steps):
    module, target = linear_module(), random_images(1, CHANNELS, SIZE, seed=5)[0]
    weight, bias = (p.detach().numpy() for p in module[0].parameters())
    z, *_ = np.linalg.lstsq(weight, target.numpy().ravel() - bias, rcond=None)
    expected = (weight @ z + bias).reshape(CHANNELS, *SIZE)

    def closeness(activations: Tensor) -> Tensor:
        return -(activations - target.to(activations)).flatten(1).square().sum(1)

    options = {"parameterization": Latent(CustomGenerator(module, (CODE,))), "steps": steps, "dtype": torch.float64}
    result = quick(identity_net(), Custom(closeness, ("out",)), optimizer=optimizer, **options)
    np.testing.assert_allclose(result.images[0].numpy(), np.clip(expected, 0, 1), atol=1e-4)


def test_the_gaussian_prior_comes_to_rest_where_it_balances_the_score():
    module, lr, weight = linear_module(), 0.5, 0.2
    direction = 0.02 * (random_images(1, CHANNELS, SIZE, seed=3)[0] - 0.5)
    latent = Latent(CustomGenerator(module, (CODE,)), constraint=GaussianPrior(weight))
    codes = ascend(latent, lambda image: (image * direction).flatten(1).sum(1), lr=lr, steps=200)
    gradient = (module[0].weight.T @ direction.flatten()).detach()
    torch.testing.assert_close(codes, (lr * gradient / weight).expand(3, -1), rtol=0, atol=1e-12)


def test_the_gaussian_prior_is_the_implicit_step_of_half_the_squared_norm():
    z = random_images(1, 1, (3, 4)).flatten(1)
    settled = GaussianPrior(0.3).settle(z)
    # The implicit step solves z' = z - 0.3 z': the penalty's gradient is taken where the step ends.
    torch.testing.assert_close(settled, z - 0.3 * settled, rtol=0, atol=1e-15)


@pytest.mark.parametrize("shape", [(5,), (4, 3, 2)])
def test_constraints_treat_every_code_on_its_own_and_as_a_whole(shape):
    scales = torch.tensor([0.1, 1.0, 10.0], dtype=torch.float64).view(-1, *[1] * len(shape))
    codes = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * scales
    norms = np.array([np.sqrt((z.numpy() ** 2).sum()) for z in codes])
    for constraint, wanted in (
        (UnitNorm(2.5), np.full(3, 2.5)),
        (CappedNorm(1.5), np.minimum(norms, 1.5)),
        (GaussianPrior(0.25), norms / 1.25),
    ):
        settled = constraint.settle(codes)
        for z, before, norm, old in zip(settled, codes, wanted, norms, strict=True):
            np.testing.assert_allclose(z.numpy(), before.numpy() * norm / old, atol=1e-14)


@pytest.mark.parametrize("constraint", [UnitNorm(2.0), CappedNorm(1.0)], ids=str)
def test_a_projection_done_twice_is_done_once(constraint):
    codes = random_images(3, 1, (2, 3)).flatten(1)
    once = constraint.settle(codes)
    torch.testing.assert_close(constraint.settle(once), once, rtol=0, atol=1e-15)


@pytest.mark.parametrize("constraint", [UnitNorm(), CappedNorm(1.0), GaussianPrior()], ids=str)
def test_a_code_of_zeros_stays_and_stays_finite(constraint):
    zeros = torch.zeros(2, 3, dtype=torch.float32)
    assert torch.equal(constraint.settle(zeros), zeros)


@pytest.mark.parametrize("constraint", [UnitNorm(2.0), CappedNorm(0.7)], ids=str)
def test_codes_keep_their_constraint_from_the_start_and_after_noise_and_steps(constraint):
    made = canvas(Latent(CustomGenerator(linear_module(), (CODE,)), sd=3.0, constraint=constraint))
    limit = constraint.radius if isinstance(constraint, UnitNorm) else constraint.limit

    def holds() -> bool:
        norms = made.codes.detach().norm(dim=1)
        within = bool((norms <= limit + 1e-12).all())
        return within and (isinstance(constraint, CappedNorm) or bool((norms >= limit - 1e-12).all()))

    assert holds()
    made.disturb(torch.tensor([True, False, True]), streams(3).fork("again"), 4.0)
    assert holds()
    with torch.no_grad():
        made.codes.add_(1.0)
    assert not holds()
    made.settle()
    assert holds()


def test_the_gaussian_prior_leaves_the_start_alone_and_no_constraint_leaves_steps_alone():
    generator = CustomGenerator(linear_module(), (CODE,))
    free, drawn = canvas(Latent(generator)), canvas(Latent(generator, constraint=GaussianPrior(1.0)))
    assert torch.equal(free.codes, drawn.codes)
    before = free.codes.detach().clone()
    free.settle()
    drawn.settle()
    assert torch.equal(free.codes, before)
    assert torch.equal(drawn.codes, before / 2)


def test_noise_reaches_only_the_chosen_codes_with_the_given_strength():
    draw = CustomGenerator(lambda z: z[:, :1, None, None], (4000,))
    made = canvas(Latent(draw, sd=0.5))
    before = made.codes.detach().clone()
    made.disturb(torch.tensor([True, False, True]), streams(3).fork("again"), 4.0)
    moved = made.codes.detach() - before
    assert torch.equal(moved[1], torch.zeros_like(moved[1]))
    assert moved[[0, 2]].std().item() == pytest.approx(2.0, rel=0.05)


def test_a_size_of_its_own_is_the_generators_unless_given():
    latent = Latent(CustomGenerator(stripes, (2,)))
    assert (latent.height, latent.width, latent.image_channels) == (4, 6, 1)
    assert latent.sized(9, 5) == Latent(CustomGenerator(stripes, (2,)), 9, 5)


def test_a_given_shape_spares_the_drawing_and_is_held_against_what_is_drawn():
    def never(codes: Tensor) -> Tensor:
        raise AssertionError("drawn")

    assert CustomGenerator(never, (2,), image_shape=(1, 4, 6)).size == (4, 6)
    with pytest.raises(ParameterError, match=r"shape \(3, 1, 4, 6\); expected \(3, 1, 4, 5\)"):
        canvas(Latent(CustomGenerator(stripes, (2,), image_shape=(1, 4, 5))))()


def test_a_function_of_a_module_comes_back_from_json_with_trust_only():
    latent = Latent(CustomGenerator(stripes, (2,)), 8, 9, sd=2.0, constraint=UnitNorm(3.0))
    document = json.loads(json.dumps(latent.to_json()))
    with pytest.raises(TrustError, match=r"would import .*stripes"):
        Parameterization.from_json(document)
    assert Parameterization.from_json(document, trust=True) == latent
    document["generator"]["function"] = "math:hypot"
    with pytest.raises(ph.errors.RecipeError, match=r"function failed on codes \(1, 2\)"):
        Parameterization.from_json(document, trust=True)


class Striped:
    """Ways to draw that no name leads to."""

    def draw(self, codes: Tensor) -> Tensor:
        return stripes(codes)


NAMELESS = {
    "torch.nn.modules.container.Sequential": lambda: linear_module(2),
    r"test_latent.<lambda>": lambda: lambda codes: stripes(codes),
    r"test_latent.Striped.draw": lambda: Striped().draw,
}


@pytest.mark.parametrize("trust", [False, True])
@pytest.mark.parametrize("name", NAMELESS)
def test_what_no_name_leads_to_keeps_its_name_for_the_record_and_asks_for_no_trust(name, trust):
    latent = Latent(CustomGenerator(NAMELESS[name](), (2,), (-1, 1)), 8, 9, sd=2.0, constraint=UnitNorm(3.0))
    document = json.loads(json.dumps(latent.to_json()))
    read = Parameterization.from_json(document, trust=trust)
    assert read.to_json() == document
    assert read.generator.name.endswith(name.rpartition(".")[2])
    assert (read.height, read.width, read.sd, read.constraint) == (8, 9, 2.0, UnitNorm(3.0))
    assert read.generator.code_shape == (2,)
    assert (read.generator.n_channels, *read.generator.size) == latent.generator._drawn_shape


@pytest.mark.parametrize("trust", [False, True])
def test_a_modules_picture_is_replayed_with_that_module_at_hand_only(trust, tmp_path):
    net, module = conv_net(), linear_module()
    result = quick(net, ph.Channel("conv2", 0), parameterization=Latent(CustomGenerator(module, (CODE,))), steps=2)
    path = result.save(tmp_path / "picture.png")[0]
    message = (
        r"drawn by torch.nn.modules.container.Sequential, .*only with that generator at hand: render with .*\(5,\)"
    )
    with pytest.raises(WeightsError, match=message):
        ph.replay(path, net=net, trust=trust, progress=False)
    recipe = ph.Recipe.from_json(result.documents[0]["recipe"])
    again = ph.render(
        net, ph.Channel("conv2", 0), Latent(CustomGenerator(module, (CODE,))), recipe=recipe, progress=False
    )
    assert torch.equal(again.images, result.images)


def test_an_image_does_not_tell_its_code():
    with pytest.raises(ParameterError, match="parameters of a LatentCanvas cannot be found from an image"):
        canvas(Latent(CustomGenerator(stripes, (2,)))).assign(torch.zeros(3, 1, 4, 6))


def test_a_generator_that_mixes_codes_is_refused():
    def first_only(codes: Tensor) -> Tensor:
        return stripes(codes)[:1]

    with pytest.raises(ParameterError, match=r"images of shape \(1, 1, 4, 6\); expected \(3, 1, 4, 6\)"):
        canvas(Latent(CustomGenerator(first_only, (2,))))()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda g: Latent(g, 0, 4), "height is 0; expected a whole number from 1"),
        (lambda g: Latent(g, 4, 2**15), "width is 32768; expected"),
        (lambda g: Latent(g, sd=-1.0), "sd is -1.0; expected a number from 0"),
        (lambda g: Latent(g, constraint=2.0), "constraint is 2.0; expected None, UnitNorm"),
        (lambda _: UnitNorm(0.0), "radius is 0.0; expected a number above 0"),
        (lambda _: CappedNorm(-1.0), "limit is -1.0; expected a number above 0"),
        (lambda _: GaussianPrior(-0.1), "weight is -0.1; expected a number from 0"),
        (lambda _: CustomGenerator(stripes, ()), r"shape is \(\); expected whole numbers above 0"),
        (lambda _: CustomGenerator(stripes, (2,), (1, 1)), r"value_range is \(1.0, 1.0\); expected \(low, high\)"),
        (lambda _: CustomGenerator(stripes, (2,), image_shape=(4, 6)), r"image_shape is \(4, 6\); expected \(channels"),
        (lambda _: CustomGenerator(stripes, (2,), image_shape=(1, 0, 6)), r"image_shape is \(1, 0, 6\); expected"),
        (lambda _: UnsavedGenerator("m.Decoder", (0,), (3, 4, 5)), r"shape is \(0,\); expected whole numbers"),
        (lambda _: UnsavedGenerator("m.Decoder", (2,), (3, 4)), r"image_shape is \(3, 4\); expected \(channels"),
        (lambda _: CustomGenerator(stripes, (3,)).size, "function failed on codes"),
        (lambda _: CustomGenerator(nn.Identity(), (3,)).size, r"gave \(1, 3\) for codes \(1, 3\); expected images"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ParameterError, match=message):
        make(CustomGenerator(stripes, (2,)))


def test_what_is_no_generator_is_refused():
    with pytest.raises(ArgumentError, match=r"generator is Sequential; expected a Generator .*CustomGenerator"):
        Latent(linear_module())  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="expected a module or a function of codes"):
        CustomGenerator(nn.Identity, (3,))


def test_every_constraint_is_in_the_list():
    assert {type(c) for c in CONSTRAINTS if c is not None} == set(LatentConstraint.__subclasses__())
