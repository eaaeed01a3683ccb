"""One module a page: each has a function ``page`` that draws it for a context.

The folder is not called "pages": Streamlit takes a folder of that name beside app.py for pages of its own, and runs its
files by themselves when one of their addresses is the first that a new server is asked for.
"""
