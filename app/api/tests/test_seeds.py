"""The demo data: so many rows, the same each time, and never in the way of what is there."""

import pytest
from sqlalchemy import delete, func, select

from app.api.models import Author, Book
from app.api.seeds import NAMES, seed
from core.setting import setting
from services import db

FIELDS = [Book.title, Book.isbn, Book.price, Book.published, Book.pages, Author.name]
EVERYTHING = select(*FIELDS).join(Book.author).order_by(Book.isbn)
COUNTS = select(
    select(func.count()).select_from(Book).scalar_subquery(),
    select(func.count()).select_from(Author).scalar_subquery(),
)


@pytest.fixture
def rows(app, isolated):
    """Read what is stored."""

    def read(statement):
        with app.app_context():
            return [tuple(row) for row in db.session.execute(statement)]

    return read


@pytest.fixture
def load(app, isolated):
    """Run the seeds and commit, as `flask seed` does; return what they report."""

    def run(rows):
        with app.app_context():
            reported = list(seed(rows))
            db.session.commit()
        return reported

    return run


@pytest.mark.parametrize("count", [1, 45, 2500])
def test_seed_inserts_so_many_books_and_their_authors(load, rows, count):
    reported = load(count)

    assert rows(COUNTS) == [(count, len(NAMES))]
    assert reported[-1] == count
    assert reported == sorted(set(reported))


def test_a_second_run_adds_and_changes_nothing(load, rows):
    load(45)
    first = rows(select(*Book.__table__.columns).order_by(Book.id))

    load(45)

    assert rows(select(*Book.__table__.columns).order_by(Book.id)) == first
    assert rows(COUNTS) == [(45, len(NAMES))]


def test_the_rows_are_the_same_in_every_database(app, load, rows):
    load(45)
    first = rows(EVERYTHING)
    with app.app_context():
        db.session.execute(delete(Book))
        db.session.execute(delete(Author))
        db.session.commit()

    load(45)

    assert rows(EVERYTHING) == first


def test_every_isbn_has_its_check_digit_and_passes_the_schema(load, rows):
    load(500)

    isbns = [isbn for (isbn,) in rows(select(Book.isbn))]

    assert len(set(isbns)) == 500
    for isbn in isbns:
        weighted = sum(int(digit) * (1, 3)[place % 2] for place, digit in enumerate(isbn))
        assert isbn.startswith("9799")
        assert (len(isbn), weighted % 10) == (13, 0)


def test_a_seeded_book_can_be_put_back_through_the_api(load, client):
    load(3)
    books = f"{setting('API_PREFIX')}/books"
    book = client.get(books).json["data"][0]
    sent = {
        name: book[name] for name in ("title", "isbn", "price", "published", "pages", "author_id")
    }

    answer = client.put(f"{books}/{book['id']}", json=sent)

    assert answer.status_code == 200
    assert answer.json["data"] == book
