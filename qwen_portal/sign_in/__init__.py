"""Signing in, and moving a sign-in here that another program keeps.

May import session, oauth and what is below them. Displays show events; ``device_flow`` shows nothing.
Hardest part: ``importing``, because a refresh token serves once and must have one owner.
"""
