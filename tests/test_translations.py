"""Holds the catalogues to the texts: each is translated, and what is compiled is fresh."""

import re
import shutil

import pytest

from tests.project import PYTHON

PO = "core/translations/es/LC_MESSAGES/messages.po"
MO = PO.replace(".po", ".mo")
NEW = 'from flask_babel import gettext\n\n\ndef greet():\n    return gettext("Good evening")\n'


def check(project):
    return project.run(PYTHON, "scripts/translations.py", "--check")


@pytest.mark.structure
def test_every_text_is_translated_and_compiled(project):
    result = check(project)

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.structure
def test_bringing_them_up_to_date_changes_nothing(project):
    before = {path: path.read_bytes() for path in project.root.rglob("messages.*o")}

    result = project.run(PYTHON, "scripts/translations.py")

    assert result.returncode == 0, result.stderr
    assert before == {path: path.read_bytes() for path in project.root.rglob("messages.*o")}


@pytest.mark.structure
def test_a_text_without_a_translation_is_found(project):
    project.write("core/greeting.py", NEW)

    result = check(project)

    assert result.returncode == 1
    assert f"{PO}: no translation of 'Good evening'" in result.stdout
    assert f"{PO}: not up to date; run make translations" in result.stdout


@pytest.mark.structure
def test_a_text_of_a_module_goes_to_a_catalogue_of_the_module(scaffold):
    po = "app/evening/translations/es/LC_MESSAGES/messages.po"
    scaffold.write("app/__init__.py", "")
    scaffold.write("app/evening/__init__.py", NEW)
    scaffold.write("app/evening/templates/evening.html", '{{ _("Good morning") }}{% do [] %}')

    untranslated = scaffold.run(PYTHON, "scripts/translations.py")
    text = (scaffold.root / po).read_text(encoding="utf-8")
    for english, spanish in (("evening", "Buenas noches"), ("morning", "Buenos días")):
        text = text.replace(
            f'msgid "Good {english}"\nmsgstr ""', f'msgid "Good {english}"\nmsgstr "{spanish}"'
        )
    scaffold.write(po, text)
    translated = scaffold.run(PYTHON, "scripts/translations.py")

    assert untranslated.returncode == 1
    assert f"{po}: no translation of 'Good evening'" in untranslated.stdout
    assert (translated.returncode, translated.stdout) == (0, "")
    assert check(scaffold).returncode == 0


@pytest.mark.structure
@pytest.mark.parametrize("said", ['LANGUAGE = "es"', "LANGUAGE: str = 'es'"])
def test_a_module_may_have_its_texts_in_another_language(scaffold, said):
    with (scaffold.root / "settings.py").open("a", encoding="utf-8") as file:
        file.write('\nLANGUAGES = ["es_MX", "en"]\n')
    scaffold.write("app/__init__.py", "")
    init = NEW.replace("Good evening", "Buenas noches")
    scaffold.write("app/noche/__init__.py", f"{said}\n{init}")
    letter = '{{ _("Estimado cliente") }} {{ _("Delete") }}'
    scaffold.write("app/noche/templates/carta.txt", letter)

    result = scaffold.run(PYTHON, "scripts/translations.py")

    told = re.findall(r"noche/translations/(\w+)/.*no translation of '(.+)'", result.stdout)
    assert told == [("en", "Buenas noches"), ("en", "Estimado cliente")], result.stdout
    assert not (scaffold.root / "app/noche/translations/es").exists()


@pytest.mark.structure
def test_one_text_with_two_translations_is_named_and_told_apart_by_its_context(scaffold):
    scaffold.write("app/__init__.py", "")
    for name, own in (("evening", '_("Notes")'), ("night", 'pgettext("sheet", "Notes")')):
        scaffold.write(f"app/{name}/__init__.py", NEW)
        scaffold.write(f"app/{name}/templates/{name}.html", f'{{{{ _("Bill") }}}}{{{{ {own} }}}}')
        for _ in range(2):
            written = scaffold.run(PYTHON, "scripts/translations.py").stdout
            po = scaffold.root / f"app/{name}/translations/es/LC_MESSAGES/messages.po"
            po.write_text(po.read_text().replace('msgstr ""\n\n', f'msgstr "{name}"\n\n'))

    assert "night/translations/es/LC_MESSAGES/messages.po: 'Bill' is translated other" in written
    assert "'Notes'" not in written


@pytest.mark.structure
def test_a_catalogue_that_was_not_compiled_is_found(project):
    project.replace(PO, 'msgid "Search"\nmsgstr "Buscar"', 'msgid "Search"\nmsgstr "Hallar"')

    result = check(project)

    assert result.returncode == 1
    assert result.stdout == f"{MO}: not up to date; run make translations\n"


@pytest.mark.structure
@pytest.mark.parametrize("spanish", ["%(nombre)s fue creado.", "%(name)s fue creado al 100 %."])
def test_a_translation_that_cannot_be_filled_in_is_found(project, spanish):
    text = (project.root / PO).read_text(encoding="utf-8")
    project.write("core/counting.py", NEW.replace("Good evening", "%(count)d were 100 %% sold."))
    english = 'msgid "%(name)s was created."\nmsgstr "'
    project.write(PO, re.sub(f'({re.escape(english)}).*(?=")', rf"\g<1>{spanish}", text))

    result = project.run(PYTHON, "scripts/translations.py")

    assert result.returncode == 1
    assert f"{PO}: {spanish!r} has other names in %(...)s than" in result.stdout


@pytest.mark.structure
def test_a_product_of_one_language_needs_no_translation(project):
    project.write("core/greeting.py", NEW)
    with (project.root / "settings.py").open("a", encoding="utf-8") as file:
        file.write('\nLANGUAGES = ["en"]\n')

    result = check(project)

    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.structure
def test_a_language_more_needs_all_its_texts(project):
    with (project.root / "settings.py").open("a", encoding="utf-8") as file:
        file.write('\nLANGUAGES = ["en", "es", "pt"]\n')

    result = check(project)

    assert result.returncode == 1
    assert "core/translations/pt/LC_MESSAGES/messages.po: no translation of" in result.stdout
    assert "/es/" not in result.stdout


@pytest.mark.structure
def test_a_text_of_the_products_own_templates_goes_to_a_catalogue_beside_them(scaffold):
    po = "app/translations/es/LC_MESSAGES/messages.po"
    scaffold.write("app/__init__.py", "")
    scaffold.write("app/evening/__init__.py", NEW)
    scaffold.write("app/templates/base.html", '{{ _("Good morning") }}')

    result = scaffold.run(PYTHON, "scripts/translations.py")

    assert f"{po}: no translation of 'Good morning'" in result.stdout
    assert f"{po}: no translation of 'Good evening'" not in result.stdout


@pytest.mark.structure
@pytest.mark.parametrize("languages", ['["es_CO", "en"]', '["en_GB", "es_MX"]'])
def test_a_language_of_a_country_reads_the_catalogue_of_the_language(project, languages):
    project.write("settings.py", f"LANGUAGES = {languages}\n")

    result = project.run(PYTHON, "scripts/translations.py")

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    # An empty one of its own would take the place of the other, and all texts be English again.
    assert {path.name for path in project.root.glob("**/translations/*")} == {"es"}


@pytest.mark.structure
def test_a_text_that_core_has_translated_needs_no_second_translation(project):
    shutil.copytree(project.root / "core/templates", project.root / "app/templates")

    result = project.run(PYTHON, "scripts/translations.py")

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_texts_of_another_language_have_an_english_catalogue_where_somebody_made_it(scaffold):
    po = "app/evening/translations/en/LC_MESSAGES/messages.po"
    scaffold.write("app/evening/__init__.py", "from flask_babel import gettext as _\n_('Tarde')\n")
    scaffold.write(po, 'msgid ""\nmsgstr ""\n\nmsgid "Tarde"\nmsgstr "Evening"\n')

    scaffold.run(PYTHON, "scripts/translations.py")

    assert 'msgstr "Evening"' in (scaffold.root / po).read_text(encoding="utf-8")
    assert (scaffold.root / po).with_suffix(".mo").exists()
    assert "translations/en" not in check(scaffold).stdout
