#!/bin/sh
# Roles by the superuser, then every schema by the portal's own login.
set -eu
password="$(python -c 'import sys, urllib.parse; print(urllib.parse.quote(sys.stdin.read().strip(), ""))' \
    </run/secrets/database-admin-password)"
ADMIN_DATABASE_URL="postgresql://postgres:$password@postgres:5432/csc"
export ADMIN_DATABASE_URL
exec python manage.py migrate_schemas
