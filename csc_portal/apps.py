from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "csc_portal"

    def ready(self) -> None:
        """Tasks belong to our Celery app in every process, also where a page queues one."""
        import csc_portal.celery  # noqa: F401 - importing it makes it the current app
