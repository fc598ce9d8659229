"""The HTTP service: a request comes in, the digit and the sum go out, by onnxruntime and without torch.

``app`` is the table of routes and ``server`` runs it, on the connections of ``hardening``. ``requests`` and
``form`` read what comes to /predict, ``open_inference`` speaks the Open Inference Protocol, and ``models``
answers. ``middleware`` stands around every request and ``limits`` bounds it; ``errors`` says what is refused,
``metrics`` and ``logs`` how it goes. ``pages`` has the page for the browser and the OpenAPI document,
``samples`` the digits that the page shows.
"""
