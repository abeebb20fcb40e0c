"""Deployment: a hardened model as an `nn.Module` of operators that check and repair themselves."""

from radhard.deploy.archive import save_hardened
from radhard.deploy.harden import HardeningPlan, harden
from radhard.deploy.hardened import Alarm, Hardened, OnAlarm, WeightUpset

__all__ = ["Alarm", "Hardened", "HardeningPlan", "OnAlarm", "WeightUpset", "harden", "save_hardened"]
