"""The registry of deployed forms: from the form of a scheme to its step."""

from functools import singledispatch

from radhard.deploy.applied import Applied
from radhard.deploy.step import Step
from radhard.errors import InputError
from radhard.kernels.library import OnUncorrectable
from radhard.protection.forms import Form


@singledispatch
def build(form: Form, applied: Applied, *, on_uncorrectable: OnUncorrectable) -> Step:
    """The step that does what `form` says, with a buffer `events` where it counts.

    A step is registered for the type of its form: `@build.register` over a function of such a form. InputError for a
    form that has none.
    """
    del on_uncorrectable
    raise InputError(
        f"site {applied.site.name!r}: {type(form).__name__} has no module: register a function with `build` of "
        "radhard.deploy.forms.registry"
    )
