"""Search spaces: what turns a Gaussian code into an image."""

from phosphene.spaces.base import Decoder, Space
from phosphene.spaces.builders import fourier, pixels
from phosphene.spaces.image_space import ImageSpace, as_space
from phosphene.spaces.projected import Projected
from phosphene.spaces.subspace import Subspace, pca_subspace

__all__ = ["Decoder", "ImageSpace", "Projected", "Space", "Subspace", "as_space", "fourier", "pca_subspace", "pixels"]
