"""The forms of a model name, and the source of each."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class NameForm:
    """A `form` of names, what it stands for, whose weights the model has, and an `example`."""

    form: str
    source: str
    weights: str
    example: str


FORMS = (
    NameForm(form="NAME", source="the zoo, above", weights="trained, shipped", example="fashion-vit"),
    NameForm(
        form="NAME or timm:NAME",
        source="timm",
        weights="random; --pretrained downloads; --checkpoint FILE",
        example="vit_base_patch16_224",
    ),
    NameForm(
        form="torchvision:NAME",
        source="torchvision's classifiers",
        weights="random; --pretrained downloads; --checkpoint FILE",
        example="torchvision:resnet50",
    ),
    NameForm(
        form="NAME",
        source="DeepViT of the paper",
        weights="random; --checkpoint FILE",
        example="deepvit_s",
    ),
    NameForm(
        form="hf:NAME or a folder",
        source="Hugging Face image classifiers (radhard[hf])",
        weights="those of the name or folder; --checkpoint FILE",
        example="hf:google/vit-base-patch16-224",
    ),
    NameForm(
        form="FILE.py:FUNCTION",
        source="a function of yours without arguments that returns a module",
        weights="those that it sets; --checkpoint FILE",
        example="model.py:build",
    ),
    NameForm(
        form="FILE.pt2",
        source="a program that torch.export.save wrote",
        weights="those in the file",
        example="model.pt2",
    ),
)
