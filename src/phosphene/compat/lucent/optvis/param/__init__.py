"""Lucent's parameterizations: each gives ``(params, image_f)``, the tensors to optimise and the function that makes the
image of them.

Start noise comes from torch's own generator, which ``util.set_seed`` seeds, and the tensors are made on torch's default
device; ``render_vis`` calls ``param_f`` with the model's device as the default.
"""

from __future__ import annotations

from phosphene.compat.lucent.optvis.param.color import to_valid_rgb
from phosphene.compat.lucent.optvis.param.cppn import cppn
from phosphene.compat.lucent.optvis.param.gan import upconvGAN
from phosphene.compat.lucent.optvis.param.images import image
from phosphene.compat.lucent.optvis.param.lowres import lowres_tensor
from phosphene.compat.lucent.optvis.param.spatial import fft_image, pixel_image

__all__ = ["cppn", "fft_image", "image", "lowres_tensor", "pixel_image", "to_valid_rgb", "upconvGAN"]
