/* SPDX-License-Identifier: MIT */
#include "door.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "first.h"
#include "framing.h"
#include "hub.h"
#include "sys.h"
#include "why.h"

static struct door *of(struct listener *l)
{
        return container_of(l, struct door, listener);
}

/* Conversations go both ways, so that one that is handed out can answer; unless the framing has roles, or finds out what comes. */
static unsigned ways_of(const struct request *request)
{
        const char *framing = address_text(request->address, "framing");

        if (!framing)
                return request->ways;
        return strcmp(framing, "auto") == 0 || strcmp(framing, "sp") == 0 ? request->ways : IPW_RECV | IPW_SEND;
}

static int turn_away(struct door *d)
{
        sys_closep(&d->came);
        d->came = -1;
        return -ECONNABORTED;
}

/* Nothing came of it: is the connection gone, or are we not able to go on? */
static int not_now(struct door *d, int error)
{
        switch (-error) {
        case ENOTCONN:
        case ECONNRESET:
        case ECONNABORTED:
                return turn_away(d);
        case EAGAIN:
                return -ENOBUFS; /* to a listener it would mean that nobody waits */
        default:
                return error;
        }
}

/* A conversation of whoever has come. Until there is one he stays. */
static int converse(struct door *d, struct link **out)
{
        struct request request = d->request;
        uid_t uid;
        int r;

        request.ways = ways_of(&request);
        if (!d->stream) {
                r = d->kind->admit(d, d->came, &uid);
                if (r == -EPERM || r == -ESRCH) {
                        d->listener.refused += r == -EPERM;
                        d->listener.unknown += r == -ESRCH;
                        if (r == -EPERM)
                                d->listener.refused_uid = uid;
                        return turn_away(d);
                }
                if (r == 0)
                        r = d->kind->link ? d->kind->link(d, d->came, out) : d->kind->stream(d, d->came, request.ways, &d->stream);
                if (r < 0)
                        return not_now(d, r);
                (void)steal_fd(&d->came);
        }
        if (d->kind->link)
                return 0;
        r = framing_try(d->stream, address_text(request.address, "framing"), &request, out, NULL);
        if (r == 0)
                d->stream = NULL;
        return r;
}

static int door_accept(struct listener *l, struct link **out)
{
        struct door *d = of(l);

        if (d->came < 0 && !d->stream) {
                int fd = sys_accept4("let the next peer in", l->fd, NULL, NULL, SOCK_CLOEXEC);

                if (fd < 0)
                        return fd;
                d->came = fd;
        }
        return converse(d, out);
}

static void door_shut(struct listener *l)
{
        struct door *d = of(l);
        int fd;

        if (d->kind->give_name_up)
                d->kind->give_name_up(d);
        (void)sys_shutdown("nobody else", l->fd, SHUT_RDWR);
        while ((fd = sys_accept4("who waited is refused", l->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
                sys_closep(&fd);
}

static void free_all(struct door *d, int inherited)
{
        if (d->stream)
                d->stream->ops->close(d->stream, inherited);
        sys_closep(&d->came);
        sys_closep(&d->listener.fd);
        sys_closep(&d->diag);
        address_free((struct ipw_address *)d->request.address);
        free(d);
}

static void door_close(struct listener *l, int inherited)
{
        struct door *d = of(l);

        if (inherited)
                unix_path_drop(&d->name);
        else if (d->kind->give_name_up)
                d->kind->give_name_up(d);
        free_all(d, inherited);
}

void door_discard(struct door **d)
{
        if (!*d)
                return;
        unix_path_unbind(&(*d)->name);
        free_all(*d, 0);
}

static const struct listener_ops ops = { .accept = door_accept, .shut = door_shut, .close = door_close };

/* The link lives longer than the address it was opened with. */
static int copy_address(const struct ipw_address *from, const struct ipw_address **out)
{
        int size = address_print(from, NULL, 0) + 1;
        _cleanup_(freep)
        char *text = sys_alloc("the address, for conversations to come", (size_t)size);
        struct ipw_address *a;
        int r;

        if (!text)
                return -ENOMEM;
        (void)address_print(from, text, (size_t)size);
        r = address_parse(&a, from->mechanism, text, NULL);
        if (r == 0)
                *out = a;
        return r;
}

int door_new(const struct request *request, const struct door_kind *kind, const struct stream *facts, struct door **out,
             struct ipw_why *why)
{
        const char *rest = request->address->rest;
        _cleanup_(door_discard)
        struct door *d = NULL;
        int r;

        if (request->how & IPW_EXISTING)
                return why_set(why, EINVAL, "%s: who listens makes the socket, so IPW_EXISTING means nothing here; leave it away", rest);
        d = sys_alloc("a listening socket", sizeof(*d));
        if (!d)
                return why_set(why, ENOMEM, "%s: out of memory while opening", rest);
        d->listener.ops = &ops;
        d->listener.fd = d->diag = d->came = -1;
        d->kind = kind;
        d->name = UNIX_NO_NAME;
        d->request = *request;
        d->request.address = NULL;
        r = copy_address(request->address, &d->request.address);
        if (r < 0)
                return why_call(why, r, rest, "cannot open");
        d->listener.name = d->request.address->rest;
        if (facts)
                framing_caps(&d->listener.caps, facts, address_text(request->address, "framing"), framing_options(request->address));
        *out = steal(&d);
        return 0;
}

int door_open(struct door *d, struct link **out, struct ipw_why *why)
{
        const struct request *request = &d->request;

        if (request->ways == (IPW_RECV | IPW_SEND))
                return first_new(&d->listener, out, why);
        return hub_new(&d->listener, request->ways, address_number(request->address, "until"), out, why);
}

/* ---- of Unix sockets --------------------------------------------------------------------------------------------------------------------- */

int door_unix_listen(struct door *d, struct ipw_why *why)
{
        const struct ipw_address *a = d->request.address;
        const struct unix_access access = { .mode = (mode_t)address_number(a, "mode"),
                                            .group = address_text(a, "group"),
                                            .peer = address_text(a, "peer"),
                                            .fresh = !!(d->request.how & IPW_FRESH) };
        int r = unix_path_bind(d->listener.fd, a->rest, &access, &d->name, why);

        if (r < 0)
                return r;
        r = sys_listen("let peers come", d->listener.fd, SOMAXCONN);
        return r < 0 ? why_call(why, r, a->rest, "cannot listen") : 0;
}

int door_unix_admit(struct door *d, int fd, uid_t *uid)
{
        struct ucred who;
        socklen_t size = sizeof(who);
        int r;

        r = unix_path_check_peer(fd, d->listener.name, address_text(d->request.address, "peer"), NULL);
        if (r != -EPERM && r != -ENOENT)
                return r; /* -ENOENT: nobody is of a group that there is not */
        r = sys_getsockopt("whom do we refuse", fd, SOL_SOCKET, SO_PEERCRED, &who, &size);
        if (r < 0)
                return r;
        *uid = who.uid;
        return -EPERM;
}

void door_unix_leave(struct door *d)
{
        if (address_number(d->request.address, "keep"))
                unix_path_drop(&d->name);
        else
                unix_path_unbind(&d->name);
}

void door_caps(const struct ipw_address *a, const struct stream *facts, struct ipw_caps *out)
{
        framing_caps(out, facts, address_text(a, "framing"), framing_options(a));
        out->flags |= IPW_CAP_MANY_SENDERS | IPW_CAP_MANY_RECEIVERS | IPW_CAP_ACCEPT;
}
