"""Pictures on their way in, results on their way out, and previews of them.

Codecs may enter `media.workers` alone: those modules are programs that run in child processes,
for they are heavy and a file may be hostile. Nothing here knows MCP, or when money moves.
"""
