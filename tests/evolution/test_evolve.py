"""Evolution through the engine's loop: scores alone, whole generations, and the same bits again."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import phosphene as ph
from phosphene import store
from phosphene.errors import ArgumentError, EvolutionError, ImageError, ParameterError, RecipeError, TrustError
from phosphene.evolution import Evolution
from phosphene.evolution.plots import principal_components
from phosphene.models import overrides
from phosphene.optimizers import CMAES, RandomSearch


def evolve(scorer, space, **how):
    return ph.evolve(scorer, space, **{"generations": 6, "population": 8, "progress": False, **how})


def correlation(a, b):
    return float(np.corrcoef(np.ravel(a), np.ravel(b))[0, 1])


def test_a_linear_neuron_is_shown_its_own_filter(neuron, space):
    result = evolve(neuron, space, generations=80, population=16)
    assert correlation(result.to_numpy()[0], neuron.filter) > 0.8
    assert result.status == ("ok",)
    assert float(result.final_scores[0]) == pytest.approx(float(neuron(result.to_numpy())[0]), rel=1e-5)


def test_the_mean_score_rises(neuron, space):
    scores = evolve(neuron, space, generations=40).trajectory.mean_scores
    assert float(scores[-5:].mean()) > float(scores[:5].mean()) + 2


def test_every_candidate_is_scored_once_and_the_pictures_at_the_end(neuron, space):
    result = evolve(neuron, space, references=torch.rand(3, 1, 6, 8))
    assert neuron.n_images == 6 * 8 + 1 + 3
    assert result.trajectory.codes.shape == (6, 8, space.dim)
    assert result.trajectory.scores.shape == (6, 8)
    assert result.reference_scores.shape == (3,)


def test_the_trajectory_tells_what_was_scored(neuron, space):
    result = evolve(neuron, space)
    images = result.decode(result.trajectory.codes[4])
    torch.testing.assert_close(
        torch.tensor(neuron(images.permute(0, 2, 3, 1).numpy())), result.trajectory.scores[4], rtol=1e-5, atol=1e-6
    )
    best = result.trajectory.best_index[4]
    assert result.trajectory.best_scores[4] == result.trajectory.scores[4].max() == result.trajectory.scores[4, best]
    assert torch.equal(result.trajectory.best_codes[4], result.trajectory.codes[4, best])


def test_what_scored_highest_is_remembered_and_is_a_picture_of_its_own(neuron, space):
    result = evolve(neuron, space)
    assert result.best_score == float(result.trajectory.scores.max())
    best = result.best_observed
    assert float(neuron(best.to_numpy())[0]) == pytest.approx(result.best_score, rel=1e-5)
    assert "best observed" in best.names[0]


def test_a_run_of_fewer_generations_is_the_beginning_of_a_longer_one(neuron, space):
    short, long = evolve(neuron, space, generations=3), evolve(neuron, space, generations=6, snapshots=[0, 3])
    assert torch.equal(short.trajectory.codes, long.trajectory.codes[:3])
    assert torch.equal(short.images, long.snapshots[3])
    assert torch.equal(evolve(neuron, space, generations=0).images, long.snapshots[0])


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not(neuron, space):
    one, again, other = evolve(neuron, space), evolve(neuron, space), evolve(neuron, space, seed=1)
    assert torch.equal(one.images, again.images)
    assert not torch.equal(one.images, other.images)


def test_the_search_starts_at_the_origin(neuron, space):
    origin = torch.linspace(-1, 1, space.dim)
    result = evolve(neuron, space, generations=0, origin=origin)
    torch.testing.assert_close(result.code, origin)


def test_lost_scores_are_counted_and_the_others_go_on(neuron, space):
    def flaky(images):
        return np.where(np.arange(len(images)) % 4 == 0, np.nan, neuron(images))

    result = evolve(flaky, space, generations=30)
    assert "scores were lost" in result.status[0]
    assert bool(result.trajectory.scores[:, 0].isnan().all())
    assert float(result.trajectory.mean_scores[-5:].mean()) > float(result.trajectory.mean_scores[:5].mean()) + 1


def test_when_every_score_is_lost_the_result_says_so(space):
    result = evolve(lambda images: np.full(len(images), np.inf), space)
    assert result.status == ("every score was lost: none was a finite number",)
    assert np.isnan(result.best_score)


def test_an_interrupt_keeps_whole_generations(neuron, space):
    def scorer(images):
        if neuron.n_images >= 3 * 8:
            raise KeyboardInterrupt
        return neuron(images)

    result, whole = evolve(scorer, space), evolve(neuron, space, generations=3)
    assert result.status == ("interrupted after generation 3",)
    assert torch.equal(result.trajectory.scores, whole.trajectory.scores)
    assert torch.equal(result.images, whole.images)


def test_progress_is_told_of_every_image(neuron, space):
    told = []
    evolve(neuron, space, progress=told.append)
    assert told == [8] * 6


class Backward(torch.autograd.Function):
    """The identity, which refuses to be differentiated."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, g):
        raise AssertionError("a gradient was asked for")


class Refusing(torch.nn.Module):
    """A convolution that no gradient can pass, and that sees whether one could be asked for."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.conv1 = torch.nn.Conv2d(1, 3, 3)
        self.requires = []

    def forward(self, x):
        self.requires.append(x.requires_grad)
        return Backward.apply(self.conv1(x))


def test_a_unit_of_a_network_is_never_asked_for_a_gradient(space):
    net = ph.wrap(Refusing(), mean=(0.5,), std=(0.5,), input_size=(6, 8), n_channels=1)
    result = evolve(ph.scorers.units(net, ph.Channel("conv1", 1)), space, generations=20)
    assert float(result.trajectory.mean_scores[-1]) > float(result.trajectory.mean_scores[0])


def test_the_render_engine_evolves_without_a_gradient_too(space):
    net = ph.wrap(Refusing(), mean=(0.5,), std=(0.5,), input_size=(6, 8), n_channels=1)
    how = {"transforms": (), "progress": False, "steps": 20, "optimizer": CMAES(population=8)}
    result = ph.render(net, [ph.Channel("conv1", i) for i in range(2)], space.parameterization, **how)
    assert all(float(curve[-1]) > float(curve[0]) for curve in result.scores)
    alone = ph.render(net, ph.Channel("conv1", 1), space.parameterization, **how)
    torch.testing.assert_close(alone.images[0], result.images[1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"conditioners": (ph.conditioners.Normalize(),)}, "conditioners"),
        ({"transparency": "gradients"}, "transparency"),
        ({"tiles": ph.conditioners.Tiles(32, 32)}, "tiles"),
        ({"overrides": (overrides.GuidedReLU(),)}, "overrides"),
    ],
)
def test_what_changes_gradients_is_refused_beside_an_optimizer_that_asks_for_none(changes, words):
    with pytest.raises(ParameterError, match=f"{words}.*RandomSearch"):
        ph.Recipe(optimizer=RandomSearch(), **changes)


def test_references_are_cut_to_the_images_shape(tmp_path, neuron, space):
    photo = np.zeros((40, 100, 3), np.uint8)
    photo[:, 50:] = 255
    store.write_png(tmp_path / "a.png", photo)
    references = evolve(neuron, space, references=tmp_path).references
    assert references.shape == (1, 1, 6, 8)
    assert float(references[..., :3].max()) < 0.1
    assert float(references[..., 5:].min()) > 0.9


@pytest.mark.parametrize(
    ("references", "words"),
    [
        ([], "no reference images"),
        ([torch.zeros(6, 8)], r"shape \(6, 8\)"),
        ([torch.full((1, 6, 8), 2.0)], "values from 2 to 2"),
        ([torch.zeros(2, 6, 8)], "2 channels"),
    ],
)
def test_what_is_no_reference_image_is_refused_before_anything_is_scored(references, words, neuron, space):
    with pytest.raises(ImageError, match=words):
        evolve(neuron, space, references=references)
    assert neuron.n_images == 0


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ({"generations": -1}, ParameterError, "generations"),
        ({"population": 1}, ParameterError, "population"),
        ({"optimizer": ph.optimizers.Adam()}, ArgumentError, "needs no gradient"),
        ({"origin": torch.zeros(3)}, ParameterError, "origin"),
        ({"device": "abacus"}, ParameterError, "device"),
        ({"seed": 1.5}, ArgumentError, "seed is 1.5; expected a whole number"),
        ({"generations": 2.5}, ArgumentError, "generations is 2.5"),
        ({"origin": "here"}, ArgumentError, "origin is str"),
        ({"snapshots": [7]}, ParameterError, "snapshots is 7; expected numbers of generations from 0 to 6"),
        ({"snapshots": [-1]}, ParameterError, "snapshots is -1"),
    ],
)
def test_what_is_out_of_range_is_refused_before_anything_is_scored(how, error, words, neuron, space):
    with pytest.raises(error, match=words):
        evolve(neuron, space, **how)
    assert neuron.n_images == 0


@pytest.mark.parametrize("noise", [None, ph.scorers.Poisson(3, scale=5.0)])
def test_an_evolution_goes_on_as_if_it_had_never_ended(neuron, space, noise):
    scorer = ph.scorers.Scorer(ph.scorers.FunctionScorer(lambda images: np.exp(neuron(images) / 9)), noise=noise)
    whole, part = evolve(scorer, space), evolve(scorer, space, generations=4)
    more = evolve(scorer, space, resume=part)
    assert torch.equal(more.trajectory.codes, whole.trajectory.codes)
    assert torch.equal(more.trajectory.scores, whole.trajectory.scores)
    assert torch.equal(more.images, whole.images)
    assert more.best_score == whole.best_score


@pytest.mark.parametrize("how", [{"seed": 1}, {"population": 6}, {"generations": 2}, {"origin": torch.ones(48)}])
def test_an_evolution_goes_on_only_behind_itself(how, neuron, space):
    part = evolve(neuron, space, generations=3)
    n = neuron.n_images
    with pytest.raises(ParameterError, match="resume is"):
        evolve(neuron, space, resume=part, **how)
    assert neuron.n_images == n


def test_a_scorer_that_fails_loses_nothing_of_the_generations_before(neuron, space):
    def broken(images):
        if neuron.n_images >= 4 * 8:
            raise OSError("the rig is on fire")
        return neuron(images)

    with pytest.raises(
        EvolutionError, match="after generation 4: OSError: the rig is on fire.*resume=error.partial"
    ) as seen:
        evolve(broken, space)
    assert isinstance(seen.value.__cause__, OSError)
    fresh = type(neuron)()
    more = evolve(fresh, space, resume=seen.value.partial)
    assert fresh.n_images == 2 * 8 + 1
    assert torch.equal(more.images, evolve(type(neuron)(), space).images)


def test_a_scorer_that_never_answers_fails_as_itself(space):
    def broken(images):
        raise OSError("the rig is on fire")

    with pytest.raises(OSError, match="on fire"):
        evolve(broken, space)


def test_an_interrupt_in_the_last_look_keeps_every_generation(neuron, space):
    def scorer(images):
        if neuron.n_images >= 6 * 8:
            raise KeyboardInterrupt
        return neuron(images)

    result = evolve(scorer, space)
    assert result.status == ("interrupted after generation 6",)
    assert bool(result.final_scores.isnan().all())


def test_a_lost_reference_is_left_out(neuron, space):
    def flaky(images):
        return np.where(images.mean((1, 2, 3)) == 0, np.nan, neuron(images))

    result = evolve(flaky, space, references=[torch.zeros(1, 6, 8), torch.ones(1, 6, 8), torch.full((1, 6, 8), 0.5)])
    assert "3 reference images (1 lost): mean" in str(result)
    assert "nan" not in str(result).split("\n")[1]
    assert np.isfinite(result.plot().axes[0].lines[-1].get_ydata()).all()


@pytest.mark.parametrize("spread", [1e-3, 1.0])
def test_what_is_kept_is_what_was_shown_in_a_subspace_too(neuron, space, spread):
    basis = spread * torch.randn(5, space.dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    seen = []

    def scorer(images):
        seen.extend(images)
        return neuron(images)

    result = evolve(scorer, ph.spaces.Subspace(space, basis.numpy()), snapshots=[6])
    assert torch.equal(result.snapshots[6], result.images)
    best = result.best_observed.to_numpy()[0]
    assert any(np.array_equal(best, image) for image in seen)


class Reading(torch.nn.Module):
    """The mean of an image, which keeps what it is shown."""

    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(1, 1, 1)
        self.seen = []

    def forward(self, x):
        self.seen.append(x.detach().clone())
        return self.conv1(x)

    def __deepcopy__(self, memo):
        raise TypeError("what it sees must be seen from outside")


def test_every_candidate_of_a_render_obeys_the_projections():
    module = Reading()
    net = ph.wrap(module, mean=(0.0,), std=(1.0,), input_size=(8, 8), n_channels=1)
    # The clean picture and its held-out views are seen beside the candidates: transforms none, steps few.
    ph.render(
        net,
        ph.Channel("conv1", 0),
        recipe=ph.Recipe(
            parameterization=ph.Pixels(8, 8, channels=1, decorrelate="none", range="none", sd=1.0),
            optimizer=CMAES(population=4, sigma0=1.0),
            steps=2,
            projections=(ph.projections.FixContrast(0.5, 0.1),),
        ),
        progress=False,
    )
    candidates = [x for x in module.seen if x.shape == (1, 1, 8, 8)][1:]
    contrasts = [float(x.std(correction=0)) for x in candidates[: 2 * 5]]
    assert len(contrasts) == 10
    assert contrasts[1:] == pytest.approx([0.1] * 9, abs=1e-4)


def small_unit():
    return ph.scorers.units(ph.load("efficientnet_lite0"), ph.Channel("stem", 3))


def test_an_evolved_picture_is_evolved_again_from_itself_bit_for_bit(tmp_path):
    space = ph.spaces.ImageSpace(ph.Fourier(24, 32, sd=1.0))
    result = evolve(small_unit(), space, generations=2, population=4)
    for picture in (result, result.best_observed):
        path = tmp_path / f"{picture.names[0].replace(':', '_')}.png"
        picture.save(path)
        assert ph.replay(path, progress=False).identical


def test_a_picture_of_a_function_needs_trust(tmp_path, space):
    result = evolve(darkness, space, generations=1)
    result.save(tmp_path / "a.png")
    with pytest.raises(TrustError, match="trust"):
        ph.replay(tmp_path / "a.png", progress=False)


def test_a_picture_of_a_closure_is_evolved_again_by_the_closure(tmp_path, neuron, space):
    result = evolve(neuron, space, generations=1)
    result.save(tmp_path / "a.png")
    assert ph.replay(tmp_path / "a.png", scorer=neuron, progress=False).identical


def darkness(images):
    return -images.mean((1, 2, 3))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d["evolution"].update(generations=-1), "evolution.generations"),
        (lambda d: d["evolution"].update(extra=1), "evolution.extra"),
        (lambda d: d["evolution"].pop("space"), "evolution.space"),
        (lambda d: d["evolution"].update(picture="worst"), "evolution.picture"),
        (lambda d: d.update(threads=0), "threads"),
        (lambda d: d["evolution"].update(generations=10**6), "evolution.generations: .* too many to evolve again"),
        (lambda d: d["evolution"]["optimizer"].update(population=10**5), "evolution.optimizer: .* too many"),
        (lambda d: d["evolution"]["space"]["parameterization"].update(height=2**14, width=2**14), "evolution.space"),
        (lambda d: d.update(format=9), "format"),
    ],
)
def test_a_damaged_document_is_refused_with_its_path(change, words, tmp_path, neuron):
    result = evolve(small_unit(), ph.spaces.ImageSpace(ph.Fourier(24, 32, sd=1.0)), generations=0)
    document = json.loads(json.dumps(result.documents[0]))
    change(document)
    store.write_png(tmp_path / "a.png", np.zeros((24, 32, 3), np.uint8), document)
    with pytest.raises(RecipeError, match=words):
        ph.replay(tmp_path / "a.png", progress=False)


def test_plots_and_strips_show_every_kind_of_score(neuron, space):
    result = evolve(neuron, space, references=torch.rand(3, 1, 6, 8))
    axes = result.plot().axes[0]
    assert axes.get_xlabel() == "generation"
    np.testing.assert_allclose(axes.lines[0].get_ydata(), result.trajectory.mean_scores)
    assert len(result.plot_references().axes[0].get_xticks()) == 3
    assert "of the variance" in result.plot_trajectory().axes[0].get_xlabel()
    assert result.film_strip(4).size[0] > 4 * 8
    assert result.film_strip(100, of="best").size == result.film_strip(6, of="best").size


def test_plots_say_what_they_lack(neuron, space):
    result = evolve(neuron, space, generations=2)
    with pytest.raises(ParameterError, match="references"):
        result.plot_references()
    with pytest.raises(ParameterError, match="three at least"):
        result.plot_trajectory()
    with pytest.raises(ParameterError, match="n is 0"):
        result.film_strip(0)
    with pytest.raises(ParameterError, match="of is 'worst'"):
        result.film_strip(of="worst")
    with pytest.raises(ParameterError, match="single picture"):
        result.take([1])


def test_principal_components_are_those_of_numpy():
    points = torch.randn(7, 40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ours, shares = principal_components(points, 2)
    centred = (points - points.mean(0)).numpy()
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(ours.abs().numpy(), np.abs(u[:, :2] * s[:2]), atol=1e-9)
    np.testing.assert_allclose(shares.numpy(), s[:2] ** 2 / (s**2).sum())


def test_data_is_written_without_pickles(tmp_path, neuron, space):
    result = evolve(neuron, space)
    with np.load(result.save_data(tmp_path / "run.npz"), allow_pickle=False) as data:
        np.testing.assert_array_equal(data["codes"], result.trajectory.codes)
        np.testing.assert_array_equal(data["scores"], result.trajectory.scores)
        assert data["ids"][2, 5] == "g0002c005"


def test_a_result_is_a_result(neuron, space):
    result = evolve(neuron, space)
    assert isinstance(result, ph.Result)
    assert isinstance(result[0], Evolution)
    assert "best observed" in str(result)
    assert result._repr_html_().count("<figure") == 1
