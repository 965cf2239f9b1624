"""Generators: networks whose latent code is what is optimised, and where codes may lie."""

from phosphene.parameterizations.generators.base import Decoder, Generator
from phosphene.parameterizations.generators.constraints import CappedNorm, GaussianPrior, LatentConstraint, UnitNorm
from phosphene.parameterizations.generators.custom import CustomGenerator
from phosphene.parameterizations.generators.dcgan import DCGAN
from phosphene.parameterizations.generators.files import load_state
from phosphene.parameterizations.generators.latent import Latent, LatentCanvas
from phosphene.parameterizations.generators.taesd import TAESD
from phosphene.parameterizations.generators.upconv import UpconvGAN

__all__ = [
    "DCGAN",
    "TAESD",
    "CappedNorm",
    "CustomGenerator",
    "Decoder",
    "GaussianPrior",
    "Generator",
    "Latent",
    "LatentCanvas",
    "LatentConstraint",
    "UnitNorm",
    "UpconvGAN",
    "load_state",
]
