"""What can be wrong with what a user gives: each error names the value, the place and the fix."""


class RadhardError(Exception):
    """Any error that radhard raises on purpose."""


class InputError(RadhardError, ValueError):
    """A value given by the user is not one that the field allows."""


class ModelError(RadhardError):
    """A model is unknown, does not fit its checkpoint, or cannot be built."""


class CaptureError(RadhardError):
    """A model cannot be turned into a program: torch.export refused it, or an operator is not known."""


class StoreError(RadhardError):
    """A store is not one of ours, of another schema, or damaged."""


class BackendError(RadhardError):
    """No integer back end proved itself exact on this machine."""


class FaultError(RadhardError):
    """A hardened model found words that it can neither trust nor repair."""
