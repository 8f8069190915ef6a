"""Webhooks: what endpoints of an app's owner are told, stored until they answered or five minutes are over."""
