/* SPDX-License-Identifier: MIT */
/*
 * unix: a stream socket on this machine. Its bytes are cut into messages by the framing; its names, their dead and who may connect are
 * those of every Unix socket here (see unix_path.c).
 *
 * Who sends is known without asking for it per message: a stream has one peer, and the kernel noted whose process connected, or listened. A descriptor that was
 * passed on to another process still names the first. Two ends made without a name were both made by this process, so there the kernel knows nothing.
 *
 * It refuses: symbolic links and other people's sockets, peers of another user, messages beyond max=.
 */
#include <errno.h>
#include <stdio.h>

#include "bytes.h"
#include "cleanup.h"
#include "door.h"
#include "framing.h"
#include "option.h"
#include "socket_stream.h"
#include "sys.h"
#include "unix_path.h"
#include "why.h"

static int check(const struct ipw_address *a, struct ipw_why *why)
{
        int r;

        if (a->fragment)
                return why_set(why, EINVAL, "unix: '#' means nothing here; if it is part of the path write %%23");
        r = *a->rest ? unix_path_check(a->rest, why) : 0;
        if (r < 0)
                return r;
        if (a->rest[0] == '@' && (address_is_given(a, "mode") || address_is_given(a, "group")))
                return why_set(
                        why, EINVAL,
                        "%s: an abstract name has no permissions, so mode= and group= mean nothing; peers are checked by user (peer=)",
                        a->rest);
        return 0;
}

static int describe(const struct ipw_address *a, struct ipw_caps *out, struct ipw_why *why)
{
        struct stream facts;
        int r = check(a, why);

        if (r < 0)
                return r;
        socket_stream_facts(&facts, "unix", IPW_RECV | IPW_SEND, *a->rest ? IPW_CAP_IDENTITY : 0);
        door_caps(a, &facts, out);
        return 0;
}

/* The stream over a connected socket, and who is at its other end. Owns `fd` on success. */
static int new_stream(int fd, unsigned ways, struct stream **out)
{
        struct ucred who;
        socklen_t size = sizeof(who);
        int r;

        r = sys_getsockopt("who is on the other side", fd, SOL_SOCKET, SO_PEERCRED, &who, &size);
        if (r == 0)
                r = socket_stream_new(fd, "unix", ways, IPW_CAP_IDENTITY, out);
        if (r == 0)
                (*out)->sender = (struct ipw_sender){ .source = 2, .pid = who.pid, .uid = who.uid, .gid = who.gid };
        return r;
}

/* ---- listening --------------------------------------------------------------------------------------------------------------------------- */

static int accepted(struct door *d, int fd, unsigned ways, struct stream **out)
{
        return new_stream(fd, ways, out);
}

static const struct door_kind kind = { .admit = door_unix_admit, .stream = accepted, .give_name_up = door_unix_leave };

static int new_socket(int *out, struct ipw_why *why)
{
        *out = sys_socket("a stream socket on this machine", AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        return *out < 0 ? why_call(why, *out, "unix", "cannot make a socket") : 0;
}

static int listen_at(const struct request *request, struct link **out, struct ipw_why *why)
{
        _cleanup_(door_discard)
        struct door *d = NULL;
        struct stream facts;
        int r;

        socket_stream_facts(&facts, "unix", request->ways, IPW_CAP_IDENTITY);
        r = door_new(request, &kind, &facts, &d, why);
        if (r == 0)
                r = new_socket(&d->listener.fd, why);
        if (r == 0)
                r = door_unix_listen(d, why);
        if (r < 0)
                return r;
        return door_open(steal(&d), out, why);
}

/* ---- dialling --------------------------------------------------------------------------------------------------------------------------- */

static int dial(const struct request *request, struct link **out, struct ipw_why *why)
{
        const struct ipw_address *a = request->address;
        _cleanup_(sys_closep)
        int fd = -1;
        struct stream *s;
        int r;

        if (request->how & IPW_FRESH)
                return why_set(why, EINVAL, "%s: who dials makes nothing, so IPW_FRESH means nothing here; leave it away", a->rest);
        r = new_socket(&fd, why);
        if (r == 0)
                r = unix_path_dial(fd, a->rest, address_text(a, "peer"), why);
        if (r < 0)
                return r;
        r = sys_fcntl("from here on each call says whether it may wait", fd, F_SETFL, O_RDWR);
        if (r == 0)
                r = new_stream(fd, request->ways, &s);
        if (r < 0)
                return why_call(why, r, a->rest, "cannot make a link");
        (void)steal_fd(&fd);
        return framing_open(s, address_text(a, "framing"), request, out, why);
}

static int open_unix(const struct request *request, struct link **out, struct ipw_why *why)
{
        if (!*request->address->rest)
                return why_set(why, EINVAL,
                               "unix: without a name there is nothing to meet at; give a path, or use ipw_ends() (the command: run)");
        return request->how & IPW_LISTEN ? listen_at(request, out, why) : dial(request, out, why);
}

/* ---- without a name --------------------------------------------------------------------------------------------------------------------- */

static int ends(const struct ipw_address *a, unsigned how, char one[64], char other[64], struct ipw_why *why)
{
        const char *framing = address_text(a, "framing"), *max = address_text(a, "max");
        int fds[2];
        int r;

        if (*a->rest)
                return why_set(why, EOPNOTSUPP, "unix:%s: has a name; open that name on both sides", a->rest);
        r = sys_socketpair("two ends, to be inherited over exec", AF_UNIX, SOCK_STREAM, 0, fds);
        if (r < 0)
                return why_call(why, r, "unix", "cannot make two ends");
        (void)snprintf(one, 64, "fd:%d?framing=%s&max=%.20s", fds[0], framing, max);
        (void)snprintf(other, 64, "fd:%d?framing=%s&max=%.20s", fds[1], framing, max);
        return 0;
}

static int remove_name(const struct ipw_address *a, struct ipw_why *why)
{
        if (!*a->rest)
                return why_set(why, EOPNOTSUPP, "unix: has no name to remove");
        return unix_path_remove(a->rest, SOCK_STREAM, why);
}

static const struct ipw_option options[] = {
        OPTION_SOCKET_FRAMING, OPTION_SOCKET_MAX, OPTION_MODE, OPTION_GROUP, OPTION_PEER,
        OPTION_KEEP("0"),      OPTION_ACK,        OPTION_SPIN, OPTION_UNTIL,
};

const struct mechanism mechanism_unix_stream = {
        .about = { .scheme = "unix",
                   .syntax = "unix:PATH, unix:@NAME, unix:",
                   .summary = "Unix stream socket: bytes over a connection on this machine, both ways, the end is seen",
                   .good_for = "services on one machine, programs of any language",
                   .sample = "unix:{dir}/stream",
                   .roles = 1u << IPW_PUSH | 1u << IPW_PULL | 1u << IPW_PAIR,
                   .options = options,
                   .option_count = COUNT_OF(options) },
        .describe = describe,
        .open = open_unix,
        .ends = ends,
        .remove = remove_name,
};
