"""The resources of the module: URL -> schema -> model -> {"data": ...}."""

from flask import Response, url_for

from core.rest import Api, Resource, body, item, page_of
from services import db

from . import places_bp
from .models import City, Country
from .schemas import CitySchema, CountrySchema

api = Api(places_bp)
country_schema = CountrySchema()
city_schema = CitySchema()


class CountryList(Resource):
    def get(self) -> Response:
        """List the countries by name."""
        return page_of(country_schema)

    def post(self) -> Response:
        """Create a country."""
        country = Country(**country_schema.load(body()))
        db.session.add(country)
        db.session.commit()
        return item(country_schema, country, 201, url_for(".country_item", id=country.id))


class CountryItem(Resource):
    def get(self, id: int) -> Response:
        """Show a country."""
        return item(country_schema, db.get_or_404(Country, id))


class CityList(Resource):
    def get(self) -> Response:
        """List the cities, the largest first."""
        return page_of(city_schema)

    def post(self) -> Response:
        """Create a city."""
        city = City(**city_schema.load(body()))
        db.session.add(city)
        db.session.commit()
        return item(city_schema, city, 201, url_for(".city_item", id=city.id))


class CityItem(Resource):
    def get(self, id: int) -> Response:
        """Show a city."""
        return item(city_schema, db.get_or_404(City, id))


api.add_resource(CountryList, "/countries", endpoint="country_list")
api.add_resource(CountryItem, "/countries/<int:id>", endpoint="country_item")
api.add_resource(CityList, "/cities", endpoint="city_list")
api.add_resource(CityItem, "/cities/<int:id>", endpoint="city_item")
