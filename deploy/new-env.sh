#!/bin/sh
# Writes deploy/production.env, which compose.yaml reads, with secrets of its own; never over one that is there.
set -eu
file=$(dirname "$0")/production.env

if [ -e "$file" ]; then
    echo "Error: $file is there already: its secrets are in use. Remove it by hand to get new ones." >&2
    exit 1
fi

random() {
    LC_ALL=C tr -dc 'A-Za-z0-9' </dev/urandom | head -c "$1"
}

umask 077
password=$(random 40)
cat >"$file" <<END
APP_ENV=production
SECRET_KEY=$(random 48)
WTF_CSRF_SECRET_KEY=$(random 48)
# Your domains, comma-separated.
TRUSTED_HOSTS=localhost
POSTGRES_USER=andamio
POSTGRES_DB=andamio
POSTGRES_PASSWORD=$password
DATABASE_URL=postgresql://andamio:$password@db:5432/andamio
END
echo "Wrote $file. Next: docker compose up --build"
