"""The JSON of an answer, made whole: fields that are missing, tool calls in odd pieces, what is said twice.

Imports no other room, and knows neither the HTTP library nor a framework.
Hardest part: ``tool_calls``, because nothing but custom says which fragment belongs to which call.
"""
