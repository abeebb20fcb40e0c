"""A base module whose buffers keep their dtypes (int8, int32, int64, float32) under `.half()` and the like."""

from collections.abc import Callable, Mapping
from typing import Any, Self

from torch import Tensor, nn

from radhard.errors import InputError


class Fixed(nn.Module):
    """A module that moves between devices, and whose tensors keep their types whatever it is asked to become.

    `.half()`, `.bfloat16()`, `.double()`, `.to(dtype)` and `.type(dtype)` of it, or of a pipeline that it is part of,
    leave its tensors as they are. A state dict with a tensor of another type is refused.
    """

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        def moved(x: Tensor) -> Tensor:
            other = fn(x)
            return other if other.dtype == x.dtype else x.to(other.device)

        super()._apply(moved, recurse)  # type: ignore[no-untyped-call]
        return self

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        for name, own in self.named_buffers(recurse=False):
            other = state_dict.get(prefix + name)
            if isinstance(other, Tensor) and other.dtype != own.dtype:
                raise InputError(
                    f"state dict: {prefix + name} is {other.dtype}, and it must be {own.dtype}: load the state dict of "
                    "a hardened module as it was saved, of no other type"
                )
        super()._load_from_state_dict(state_dict, prefix, *rest)
