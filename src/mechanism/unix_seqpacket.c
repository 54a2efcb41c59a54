/* SPDX-License-Identifier: MIT */
/*
 * unix+seqpacket: a connected socket that keeps messages whole. How messages move is in record.c; here is how they end, and how a link is opened.
 *
 * An empty message looks like the end. With identity=1 (SO_PASSCRED) every message brings credentials and the end brings none, so both are told apart,
 * for 8 to 10 % of speed. Without, none can be sent, and one from a foreign program is told from the end by a second look; only if nothing
 * follows it but the end is it taken for the end.
 *
 * It refuses: symbolic links and other people's sockets (see unix_path.c), peers of another user, and messages beyond the socket's buffer.
 */
#include "unix_seqpacket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "door.h"
#include "option.h"
#include "record.h"
#include "rights.h"
#include "sys.h"
#include "unix_path.h"
#include "why.h"

/* After 0 bytes without credentials. An empty message may come from a program that does not know better; the end stays. */
static bool is_end(const struct record *s)
{
        static const struct timespec now = { 0 };
        struct pollfd p = { .fd = s->fd, .events = POLLRDHUP };
        char byte;

        return sys_ppoll("the end, or an empty message", &p, 1, &now) != 0 && p.revents & (POLLRDHUP | POLLHUP) &&
               sys_recv("does anything follow", s->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

static const struct record_kind kind = { .room = RECORD_UNIX_ROOM, .ended = is_end };

/* What a link over this socket can do. */
static int read_caps(int fd, struct ipw_caps *out, bool *identity)
{
        struct ipw_caps caps = { .stack = "unix+seqpacket" };
        int r = record_unix_caps(fd, &caps, identity);

        if (r < 0)
                return r;
        caps.min_msg = *identity ? 0 : 1;
        caps.flags = IPW_CAP_ORDERED | IPW_CAP_RELIABLE | IPW_CAP_ENDS | IPW_CAP_POLL | (*identity ? IPW_CAP_IDENTITY : 0);
        *out = caps;
        return 0;
}

/* Owns `fd` on success. */
static int new_link(int fd, struct link **out)
{
        _cleanup_(freep)
        struct record *s = sys_alloc("a link over a socket", sizeof(*s));
        socklen_t size = sizeof(s->peer);
        int r = s ? read_caps(fd, &s->link.caps, &s->credentials) : -ENOMEM;

        if (r == 0)
                r = sys_getsockopt("who is on the other side", fd, SOL_SOCKET, SO_PEERCRED, &s->peer, &size);
        if (r < 0)
                return r;
        record_init(s, &kind, fd);
        *out = &steal(&s)->link;
        return 0;
}

/* ---- options --------------------------------------------------------------------------------------------------------------------------- */

/* buffer= and identity= */
static int set_options(int fd, const struct ipw_address *a, struct ipw_why *why)
{
        int one = 1, r = 0;

        if (address_is_given(a, "buffer"))
                r = record_unix_buffer(fd, address_number(a, "buffer"), "unix+seqpacket", why);
        if (r < 0)
                return r;
        if (address_number(a, "identity"))
                r = sys_setsockopt("every message tells its sender", fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one));
        return r < 0 ? why_call(why, r, "unix+seqpacket", "cannot set the socket up") : 0;
}

static int new_socket(const struct ipw_address *a, int flags, int *out, struct ipw_why *why)
{
        _cleanup_(sys_closep)
        int fd = sys_socket("a socket that keeps messages whole", AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);
        int r = fd < 0 ? why_call(why, fd, "unix+seqpacket", "cannot make a socket") : set_options(fd, a, why);

        if (r == 0)
                *out = steal_fd(&fd);
        return r;
}

/* ---- the listening side ------------------------------------------------------------------------------------------------------------------- */

/* The options of the listener, for the socket of one peer, and the link over it. */
static int accepted(struct door *d, int fd, struct link **out)
{
        const struct ipw_address *a = d->request.address;
        int buffer = (int)((address_number(a, "buffer") + 1) / 2), one = 1, r = 0;

        if (buffer)
                r = sys_setsockopt("room for larger messages", fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
        if (r == 0 && address_number(a, "identity"))
                r = sys_setsockopt("every message tells its sender", fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one));
        return r < 0 ? r : new_link(fd, out);
}

static const struct door_kind door_kind = { .admit = door_unix_admit, .link = accepted, .give_name_up = door_unix_leave };

static int listen_at(const struct request *request, struct link **out, struct ipw_why *why)
{
        _cleanup_(door_discard)
        struct door *d = NULL;
        bool identity;
        int r;

        r = door_new(request, &door_kind, NULL, &d, why);
        if (r == 0)
                r = new_socket(request->address, SOCK_NONBLOCK, &d->listener.fd, why);
        if (r == 0)
                r = door_unix_listen(d, why);
        if (r < 0)
                return r;
        r = read_caps(d->listener.fd, &d->listener.caps, &identity);
        if (r < 0)
                return why_call(why, r, request->address->rest, "cannot listen");
        return door_open(steal(&d), out, why);
}

/* ---- the mechanism ----------------------------------------------------------------------------------------------------------------------- */

static int describe(const struct ipw_address *a, struct ipw_caps *out, struct ipw_why *why)
{
        bool identity = address_number(a, "identity");
        size_t buffer = address_is_given(a, "buffer") ? (size_t)address_number(a, "buffer") : RECORD_UNIX_MAX + RECORD_UNIX_OVERHEAD;
        int r;

        if (a->fragment)
                return why_set(why, EINVAL, "unix+seqpacket: '#' means nothing here; if it is part of the path write %%23");
        r = *a->rest ? unix_path_check(a->rest, why) : 0;
        if (r < 0)
                return r;
        if (a->rest[0] == '@' && (address_is_given(a, "mode") || address_is_given(a, "group")))
                return why_set(
                        why, EINVAL,
                        "%s: an abstract name has no permissions, so mode= and group= mean nothing; peers are checked by user (peer=)",
                        a->rest);
        *out = (struct ipw_caps){
                .min_msg = identity ? 0 : 1,
                .max_msg = buffer - RECORD_UNIX_OVERHEAD,
                .atomic_max = buffer - RECORD_UNIX_OVERHEAD,
                .max_batch = RECORD_BATCH_SEND,
                .max_fds = RIGHTS_MAX,
                .flags = IPW_CAP_ORDERED | IPW_CAP_RELIABLE | IPW_CAP_ENDS | IPW_CAP_POLL | IPW_CAP_MANY_SENDERS | IPW_CAP_MANY_RECEIVERS |
                         IPW_CAP_ACCEPT | (identity ? IPW_CAP_IDENTITY : 0),
                .stack = "unix+seqpacket",
        };
        return 0;
}

static int open_dialler(const struct request *request, struct link **out, struct ipw_why *why)
{
        const struct ipw_address *a = request->address;
        _cleanup_(sys_closep)
        int fd = -1;
        int r;

        if (request->how & IPW_FRESH)
                return why_set(why, EINVAL, "%s: who dials makes nothing, so IPW_FRESH means nothing here; leave it away", a->rest);
        r = new_socket(a, SOCK_NONBLOCK, &fd, why);
        if (r == 0)
                r = unix_path_dial(fd, a->rest, address_text(a, "peer"), why);
        if (r < 0)
                return r;
        r = sys_fcntl("from here on each call says whether it may wait", fd, F_SETFL, O_RDWR);
        if (r == 0)
                r = new_link(fd, out);
        if (r < 0)
                return why_call(why, r, a->rest, "cannot make a link");
        (void)steal_fd(&fd);
        return 0;
}

static int open_seqpacket(const struct request *request, struct link **out, struct ipw_why *why)
{
        if (!*request->address->rest)
                return why_set(
                        why, EINVAL,
                        "unix+seqpacket: without a name there is nothing to meet at; give a path, or use ipw_ends() (the command: run)");
        return request->how & IPW_LISTEN ? listen_at(request, out, why) : open_dialler(request, out, why);
}

int unix_seqpacket_adopt(int fd, const struct request *request, struct link **out, struct ipw_why *why)
{
        int domain = 0, type = 0, listening = 0;
        socklen_t size = sizeof(int);
        int r;

        r = sys_getsockopt("is it a Unix socket", fd, SOL_SOCKET, SO_DOMAIN, &domain, &size);
        if (r == 0)
                r = sys_getsockopt("does it keep messages whole", fd, SOL_SOCKET, SO_TYPE, &type, &size);
        if (r == 0)
                r = sys_getsockopt("does it listen", fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size);
        if (r == 0 && (domain != AF_UNIX || type != SOCK_SEQPACKET || listening))
                return why_set(why, EOPNOTSUPP, "fd:%d: must be a connected Unix seqpacket socket", fd);
        if (r == 0)
                r = new_link(fd, out);
        return r == 0           ? 0
               : r == -ENOTCONN ? why_set(why, ENOTCONN, "fd:%d: the socket is not connected", fd)
                                : why_call(why, r, "fd", "cannot use the socket");
}

static int ends(const struct ipw_address *a, unsigned how, char one[64], char other[64], struct ipw_why *why)
{
        int fds[2];
        int r;

        if (*a->rest)
                return why_set(why, EOPNOTSUPP, "unix+seqpacket:%s: has a name; open that name on both sides", a->rest);
        r = sys_socketpair("two ends, to be inherited over exec", AF_UNIX, SOCK_SEQPACKET, 0, fds);
        if (r < 0)
                return why_call(why, r, "unix+seqpacket", "cannot make two ends");
        r = set_options(fds[0], a, why);
        if (r == 0)
                r = set_options(fds[1], a, why);
        if (r < 0) {
                sys_closep(&fds[0]);
                sys_closep(&fds[1]);
                return r;
        }
        (void)snprintf(one, 64, "fd:%d", fds[0]);
        (void)snprintf(other, 64, "fd:%d", fds[1]);
        return 0;
}

static int remove_name(const struct ipw_address *a, struct ipw_why *why)
{
        if (!*a->rest)
                return why_set(why, EOPNOTSUPP, "unix+seqpacket: has no name to remove");
        return unix_path_remove(a->rest, SOCK_SEQPACKET, why);
}

static const struct ipw_option options[] = {
        OPTION_MODE,
        OPTION_GROUP,
        OPTION_PEER,
        OPTION_KEEP("0"),
        OPTION_ACK,
        OPTION_SPIN,
        OPTION_UNTIL,
        { "identity", "0|1", "0", "1: the kernel tells the sender of each message, and messages may be empty" },
        { "buffer", "8K..4M", "",
          "bytes of the send buffer; the largest message is 32 less (not given: what the kernel has, usually 208K)" },
};

const struct mechanism mechanism_unix_seqpacket = {
        .about = {
                .scheme = "unix+seqpacket",
                .syntax = "unix+seqpacket:PATH, unix+seqpacket:@NAME, unix+seqpacket:",
                .summary = "Unix socket that keeps messages whole: connections, order, both ways, the end is seen",
                .good_for = "services on one machine; request and answer",
                .sample = "unix+seqpacket:{dir}/socket",
                .roles = 1u << IPW_PUSH | 1u << IPW_PULL | 1u << IPW_PAIR,
                .options = options,
                .option_count = COUNT_OF(options),
        },
        .describe = describe,
        .bound = record_unix_bound,
        .open = open_seqpacket,
        .ends = ends,
        .remove = remove_name,
};
