"""The tiny vision transformer under protection: a scheme of every kind, and faults that hit all of it."""

from functools import cache

from radhard.campaign.experiment import Setting
from radhard.campaign.model_under_test import ModelUnderTest, exposed_bits, faulty_setting, protected
from radhard.faults import Faults
from radhard.protection import (
    Block,
    HuangAbraham,
    IntensityGuided,
    LbAbft,
    Protection,
    Ranges,
    RowAbft,
    Scheme,
    StandardAbft,
    Tmr,
)
from radhard.protection.protected import CheckExposure
from tests.support.explorations import tiny_under_test

SCHEMES: dict[str, Scheme] = {
    "patch_embed": HuangAbraham(),
    "blocks.0.attn.qkv": LbAbft(block=Block(m=6, k=8, n=12)),
    "blocks.0.attn.proj": RowAbft(block=Block(m=5, k=16, n=8)),
    "blocks.0.mlp.fc1": IntensityGuided(hides="measured", operations_per_byte=4.7, batch=5),
    "blocks.0.mlp.fc2": IntensityGuided(),
    "blocks.0.mlp.act": Ranges(low=-0.05, high=0.6),
    "blocks.0.attn.softmax": Ranges(low=0.0, high=0.4, outside="clamp"),
    "blocks.1.attn.qkv": StandardAbft(),
    "blocks.1.mlp.act": Tmr(vote="word"),
    "blocks.1.norm1": Tmr(vote="bitwise"),
}


def protection(checks: CheckExposure = "exposed") -> Protection:
    return Protection.of(SCHEMES, checks=checks)


@cache
def model_under_test() -> ModelUnderTest:
    return tiny_under_test()


def plain(flips: float = 40.0, *, seed: int = 5) -> Setting:
    """So many flips an image are expected."""
    bits = exposed_bits(model_under_test().programs["int8"], Faults(ber=0.0))
    return faulty_setting(model_under_test(), "int8", ber=flips / bits, seed=seed)


def guarded(flips: float = 40.0, *, seed: int = 5, checks: CheckExposure = "exposed") -> Setting:
    return protected(plain(flips, seed=seed), protection(checks))
