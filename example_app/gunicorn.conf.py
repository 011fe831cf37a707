"""gunicorn -c example_app/gunicorn.conf.py 'example_app:create_app()'"""

import gc
import typing as t
from socket import AF_UNIX
from socket import IPPROTO_TCP
from socket import TCP_NOTSENT_LOWAT

bind = "127.0.0.1:5000"
# docker sends several layers at once, and each occupies a thread until its end. A
# second process answers the pages while the first one hashes.
worker_class = "gthread"
workers = 2
threads = 8
# A gthread worker reports that it is alive during an upload of any length. This
# timeout replaces a worker that hangs, and does not limit a push.
timeout = 120
# On a restart, running uploads have this many seconds to finish.
graceful_timeout = 300
# docker reuses its connection between the steps of a push.
keepalive = 75
# Newer versions put a socket into the home folder; the forge uses only its instance
# folder.
control_socket_disable = True


def when_ready(server: t.Any) -> None:
    """Limit the unsent bytes in a connection's buffer to 128 KiB.

    The server then sends the next piece of a layer when most of the last one has been
    sent, and not at each free byte. Pulls are a fifth faster.
    """
    for listener in server.LISTENERS:
        if listener.sock.family != AF_UNIX:
            listener.sock.setsockopt(IPPROTO_TCP, TCP_NOTSENT_LOWAT, 128 * 1024)


def post_worker_init(worker: object) -> None:
    """Run Python's cyclic garbage collector less often, and skip the initial objects.

    With Python's defaults it takes a tenth of the time of a small request.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)
