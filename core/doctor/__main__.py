"""`python -m core.doctor`: for an .env that the `flask` command itself cannot read."""

from core.doctor import doctor, stand_in
from core.factory import create_app

try:
    app = create_app()
except (Exception, SystemExit) as error:
    app = stand_in(create_app, error)
with app.app_context():
    doctor(prog_name="doctor")
