"""The resources of the module: URL -> schema -> model -> {"data": ...}."""

from flask import Response

from core.rest import Api, Resource, body, created, item, page_of
from services import db

from . import places_bp
from .models import City, Country
from .schemas import CitySchema, CountrySchema

api = Api(places_bp)
country_schema = CountrySchema()
city_schema = CitySchema()


class CountryList(Resource):
    schema = country_schema

    def get(self) -> Response:
        """List the countries by name."""
        return page_of(country_schema)

    def post(self) -> Response:
        """Create a country."""
        country = Country(**country_schema.load(body()))
        db.session.add(country)
        db.session.commit()
        return created(country_schema, country, ".country_item")


class CountryItem(Resource):
    schema = country_schema

    def get(self, id: int) -> Response:
        """Show a country."""
        return item(country_schema, id)


class CityList(Resource):
    schema = city_schema

    def get(self) -> Response:
        """List the cities, the largest first."""
        return page_of(city_schema)

    def post(self) -> Response:
        """Create a city."""
        city = City(**city_schema.load(body()))
        db.session.add(city)
        db.session.commit()
        return created(city_schema, city, ".city_item")


class CityItem(Resource):
    schema = city_schema

    def get(self, id: int) -> Response:
        """Show a city."""
        return item(city_schema, id)


api.add_resource(CountryList, "/countries", endpoint="country_list")
api.add_resource(CountryItem, "/countries/<int:id>", endpoint="country_item")
api.add_resource(CityList, "/cities", endpoint="city_list")
api.add_resource(CityItem, "/cities/<int:id>", endpoint="city_item")
