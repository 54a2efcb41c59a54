/* SPDX-License-Identifier: MIT */
/*
 * unix+dgram: a socket with a name to which anybody may send messages, without a connection: whole, in order, and nothing is dropped. How messages move
 * is in record.c. The receiver's queue is short (net.unix.max_dgram_qlen when it was opened, usually 10 messages); senders wait for room in it.
 *
 * A sender connects, so that it can wait for the receiver and is told when it has gone: the next send says -EPIPE, and what lay unread is lost.
 * A receiver never sees an end, for who may still send is not known; until=last is refused.
 *
 * Who may send. A name in a folder is protected by its mode: to send needs the permission to write. Where the mode lets others in, and at an abstract name,
 * which has no mode, each message must say who sent it, and what comes from others than this user, root and those that peer= names is dropped and counted.
 * A sender looks at whose file it connects to; who has an abstract name is asked of the kernel's list of sockets.
 *
 * It refuses: symbolic links and other people's sockets (see unix_path.c), a second receiver, and messages beyond the socket's buffer.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "mechanism.h"
#include "number.h"
#include "option.h"
#include "owner.h"
#include "record.h"
#include "rights.h"
#include "sys.h"
#include "unix_path.h"
#include "why.h"

enum { CHARGED = 1024 }; /* of the sender's buffer, at least so much for each message */

struct dgram {
        struct record record;
        struct unix_name name; /* of a receiver */
        bool keep;
        char *peer;
        struct ipw_sender last; /* who was asked about last, if its source is not 0, */
        bool trusted;           /* and the answer */
        uint64_t refused;       /* messages of others, */
        uid_t refused_uid;      /* and whose the last was */
};

static struct dgram *of(struct record *s)
{
        return container_of(s, struct dgram, record);
}

/* ---- an open link ------------------------------------------------------------------------------------------------------------------------ */

static bool admits(struct record *s, const struct ipw_sender *who)
{
        struct dgram *d = of(s);

        if (unlikely(d->last.source != who->source || d->last.uid != who->uid || d->last.gid != who->gid)) {
                d->trusted = who->source == 2 && owner_trusted_member(who->uid, who->gid, d->peer, NULL) > 0;
                d->last = *who;
        }
        if (!d->trusted) {
                d->refused++;
                d->refused_uid = who->uid;
        }
        return d->trusted;
}

static int why_nothing_came(struct link *link, unsigned direction, int error, struct ipw_why *why)
{
        const struct dgram *d = of(container_of(link, struct record, link));

        if (!d->refused || (error != EAGAIN && error != ETIMEDOUT))
                return -ENOENT;
        (void)why_set(
                why, error,
                "unix+dgram: nothing came but %llu messages of others, which were dropped; the last was of user %u, neither this user nor root; "
                "peer=uid:%u admits it",
                (unsigned long long)d->refused, d->refused_uid, d->refused_uid);
        return 0;
}

/* The kernel says it once, and from then on that there is no connection. */
static int send_failed(struct record *s, int error)
{
        return error == -ECONNREFUSED || error == -ENOTCONN ? -EPIPE : error;
}

static void dgram_close(struct record *s, int inherited)
{
        struct dgram *d = of(s);

        if (inherited || d->keep)
                unix_path_drop(&d->name);
        else
                unix_path_unbind(&d->name);
        free(d->peer);
}

static const struct record_kind open_to_who_may_write = { .room = RECORD_UNIX_ROOM, .send_failed = send_failed, .close = dgram_close };
static const struct record_kind guarded = { .room = RECORD_UNIX_ROOM, .admits = admits, .why = why_nothing_came, .close = dgram_close };

/* ---- opening ----------------------------------------------------------------------------------------------------------------------------- */

/* How many messages the queue of a socket made now takes. 0: nobody knows. */
static uint32_t queue_length(void)
{
        _cleanup_(sys_closep)
        int fd = sys_open("how many messages may wait at a socket", "/proc/sys/net/unix/max_dgram_qlen", O_RDONLY | O_CLOEXEC, 0);
        char text[24] = "";
        int64_t number;
        ssize_t n = fd < 0 ? fd : sys_read("how many messages may wait at a socket", fd, text, sizeof(text) - 1);

        if (n <= 0)
                return 0;
        text[strcspn(text, "\n")] = 0;
        return number_parse(text, &number) < 0 || number < 0 || number >= INT32_MAX ? 0 : (uint32_t)number + 1;
}

/* What can be said of both ends. */
static int read_caps(struct dgram *d, int fd, uint32_t length)
{
        struct ipw_caps *caps = &d->record.link.caps;
        bool credentials;
        int r = record_unix_caps(fd, caps, &credentials);

        if (r < 0)
                return r;
        d->record.credentials = credentials;
        caps->flags = IPW_CAP_ORDERED | IPW_CAP_RELIABLE | IPW_CAP_MANY_SENDERS;
        caps->depth = (uint32_t)MIN((size_t)length, caps->max_msg / CHARGED + 1);
        memcpy(caps->stack, "unix+dgram", sizeof("unix+dgram"));
        return 0;
}

static bool needs_guard(const struct ipw_address *a)
{
        return a->rest[0] == '@' || address_number(a, "mode") & 0022;
}

static int new_socket(const struct request *request, int *out, struct ipw_why *why)
{
        const struct ipw_address *a = request->address;
        _cleanup_(sys_closep)
        int fd = sys_socket("a socket for messages without a connection", AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        int one = 1, r = 0;

        if (fd < 0)
                return why_call(why, fd, "unix+dgram", "cannot make a socket");
        if (address_is_given(a, "buffer"))
                r = record_unix_buffer(fd, address_number(a, "buffer"), "unix+dgram", why);
        if (r < 0)
                return r;
        /* before it has a name, so that no message comes without */
        if (request->ways & IPW_RECV && (needs_guard(a) || address_number(a, "identity")))
                r = sys_setsockopt("every message tells its sender", fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one));
        if (r < 0)
                return why_call(why, r, "unix+dgram", "cannot set the socket up");
        *out = steal_fd(&fd);
        return 0;
}

static int receive_at(struct dgram *d, const struct request *request, struct ipw_why *why)
{
        const struct ipw_address *a = request->address;
        const struct unix_access access = { .mode = (mode_t)address_number(a, "mode"),
                                            .group = address_text(a, "group"),
                                            .peer = address_text(a, "peer"),
                                            .fresh = !!(request->how & IPW_FRESH) };
        struct ipw_caps *caps = &d->record.link.caps;

        d->keep = address_number(a, "keep");
        d->peer = sys_alloc("whose messages are admitted", strlen(access.peer) + 1);
        if (!d->peer)
                return why_set(why, ENOMEM, "%s: out of memory while opening", a->rest);
        (void)strcpy(d->peer, access.peer);
        if (needs_guard(a))
                d->record.kind = &guarded;
        caps->flags |= IPW_CAP_POLL | (d->record.credentials ? IPW_CAP_IDENTITY : 0);
        return unix_path_bind(d->record.fd, a->rest, &access, &d->name, why);
}

static int open_end(struct dgram *d, const struct request *request, struct ipw_why *why)
{
        const struct ipw_address *a = request->address;
        uint32_t length = queue_length();
        int fd = -1;
        int r;

        r = new_socket(request, &fd, why);
        if (r < 0)
                return r;
        record_init(&d->record, &open_to_who_may_write, fd);
        r = read_caps(d, fd, length);
        if (r < 0)
                return why_call(why, r, a->rest, "cannot make a link");
        if (request->ways & IPW_RECV)
                return receive_at(d, request, why);
        d->record.link.caps.flags |= IPW_CAP_ENDS;
        return unix_path_dial(fd, a->rest, address_text(a, "peer"), why);
}

static int open_dgram(const struct request *request, struct link **out, struct ipw_why *why)
{
        const char *path = request->address->rest;
        struct dgram *d;
        int r;

        if (request->ways & IPW_RECV && request->how & IPW_EXISTING)
                return why_set(why, ENOENT, "%s: who receives makes the socket, so there is none to join; leave IPW_EXISTING away", path);
        if (request->ways & IPW_SEND && request->how & IPW_FRESH)
                return why_set(why, EINVAL, "%s: who sends makes nothing, so IPW_FRESH means nothing here; leave it away", path);
        d = sys_alloc("a link over a socket", sizeof(*d));
        if (!d)
                return why_set(why, ENOMEM, "%s: out of memory while opening", path);
        d->record.fd = -1;
        d->name = UNIX_NO_NAME;
        r = open_end(d, request, why);
        if (r < 0) {
                d->keep = false;
                dgram_close(&d->record, 0);
                sys_closep(&d->record.fd);
                free(d);
                return r;
        }
        *out = &d->record.link;
        return 0;
}

/* ---- the mechanism ----------------------------------------------------------------------------------------------------------------------- */

static int describe(const struct ipw_address *a, struct ipw_caps *out, struct ipw_why *why)
{
        size_t buffer = address_is_given(a, "buffer") ? (size_t)address_number(a, "buffer") : RECORD_UNIX_MAX + RECORD_UNIX_OVERHEAD;
        int r;

        if (a->fragment)
                return why_set(why, EINVAL, "unix+dgram: '#' means nothing here; if it is part of the path write %%23");
        if (!*a->rest)
                return why_set(why, EINVAL,
                               "unix+dgram: without a name there is nothing to meet at; write unix+dgram:PATH or unix+dgram:@NAME");
        r = unix_path_check(a->rest, why);
        if (r < 0)
                return r;
        if (a->rest[0] == '@' && (address_is_given(a, "mode") || address_is_given(a, "group")))
                return why_set(
                        why, EINVAL,
                        "%s: an abstract name has no permissions, so mode= and group= mean nothing; senders are checked by user (peer=)",
                        a->rest);
        if (address_number(a, "until"))
                return why_set(why, EOPNOTSUPP,
                               "%s: until=last is not offered: without connections nobody knows who may still send; send a message that "
                               "means the end, or use unix+seqpacket:",
                               a->rest);
        *out = (struct ipw_caps){
                .max_msg = buffer - RECORD_UNIX_OVERHEAD,
                .atomic_max = buffer - RECORD_UNIX_OVERHEAD,
                .max_batch = RECORD_BATCH_SEND,
                .max_fds = RIGHTS_MAX,
                .flags = IPW_CAP_ORDERED | IPW_CAP_RELIABLE | IPW_CAP_ENDS | IPW_CAP_POLL | IPW_CAP_MANY_SENDERS |
                         (needs_guard(a) || address_number(a, "identity") ? IPW_CAP_IDENTITY : 0),
                .stack = "unix+dgram",
        };
        return 0;
}

static int remove_name(const struct ipw_address *a, struct ipw_why *why)
{
        return unix_path_remove(a->rest, SOCK_DGRAM, why);
}

static const struct ipw_option options[] = {
        OPTION_MODE,
        OPTION_GROUP,
        OPTION_PEER,
        OPTION_KEEP("0"),
        OPTION_ACK,
        OPTION_SPIN,
        OPTION_UNTIL,
        { "identity", "0|1", "0", "1: the kernel tells the sender of each message" },
        { "buffer", "8K..4M", "",
          "bytes of the send buffer; the largest message is 32 less (not given: what the kernel has, usually 208K)" },
};

const struct mechanism mechanism_unix_dgram = {
        .about = {
                .scheme = "unix+dgram",
                .syntax = "unix+dgram:PATH, unix+dgram:@NAME",
                .summary = "Unix datagram socket: many send to one, whole messages, in order, none dropped, no connections",
                .good_for = "log and status messages to one daemon",
                .sample = "unix+dgram:{dir}/socket",
                .roles = 1u << IPW_PUSH | 1u << IPW_PULL,
                .options = options,
                .option_count = COUNT_OF(options),
        },
        .describe = describe,
        .bound = record_unix_bound,
        .open = open_dgram,
        .remove = remove_name,
};
