"""What is measured: one kind of request each, and the answer that it must get."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

BOOKS = "/api/v1/books"
JSON = {"Content-Type": "application/json"}
NEW = (
    '{"title": "A new book", "isbn": "979{n10}", "price": "12.50", '
    '"published": "2020-02-29", "pages": 321, "author_id": 7}'
)
# Wrong in one field: some libraries stop at the first.
WRONG = '{"title": "Wrong", "isbn": "97900000000AB", "price": "12.50", "author_id": 7}'


@dataclass(frozen=True)
class Scenario:
    """A request; {n} in it counts on from `first`, and turns after `cycle` steps."""

    name: str
    label: str
    path: str
    method: str = "GET"
    status: int = 200
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    first: int = 1
    cycle: int = 0
    # A page or a file, which only servers with an HTML side have.
    page: bool = False

    def counting_from(self, number: int) -> "Scenario":
        """Return the same with numbers that no other run uses, if it stores new rows."""
        return replace(self, first=number) if "{n10}" in self.body else self

    @property
    def example(self) -> "Scenario":
        """Return its first request, as one that a client can send."""
        numbers = {"{n10}": f"{self.first:010}", "{n}": str(self.first), "{any}": "1"}
        path, body = self.path, self.body
        for mark, number in numbers.items():
            path, body = path.replace(mark, number), body.replace(mark, number)
        return replace(self, path=path, body=body)


SCENARIOS = [
    Scenario("list20", "list of 20", f"{BOOKS}?per_page=20&count=none"),
    Scenario("list100", "list of 100", f"{BOOKS}?per_page=100&count=none"),
    Scenario("list_total", "list of 20 with a total", BOOKS),
    Scenario("item", "item", f"{BOOKS}/{{n}}", cycle=1000),
    Scenario("not_modified", "conditional GET (304)", f"{BOOKS}/1", status=304),
    Scenario("create", "create", BOOKS, "POST", 201, NEW, JSON),
    Scenario(
        "patch",
        "patch",
        f"{BOOKS}/{{n}}",
        "PATCH",
        200,
        # Each time another one: a server may find out that nothing changes.
        '{"title": "Renamed {any}"}',
        JSON,
        2001,
        2000,
    ),
    Scenario("rejected", "rejected body (422)", BOOKS, "POST", 422, WRONG, JSON),
    Scenario("html_list", "page with a list of 20", "/example/products", page=True),
    Scenario(
        "html_form",
        "page with a form",
        "/example/products/new",
        headers={"Accept-Language": "es"},
        page=True,
    ),
    Scenario("health", "health", "/health/live"),
    Scenario("static", "static file", "/core/static/app.css", page=True),
]
