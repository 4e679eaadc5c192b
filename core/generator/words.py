"""The words that all generated modules share: what core has translated they read from there."""

from flask_babel import lazy_gettext as _l

WORDS = (
    _l("%(name)s was created."),
    _l("%(name)s was deleted."),
    _l("%(name)s was saved."),
    _l("Create"),
    _l("Delete"),
    _l("Delete %(name)s for good?"),
    _l("Edit"),
    _l("Edit %(name)s"),
    _l("Last changed"),
    _l("Save"),
)
