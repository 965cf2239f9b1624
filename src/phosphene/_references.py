"""The literature: what a recipe's ``citation()`` prints, by the keys that recipes and components carry."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType


def _entry(kind: str, key: str, **fields: str) -> tuple[str, str]:
    lines = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items())
    return key, f"@{kind}{{{key},\n{lines}}}"


#: Key to BibTeX entry.
BIBLIOGRAPHY: Mapping[str, str] = MappingProxyType(
    dict(
        (
            _entry(
                "article",
                "burt1983laplacian",
                author="Burt, Peter J. and Adelson, Edward H.",
                title="The Laplacian Pyramid as a Compact Image Code",
                journal="IEEE Transactions on Communications",
                volume="31",
                number="4",
                pages="532--540",
                year="1983",
            ),
            _entry(
                "inproceedings",
                "tomasi1998bilateral",
                author="Tomasi, Carlo and Manduchi, Roberto",
                title="Bilateral Filtering for Gray and Color Images",
                booktitle="International Conference on Computer Vision",
                year="1998",
            ),
            _entry(
                "article",
                "stanley2007cppn",
                author="Stanley, Kenneth O.",
                title="Compositional Pattern Producing Networks: A Novel Abstraction of Development",
                journal="Genetic Programming and Evolvable Machines",
                volume="8",
                pages="131--162",
                year="2007",
            ),
            _entry(
                "inproceedings",
                "simonyan2014deep",
                author="Simonyan, Karen and Vedaldi, Andrea and Zisserman, Andrew",
                title="Deep Inside Convolutional Networks: Visualising Image Classification Models and Saliency Maps",
                booktitle="ICLR Workshop",
                year="2014",
            ),
            _entry(
                "inproceedings",
                "zeiler2014visualizing",
                author="Zeiler, Matthew D. and Fergus, Rob",
                title="Visualizing and Understanding Convolutional Networks",
                booktitle="European Conference on Computer Vision",
                year="2014",
            ),
            _entry(
                "misc",
                "mordvintsev2015inceptionism",
                author="Mordvintsev, Alexander and Olah, Christopher and Tyka, Mike",
                title="Inceptionism: Going Deeper into Neural Networks",
                howpublished="Google Research Blog; github.com/google/deepdream",
                year="2015",
            ),
            _entry(
                "misc",
                "mordvintsev2016deepdreaming",
                author="Mordvintsev, Alexander",
                title="DeepDreaming with TensorFlow",
                howpublished="github.com/tensorflow/examples, community/en/r1/deepdream.ipynb",
                year="2016",
            ),
            _entry(
                "inproceedings",
                "mahendran2015understanding",
                author="Mahendran, Aravindh and Vedaldi, Andrea",
                title="Understanding Deep Image Representations by Inverting Them",
                booktitle="Computer Vision and Pattern Recognition",
                year="2015",
            ),
            _entry(
                "inproceedings",
                "yosinski2015understanding",
                author="Yosinski, Jason and Clune, Jeff and Nguyen, Anh and Fuchs, Thomas and Lipson, Hod",
                title="Understanding Neural Networks Through Deep Visualization",
                booktitle="ICML Deep Learning Workshop",
                year="2015",
            ),
            _entry(
                "inproceedings",
                "kingma2015adam",
                author="Kingma, Diederik P. and Ba, Jimmy",
                title="Adam: A Method for Stochastic Optimization",
                booktitle="International Conference on Learning Representations",
                year="2015",
            ),
            _entry(
                "inproceedings",
                "radford2016dcgan",
                author="Radford, Alec and Metz, Luke and Chintala, Soumith",
                title="Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks",
                booktitle="International Conference on Learning Representations",
                year="2016",
            ),
            _entry(
                "inproceedings",
                "gatys2016style",
                author="Gatys, Leon A. and Ecker, Alexander S. and Bethge, Matthias",
                title="Image Style Transfer Using Convolutional Neural Networks",
                booktitle="Computer Vision and Pattern Recognition",
                year="2016",
            ),
            _entry(
                "inproceedings",
                "dosovitskiy2016generating",
                author="Dosovitskiy, Alexey and Brox, Thomas",
                title="Generating Images with Perceptual Similarity Metrics Based on Deep Networks",
                booktitle="Advances in Neural Information Processing Systems",
                year="2016",
            ),
            _entry(
                "inproceedings",
                "nguyen2016synthesizing",
                author="Nguyen, Anh and Dosovitskiy, Alexey and Yosinski, Jason and Brox, Thomas and Clune, Jeff",
                title="Synthesizing the Preferred Inputs for Neurons in Neural Networks via Deep Generator Networks",
                booktitle="Advances in Neural Information Processing Systems",
                year="2016",
            ),
            _entry(
                "article",
                "odena2016checkerboard",
                author="Odena, Augustus and Dumoulin, Vincent and Olah, Chris",
                title="Deconvolution and Checkerboard Artifacts",
                journal="Distill",
                doi="10.23915/distill.00003",
                year="2016",
            ),
            _entry(
                "manual",
                "mathworks2016deepdreamimage",
                title="deepDreamImage: Visualize Network Features Using Deep Dream",
                organization="The MathWorks, Deep Learning Toolbox",
                year="2016",
            ),
            _entry(
                "article",
                "olah2017feature",
                author="Olah, Chris and Mordvintsev, Alexander and Schubert, Ludwig",
                title="Feature Visualization",
                journal="Distill",
                doi="10.23915/distill.00007",
                year="2017",
            ),
            _entry(
                "article",
                "olah2018building",
                author="Olah, Chris and Satyanarayan, Arvind and Johnson, Ian and Carter, Shan and Schubert, Ludwig "
                "and Ye, Katherine and Mordvintsev, Alexander",
                title="The Building Blocks of Interpretability",
                journal="Distill",
                doi="10.23915/distill.00010",
                year="2018",
            ),
            _entry(
                "article",
                "mordvintsev2018differentiable",
                author="Mordvintsev, Alexander and Pezzotti, Nicola and Schubert, Ludwig and Olah, Chris",
                title="Differentiable Image Parameterizations",
                journal="Distill",
                doi="10.23915/distill.00012",
                year="2018",
            ),
            _entry(
                "article",
                "carter2019activation",
                author="Carter, Shan and Armstrong, Zan and Schubert, Ludwig and Johnson, Ian and Olah, Chris",
                title="Activation Atlas",
                journal="Distill",
                doi="10.23915/distill.00015",
                year="2019",
            ),
            _entry(
                "misc",
                "graetz2019forty",
                author="Graetz, Fabio M.",
                title="How to Visualize Convolutional Features in 40 Lines of Code",
                howpublished="github.com/fg91/visualizing-cnn-feature-maps",
                year="2019",
            ),
            _entry(
                "misc",
                "ozbulak2019visualizations",
                author="Ozbulak, Utku",
                title="PyTorch CNN Visualizations",
                howpublished="github.com/utkuozbulak/pytorch-cnn-visualizations",
                year="2019",
            ),
            _entry(
                "misc",
                "kiat2020lucent",
                author="Swee Kiat, Lim",
                title="Lucent: Lucid Library Adapted for PyTorch",
                howpublished="github.com/greentfrapp/lucent",
                year="2020",
            ),
            _entry(
                "misc",
                "ghiasi2022plugin",
                author="Ghiasi, Amin and Kazemi, Hamid and Reich, Steven and Zhu, Chen and Goldblum, Micah "
                "and Goldstein, Tom",
                title="Plug-In Inversion: Model-Agnostic Inversion for Vision with Data Augmentations",
                howpublished="arXiv:2201.12961",
                year="2022",
            ),
            _entry(
                "inproceedings",
                "fel2023maco",
                author="Fel, Thomas and Boissin, Thibaut and Boutin, Victor and Picard, Agustin and Novello, Paul "
                "and Colin, Julien and Linsley, Drew and Rousseau, Tom and Cadene, Remi and Goetschalckx, Lore "
                "and Gardes, Laurent and Serre, Thomas",
                title="Unlocking Feature Visualization for Deeper Networks with MAgnitude Constrained Optimization",
                booktitle="Advances in Neural Information Processing Systems",
                year="2023",
            ),
            _entry(
                "misc",
                "oygard2015visualizing",
                author="{\\O}ygard, Audun M.",
                title="Visualizing GoogLeNet Classes",
                howpublished="www.auduno.com/2015/07/29/visualizing-googlenet-classes",
                year="2015",
            ),
            _entry(
                "inproceedings",
                "springenberg2015striving",
                author="Springenberg, Jost Tobias and Dosovitskiy, Alexey and Brox, Thomas and Riedmiller, Martin",
                title="Striving for Simplicity: The All Convolutional Net",
                booktitle="ICLR Workshop",
                year="2015",
            ),
            _entry(
                "article",
                "walker2019inception",
                author="Walker, Edgar Y. and Sinz, Fabian H. and Cobos, Erick and Muhammad, Taliah "
                "and Froudarakis, Emmanouil and Fahey, Paul G. and Ecker, Alexander S. and Reimer, Jacob "
                "and Pitkow, Xaq and Tolias, Andreas S.",
                title="Inception Loops Discover What Excites Neurons Most Using Deep Predictive Models",
                journal="Nature Neuroscience",
                volume="22",
                pages="2060--2065",
                year="2019",
            ),
            _entry(
                "misc",
                "bohan2023taesd",
                author="Boer Bohan, Ollin",
                title="TAESD: Tiny AutoEncoder for Stable Diffusion",
                howpublished="github.com/madebyollin/taesd",
                year="2023",
            ),
            _entry(
                "misc",
                "hamblin2024accentuation",
                author="Hamblin, Chris and Fel, Thomas and Saha, Srijani and Konkle, Talia and Alvarez, George",
                title="Feature Accentuation: Revealing What Features Respond to in Natural Images",
                howpublished="arXiv:2402.10039",
                year="2024",
            ),
        )
    )
)
