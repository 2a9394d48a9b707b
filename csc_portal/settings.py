"""Settings, read from the environment (see .env.example). No secret stands here or there."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

import environ

from csc_portal.backing import Backing
from csc_portal.trust import trust_both
from tenants.secrets import SecretKey, SecretKeyFallbacks

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

CSC_DATA_DIR = Path(env.str("CSC_DATA_DIR", default=str(BASE_DIR / ".data"))).resolve()

trust_both(os.environ)

# --- Microsoft ----------------------------------------------------------------------------------
AZURE_CLOUD = env.str("AZURE_CLOUD", default="public")
AZURE_KEY_VAULT_URL = env.str("AZURE_KEY_VAULT_URL", default="")
ENDPOINT_OVERRIDES = {
    name: env.str(name, default="")
    for name in (
        "MICROSOFT_LOGIN_URL",
        "MICROSOFT_GRAPH_URL",
        "AZURE_RESOURCE_MANAGER_URL",
        "MICROSOFT_DEFENDER_URL",
    )
}
# Public lists of threats. An empty address switches that list off.
KEV_URL = env.str(
    "KEV_URL",
    default="https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json",
)
EPSS_URL = env.str(
    "EPSS_URL", default="https://epss.empiricalsecurity.com/epss_scores-current.csv.gz"
)
NEWS_FEEDS = env.list(
    "NEWS_FEEDS",
    default=[
        "https://api.msrc.microsoft.com/update-guide/rss",
        "https://www.cisa.gov/cybersecurity-advisories/all.xml",
    ],
)
PUBLIC_INGRESS_URL = env.str("PUBLIC_INGRESS_URL", default="")
PORTAL_URL = env.str("PORTAL_URL", default="")
PROVIDER_CLIENT_ID = env.str("PROVIDER_CLIENT_ID", default="")
# Private networks that ticket systems and receivers of webhooks may lie in. Default: loopback if
# the vault is there (a lab).
ALLOWED_PRIVATE_NETWORKS = env.list("ALLOWED_PRIVATE_NETWORKS", default=None)

# --- Django -------------------------------------------------------------------------------------
SECRET_KEY = SecretKey()
SECRET_KEY_FALLBACKS = SecretKeyFallbacks()
DEBUG = False
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# Behind TLS in production; the demo and the tests speak plain HTTP on loopback.
IS_HTTPS = env.bool("PORTAL_HTTPS", default=PORTAL_URL.startswith("https://"))

SHARED_APPS = [
    "csc_portal",  # first, because its migrate_schemas replaces that of django_tenants
    "django_tenants",
    "tenants",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
]
TENANT_APPS = ["posture", "alerts", "ticketing", "reports"]
INSTALLED_APPS = [*SHARED_APPS, *TENANT_APPS]
TENANT_MODEL = "tenants.Tenant"
TENANT_DOMAIN_MODEL = "tenants.Tenant"  # tenants are chosen by grant, never by host name
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
AUTH_USER_MODEL = "tenants.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csc_portal.web.security.SecurityHeaders",
    "csc_portal.web.status.Probes",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "csc_portal.web.activity.Activity",
    "csc_portal.web.zone.UserZone",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "csc_portal.urls"
WSGI_APPLICATION = "csc_portal.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    ["csc_portal.slim.Loader", "django.template.loaders.app_directories.Loader"],
                )
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csc_portal.web.context.frame",
            ],
        },
    },
]
# --- Signing in: Entra ID of the provider's own directory, and local accounts for emergencies -----
OIDC_DIRECTORY = env.str("OIDC_DIRECTORY", default="")
OIDC_ISSUER = env.str("OIDC_ISSUER", default="")
OIDC_CLIENT_ID = env.str("OIDC_CLIENT_ID", default="")
OIDC_CLIENT_SECRET_NAME = env.str("OIDC_CLIENT_SECRET_NAME", default="")
# What `aud` of a program's token may be. Empty: OIDC_CLIENT_ID and api://OIDC_CLIENT_ID.
OIDC_API_AUDIENCES = env.list("OIDC_API_AUDIENCES", default=[])
LOCAL_SECOND_FACTOR = env.str("LOCAL_SECOND_FACTOR", default="required")
SESSION_ENGINE = "csc_portal.web.sessions"
SESSION_IDLE_MINUTES = env.int("SESSION_IDLE_MINUTES", default=60)
SESSION_HOURS = env.int("SESSION_HOURS", default=12)
# Proxies in front of the portal, each of which adds an address to X-Forwarded-For.
PORTAL_PROXIES = env.int("PORTAL_PROXIES", default=0)
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
    )
]
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

# --- Postgres and Redis; without URLs the embedded servers of CSC_DATA_DIR are used --------------
BACKING = Backing(
    CSC_DATA_DIR,
    env.str("DATABASE_URL", default=""),
    env.str("REDIS_URL", default=""),
    env.str("ADMIN_DATABASE_URL", default=""),
)
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="")
POLL_INTERVAL_S = env.float("POLL_INTERVAL_S", default=60)
POLL_INTERVAL_MAX_S = env.float("POLL_INTERVAL_MAX_S", default=10 * POLL_INTERVAL_S)
DATABASES = {
    "default": {
        "ENGINE": "csc_portal.database",
        "NAME": urlsplit(env.str("DATABASE_URL", default="")).path.lstrip("/") or "csc",
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": True,
        # One statement a query: an injected `; SET ROLE` can't run.
        "OPTIONS": {"server_side_binding": True},
    }
}

# --- The lake: a folder, or abfss://... with managed identity; empty: below CSC_DATA_DIR ---------
LAKE_URL = env.str("LAKE_URL", default="")

# --- The API ------------------------------------------------------------------------------------
API_REQUESTS_PER_MINUTE = env.int("API_REQUESTS_PER_MINUTE", default=600)
API_REQUESTS_PER_DAY = env.int("API_REQUESTS_PER_DAY", default=200_000)
# Who may listen at a time: to one process of streams, and with one key of them.
API_STREAMS = env.int("API_STREAMS", default=200)
API_STREAMS_PER_KEY = env.int("API_STREAMS_PER_KEY", default=5)
SERVES_STREAMS = False
REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,  # `format` is a parameter like others
}
SPECTACULAR_SETTINGS = {
    "OAS_VERSION": "3.1.1",
    "TITLE": "CSC Portal",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "POSTPROCESSING_HOOKS": [],
}

# --- Static files -------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# --- Security -----------------------------------------------------------------------------------
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = SESSION_HOURS * 3600
SESSION_COOKIE_SECURE = IS_HTTPS
# A name that browsers take over TLS only, for this host only: no neighbour can plant a session.
SESSION_COOKIE_NAME = "__Host-csc" if IS_HTTPS else "csc"
CSRF_COOKIE_SECURE = IS_HTTPS
CSRF_COOKIE_HTTPONLY = True
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 31536000 if IS_HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if IS_HTTPS else None
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000  # a group of tenants is sent with all its members
# An uploaded list of people never touches a disk: what does not fit into memory is dropped.
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

# --- Logging: ids and counts only ----------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"tenant": {"()": "csc_portal.logs.AddTenant"}},
    "formatters": {
        "line": {
            "()": "csc_portal.logs.SafeFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s tenant=%(tenant)s %(message)s",
        }
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "stream": sys.stderr,
            "filters": ["tenant"],
            "formatter": "line",
        }
    },
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        name: {"level": "WARNING"}
        for name in (
            "azure",
            "msal",
            "urllib3",
            "django.db",
            "django.template",
            # A line for each of the tasks that look for work every two seconds is too many.
            "celery.app.trace",
            "celery.worker.strategy",
            "celery.beat",
        )
    }
    # Their warnings quote the path that somebody typed.
    | {name: {"level": "ERROR"} for name in ("django.request", "django.security.csrf", "mcp")},
}
