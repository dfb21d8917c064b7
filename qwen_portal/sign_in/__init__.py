"""How a person signs in, and how a sign-in that another program keeps is moved here.

May import session, oauth and what is below them. Displays show events; ``device_flow`` shows nothing.
Hardest part: ``importing``, because a refresh token serves once and must have one owner.
"""
