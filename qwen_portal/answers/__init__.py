"""The service's answers, read: streams into events, answers made whole, refusals into typed errors.

Imports the ground modules alone, and knows neither the HTTP library nor a framework.
Hardest part: ``refusals``, because the service says the same thing in many forms.
"""
