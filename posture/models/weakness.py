"""Weaknesses (CVEs) of a tenant's devices: how many are exposed, and by which products.

Counts and public identifiers only: no device is named here, not even by pseudonym.
"""

from __future__ import annotations

from django.db import models


class Weakness(models.Model):
    """One weakness, as Defender Vulnerability Management counted it last."""

    class Severity(models.IntegerChoices):
        UNKNOWN = 0, "Unknown"
        LOW = 1, "Low"
        MEDIUM = 2, "Medium"
        HIGH = 3, "High"
        CRITICAL = 4, "Critical"

    class Exploit(models.IntegerChoices):
        """What Microsoft knows of ways to use it."""

        NONE = 0, "None known"
        PUBLIC = 1, "Public"
        VERIFIED = 2, "Verified"
        KIT = 3, "In a kit"

    cve = models.CharField(max_length=40, primary_key=True, help_text="CVE-… or Microsoft's TVM-…")
    severity = models.SmallIntegerField(choices=Severity)
    cvss = models.FloatField(null=True)
    exposed = models.IntegerField(help_text="Devices")
    exploit = models.SmallIntegerField(choices=Exploit, default=Exploit.NONE)
    published_on = models.DateField(null=True)
    products = models.JSONField(default=list, help_text='["vendor/product", ...], sorted')
    products_read = models.BigIntegerField(default=0, help_text="The read that told them")
    generation = models.BigIntegerField(help_text="The read that saw it last")
    first_seen_at = models.DateTimeField()
    read_at = models.DateTimeField()

    class Meta:
        ordering = ["cve"]
        indexes = [
            # What has gone is what a whole read did not see.
            models.Index(fields=["generation"], name="weakness_generation"),
            # The list of a tenant, the worst first.
            models.Index(fields=["-severity", "-exposed", "cve"], name="weakness_worst"),
        ]

    def __str__(self) -> str:
        return self.cve


class WeaknessRead(models.Model):
    """One reading; its number marks what was seen in it. One that was cut off goes on."""

    class Stage(models.IntegerChoices):
        WEAKNESSES = 0
        PRODUCTS = 1
        DONE = 2

    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    stage = models.SmallIntegerField(choices=Stage, default=Stage.WEAKNESSES)
    position = models.IntegerField(default=0, help_text="Rows of the stage that are stored")
    is_complete = models.BooleanField(default=False)
    problem = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"read {self.pk}"
