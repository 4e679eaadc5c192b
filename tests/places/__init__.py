"""A module as a user adds it, with real data to hold: countries and their cities, by JSON.

The tests copy this folder to app/; nothing here is served from tests/.
"""

from flask import Blueprint

from core.setting import setting

places_bp = Blueprint("places", __name__, url_prefix=setting("API_PREFIX"))

from . import resources  # noqa: E402, F401 - the resources need the blueprint above
