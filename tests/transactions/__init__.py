"""Dispatch inside database transactions, on SQLite and PostgreSQL."""
