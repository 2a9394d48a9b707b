"""Freshservice's API v2, one help desk (account) per customer."""
