"""Recipes: the methods of the literature by name, with their authors' defaults. A method is a value
(:class:`phosphene.render.Recipe`) that runs through the one engine; any part of it can be replaced.
"""

from __future__ import annotations

from phosphene.recipes.accentuation import accentuate, accentuation
from phosphene.recipes.company import diversity, joint, negative_and_positive, random_directions
from phosphene.recipes.deepdream import deepdream, dream, guided_by
from phosphene.recipes.deepdream_tensorflow import tf_deepdream, tf_lapnorm, tf_multiscale, tf_naive
from phosphene.recipes.dei import DiverseInputs, dei
from phosphene.recipes.distill import distill, preconditioned, unregularized
from phosphene.recipes.feature_maps import FeatureMaps, activations_and_reconstructions, most_activated
from phosphene.recipes.forty_lines import forty_lines
from phosphene.recipes.generated import generated, generator_recipe
from phosphene.recipes.grids import frequency_sheets, learning_rate_sheet, robustness_sheets
from phosphene.recipes.icons import icon_recipe, icons
from phosphene.recipes.interpolation import interpolation, interpolation_recipe
from phosphene.recipes.inversion import caricature, caricature_recipe, feature_inversion, inversion_recipe
from phosphene.recipes.lucid import lucid
from phosphene.recipes.lucid_more import alpha, cppn, grayscale, laplacian_pyramid, lucid_redirected, transparent
from phosphene.recipes.maco import maco
from phosphene.recipes.matlab import deep_dream_image, deep_dream_image_recipe
from phosphene.recipes.mei import mei
from phosphene.recipes.mei_diverse import diverse_exciting, least_exciting
from phosphene.recipes.mei_labs import mei_contrast, mei_norm, mei_walker
from phosphene.recipes.mei_regularized import mei_bashivan, mei_deeptune, mei_texture
from phosphene.recipes.method import Method
from phosphene.recipes.naive import naive
from phosphene.recipes.parameter_sheets import parameter_sheet
from phosphene.recipes.preconditioning import preconditioning_sheet
from phosphene.recipes.registry import find, get, methods, names
from phosphene.recipes.regularization import bilateral, penalized, preconditioned_robust, robust
from phosphene.recipes.sheets import Sheet
from phosphene.recipes.spectrum_fit import fit_spectrum
from phosphene.recipes.style import style_transfer, texture
from phosphene.recipes.zoo import class_specific_image, layer_visualization, regularized_class_image, zoo_deep_dream
from phosphene.recipes.zoo_inversion import inverted_representation, inverted_representation_recipe
from phosphene.recipes.zooming import Zoom, save_zoom, zoom_frames
from phosphene.render import Recipe, default_recipe
from phosphene.render import channel_recipe as channel
from phosphene.render import class_recipe as class_

__all__ = [
    "DiverseInputs",
    "FeatureMaps",
    "Method",
    "Recipe",
    "Sheet",
    "Zoom",
    "accentuate",
    "accentuation",
    "activations_and_reconstructions",
    "alpha",
    "bilateral",
    "caricature",
    "caricature_recipe",
    "channel",
    "class_",
    "class_specific_image",
    "cppn",
    "deep_dream_image",
    "deep_dream_image_recipe",
    "deepdream",
    "default_recipe",
    "dei",
    "distill",
    "diverse_exciting",
    "diversity",
    "dream",
    "feature_inversion",
    "find",
    "fit_spectrum",
    "forty_lines",
    "frequency_sheets",
    "generated",
    "generator_recipe",
    "get",
    "grayscale",
    "guided_by",
    "icon_recipe",
    "icons",
    "interpolation",
    "interpolation_recipe",
    "inversion_recipe",
    "inverted_representation",
    "inverted_representation_recipe",
    "joint",
    "laplacian_pyramid",
    "layer_visualization",
    "learning_rate_sheet",
    "least_exciting",
    "lucid",
    "lucid_redirected",
    "maco",
    "mei",
    "mei_bashivan",
    "mei_contrast",
    "mei_deeptune",
    "mei_norm",
    "mei_texture",
    "mei_walker",
    "methods",
    "most_activated",
    "naive",
    "names",
    "negative_and_positive",
    "parameter_sheet",
    "penalized",
    "preconditioned",
    "preconditioned_robust",
    "preconditioning_sheet",
    "random_directions",
    "regularized_class_image",
    "robust",
    "robustness_sheets",
    "save_zoom",
    "style_transfer",
    "texture",
    "tf_deepdream",
    "tf_lapnorm",
    "tf_multiscale",
    "tf_naive",
    "transparent",
    "unregularized",
    "zoo_deep_dream",
    "zoom_frames",
]
