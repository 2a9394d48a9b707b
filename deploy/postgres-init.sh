#!/bin/sh
# The portal's login; run once by PostgreSQL's image when it makes the cluster.
set -eu
psql --quiet --set=ON_ERROR_STOP=1 --username=postgres --dbname=postgres \
    --set=password="$(cat /run/secrets/database-password)" <<'SQL'
CREATE ROLE csc_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
    PASSWORD :'password';
SQL
