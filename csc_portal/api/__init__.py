"""The API that other programs use, under /api/v1/."""
