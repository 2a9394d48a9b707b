"""manage.py openapi: the API's document, for docs/openapi.yaml."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from csc_portal.api.schema import as_yaml


class Command(BaseCommand):
    help = "Print the OpenAPI document of the API as YAML."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(as_yaml(), ending="")
