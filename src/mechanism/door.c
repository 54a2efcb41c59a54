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

        return strcmp(framing, "auto") == 0 || strcmp(framing, "sp") == 0 ? request->ways : IPW_RECV | IPW_SEND;
}

static int door_accept(struct listener *l, struct link **out)
{
        struct door *d = of(l);
        _cleanup_(sys_closep)
        int fd = sys_accept4("let the next peer in", l->fd, NULL, NULL, SOCK_CLOEXEC);
        struct request request = d->request;
        struct stream *s;
        uid_t uid;
        int r;

        if (fd < 0)
                return fd;
        r = d->kind->admit(d, fd, &uid);
        if (r == -EPERM) {
                l->refused++;
                l->refused_uid = uid;
                return -ECONNABORTED;
        }
        request.ways = ways_of(&request);
        if (r == 0)
                r = d->kind->stream(d, fd, request.ways, &s);
        if (r < 0)
                return -ECONNABORTED; /* this one is lost already; the next may have more luck */
        (void)steal_fd(&fd);
        return framing_open(s, address_text(request.address, "framing"), &request, out, NULL) < 0 ? -ECONNABORTED : 0;
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

static void free_all(struct door *d)
{
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
        free_all(d);
}

void door_discard(struct door **d)
{
        if (!*d)
                return;
        unix_path_unbind(&(*d)->name);
        free_all(*d);
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
        d->listener.fd = d->diag = -1;
        d->kind = kind;
        d->name = UNIX_NO_NAME;
        d->request = *request;
        d->request.address = NULL;
        r = copy_address(request->address, &d->request.address);
        if (r < 0)
                return why_call(why, r, rest, "cannot open");
        d->listener.name = d->request.address->rest;
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

void door_caps(const struct ipw_address *a, const struct stream *facts, struct ipw_caps *out)
{
        framing_caps(out, facts, address_text(a, "framing"), framing_options(a));
        out->flags |= IPW_CAP_MANY_SENDERS | IPW_CAP_MANY_RECEIVERS | IPW_CAP_ACCEPT;
}
