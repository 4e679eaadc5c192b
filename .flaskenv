# Read by the `flask` command. Without it `flask` would take the folder app/, which holds the modules,
# for the application; run.py builds it.
FLASK_APP=run
