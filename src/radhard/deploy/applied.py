"""One operator application of a program, from which a deployed step is made."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from radhard.machine import MatrixProduct, Operator, Site
from radhard.operators import Quantized

Constants = Sequence[Tensor | None]  # the inputs of an application: None where absent, COMPUTED where not stored
COMPUTED = torch.empty(0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Applied:
    """`operator` at `site`, with the constants among its inputs."""

    operator: Operator
    constants: Constants
    site: Site

    @property
    def product(self) -> MatrixProduct | None:
        """The operator, if it is a matrix product of words of 8 bits."""
        operator = self.operator
        return operator if isinstance(operator, MatrixProduct) and operator.write_back is not None else None

    @property
    def weights(self) -> tuple[Tensor | None, Tensor | None]:
        """The stored weight of a matrix product and its bias."""
        return (self.constants[1], self.constants[2]) if self.stores else (None, None)

    @property
    def stores(self) -> bool:
        """Whether the step keeps the constants that it reads itself."""
        return self.product is not None and self.product.stored

    @property
    def numbers(self) -> Constants | None:
        """What an operator reads beside one word, if its output depends on nothing else: it is a table."""
        _, *others = self.constants
        operator = self.operator
        return others if isinstance(operator, Quantized) and operator.by_table(others) else None
