"""One file a page; each has a ``main`` that draws it.

The folder is not called ``pages``: Streamlit takes a folder of that name beside the entry file for a multipage app of
its older kind.
"""
