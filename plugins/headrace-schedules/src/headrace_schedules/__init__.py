"""Schedules: every so often, by cron expressions, and by the recurrence rules of calendars."""
