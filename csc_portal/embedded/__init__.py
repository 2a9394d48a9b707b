"""What csc_portal/services.py is made of: programs out of wheels, run as embedded servers."""
