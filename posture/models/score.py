"""Secure Score of a tenant: a row a day, and what is known of each control."""

from __future__ import annotations

from django.db import models

from tenants.changes import change_column


class ScoreDay(models.Model):
    """The score of one day, as Microsoft counted it. `controls`: name -> [points, most or null].

    The most that a control can give is known from the day on that its profile was read.
    """

    day = models.DateField(primary_key=True)
    current = models.FloatField()
    most = models.FloatField()
    licensed_users = models.IntegerField(null=True)
    averages = models.JSONField(default=dict, help_text="Microsoft's, by basis, in percent")
    controls = models.JSONField(default=dict)
    read_at = models.DateTimeField()
    change = change_column()

    class Meta:
        ordering = ["-day"]
        indexes = [models.Index(fields=["change", "day"], name="scoreday_change")]

    def __str__(self) -> str:
        return f"{self.day}: {self.current} of {self.most}"


class ControlProfile(models.Model):
    """One control. Its texts hold HTML and are read live; who changed its state is not stored."""

    name = models.CharField(max_length=100, primary_key=True, help_text="controlName, the join key")
    title = models.CharField(max_length=300, blank=True, help_text="Plain text, no markup")
    service = models.CharField(max_length=60, blank=True)
    category = models.CharField(max_length=60, blank=True)
    action_type = models.CharField(max_length=60, blank=True)
    tier = models.CharField(max_length=60, blank=True)
    cost = models.CharField(max_length=60, blank=True)
    impact = models.CharField(max_length=60, blank=True)
    most = models.FloatField(null=True)
    rank = models.IntegerField(null=True)
    threats = models.JSONField(default=list)
    is_deprecated = models.BooleanField(default=False)
    state = models.CharField(max_length=60, default="Default")
    state_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
