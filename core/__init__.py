"""The machinery: one file or small package per concern, each with one verb for the factory.

The first line of each file says what it is for. To understand a request, read factory, modules,
errors, pages and rest; the others when you need them:

start         factory, modules, module_errors, setting, application, cli, seeding, server
every answer  errors, problem, expired, security, sessions, limits, urls, health, logs, access_log
data          base, models, columns, database, constraints, parts, text
reading       reads, rows, query_count
lists         listing, conditions, paging, cursor, export
pages         pages, forms, converters, form_fields, choices, filters, fragments, assets,
              static_files, undefined, i18n
API           rest, schemas, fields, plan, inserts, updates, tags, links, encoding, deprecation,
              openapi/
migrations    migrations, revisions, comparison, portable, risks, sqlite_changes, mysql_changes,
              schema_state
tools         testing, conformance, doctor/, generator/
"""
