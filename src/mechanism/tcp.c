/* SPDX-License-Identifier: MIT */
/*
 * tcp: a stream socket within this machine, or to another.
 *
 * Anybody on the way can read and change what goes over plain TCP, so addresses beyond loopback need insecure=1. Within the machine any user can connect to any
 * port, and TCP does not tell who: the kernel's list of sockets does (see inet_diag.c), so that peers of another user are refused as elsewhere. A dialler asks whose
 * process listens, a listener whose has connected.
 *
 * A dialler that has closed before it is taken in belongs to nobody any more. If it were admitted, any user could come in: connect, send, close. So it is refused,
 * and counted. With framing=sp that costs nobody anything, for there a sender waits until it has been greeted, which is after it was asked for. In the other framings
 * a sender that is in such a hurry is heard only with insecure=1; who must hear it and know who it is uses unix:. Where the kernel does not show its list, opening
 * fails, and with insecure=1 nobody is asked. Messages do not tell their sender.
 *
 * A host that vanishes says nothing. keepalive= is how long its silence is borne: idle connections are probed within that time, and what is sent must be acknowledged
 * within it. The kernel cannot tell a host that is gone from a receiver that takes nothing for so long while more is to be sent, so both are cut. Within this machine
 * nobody vanishes silently, and none of it is set: there a slow receiver is waited for without end.
 *
 * A dialler that tries again and again to reach a port where nobody listens may one day be given that very port as its own, and is then connected to itself. That is
 * looked for.
 *
 * It refuses: names of hosts without resolve=1, messages beyond max=.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "clock.h"
#include "door.h"
#include "framing.h"
#include "inet.h"
#include "inet_diag.h"
#include "option.h"
#include "owner.h"
#include "socket_stream.h"
#include "sys.h"
#include "why.h"

enum { GRACE = 20000000 }; /* ns: this machine answers itself at once, but on a busy one not before connect(2) returns */

static int describe(const struct ipw_address *a, struct ipw_caps *out, struct ipw_why *why)
{
        struct inet_name name;
        struct stream facts;
        int r;

        if (a->fragment)
                return why_set(why, EINVAL, "tcp: '#' means nothing here; leave it away");
        if (address_number(a, "insecure") && address_is_given(a, "peer"))
                return why_set(why, EINVAL, "tcp:%s: insecure=1 asks nobody who he is, so peer= means nothing; leave one of them away",
                               a->rest);
        r = inet_name_parse("tcp", a->rest, address_number(a, "resolve"), &name, why);
        if (r < 0)
                return r;
        socket_stream_facts(&facts, "tcp", IPW_RECV | IPW_SEND, 0);
        door_caps(a, &facts, out);
        return 0;
}

static int find(const struct ipw_address *a, struct inet_addresses *out, struct ipw_why *why)
{
        struct inet_name name;
        int r;

        r = inet_name_parse("tcp", a->rest, address_number(a, "resolve"), &name, why);
        if (r == 0)
                r = inet_find("tcp", &name, out, why);
        for (unsigned i = 0; r == 0 && i < out->count; i++)
                if (!address_number(a, "insecure") && !inet_is_loopback(&out->at[i]))
                        return why_set(
                                why, EPERM,
                                "tcp:%s: reaches beyond this machine, where anybody on the way can read and change plain TCP; if that is "
                                "meant, add insecure=1",
                                a->rest);
        return r;
}

/* ---- one connection ---------------------------------------------------------------------------------------------------------------------- */

static int set(int fd, int level, int option, int value)
{
        return sys_setsockopt("how the connection is to behave", fd, level, option, &value, sizeof(value));
}

/* keepalive=: half of the time until the first probe, the rest for three; unacknowledged bytes and unanswered probes are borne for all of it. */
static int set_keepalive(int fd, int64_t time)
{
        int seconds = (int)MIN((time + 999999999) / 1000000000, (int64_t)32767), r;

        if (!seconds)
                return 0;
        r = set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
        if (r == 0)
                r = set(fd, IPPROTO_TCP, TCP_KEEPIDLE, MAX(seconds / 2, 1));
        if (r == 0)
                r = set(fd, IPPROTO_TCP, TCP_KEEPINTVL, MAX(seconds / 6, 1));
        if (r == 0)
                r = set(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
        return r < 0 ? r : set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, seconds * 1000);
}

static int local_of(int fd, struct inet_address *out)
{
        out->size = sizeof(out->v6);
        return sys_getsockname("our own end", fd, &out->any, &out->size);
}

static int remote_of(int fd, struct inet_address *out)
{
        out->size = sizeof(out->v6);
        return sys_getpeername("the other end", fd, &out->any, &out->size);
}

/* The stream over a connection. Owns `fd` on success. */
static int new_stream(int fd, const struct ipw_address *a, unsigned ways, struct stream **out)
{
        struct inet_address remote;
        int r;

        r = remote_of(fd, &remote);
        if (r == 0)
                r = set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        if (r == 0 && !inet_is_loopback(&remote))
                r = set_keepalive(fd, address_number(a, "keepalive"));
        return r < 0 ? r : socket_stream_new(fd, "tcp", ways, 0, out);
}

static int untold(const struct ipw_address *a, int error, struct ipw_why *why)
{
        return why_set(
                why, EPERM,
                "tcp:%s: the kernel does not tell whose the other end of a connection is (%s; it needs the module tcp_diag): insecure=1 "
                "does without",
                a->rest, why_name(error));
}

/* ---- listening --------------------------------------------------------------------------------------------------------------------------- */

static int admit(struct door *d, int fd, uid_t *uid)
{
        const struct ipw_address *a = d->request.address;
        struct inet_address local, remote;
        int r;

        if (d->diag < 0)
                return 0;
        r = local_of(fd, &local);
        if (r == 0)
                r = remote_of(fd, &remote);
        if (r == 0)
                r = inet_diag_owner(d->diag, &remote.any, &local.any, uid);
        if (r < 0)
                return r;                                                         /* -ESRCH: it has closed already */
        r = owner_trusted_member(*uid, (gid_t)-1, address_text(a, "peer"), NULL); /* a socket has no group */
        return r == 0 || r == -ENOENT ? -EPERM : MIN(r, 0);                       /* nobody is of a group that there is not */
}

static int accepted(struct door *d, int fd, unsigned ways, struct stream **out)
{
        return new_stream(fd, d->request.address, ways, out);
}

static const struct door_kind kind = { .admit = admit, .stream = accepted };

static int bind_to(int fd, const struct inet_address *at, const struct ipw_address *a, struct ipw_why *why)
{
        int r;

        /* so that a server that starts again gets its port although old connections of it are still remembered; not SO_REUSEPORT, which shares */
        r = set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
        if (r == 0)
                r = sys_bind("take the port", fd, &at->any, at->size);
        if (r == 0)
                r = sys_listen("let peers come", fd, SOMAXCONN);
        switch (-r) {
        case 0:
                return 0;
        case EADDRINUSE:
                return why_set(why, EADDRINUSE,
                               "tcp:%s: somebody has this port (ss -ltnp shows who); choose another, or 0 for any, or end that program",
                               a->rest);
        case EACCES:
                return why_set(why, EACCES, "tcp:%s: this user may not listen on ports below net.ipv4.ip_unprivileged_port_start (1024)",
                               a->rest);
        case EADDRNOTAVAIL:
                return why_set(why, EADDRNOTAVAIL,
                               "tcp:%s: this machine has no such address (ip address shows which it has); 0.0.0.0 is all of them", a->rest);
        default:
                return why_call(why, r, a->rest, "cannot listen");
        }
}

/* The port that was given for port 0, in the address that the link tells. */
static int tell_port(struct door *d, const struct inet_address *bound, char **out)
{
        struct ipw_address *a = (struct ipw_address *)d->request.address; /* a copy of ours */
        char *rest = sys_alloc("the address as it is", INET_TEXT), *text;
        int size;

        if (!rest)
                return -ENOMEM;
        inet_print(bound, rest);
        free(a->rest);
        a->rest = rest;
        d->listener.name = rest;
        size = address_print(a, NULL, 0) + 1;
        text = sys_alloc("the address as it is, for who asks", (size_t)size);
        if (!text)
                return -ENOMEM;
        (void)address_print(a, text, (size_t)size);
        *out = text;
        return 0;
}

static int listen_at(const struct request *request, struct link **out, struct ipw_why *why)
{
        const struct ipw_address *a = request->address;
        _cleanup_(door_discard)
        struct door *d = NULL;
        _cleanup_(freep)
        char *address = NULL;
        struct inet_addresses found;
        struct inet_address bound;
        struct stream facts;
        uid_t uid;
        int r;

        if (request->how & IPW_FRESH)
                return why_set(why, EINVAL, "tcp:%s: a port is never shared, so IPW_FRESH means nothing here; leave it away", a->rest);
        r = find(a, &found, why);
        if (r < 0)
                return r;
        socket_stream_facts(&facts, "tcp", request->ways, 0);
        r = door_new(request, &kind, &facts, &d, why);
        if (r < 0)
                return r;
        d->listener.fd = sys_socket("a stream socket", found.at[0].any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (d->listener.fd < 0)
                return why_call(why, d->listener.fd, a->rest, "cannot make a socket");
        r = bind_to(d->listener.fd, &found.at[0], a, why);
        if (r < 0)
                return r;
        r = local_of(d->listener.fd, &bound);
        if (r == 0 && inet_port(&found.at[0]) == 0)
                r = tell_port(d, &bound, &address);
        if (r < 0)
                return why_call(why, r, a->rest, "cannot listen");
        if (!address_number(a, "insecure")) {
                d->diag = inet_diag_open();
                r = d->diag < 0 ? d->diag : inet_diag_owner(d->diag, &bound.any, NULL, &uid); /* it must know our own */
                if (r == -EMFILE || r == -ENFILE)
                        return why_call(why, r, a->rest, "cannot listen");
                if (r < 0)
                        return untold(a, r, why);
        }
        r = door_open(steal(&d), out, why);
        if (r == 0)
                (*out)->address = steal(&address);
        return r;
}

/* ---- dialling --------------------------------------------------------------------------------------------------------------------------- */

/* Waits until the connection stands, the other side refuses it, or time is up. */
static int finish(int fd, const struct request *request, int64_t until)
{
        struct pollfd p = { .fd = fd, .events = POLLOUT };
        socklen_t size = sizeof(int);
        int error = 0, r;

        for (;;) {
                struct timespec left = clock_left(until);

                r = sys_ppoll("does the other host answer", &p, 1, until == NEVER ? NULL : &left);
                if (r > 0)
                        break;
                if (r == 0 || (r == -EINTR && until != NEVER && clock_now() >= until))
                        return -EINPROGRESS;
                if (r != -EINTR || request->how & IPW_SIGNALS)
                        return r;
        }
        r = sys_getsockopt("what did it say", fd, SOL_SOCKET, SO_ERROR, &error, &size);
        return r < 0 ? r : -error;
}

/* Whose process is at the other end? It may have accepted us already, or only listens. */
static int check_peer(int fd, const struct ipw_address *a, struct ipw_why *why)
{
        struct inet_address local, remote;
        _cleanup_(sys_closep)
        int diag = inet_diag_open();
        uid_t uid = 0;
        int r;

        if (diag < 0)
                return diag == -EMFILE || diag == -ENFILE ? why_call(why, diag, a->rest, "cannot dial") : untold(a, diag, why);
        r = local_of(fd, &local);
        if (r == 0)
                r = remote_of(fd, &remote);
        if (r == 0)
                r = inet_diag_owner(diag, &remote.any, &local.any, &uid);
        if (r == -ESRCH)
                r = inet_diag_owner(diag, &remote.any, NULL, &uid);
        if (r == -ESRCH) /* between the two questions it has accepted us, and listens no more */
                r = inet_diag_owner(diag, &remote.any, &local.any, &uid);
        if (r == -ENOTCONN || (r == -ESRCH && (inet_diag_owner(diag, &local.any, &remote.any, &uid) == 0 || remote_of(fd, &remote) < 0)))
                return why_set(why, EAGAIN, "tcp:%s: the listener went away at this moment", a->rest);
        if (r < 0)
                return untold(a, r, why); /* nor does it know our own end */
        r = owner_trusted_member(uid, (gid_t)-1, address_text(a, "peer"), why);
        if (r == 0)
                return why_set(why, EPERM, "tcp:%s: the other side is user %u, neither this user nor root; peer=uid:%u admits it", a->rest,
                               uid, uid);
        return MIN(r, 0);
}

static int refused(const struct ipw_address *a, int error, struct ipw_why *why)
{
        switch (-error) {
        case ECONNREFUSED:
                return why_set(why, EAGAIN, "tcp:%s: nobody listens there yet", a->rest);
        case EINPROGRESS:
                return why_set(why, EAGAIN, "tcp:%s: no answer yet: the host is gone, drops what it is sent, or has too many waiting",
                               a->rest);
        case ETIMEDOUT:
        case EHOSTUNREACH:
        case EHOSTDOWN:
        case ECONNRESET:
                return why_set(why, EAGAIN, "tcp:%s: cannot be reached yet (%s)", a->rest, why_name(error));
        case EINTR:
                return why_set(why, EINTR, "tcp:%s: interrupted by a signal while dialling", a->rest);
        default:
                return why_call(why, error, a->rest, "cannot connect");
        }
}

/* One connection to one of the addresses. Hands a checked socket out. */
static int dial_one(const struct inet_address *to, const struct request *request, int *out, struct ipw_why *why)
{
        const struct ipw_address *a = request->address;
        struct inet_address local, remote;
        _cleanup_(sys_closep)
        int fd = sys_socket("a stream socket", to->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        bool near = inet_is_loopback(to);
        int r;

        if (fd < 0)
                return why_call(why, fd, a->rest, "cannot make a socket");
        r = sys_connect("to the other side", fd, &to->any, to->size);
        if (r == -EINPROGRESS)
                r = finish(fd, request, near ? MAX(request->until, clock_now() + GRACE) : request->until);
        if (r < 0)
                return refused(a, r, why);
        r = local_of(fd, &local);
        if (r == 0)
                r = remote_of(fd, &remote);
        if (r == -ENOTCONN)
                return refused(a, -ECONNRESET, why);
        if (r == 0 && inet_equal(&local, &remote))
                return refused(a, -ECONNREFUSED, why); /* with itself */
        if (r == 0)
                r = sys_fcntl("from here on each call says whether it may wait", fd, F_SETFL, O_RDWR);
        if (r < 0)
                return why_call(why, r, a->rest, "cannot connect");
        if (near && !address_number(a, "insecure"))
                r = check_peer(fd, a, why);
        if (r == 0)
                *out = steal_fd(&fd);
        return r;
}

/* To the first address that answers. Of several failures the one counts that may pass. */
static int dial_any(const struct inet_addresses *found, const struct request *request, int *out, struct ipw_why *why)
{
        int result = 0;

        for (unsigned i = 0; i < found->count; i++) {
                struct ipw_why one = { 0 };
                int r = dial_one(&found->at[i], request, out, &one);

                if (r == 0)
                        return 0;
                if (result != -EAGAIN || r == -EPERM || r == -EINTR) {
                        result = r;
                        if (why)
                                *why = one;
                }
                if (r == -EPERM || r == -EINTR)
                        break;
        }
        return result;
}

static int dial(const struct request *request, struct link **out, struct ipw_why *why)
{
        const struct ipw_address *a = request->address;
        struct inet_addresses found;
        _cleanup_(sys_closep)
        int fd = -1;
        struct stream *s;
        int r;

        if (request->how & IPW_FRESH)
                return why_set(why, EINVAL, "tcp:%s: who dials makes nothing, so IPW_FRESH means nothing here; leave it away", a->rest);
        r = find(a, &found, why);
        if (r == 0 && inet_port(&found.at[0]) == 0)
                return why_set(why, EINVAL, "tcp:%s: port 0 is any free port, for who listens; who dials must name one", a->rest);
        if (r < 0)
                return r;
        r = dial_any(&found, request, &fd, why);
        if (r < 0)
                return r;
        r = new_stream(fd, a, request->ways, &s);
        if (r < 0)
                return why_call(why, r, a->rest, "cannot make a link");
        (void)steal_fd(&fd);
        return framing_open(s, address_text(a, "framing"), request, out, why);
}

static int open_tcp(const struct request *request, struct link **out, struct ipw_why *why)
{
        return request->how & IPW_LISTEN ? listen_at(request, out, why) : dial(request, out, why);
}

static const struct ipw_option options[] = {
        OPTION_SOCKET_FRAMING,
        OPTION_SOCKET_MAX,
        OPTION_PEER,
        { "insecure", "0|1", "0", "1: also beyond this machine, and nobody is asked who he is" },
        { "resolve", "0|1", "0", "1: the host may be a name; looking it up may take longer than any timeout" },
        { "keepalive", "TIME", "30s", "how long another host may be silent, or take nothing, until it counts as gone; 0: for ever" },
        OPTION_ACK,
        OPTION_SPIN,
        OPTION_UNTIL,
};

const struct mechanism mechanism_tcp = {
        .about = { .scheme = "tcp",
                   .syntax = "tcp:HOST:PORT, tcp:[IPV6]:PORT",
                   .summary = "TCP: a connection within this machine or to another, both ways, the end is seen",
                   .good_for = "other machines, containers, programs of any language",
                   .sample = "tcp:127.0.0.1:{port}",
                   .roles = 1u << IPW_PUSH | 1u << IPW_PULL | 1u << IPW_PAIR,
                   .options = options,
                   .option_count = COUNT_OF(options) },
        .describe = describe,
        .open = open_tcp,
};
