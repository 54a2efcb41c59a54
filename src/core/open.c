/* SPDX-License-Identifier: MIT */
/*
 * From an address to a link: read the address, check the role against what the mechanism offers, open, put a framing over it if it is a stream,
 * make the handle. A mechanism that answers -EAGAIN waits for its other side; here it is tried again until the caller's time is up.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "framing.h"
#include "handle.h"
#include "registry.h"
#include "sys.h"
#include "why.h"

static const struct {
        const char *name;
        unsigned ways;
        unsigned side; /* taken unless told */
} roles[] = {
        [IPW_PAIR] = { "PAIR", IPW_RECV | IPW_SEND, 0 },
        [IPW_PUSH] = { "PUSH", IPW_SEND, IPW_DIAL },
        [IPW_PULL] = { "PULL", IPW_RECV, IPW_LISTEN },
        [IPW_PUB] = { "PUB", IPW_SEND, IPW_LISTEN },
        [IPW_SUB] = { "SUB", IPW_RECV, IPW_DIAL },
        [IPW_REQ] = { "REQ", IPW_RECV | IPW_SEND, IPW_DIAL },
        [IPW_REP] = { "REP", IPW_RECV | IPW_SEND, IPW_LISTEN },
};

static int check_role(unsigned how, struct ipw_why *why)
{
        unsigned role = how & IPW_ROLE;

        if (role == 0 || role >= COUNT_OF(roles))
                return why_set(why, EINVAL, "how: needs exactly one role (IPW_PUSH, IPW_PULL, IPW_PAIR ...), not 0x%x", how);
        if ((how & IPW_LISTEN && how & IPW_DIAL) || (how & IPW_EXISTING && how & IPW_FRESH))
                return why_set(why, EINVAL, "how: 0x%x asks for opposites (LISTEN and DIAL, or EXISTING and FRESH)", how);
        if (how & ~(unsigned)(IPW_ROLE | IPW_LISTEN | IPW_DIAL | IPW_EXISTING | IPW_FRESH | IPW_WAKEABLE | IPW_SIGNALS))
                return why_set(why, EINVAL, "how: 0x%x has bits that mean nothing", how);
        return 0;
}

/* Roles and sides, against what this mechanism has. Fills in the side that is usual. */
static int check_offered(const struct ipw_mechanism *m, uint32_t caps, unsigned *how, struct ipw_why *why)
{
        unsigned role = *how & IPW_ROLE;

        if (!(m->roles & 1u << role)) {
                char offered[64] = "";

                for (size_t i = 1; i < COUNT_OF(roles); i++)
                        if (m->roles & 1u << i)
                                strcat(strcat(offered, " "), roles[i].name); /* seven short names: always fits */
                return why_set(why, EOPNOTSUPP, "%s: does not offer the role %s; it offers%s", m->scheme, roles[role].name, offered);
        }
        if (!(caps & IPW_CAP_ACCEPT)) {
                if (*how & (IPW_LISTEN | IPW_DIAL))
                        return why_set(why, EINVAL,
                                       "%s: has no listening and dialling side; leave IPW_LISTEN and IPW_DIAL (--listen, --dial) away",
                                       m->scheme);
                return 0;
        }
        if (!(*how & (IPW_LISTEN | IPW_DIAL))) {
                if (role == IPW_PAIR)
                        return why_set(why, EINVAL, "%s: a PAIR must say which side it is: IPW_LISTEN or IPW_DIAL", m->scheme);
                *how |= roles[role].side;
        }
        return 0;
}

static int open_once(const struct mechanism *mechanism, const struct request *request, struct link **out, struct ipw_why *why)
{
        struct stream *s;
        int r;

        if (mechanism->open)
                return mechanism->open(request, out, why);
        r = mechanism->open_stream(request, &s, why);
        return r < 0 ? r : framing_open(s, address_text(request->address, "framing"), request, out, why);
}

enum { RETRY_FIRST = 100000, RETRY_LAST = 20000000 }; /* ns */

/* Tries until the other side is there. The text of the last try says what was missing. */
static int open_waiting(const struct mechanism *mechanism, const struct request *request, int64_t timeout, struct link **out,
                        struct ipw_why *why)
{
        int64_t until = clock_deadline(timeout), pause = RETRY_FIRST, left;
        int r;

        for (;;) {
                r = open_once(mechanism, request, out, why);
                if (r != -EAGAIN || timeout == 0)
                        return r;
                left = until == NEVER ? pause : until - clock_now();
                if (left <= 0) {
                        if (why)
                                why->error = ETIMEDOUT;
                        return -ETIMEDOUT;
                }
                r = sys_sleep("the other side is not there yet", MIN(pause, left));
                if (r == -EINTR && request->how & IPW_SIGNALS)
                        return why_set(why, EINTR, "%s: interrupted by a signal while opening", mechanism->about.scheme);
                pause = MIN(pause * 2, (int64_t)RETRY_LAST);
        }
}

int ipw_open(struct ipw_link **out, const char *text, unsigned how, int64_t timeout, struct ipw_why *why)
{
        _cleanup_(address_freep)
        struct ipw_address *a = NULL;
        const struct mechanism *mechanism;
        struct ipw_caps caps = { 0 };
        struct request request;
        _cleanup_(handle_freep)
        struct ipw_link *l = NULL;
        int r;

        r = check_role(how, why);
        if (r == 0)
                r = ipw_address_parse(&a, text, why);
        if (r < 0)
                return r;
        mechanism = container_of(a->mechanism, struct mechanism, about);
        if (mechanism->open_gate)
                return why_set(why, EOPNOTSUPP, "%s: is something to wait at, not a link: ipw_gate_open(), or ipcway lock and ipcway sem",
                               text);
        if (!mechanism->open && !mechanism->open_stream)
                return why_set(why, EOPNOTSUPP, "%s: is raw memory, not a link: ipw_segment_open(), or ipcway segment", text);
        r = mechanism->describe(a, &caps, why);
        if (r == 0)
                r = check_offered(&mechanism->about, caps.flags, &how, why);
        if (r < 0)
                return r;
        request = (struct request){ .address = a, .how = how, .ways = roles[how & IPW_ROLE].ways, .until = clock_deadline(timeout) };
        r = handle_new(&l, mechanism, text, how, request.ways, address_number(a, "spin"), why);
        if (r == 0)
                r = open_waiting(mechanism, &request, timeout, &l->link, why);
        if (r < 0)
                return r;
        if (l->link->spins)
                l->spin = 0;
        handle_bind(l);
        *out = steal(&l);
        return 0;
}

int ipw_accept(struct ipw_link *l, struct ipw_link **out, int64_t timeout)
{
        unsigned how = IPW_PAIR | (l->how & (IPW_WAKEABLE | IPW_SIGNALS));
        int64_t until = clock_deadline(timeout);
        _cleanup_(handle_freep)
        struct ipw_link *peer = NULL;
        int r;

        if (!*l->alive)
                return -ESTALE;
        r = l->link->ops->accept ? handle_new(&peer, l->mechanism, l->asked, how, 0, l->spin, NULL) : -EOPNOTSUPP;
        while (r == 0) {
                r = l->link->ops->accept(l->link, &peer->link);
                if (r != -EAGAIN || timeout == 0)
                        break;
                r = handle_wait(l, IPW_RECV, until);
        }
        if (r < 0)
                return (int)handle_trouble(l, IPW_RECV, r, 0);
        /* some framings let each side go one way only */
        handle_allow(peer, (peer->link->ops->recv ? IPW_RECV : 0) | (peer->link->ops->send ? IPW_SEND : 0));
        handle_bind(peer);
        *out = steal(&peer);
        return 0;
}

int ipw_ends(char a[64], char b[64], const char *anonymous, unsigned how, struct ipw_why *why)
{
        _cleanup_(address_freep)
        struct ipw_address *address = NULL;
        const struct mechanism *mechanism;
        int r;

        r = ipw_address_parse(&address, anonymous, why);
        if (r < 0)
                return r;
        mechanism = container_of(address->mechanism, struct mechanism, about);
        if (!mechanism->ends)
                return why_set(why, EOPNOTSUPP, "%s: has a name; open that name on both sides", anonymous);
        if (how == 0 && mechanism->open_segment)
                return mechanism->ends(address, how, a, b, why);
        if (how != IPW_PUSH && how != IPW_PULL && how != IPW_PAIR)
                return why_set(why, EINVAL, "%s: ends are for IPW_PUSH, IPW_PULL or IPW_PAIR", anonymous);
        if (!(mechanism->about.roles & 1u << how))
                return why_set(why, EOPNOTSUPP, "%s: does not offer the role %s", anonymous, roles[how].name);
        return mechanism->ends(address, how, a, b, why);
}

/* "fd:N" or "fd:R,W", and what follows. How many; -EINVAL. */
static int read_end(const char *end, int fds[2], const char **rest)
{
        const char *at = strncmp(end, "fd:", 3) == 0 ? end + 2 : "";
        int n = 0;

        while ((*at == ':' || *at == ',') && n < 2) {
                const char *digits = at + 1;
                char *stop;
                long fd = strtol(digits, &stop, 10);

                if (*digits < '0' || *digits > '9' || fd > INT32_MAX)
                        return -EINVAL;
                fds[n++] = (int)fd;
                at = stop;
        }
        *rest = at;
        return n && (!*at || *at == '?') ? n : -EINVAL;
}

void ipw_end_drop(const char *end)
{
        const char *rest;
        int fds[2], n = read_end(end, fds, &rest);

        for (int i = 0; i < n; i++)
                (void)sys_close("this process will not open that end", fds[i]);
}

int ipw_end_fds(const char *end, int fds[2])
{
        int found[2], n;
        const char *rest;

        n = read_end(end, found, &rest);
        for (int i = 0; i < n; i++)
                fds[i] = found[i];
        return n;
}

int ipw_end_moved(char end[64], const int *fds, unsigned count)
{
        char moved[64];
        int old[2], n, size;
        const char *rest;

        if (!memchr(end, 0, 64))
                return -EINVAL;
        n = read_end(end, old, &rest);
        if (n < 0 || (unsigned)n != count)
                return -EINVAL;
        size = n == 1 ? snprintf(moved, sizeof(moved), "fd:%d%s", fds[0], rest)
                      : snprintf(moved, sizeof(moved), "fd:%d,%d%s", fds[0], fds[1], rest);
        if (size >= (int)sizeof(moved))
                return -ENAMETOOLONG;
        memcpy(end, moved, (size_t)size + 1);
        return 0;
}
