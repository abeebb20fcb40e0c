"""The deployed step of a site under its scheme.

A scheme says what it is when it is deployed (`radhard.protection.forms`), and the module of that form, a file of
`radhard.deploy.forms`, does that and nothing else. A scheme that has no such form is refused: what is deployed is what
was measured.
"""

from radhard.deploy.applied import Applied
from radhard.deploy.forms.registry import build
from radhard.deploy.step import Step
from radhard.errors import InputError
from radhard.kernels.library import OnUncorrectable
from radhard.machine import MatrixProduct, Shape
from radhard.protection import Method, Scheme, scheme_name
from radhard.protection.forms import Form, NoForm, ProductForm
from radhard.protection.planning.method import methods
from radhard.words import Words


def protected_step(applied: Applied, scheme: Scheme, *, on_uncorrectable: OnUncorrectable) -> Step:
    """The operator as `scheme` protects it. InputError for a scheme that is not deployed, or does not fit it."""
    form, operator, site = form_of(scheme), applied.operator, applied.site
    if isinstance(form, NoForm):
        raise InputError(
            f"site {site.name!r}: {_name(scheme)} is not deployed: {form.reason}; plan with a scheme that is "
            f"({', '.join(deployed_methods(applied))}), or measure {_name(scheme)} with `radhard evaluate` or "
            "`compare` and deploy none"
        )
    if isinstance(form, ProductForm) and applied.product is None:
        what = "computes in floats" if isinstance(operator, MatrixProduct) else "is no matrix product"
        raise InputError(
            f"site {site.name!r}: {operator.name} {what}, and {_name(scheme)} is exact for int8 products only: "
            "quantise the program, or protect the site by ranges or by TMR"
        )
    return build(form, applied, on_uncorrectable=on_uncorrectable)


def deployed_methods(applied: Applied) -> list[str]:
    """The schemes that `radhard plan --scheme` takes and that are deployed at such a site."""
    shape, found = Shape(m=1, k=1, n=1), []
    for name in methods():
        scheme = Method.of(name).scheme_of(shape, ber=0.0, words=Words())
        form = NoForm(reason="") if scheme is None else form_of(scheme)
        if not isinstance(form, NoForm) and not (isinstance(form, ProductForm) and applied.product is None):
            found.append(name)
    return found


def form_of(scheme: Scheme) -> Form:
    """What a scheme is when it is deployed: as it says itself."""
    form: Form = getattr(scheme, "deployed", NoForm(reason="it does not say what it is when it is deployed"))
    return form


def _name(scheme: Scheme) -> str:
    """The name of a scheme, or of its class where no plan can name it."""
    try:
        return scheme_name(scheme)
    except InputError:
        return type(scheme).__name__
