/* SPDX-License-Identifier: MIT */
/*
 * A name service answers when it likes, and no call that asks it takes a deadline. So a host is an address or "localhost", unless the user
 * says that he accepts that (resolve=1).
 *
 * A link-local address of IPv6 means nothing without its zone, the interface that leads there: [fe80::1%eth0], in an address written [fe80::1%25eth0].
 */
#include "inet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "number.h"
#include "sys.h"
#include "why.h"

/* Behind an address of IPv6: which link it is on. NULL: nothing is said. */
static const char *zone_of(const char *host)
{
        const char *percent = strchr(host, '%');

        return percent ? percent + 1 : NULL;
}

/* An address of IPv6, whose zone is left out. */
static int v6_from_number(const char *host, struct in6_addr *out)
{
        char address[INET6_ADDRSTRLEN];
        size_t length = strcspn(host, "%");

        if (length >= sizeof(address))
                return -EINVAL;
        memcpy(address, host, length);
        address[length] = 0;
        return inet_pton(AF_INET6, address, out) == 1 && (!host[length] || (host[length + 1] && IN6_IS_ADDR_LINKLOCAL(out))) ? 0 : -EINVAL;
}

static int from_number(const char *host, uint16_t port, struct inet_address *out)
{
        *out = (struct inet_address){ .size = 0 };
        if (inet_pton(AF_INET, host, &out->v4.sin_addr) == 1) {
                out->v4.sin_family = AF_INET;
                out->v4.sin_port = htons(port);
                out->size = sizeof(out->v4);
                return 0;
        }
        if (v6_from_number(host, &out->v6.sin6_addr) == 0) {
                out->v6.sin6_family = AF_INET6;
                out->v6.sin6_port = htons(port);
                out->size = sizeof(out->v6);
                return 0;
        }
        return -EINVAL;
}

int inet_name_parse(const char *scheme, const char *rest, bool resolve, struct inet_name *out, struct ipw_why *why)
{
        const char *host = strncmp(rest, "//", 2) == 0 ? rest + 2 : rest, *end, *colon;
        struct inet_address ignored;
        bool bracket = *host == '[';
        int64_t port;

        host += bracket;
        end = bracket ? strchr(host, ']') : strrchr(host, ':');
        colon = end && bracket ? end + 1 : end;
        if (!end || *colon != ':' || (!bracket && memchr(host, ':', (size_t)(end - host))))
                return why_set(
                        why, EINVAL,
                        "%s:%.80s: needs a host and a port: %s:127.0.0.1:8080, with IPv6 %s:[::1]:8080; port 0, for who listens, is any",
                        scheme, rest, scheme, scheme);
        if (end == host)
                return why_set(
                        why, EINVAL,
                        "%s:%.80s: needs a host: 127.0.0.1 or localhost for this machine, 0.0.0.0 (with insecure=1) to listen on all",
                        scheme, rest);
        if ((size_t)(end - host) >= sizeof(out->host))
                return why_set(why, EINVAL, "%s:%.80s...: a host has at most %zu characters", scheme, rest, sizeof(out->host) - 1);
        if (colon[1] < '0' || colon[1] > '9' || number_parse(colon + 1, &port) < 0 || port > UINT16_MAX)
                return why_set(why, EINVAL, "%s:%.80s: a port is a number from 0 to 65535, not '%.20s'", scheme, rest, colon + 1);
        *out = (struct inet_name){ .port = (uint16_t)port };
        memcpy(out->host, host, (size_t)(end - host));
        if (!resolve && strcmp(out->host, "localhost") != 0 && from_number(out->host, 0, &ignored) < 0)
                return why_set(
                        why, EINVAL,
                        "%s:%.80s: '%.80s' is no address; a name is looked up only with resolve=1, which may take longer than any timeout",
                        scheme, rest, out->host);
        return 0;
}

static int look_up(const char *scheme, const struct inet_name *name, struct inet_addresses *out, struct ipw_why *why)
{
        static const struct addrinfo wanted = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
        struct addrinfo *list, *a;
        int r;

        r = sys_getaddrinfo("which address has that name", name->host, &wanted, &list);
        if (r == -ENOENT)
                return why_set(why, ENOENT, "%s:%.80s: no such host", scheme, name->host);
        if (r < 0)
                return why_set(why, -r, "%s:%.80s: the name cannot be looked up now: %s", scheme, name->host, why_name(r));
        for (a = list; a && out->count < INET_HOSTS; a = a->ai_next) {
                struct inet_address *to = &out->at[out->count];

                if (a->ai_family != AF_INET && a->ai_family != AF_INET6)
                        continue;
                memcpy(&to->any, a->ai_addr, a->ai_addrlen);
                to->size = a->ai_addrlen;
                if (a->ai_family == AF_INET)
                        to->v4.sin_port = htons(name->port);
                else
                        to->v6.sin6_port = htons(name->port);
                out->count++;
        }
        freeaddrinfo(list);
        return out->count ? 0 : why_set(why, ENOENT, "%s:%.80s: this host has no IPv4 or IPv6 address", scheme, name->host);
}

/* The number of the interface that the zone names. */
static int find_zone(const char *scheme, const char *host, struct inet_address *to, struct ipw_why *why)
{
        const char *zone = zone_of(host);
        int64_t number;
        int loopback, r;

        if (to->any.sa_family != AF_INET6 || !IN6_IS_ADDR_LINKLOCAL(&to->v6.sin6_addr))
                return 0;
        if (!zone)
                return why_set(
                        why, EINVAL,
                        "%s:[%.60s]: there are such addresses on every link: name the interface, [%.60s%%25eth0] (ip address shows them)",
                        scheme, host, host);
        if (number_parse(zone, &number) == 0 && number > 0 && number <= INT32_MAX) {
                to->v6.sin6_scope_id = (uint32_t)number;
                return 0;
        }
        r = sys_interface("which interface is that zone", zone, &to->v6.sin6_scope_id, &loopback);
        if (r == -ENODEV)
                return why_set(why, ENODEV, "%s:[%.60s]: there is no interface '%.20s' (ip address shows them)", scheme, host, zone);
        return r < 0 ? why_call(why, r, host, "cannot look at the interfaces") : 0;
}

int inet_find(const char *scheme, const struct inet_name *name, struct inet_addresses *out, struct ipw_why *why)
{
        out->count = 0;
        if (strcmp(name->host, "localhost") == 0) {
                (void)from_number("127.0.0.1", name->port, &out->at[0]);
                (void)from_number("::1", name->port, &out->at[1]);
                out->count = 2;
                return 0;
        }
        if (from_number(name->host, name->port, &out->at[0]) == 0) {
                out->count = 1;
                return find_zone(scheme, name->host, &out->at[0], why);
        }
        return look_up(scheme, name, out, why);
}

bool inet_is_loopback(const struct inet_address *a)
{
        if (a->any.sa_family == AF_INET)
                return ntohl(a->v4.sin_addr.s_addr) >> 24 == 127;
        return IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr) || (IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr) && a->v6.sin6_addr.s6_addr[12] == 127);
}

bool inet_equal(const struct inet_address *a, const struct inet_address *b)
{
        if (a->any.sa_family != b->any.sa_family || inet_port(a) != inet_port(b))
                return false;
        return a->any.sa_family == AF_INET
                       ? a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr
                       : IN6_ARE_ADDR_EQUAL(&a->v6.sin6_addr, &b->v6.sin6_addr) && a->v6.sin6_scope_id == b->v6.sin6_scope_id;
}

uint16_t inet_port(const struct inet_address *a)
{
        return ntohs(a->any.sa_family == AF_INET ? a->v4.sin_port : a->v6.sin6_port);
}

void inet_print(const struct inet_address *a, char text[INET_TEXT])
{
        char host[INET6_ADDRSTRLEN] = "";
        bool v4 = a->any.sa_family == AF_INET;

        (void)inet_ntop(a->any.sa_family, v4 ? (const void *)&a->v4.sin_addr : &a->v6.sin6_addr, host, sizeof(host));
        if (!v4 && a->v6.sin6_scope_id)
                (void)snprintf(text, INET_TEXT, "[%s%%%u]:%u", host, a->v6.sin6_scope_id, inet_port(a));
        else
                (void)snprintf(text, INET_TEXT, v4 ? "%s:%u" : "[%s]:%u", host, inet_port(a));
}
