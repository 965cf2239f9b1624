"""Box, readout, noise and repeats together; and the record from which they are opened again."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from members import NOISES, name_of
from networks import SIZE, conv_net, random_images

import phosphene as ph
from phosphene.errors import ArgumentError, ImageError, NetworkError, ParameterError, RecipeError, TrustError
from phosphene.scorers import (
    BlackBox,
    Contrast,
    FunctionScorer,
    HTTPScorer,
    Mean,
    Poisson,
    Scorer,
    Similarity,
    as_scorer,
    reopen,
    units,
)

CPU = torch.device("cpu")


def colors(images):
    """A caller's own population of three units, found by name."""
    return images.mean((1, 2))


def images(n=11, seed=0):
    return random_images(n, 3, SIZE, seed, torch.float32)


def scores(scorer, seen, **options):
    with scorer.open(CPU, **options) as score:
        return score(seen)


def test_a_score_is_the_readout_of_the_responses():
    seen = images()
    found = scores(Scorer(FunctionScorer(colors), Contrast((0,), (1, 2))), seen)
    means = colors(seen.permute(0, 2, 3, 1).numpy()).astype(float)
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found.numpy(), means[:, 0] - means[:, 1:].mean(1), atol=1e-6)


def test_a_population_of_units_is_scored_against_a_target():
    net, seen = conv_net(), images()
    channels = [ph.Channel("conv2", i) for i in range(6)]
    with units(net, *channels).open(CPU) as respond:
        population = respond(seen)
    found = scores(Scorer(units(net, *channels), Similarity(population[4], "correlation")), seen)
    expected = [np.corrcoef(row, population[4].float())[0, 1] for row in population.numpy()]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)
    assert int(found.argmax()) == 4


@pytest.mark.parametrize("noise", [None, *NOISES], ids=name_of)
@pytest.mark.parametrize("repeats", [1, 3])
def test_scores_do_not_depend_on_how_images_are_batched_and_split_over_calls(noise, repeats):
    seen = images()
    whole = scores(Scorer(FunctionScorer(colors), Mean(), noise, repeats), seen)
    for size in (1, 4):
        assert torch.equal(scores(Scorer(FunctionScorer(colors), Mean(), noise, repeats, size), seen), whole)
        with Scorer(FunctionScorer(colors), Mean(), noise, repeats).open(CPU) as score:
            assert torch.equal(torch.cat([score(part) for part in seen.split(size)]), whole)
            assert score.n_scored == 11


@pytest.mark.parametrize("noise", NOISES, ids=name_of)
def test_noise_goes_on_where_a_run_was_cut_off(noise):
    scorer, seen = Scorer(FunctionScorer(colors), noise=noise), images()
    whole = scores(scorer, seen)
    assert torch.equal(scores(scorer, seen[7:], n_scored=7), whole[7:])
    assert not torch.equal(scores(scorer, seen[7:]), whole[7:])


def test_clean_scores_have_no_noise_and_do_not_count():
    seen = images()
    expected = scores(Scorer(FunctionScorer(colors)), seen)
    with Scorer(FunctionScorer(colors), noise=Poisson(scale=2.0)).open(CPU) as score:
        first = score(seen)
        assert torch.equal(score.clean(seen), expected)
        assert score.n_scored == 11
        score.n_scored = 0
        assert torch.equal(score(seen), first)
    assert not torch.equal(first, expected)


def test_noise_is_added_to_the_responses_before_the_readout():
    seen, noise = images(), Poisson(2, scale=5.0)
    with Scorer(FunctionScorer(colors), Contrast((0,), (1,)), noise).open(CPU) as score:
        noisy = noise.apply(torch.from_numpy(colors(seen.permute(0, 2, 3, 1).numpy()).astype(float)), first=0)
        torch.testing.assert_close(score(seen), noisy[:, 0] - noisy[:, 1])
        assert score.responses(seen).shape == (11, 3)


def test_without_simulated_noise_repeats_are_shown_again_and_lost_trials_do_not_count():
    answers = iter([[1.0, 5.0], [3.0, np.nan], [5.0, np.nan]])
    found = scores(Scorer(FunctionScorer(lambda x: np.array(next(answers))), repeats=3), images(2))
    assert found.tolist() == [3.0, 5.0]
    assert scores(Scorer(FunctionScorer(lambda x: [np.nan] * len(x)), repeats=2), images(2)).isnan().all()


def test_no_images_have_no_scores():
    assert scores(Scorer(units(conv_net(), ph.Logit(0)), noise=Poisson()), images(0)).shape == (0,)
    assert scores(Scorer(FunctionScorer(colors), Contrast((0,), (2,))), images(0)).shape == (0,)


@dataclass(frozen=True)
class Constant(BlackBox):
    """A caller's own black box."""

    value: float

    @property
    def name(self):
        return "constant"

    def open(self, device):
        return nullcontext(lambda seen: np.full(len(seen), self.value))

    def describe(self):
        raise RecipeError("a constant has no JSON form")


def test_scorers_boxes_and_functions_are_scorers():
    scorer = Scorer(FunctionScorer(colors), Contrast((0,), (1,)))
    assert as_scorer(scorer) is scorer
    assert as_scorer(FunctionScorer(colors)) == Scorer(FunctionScorer(colors))
    assert as_scorer(colors) == Scorer(FunctionScorer(colors), Mean())
    assert scores(as_scorer(Constant(2.5)), images(2)).tolist() == [2.5, 2.5]
    assert as_scorer(Constant(2.5)).name == "constant"
    assert Constant(2.5).n_responses is None
    for wrong in ("conv2:1", ph.Logit(0), dict, None):
        with pytest.raises(ArgumentError, match="is no scorer; expected a Scorer, a black box"):
            as_scorer(wrong)


def test_answers_that_change_their_number_are_refused():
    widths = iter([1, 2])
    box = FunctionScorer(lambda x: np.zeros((len(x), next(widths))))
    with pytest.raises(ParameterError, match="gave 1 responses to some images and 2 to others"):
        scores(Scorer(box, batch_size=2), images(4))


def test_scorers_that_mean_nothing_are_refused():
    box = FunctionScorer(colors)
    for build, sentence in (
        (lambda: Scorer(colors), "box is .*; expected a box of phosphene.scorers"),
        (lambda: Scorer(box, "mean"), "readout is 'mean'; expected a readout"),
        (lambda: Scorer(box, noise=0.5), "noise is 0.5; expected a noise"),
    ):
        with pytest.raises(ArgumentError, match=sentence):
            build()
    for build, sentence in (
        (lambda: Scorer(box, repeats=0), "repeats is 0; expected a whole number from 1 to 10000"),
        (lambda: Scorer(box, repeats=10_001), "repeats is 10001; expected a whole number from 1 to 10000"),
        (lambda: Scorer(box, repeats=True), "repeats is True; expected a whole number"),
        (lambda: Scorer(box, batch_size=-1), "batch_size is -1; expected a whole number from 1 to 4096"),
        (lambda: Scorer(box, batch_size=4097), "batch_size is 4097; expected a whole number from 1 to 4096"),
    ):
        with pytest.raises(ParameterError, match=sentence):
            build()
    with pytest.raises(ImageError, match="expected numbers in"):
        scores(Scorer(box), 2 * torch.ones(1, 3, 4, 4))


def through_json(scorer):
    return json.loads(json.dumps(scorer.describe()))


def test_a_scorer_of_units_comes_back_with_the_network_that_was_wrapped():
    net, seen = conv_net(), images()
    objectives = (ph.Channel("conv2", 5), 0.5 * ph.Logit(1))
    scorer = Scorer(units(net, *objectives, batch_size=3), Contrast((0,), (1,)), Poisson(7, scale=3.0), 2, 5)
    document = through_json(scorer)
    again = reopen(document, net=net)
    assert (again.readout, again.noise, again.repeats, again.batch_size) == (Contrast((0,), (1,)), scorer.noise, 2, 5)
    assert (again.box.objectives, again.box.batch_size) == (objectives, 3)
    assert torch.equal(scores(again, seen), scores(scorer, seen))
    assert again.describe() == scorer.describe()
    with pytest.raises(NetworkError, match="which cannot be loaded by name: wrap it again and give it as net="):
        reopen(document)
    with pytest.raises(RecipeError, match="scorer.box.network.digest: .* has other weights"):
        reopen(document, net=_other_weights())


def _other_weights():
    other = conv_net()
    with torch.no_grad():
        other.module.conv1.weight += 1
    return other


def test_the_bundled_networks_units_need_no_trust():
    net = ph.load("efficientnet_lite0")
    again = reopen(through_json(as_scorer(units(net, ph.Channel("blocks.0", 3)))))
    assert again.name == "blocks.0:3"


def test_other_networks_need_trust():
    document = through_json(units(conv_net(), ph.Logit(0)))
    for source in ({"kind": "timm", "name": "x"}, {"kind": "factory", "target": "os:getcwd"}):
        with pytest.raises(TrustError, match="allow that with trust=True"):
            reopen(document | {"network": source | {"digest": "0"}})


def test_functions_and_addresses_need_trust():
    document = through_json(as_scorer(colors))
    with pytest.raises(TrustError, match=f"scorer.box.function: would import '{__name__}:colors' and run it"):
        reopen(document)
    assert reopen(document, trust=True) == as_scorer(colors)
    document = through_json(HTTPScorer("http://127.0.0.1:1/score", token_from="LAB_TOKEN"))
    with pytest.raises(
        TrustError, match="would send images to http://127.0.0.1:1/score, with the secret that LAB_TOKEN"
    ):
        reopen(document)
    assert reopen(document, trust=True).box == HTTPScorer("http://127.0.0.1:1/score", token_from="LAB_TOKEN")


def test_a_record_that_asks_for_very_large_batches_needs_trust():
    net = ph.load("efficientnet_lite0")
    document = units(net, ph.Channel("blocks.0", 3), batch_size=257).describe()
    with pytest.raises(TrustError, match="would show 257 images at once.*--trust"):
        reopen(document)
    assert reopen(document, trust=True).box.batch_size == 257


def test_what_has_a_record_but_no_name_cannot_come_back():
    document = through_json(as_scorer(lambda x: x))
    for trust in (False, True):
        with pytest.raises(
            RecipeError, match=r"scorer.box: the images were scored by .*<lambda>.* cannot be found .* scorer=…"
        ):
            reopen(document, trust=trust)
    with pytest.raises(RecipeError, match="a constant has no JSON form"):
        as_scorer(Constant(1.0)).describe()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"kind": "oracle"}, "scorer.kind: 'oracle' is no BoxComponent"),
        ({"box": 3}, "scorer.box: expected a table, got int"),
        ({"box": {"kind": "Mean"}}, "scorer.box.kind: 'Mean' is no BoxComponent"),
        ({"readout": {"kind": "Median"}}, "scorer.readout.kind: 'Median' is no Readout; did you mean Mean"),
        ({"readout": {"kind": "Mean", "channels": [-1]}}, "scorer.readout: channels is"),
        ({"noise": {"kind": "Poisson", "scale": 0}}, "scorer.noise: scale is 0.0"),
        ({"repeats": 0}, "scorer: repeats is 0"),
        ({"repeats": 10**10}, "scorer: repeats is 10000000000; expected .* to 10000"),
        ({"batch_size": 10**6}, "scorer: batch_size is 1000000; expected .* to 4096"),
        ({"repeats": "many"}, "scorer.repeats: expected a whole number"),
        ({"sauce": 1}, "scorer.sauce: there is no such key"),
    ],
)
def test_damaged_records_are_refused_by_their_path(change, sentence):
    with pytest.raises(RecipeError, match=sentence):
        reopen(through_json(as_scorer(colors)) | change, trust=True)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"objectives": []}, "scorer.box: objectives is .*; expected at least one"),
        ({"objectives": [{"kind": "Chanel"}]}, r"scorer.box.objectives\[0\].kind: 'Chanel' is no Objective"),
        ({"batch_size": 0}, "scorer.box: batch_size is 0"),
        ({"batch_size": 10**6}, "scorer.box: batch_size is 1000000; expected a whole number from 1 to 4096"),
        ({"resize": "no"}, "scorer.box.resize: expected true or false"),
        ({"network": "mine"}, "scorer.box.network: expected a table, got str"),
        ({"gradient": True}, "scorer.box.gradient: there is no such key"),
    ],
)
def test_damaged_records_of_units_are_refused_by_their_path(change, sentence):
    net = conv_net()
    document = through_json(as_scorer(units(net, ph.Logit(0))))
    with pytest.raises(RecipeError, match=sentence):
        reopen(document | {"box": document["box"] | change}, net=net)


def test_a_missing_key_is_named():
    document = through_json(as_scorer(colors))
    with pytest.raises(RecipeError, match="scorer.noise: missing"):
        reopen({key: value for key, value in document.items() if key != "noise"}, trust=True)
    with pytest.raises(RecipeError, match="scorer: expected a table, got list"):
        reopen([document])
