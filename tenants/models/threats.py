"""What is publicly known: weaknesses that attackers use, how likely that is, and news.

Public data without any word about a customer; what it means for a tenant is found in its scope.
"""

from __future__ import annotations

import uuid

from django.db import models


class PublicFeed(models.Model):
    """A list that we fetch, and how that went. Of CISA's and FIRST's there is one row each."""

    class Kind(models.TextChoices):
        KEV = "kev", "CISA: known exploited vulnerabilities"
        EPSS = "epss", "FIRST: how likely exploitation is"
        NEWS = "news", "News"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=4, choices=Kind)
    name = models.CharField(max_length=80)
    url = models.CharField(max_length=500, blank=True, help_text="Of news; the others: settings")
    is_on = models.BooleanField(default=True)
    etag = models.CharField(max_length=200, blank=True, default="")
    last_modified = models.CharField(max_length=60, blank=True, default="")
    as_of = models.CharField(max_length=40, blank=True, default="", help_text="As it says itself")
    entries = models.IntegerField(default=0)
    next_at = models.DateTimeField(null=True, help_text="Empty: at once")
    asked_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True, help_text="It last answered, with news or without")
    changed_at = models.DateTimeField(null=True, help_text="Its content was last taken")
    failures = models.IntegerField(default=0)
    problem = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        ordering = ["kind", "name", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind"],
                condition=models.Q(kind__in=["kev", "epss"]),
                name="one_feed_of_a_kind",
            ),
            models.UniqueConstraint(
                fields=["url"], condition=models.Q(kind="news"), name="news_feed_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class KnownExploited(models.Model):
    """A weakness that attackers use, as CISA lists it (public domain, CC0)."""

    cve = models.CharField(max_length=40, primary_key=True)
    vendor = models.CharField(max_length=120, blank=True)
    product = models.CharField(max_length=200, blank=True)
    name = models.CharField(max_length=300, blank=True)
    added_on = models.DateField()
    due_on = models.DateField(null=True)
    by_ransomware = models.BooleanField(default=False)
    action = models.CharField(max_length=600, blank=True, help_text="What CISA asks to do")

    class Meta:
        ordering = ["cve"]

    def __str__(self) -> str:
        return self.cve


class ExploitScore(models.Model):
    """How likely a weakness is exploited within 30 days (EPSS of FIRST), 0 to 1."""

    cve = models.CharField(max_length=40, primary_key=True)
    score = models.FloatField()
    percentile = models.FloatField()

    class Meta:
        ordering = ["cve"]

    def __str__(self) -> str:
        return self.cve


class NewsItem(models.Model):
    """One item of a news feed, as plain text. `key`: digest of what the feed calls it."""

    feed = models.ForeignKey(PublicFeed, models.CASCADE, related_name="items")
    key = models.CharField(max_length=32)
    title = models.CharField(max_length=300)
    summary = models.CharField(max_length=600, blank=True)
    url = models.CharField(max_length=500, blank=True)
    cves = models.JSONField(default=list)
    published_at = models.DateTimeField(help_text="Never later than it was seen")
    seen_at = models.DateTimeField()

    class Meta:
        ordering = ["-published_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["feed", "key"], name="news_once"),
        ]
        indexes = [models.Index(fields=["-published_at", "-id"], name="news_newest")]

    def __str__(self) -> str:
        return f"news {self.pk}"
