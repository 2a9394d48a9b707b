#!/usr/bin/env python
"""Runs the portal's commands: `manage.py --help` lists them."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "csc_portal.settings")
    os.environ.setdefault("LOG_LEVEL", "ERROR")  # a command answers; it does not tell its work
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
