"""The database's refusals, in the user's words, on each engine."""

from decimal import Decimal

import pytest
from sqlalchemy import delete, insert, text, update
from sqlalchemy.exc import DBAPIError

from core.constraints import QUOTED, Violation, _names, _read, _written, violation_of
from services import db
from tests.kinds.models import Sign, Toll
from tests.project import ENGINES, app_on
from tests.sample.models import Box, Crate, Thing

TAKEN = "This value is already taken."
MISSING = "This record does not exist or was deleted."
NOBODY = 2**31 - 1


@pytest.fixture
def thing(save):
    box = save(Box(name="Drawer"))
    return save(Thing(name="Key", code="K1", price=Decimal(1), shelf=1, box_id=box.id))


@pytest.fixture
def violation(app, isolated):
    """Run a statement and return the rule that it breaks."""

    def run(statement):
        with app.app_context():
            with pytest.raises(DBAPIError) as caught:
                db.session.execute(statement)
            db.session.rollback()
            return violation_of(caught.value)

    return run


def another(thing, **changes):
    values = {"name": "Pen", "code": "P1", "price": Decimal(1), "box_id": thing.box_id}
    return insert(Thing).values(**values | {"version": 1} | changes)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"code": "K1"}, Violation("unique", ("code",), TAKEN), id="duplicate"),
        pytest.param(
            {"shelf": 1}, Violation("unique", ("box_id", "shelf"), TAKEN), id="duplicate-pair"
        ),
        pytest.param(
            {"box_id": NOBODY}, Violation("missing", ("box_id",), MISSING), id="no-parent"
        ),
        pytest.param(
            {"price": Decimal(-1)},
            Violation("check", ("price",), "From 0 on."),
            id="check-with-words-of-its-own",
        ),
        pytest.param(
            {"amount": 1000},
            Violation("check", ("amount",), "This value is not allowed."),
            id="check",
        ),
        pytest.param(
            {"name": None},
            Violation("required", ("name",), "This value is required."),
            id="nothing",
        ),
    ],
)
def test_an_insert_that_breaks_a_rule_names_rule_and_columns(violation, thing, changes, expected):
    assert violation(another(thing, **changes)) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param(
            {"box_id": NOBODY}, Violation("missing", ("box_id",), MISSING), id="no-parent"
        ),
        pytest.param({"shelf": 13}, Violation("check", ("shelf",), "Never shelf 13."), id="check"),
    ],
)
def test_an_update_that_breaks_a_rule_names_rule_and_columns(violation, thing, changes, expected):
    statement = update(Thing).where(Thing.id == thing.id).values(**changes)

    assert violation(statement) == expected


def test_a_duplicate_is_told_in_the_words_of_its_constraint(violation, save):
    save(Crate(row=1, place=1))

    found = violation(insert(Crate).values(row=1, place=1, version=1))

    assert found == Violation("unique", ("row", "place"), "This place is full.")


def test_the_duplicate_of_a_primary_key_names_it(violation, thing):
    statement = insert(Box).values(id=thing.box_id, name="Other", version=1)

    assert violation(statement) == Violation("unique", ("id",), TAKEN)


def test_a_key_that_restricts_is_one_on_sqlite_too():
    class RefusedError(Exception):
        sqlite_errorname = "SQLITE_CONSTRAINT_TRIGGER"

    assert _read(RefusedError("FOREIGN KEY constraint failed"))[0] == "missing"
    assert _read(RefusedError("Not on Sundays."))[0] == "check"


def test_deleting_a_parent_says_that_it_is_in_use(violation, thing):
    statement = delete(Box).where(Box.id == thing.box_id)

    assert violation(statement) == Violation(
        "in_use", ("id",), "Not deleted: other records still use this one."
    )


def test_a_changed_key_says_that_others_refer_to_it(violation, thing):
    statement = update(Box).where(Box.id == thing.box_id).values(id=NOBODY)

    assert violation(statement) == Violation(
        "referred", ("id",), "Not changed: other records still refer to this value."
    )


@pytest.mark.postgresql
@pytest.mark.usefixtures("postgresql_url")
def test_two_rows_that_exclude_each_other_are_told(violation):
    table = "CREATE TEMP TABLE booked (during int4range, EXCLUDE USING gist (during WITH &&))"
    rows = "INSERT INTO booked VALUES ('[1,5)'), ('[4,8)')"

    assert violation(text(f"{table}; {rows}")) == Violation("unique", ("during",), TAKEN)


def test_one_of_many_rows_without_a_parent_is_found(app, isolated, thing):
    rows = [
        {"name": "Pen", "code": f"P{n}", "price": 1, "version": 1, "box_id": NOBODY}
        for n in range(2)
    ]
    with app.app_context():
        with pytest.raises(DBAPIError) as caught:
            db.session.execute(insert(Thing).returning(Thing.id), rows)
        db.session.rollback()

        found = violation_of(caught.value)

    assert found == Violation("missing", ("box_id",), MISSING)


def test_a_violation_has_the_shape_of_field_errors():
    errors = Violation("unique", ("box_id", "shelf"), TAKEN).errors

    assert errors == {"box_id": [TAKEN], "shelf": [TAKEN]}


@pytest.mark.parametrize(
    "statement", ["SELECT 1 FROM sample_nowhere", "SELEKT 1"], ids=["no-table", "no-sql"]
)
def test_other_errors_are_no_violation(violation, statement):
    assert violation(text(statement)) is None


# What MariaDB 10.11 and MySQL 8 say.
@pytest.mark.parametrize(
    ("number", "message", "expected"),
    [
        pytest.param(
            1062,
            "Duplicate entry 'K1' for key 'uq_sample_thing_code'",
            ("unique", "uq_sample_thing_code", []),
            id="duplicate-mariadb",
        ),
        pytest.param(
            1062,
            "Duplicate entry 'K1' for key 'sample_thing.uq_sample_thing_code'",
            ("unique", "uq_sample_thing_code", []),
            id="duplicate-mysql",
        ),
        pytest.param(
            1062,
            "Duplicate entry 'a' for key 'b\nfor key 'c' for key 'uq_sample_thing_code'",
            ("unique", "uq_sample_thing_code", []),
            id="duplicate-that-names-a-key",
        ),
        pytest.param(
            1452,
            "Cannot add or update a child row: a foreign key constraint fails "
            "(`shop`.`sample_thing`, CONSTRAINT `fk_sample_thing_box_id_sample_box` FOREIGN KEY "
            "(`box_id`) REFERENCES `sample_box` (`id`))",
            ("missing", "fk_sample_thing_box_id_sample_box", []),
            id="no-parent",
        ),
        pytest.param(
            1451,
            "Cannot delete or update a parent row: a foreign key constraint fails (`shop`.`thing`, "
            "CONSTRAINT `fk_thing` FOREIGN KEY (`box_id`) REFERENCES `box` (`id`))",
            ("in_use", "fk_thing", []),
            id="in-use",
        ),
        pytest.param(
            4025,
            "CONSTRAINT `ck_sample_thing_price_from_0` failed for `shop`.`sample_thing`",
            ("check", "ck_sample_thing_price_from_0", []),
            id="check",
        ),
        pytest.param(
            1048, "Column 'name' cannot be null", ("required", None, ["name"]), id="nothing"
        ),
        pytest.param(1146, "Table 'shop.nowhere' doesn't exist", ("", None, []), id="no-table"),
    ],
)
def test_the_words_of_mariadb_are_understood(number, message, expected):
    assert _read(Exception(number, message)) == expected


@pytest.mark.parametrize("engine", ENGINES)
def test_of_two_rules_of_one_name_that_of_the_table_is_told(tmp_path, engine):
    with app_on(engine, tmp_path, "tests.kinds") as application, application.app_context():
        with pytest.raises(DBAPIError) as caught:
            db.session.execute(insert(Toll).values(price=-1))
        db.session.rollback()

        violation = violation_of(caught.value)

    assert (violation.columns, violation.table) == (("price",), "kinds_toll")
    assert violation.message != "It weighs."


@pytest.mark.postgresql
def test_a_deferred_rule_is_told_with_its_table_by_the_commit(tmp_path):
    deferred = "fk_kinds_sign_place_id_kinds_place DEFERRABLE INITIALLY DEFERRED"
    with app_on("postgresql", tmp_path, "tests.kinds") as application, application.app_context():
        db.session.execute(text(f"ALTER TABLE kinds_sign ALTER CONSTRAINT {deferred}"))
        db.session.add(Sign(text="Here", place_id=NOBODY))
        with pytest.raises(DBAPIError) as caught:
            db.session.commit()
        db.session.rollback()

        violation = violation_of(caught.value)

        assert violation == Violation("missing", ("place_id",), MISSING)
        assert violation.table == "kinds_sign"


@pytest.mark.parametrize("engine", ENGINES[1:])
def test_a_key_whose_name_no_model_has_is_told_by_its_column(tmp_path, engine):
    name = "fk_kinds_sign_place_id_kinds_place"
    add = "ADD CONSTRAINT of_before FOREIGN KEY (place_id) REFERENCES kinds_place (id)"
    with app_on(engine, tmp_path, "tests.kinds") as application, application.app_context():
        for change in (f"DROP CONSTRAINT {name}", add):
            db.session.execute(text(f"ALTER TABLE kinds_sign {change}"))
        db.session.commit()
        with pytest.raises(DBAPIError) as caught:
            db.session.execute(insert(Sign).values(text="Here", place_id=NOBODY))
        db.session.rollback()

        assert violation_of(caught.value) == Violation("missing", ("place_id",), MISSING)


@pytest.mark.parametrize(
    ("statement", "table", "names"),
    [
        ('INSERT INTO "Z9-Order" ("up id", code) VALUES (?, ?)', "Z9-Order", ["up id", "code"]),
        ("UPDATE `números` SET `up id`=?, code=? WHERE id=?", "números", ["up id", "code", "id"]),
        ('UPDATE shop."Order" SET code=?', "Order", ["code"]),
    ],
)
def test_names_with_other_characters_are_read(statement, table, names):
    written = _written(statement)

    assert written[1] == table
    found = written[2].partition("VALUES")[0]
    assert _names(rf"{QUOTED}\s*(?:[,)]|=\s*\?)", found) == names
