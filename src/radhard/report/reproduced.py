"""What `radhard reproduce --json` says of a model: the record of each part's own command."""

from typing import NotRequired, TypedDict

from radhard.report.configurations.record import ComparedRecord, EvaluatedRecord
from radhard.report.product_blocks import ModelBlocksRecord
from radhard.report.sweep import SweepRecord
from radhard.report.vulnerability_record import VulnerabilityRecord


class ReproducedRecord(TypedDict):
    """The parts of a reproduction that were asked for, of one model: of Fig. 2, 3, 4, 5; 7, 8, 14; 9, 10; 11, 12."""

    model: str
    sweep: NotRequired[SweepRecord]
    layer: NotRequired[VulnerabilityRecord]
    module: NotRequired[VulnerabilityRecord]
    patch: NotRequired[VulnerabilityRecord]
    blocks: NotRequired[ModelBlocksRecord]
    plans: NotRequired[EvaluatedRecord]
    schemes: NotRequired[ComparedRecord]
