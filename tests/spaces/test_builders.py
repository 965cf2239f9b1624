"""Standard normal codes show pictures of a photograph's contrast."""

from __future__ import annotations

import pytest
import torch

import phosphene as ph
from phosphene.errors import ParameterError
from phosphene.spaces import fourier, pixels


@pytest.mark.parametrize("build", [fourier, pixels])
@pytest.mark.parametrize("shape", [(32, 32, 3), (64, 48, 3), (33, 24, 1)])
def test_standard_normal_codes_have_the_contrast_of_photographs(build, shape):
    height, width, channels = shape
    space = build(height, width, channels=channels)
    codes = torch.randn(16, space.dim, generator=torch.Generator().manual_seed(0))
    images = space.open(torch.device("cpu"))(codes)
    assert images.shape == (16, channels, height, width)
    assert 0.15 < float(images.flatten(1).std(1).mean()) < 0.3


def test_further_fields_reach_the_parameterization():
    assert fourier(8, 9, decay=2.0).parameterization == ph.Fourier(8, 9, sd=1.0, decay=2.0)
    assert pixels(8, 9, sd=0.5, range="clip").parameterization == ph.Pixels(8, 9, sd=0.5, range="clip")


@pytest.mark.parametrize("build", [fourier, pixels])
def test_a_size_out_of_range_is_refused(build):
    with pytest.raises(ParameterError, match="height is 0"):
        build(0, 4)
