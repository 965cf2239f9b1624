"""Jobs: what a manifest comes to, picture by picture."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import product

import pytest
from atlas_rigs import manifest_of
from networks import conv_net

from phosphene.atlas.jobs import Job, jobs, n_jobs, n_pictures, pictures_of, pictures_per_unit, units_of
from phosphene.store.atlas import Manifest


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return manifest_of(conv_net(), negative=True, diversity=3, seeds=2)


def ids(manifest: Manifest) -> list[str]:
    return [one.id for job in jobs(manifest) for one in job.pictures]


@pytest.mark.parametrize(
    ("negative", "diversity", "n_seeds", "size"), list(product([False, True], [0, 2, 3], [1, 3], [1, 4, 7]))
)
def test_every_planned_picture_is_in_one_job_and_counted(
    manifest: Manifest, negative: bool, diversity: int, n_seeds: int, size: int
) -> None:
    seeds = tuple(range(5, 5 + n_seeds))
    chosen = replace(manifest, negative=negative, diversity=diversity, seeds=seeds, job_size=size)
    found = list(jobs(chosen))
    wanted = {
        (layer.name, unit, variant, member, seed)
        for layer in chosen.layers
        for unit in units_of(layer)
        for variant, member, seed in [
            *(("positive", 0, seed) for seed in seeds),
            *(("negative", 0, seed) for seed in seeds if negative),
            *(("diverse", member, seeds[0]) for member in range(diversity)),
        ]
    }
    planned = [(j.layer, p.unit, p.variant, p.member, p.seed) for j in found for p in j.pictures]
    assert set(planned) == wanted
    assert len(planned) == len(wanted) == n_pictures(chosen) == len(set(ids(chosen)))
    assert len(found) == n_jobs(chosen) == len({job.id for job in found})
    assert all(len(job.pictures) <= max(size, diversity) for job in found)
    assert all(len({(p.variant, p.seed) for p in job.pictures}) == 1 for job in found)
    assert pictures_per_unit(chosen) == sum(pictures_of(chosen, v) for v in ("positive", "negative", "diverse"))


def test_diverse_pictures_of_a_unit_stand_together(manifest: Manifest) -> None:
    chosen = replace(manifest, job_size=7)
    for job in (job for job in jobs(chosen) if job.variant == "diverse"):
        assert len(job.pictures) <= 7
        assert [len(group) for group in job.groups] == [3] * len(job.groups)
        assert all({p.unit for p in group} == {group[0].unit} for group in job.groups)
        assert [p.member for group in job.groups for p in group] == [0, 1, 2] * len(job.groups)


def test_ids_are_pure_digests_of_what_makes_the_picture(manifest: Manifest) -> None:
    was = set(ids(manifest))
    # What does not change the pictures does not change their ids.
    later = replace(manifest, created="2030-01-01T00:00:00", phosphene="9", job_size=2)
    assert set(ids(later)) == was
    fewer = replace(manifest, layers=manifest.layers[1:], negative=False, seeds=manifest.seeds[:1])
    assert set(ids(fewer)) < was
    # What does, does.
    network = manifest.network
    others = [
        replace(manifest, network=replace(network, digest="0" * 64)),
        replace(manifest, network=replace(network, input_size=(14, 10))),
        replace(manifest, network=replace(network, preprocessing={**network.preprocessing, "mean": [0.5]})),
        replace(manifest, layers=tuple(replace(layer, recipe="f" * 16) for layer in manifest.layers)),
        replace(manifest, layers=tuple(replace(layer, name=f"{layer.name}x") for layer in manifest.layers)),
        replace(manifest, layers=tuple(replace(layer, is_output=not layer.is_output) for layer in manifest.layers)),
        replace(manifest, seeds=(7, 8)),
    ]
    for other in others:
        assert not set(ids(other)) & was
    heavier = replace(manifest, diversity_weight=2.0)
    changed = {one.variant for job in jobs(heavier) for one in job.pictures if one.id not in was}
    assert changed == {"diverse"}


def test_ids_are_the_same_in_every_process_and_need_no_torch(manifest: Manifest, tmp_path: object) -> None:
    from pathlib import Path

    path = Path(str(tmp_path)) / "atlas.json"
    path.write_bytes(manifest.to_bytes())
    code = (
        "import sys; from pathlib import Path; from phosphene.atlas.jobs import jobs; "
        "from phosphene.store.atlas.manifest import Manifest; "
        f"m = Manifest.from_bytes(Path({str(path)!r}).read_bytes(), path='atlas.json'); "
        "print(*[one.id for job in jobs(m) for one in job.pictures]); assert 'torch' not in sys.modules"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert said.stdout.split() == ids(manifest)


def test_a_job_of_some_pictures_has_an_id_of_its_own(manifest: Manifest) -> None:
    job = next(jobs(manifest))
    part = job.of(job.pictures[:1])
    assert isinstance(part, Job)
    assert part.id != job.id
    assert (part.layer, part.recipe, part.pictures) == (job.layer, job.recipe, job.pictures[:1])
    assert job.of(job.pictures).id == job.id
