"""Lucent's interface on phosphene's engine: a Lucent notebook runs after changing its imports.

::

    from phosphene.compat.lucent.optvis import objectives, param, render, transform

    render.render_vis(model, "mixed4a:476", show_image=False)

The names, defaults and semantics are those that Lucent documents (Kiat 2020, Apache-2.0; after Lucid). What is
different is said where it is: no hook and no gradient is left on the model, any device, any image size, and the
caller's transforms stay as they are.
"""
