"""The resources: one without a limit, one with its own, the end of the first version announced."""

from datetime import date

from core.deprecation import Deprecation
from core.rest import Api, Resource
from services import csrf, limiter

from . import guarded_bp, limited_bp, next_bp, pages_bp, whole_bp


class Free(Resource):
    deprecation = Deprecation(date(2026, 1, 1), date(2027, 1, 1), "/changes")

    def get(self) -> dict[str, int]:
        return {"version": 1}


class Tight(Resource):
    decorators = (limiter.limit("2/minute"),)

    def get(self) -> dict[str, str]:
        return {"answer": "given"}


class Guarded(Resource):
    if_match_required = True

    def get(self) -> dict[str, str]:
        return {"answer": "given"}

    def put(self) -> dict[str, str]:
        return {"answer": "put"}


class GuardedTight(Resource):
    decorators = (limiter.limit("3/minute"),)

    def get(self) -> dict[str, str]:
        return {"answer": "given"}


class Sent(Tight):
    decorators = (limiter.limit("2/minute", methods=["POST"]),)

    def post(self) -> dict[str, str]:
        return {"answer": "taken"}


class FreeNext(Resource):
    def get(self) -> dict[str, int]:
        return {"version": 2}


class TightNext(Tight):
    decorators = (limiter.limit("3/minute"),)


@csrf.exempt
@pages_bp.route("/login", methods=["GET", "POST"])
@limiter.limit("2/minute", methods=["POST"])
def login() -> str:
    return "a form"


@pages_bp.get("/page")
@limiter.limit("1/minute")
def page() -> str:
    return "a page"


api = Api(limited_bp)
api.add_resource(Free, "/free", endpoint="free")
api.add_resource(Tight, "/tight", endpoint="tight")
api.add_resource(Sent, "/sent", endpoint="sent")
security = {"type": "apiKey", "in": "header", "name": "X-API-Key"}
guarded = Api(guarded_bp, security=security)
guarded.add_resource(Guarded, "/guarded", endpoint="guarded")
guarded.add_resource(GuardedTight, "/guarded-tight", endpoint="guarded_tight")
Api(whole_bp).add_resource(Free, "/whole", endpoint="free")
later = Api(next_bp)
later.add_resource(FreeNext, "/free", endpoint="free")
later.add_resource(TightNext, "/tight", endpoint="tight")
