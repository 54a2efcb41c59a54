/* SPDX-License-Identifier: MIT */
/*
 * udp: messages to a port, or to all who have joined a multicast group. How messages move is in record.c.
 *
 * Nothing is promised but that a message which arrives is whole: at most once, in any order. A sender never waits for a slow receiver, and nobody need be
 * there at all. What the receiver's kernel drops because its buffer is full it counts, and the link tells (m.lost, stats.dropped); what is lost on the way
 * nobody knows. If a host answers that nobody has the port, the next send says so once (-ECONNREFUSED) and is not made; the one after it is.
 *
 * Whose process sends is not known, and an address can be forged: on one machine any user can send to a port, and listen to a group. So a receiver may
 * believe nothing that it cannot check. Within one machine unix+dgram: is better in every way.
 *
 * Unicast has PUSH and PULL, a group PUB and SUB. To share a port is safe only in a group, where all get all: else a second receiver could take the
 * messages of the first. Groups stay on the loopback interface and messages to them on this host unless told. IPv6 has no groups on the loopback interface,
 * so there the interface must be named.
 *
 * It refuses: addresses and interfaces beyond loopback without insecure=1, names of hosts without resolve=1, a second receiver, until=last.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "inet.h"
#include "mechanism.h"
#include "option.h"
#include "record.h"
#include "sys.h"
#include "why.h"

enum {
        MAX_V4 = 65535 - 20 - 8, /* the length of a packet has 16 bits and counts its headers */
        MAX_V6 = 65535 - 8,      /* here it does not count its own */
        ROOM = 65536,
};

/* ---- an open link ------------------------------------------------------------------------------------------------------------------------ */

/* The answer to an earlier message: that one is lost. This one was not sent. */
static int send_failed(struct record *s, int error)
{
        if (error == -ECONNREFUSED)
                record_drop(s, 1, false);
        return error;
}

static int udp_why(struct link *link, unsigned direction, int error, struct ipw_why *why)
{
        if (direction != IPW_SEND || error != ECONNREFUSED)
                return -ENOENT;
        (void)why_set(
                why, error,
                "udp: nobody had this port when an earlier message came there: that one is lost, and this one was not sent; the next will be, "
                "whether somebody is there then or not");
        return 0;
}

static const struct record_kind kind = { .room = ROOM, .send_failed = send_failed, .why = udp_why };

/* ---- where to ---------------------------------------------------------------------------------------------------------------------------- */

static bool is_group(const struct inet_address *at)
{
        return at->any.sa_family == AF_INET ? IN_MULTICAST(ntohl(at->v4.sin_addr.s_addr)) : IN6_IS_ADDR_MULTICAST(&at->v6.sin6_addr);
}

static int find(const struct ipw_address *a, struct inet_address *out, struct ipw_why *why)
{
        struct inet_addresses found;
        struct inet_name name;
        int r;

        r = inet_name_parse("udp", a->rest, address_number(a, "resolve"), &name, why);
        if (r == 0)
                r = inet_find("udp", &name, &found, why);
        if (r == 0)
                *out = found.at[0]; /* both sides take the same one, and there is no connection that would show which of several is right */
        return r;
}

/* Is this a place for that role, and does all of it stay within the machine? */
static int check_place(const struct request *request, const struct inet_address *at, struct ipw_why *why)
{
        const struct ipw_address *a = request->address;
        unsigned role = request->how & IPW_ROLE;
        bool group = is_group(at), to_all = role == IPW_PUB || role == IPW_SUB;

        if (group != to_all)
                return group ? why_set(why, EOPNOTSUPP,
                                       "udp:%s: is a multicast group, where every receiver gets every message: its roles are PUB and SUB, not %s",
                                       a->rest, role == IPW_PUSH ? "PUSH" : "PULL")
                             : why_set(why, EOPNOTSUPP,
                                       "udp:%s: is one receiver's address: its roles are PUSH and PULL; %s needs a multicast group, such as 239.1.2.3",
                                       a->rest, role == IPW_PUB ? "PUB" : "SUB");
        if (!group && (address_is_given(a, "ttl") || address_is_given(a, "interface")))
                return why_set(why, EINVAL, "udp:%s: is no multicast group, so ttl= and interface= mean nothing; leave them away", a->rest);
        if (inet_port(at) == 0 && role != IPW_PULL)
                return why_set(why, EINVAL, "udp:%s: port 0 is for who receives and takes any port; say which port is meant", a->rest);
        if (request->ways & IPW_RECV && request->how & IPW_EXISTING)
                return why_set(why, ENOENT, "udp:%s: who receives takes the port, so there is nothing to join; leave IPW_EXISTING away",
                               a->rest);
        if (request->ways & IPW_SEND && request->how & IPW_FRESH)
                return why_set(why, EINVAL, "udp:%s: who sends makes nothing, so IPW_FRESH means nothing here; leave it away", a->rest);
        if (!group && !address_number(a, "insecure") && !inet_is_loopback(at))
                return why_set(
                        why, EPERM,
                        "udp:%s: reaches beyond this machine, where anybody on the way can read and change plain UDP; if that is meant, add "
                        "insecure=1",
                        a->rest);
        return 0;
}

/* ---- groups ------------------------------------------------------------------------------------------------------------------------------ */

/* The interface of a group, by its name or by an address that it has. */
static int find_interface(const struct ipw_address *a, unsigned *index, struct ipw_why *why)
{
        const char *wanted = address_text(a, "interface");
        int loopback;
        int r = sys_interface("which interface is that", wanted, index, &loopback);

        if (r == -ENODEV)
                return why_set(why, ENODEV, "udp:%s: interface=%s: there is none with this name or address (ip address shows them)",
                               a->rest, wanted);
        if (r < 0)
                return why_call(why, r, a->rest, "cannot look at the interfaces");
        if (!loopback && !address_number(a, "insecure"))
                return why_set(
                        why, EPERM,
                        "udp:%s: interface=%s leads beyond this machine, where anybody can read and send to the group; if that is meant, "
                        "add insecure=1",
                        a->rest, wanted);
        return 0;
}

static int set(int fd, int level, int option, int value)
{
        return sys_setsockopt("how the socket is to behave", fd, level, option, &value, sizeof(value));
}

static int join(int fd, const struct inet_address *at, unsigned interface)
{
        const struct ip_mreqn v4 = { .imr_multiaddr = at->v4.sin_addr, .imr_ifindex = (int)interface };
        const struct ipv6_mreq v6 = { .ipv6mr_multiaddr = at->v6.sin6_addr, .ipv6mr_interface = interface };

        if (at->any.sa_family == AF_INET6)
                return sys_setsockopt("join the group", fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &v6, sizeof(v6));
        return sys_setsockopt("join the group", fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &v4, sizeof(v4));
}

static int aim(int fd, const struct inet_address *at, unsigned interface, int ttl)
{
        const struct ip_mreqn v4 = { .imr_ifindex = (int)interface };
        bool is_v4 = at->any.sa_family == AF_INET;
        int level = is_v4 ? IPPROTO_IP : IPPROTO_IPV6, r;

        if (is_v4)
                r = sys_setsockopt("to the group on this interface", fd, IPPROTO_IP, IP_MULTICAST_IF, &v4, sizeof(v4));
        else
                r = set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)interface);
        if (r == 0)
                r = set(fd, level, is_v4 ? IP_MULTICAST_TTL : IPV6_MULTICAST_HOPS, ttl);
        return r < 0 ? r : set(fd, level, is_v4 ? IP_MULTICAST_LOOP : IPV6_MULTICAST_LOOP, 1);
}

/* ---- opening ----------------------------------------------------------------------------------------------------------------------------- */

static void fill_caps(struct ipw_caps *out, size_t max, uint32_t more)
{
        *out = (struct ipw_caps){
                .max_msg = max,
                .atomic_max = max,
                .max_batch = RECORD_BATCH_SEND,
                .flags = IPW_CAP_MANY_SENDERS | more,
                .stack = "udp",
        };
}

/* buffer=: how much may lie unread. */
static int set_buffer(int fd, const struct ipw_address *a, struct ipw_why *why)
{
        int64_t wanted = address_number(a, "buffer");
        int half = (int)((wanted + 1) / 2), got = 0; /* the kernel doubles what it is given, and counts the double */
        socklen_t size = sizeof(got);
        int r;

        r = set(fd, SOL_SOCKET, SO_RCVBUF, half);
        if (r == 0)
                r = sys_getsockopt("did we get it", fd, SOL_SOCKET, SO_RCVBUF, &got, &size);
        if (r < 0)
                return why_call(why, r, a->rest, "cannot set the socket up");
        if (got < wanted)
                return why_set(
                        why, ERANGE,
                        "buffer=%lld: net.core.rmem_max allows %d on this machine; ask for less, or raise it: sysctl -w net.core.rmem_max=%d",
                        (long long)wanted, got, half);
        return 0;
}

static int bound(int r, const struct request *request, struct ipw_why *why)
{
        const char *rest = request->address->rest;

        switch (-r) {
        case 0:
                return 0;
        case EADDRINUSE:
                return why_set(why, request->how & IPW_FRESH ? EEXIST : EADDRINUSE,
                               "udp:%s: somebody has this port (ss -lunp shows who); choose another, or 0 for any, or end that program",
                               rest);
        case EACCES:
                return why_set(why, EACCES, "udp:%s: this user may not take ports below net.ipv4.ip_unprivileged_port_start (1024)", rest);
        case EADDRNOTAVAIL:
                return why_set(why, EADDRNOTAVAIL,
                               "udp:%s: this machine has no such address (ip address shows which it has); 0.0.0.0 is all of them", rest);
        default:
                return why_call(why, r, rest, "cannot take the port");
        }
}

/* The port that was given for port 0, in the address that the link tells. */
static int tell_port(struct record *s, const struct ipw_address *a, struct ipw_why *why)
{
        struct ipw_address told = *a;
        struct inet_address at = { .size = sizeof(at.v6) };
        char rest[INET_TEXT];
        int r, n;

        r = sys_getsockname("which port it is", s->fd, &at.any, &at.size);
        if (r < 0)
                return why_call(why, r, a->rest, "cannot see which port it is");
        inet_print(&at, rest);
        told.rest = rest;
        n = address_print(&told, NULL, 0);
        s->link.address = sys_alloc("the address as it is", (size_t)n + 1);
        if (!s->link.address)
                return why_call(why, ENOMEM, a->rest, "cannot make a link");
        (void)address_print(&told, s->link.address, (size_t)n + 1);
        return 0;
}

static int receive_at(struct record *s, const struct inet_address *at, const struct request *request, unsigned interface,
                      struct ipw_why *why)
{
        const struct ipw_address *a = request->address;
        int r = 0;

        s->overflow = true;
        r = set(s->fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
        if (r == 0 && is_group(at))
                r = set(s->fd, SOL_SOCKET, SO_REUSEADDR, 1);
        if (r < 0)
                return why_call(why, r, a->rest, "cannot set the socket up");
        if (address_is_given(a, "buffer"))
                r = set_buffer(s->fd, a, why);
        if (r == 0)
                r = bound(sys_bind("take the port", s->fd, &at->any, at->size), request, why);
        if (r < 0)
                return r;
        if (is_group(at))
                r = join(s->fd, at, interface);
        if (r < 0)
                return why_call(why, r, a->rest, "cannot join the group");
        return inet_port(at) == 0 ? tell_port(s, a, why) : 0;
}

static int send_to(struct record *s, const struct inet_address *at, const struct request *request, unsigned interface, struct ipw_why *why)
{
        const struct ipw_address *a = request->address;
        int r = is_group(at) ? aim(s->fd, at, interface, (int)address_number(a, "ttl")) : 0;

        if (r < 0)
                return why_call(why, r, a->rest, "cannot set the socket up");
        r = sys_connect("all goes there", s->fd, &at->any, at->size);
        if (r == -ENETUNREACH && is_group(at))
                return why_set(
                        why, ENETUNREACH,
                        "udp:%s: this machine has no route to groups on interface=%s (the loopback interface has none to IPv6 groups); name "
                        "another: interface=eth0&insecure=1",
                        a->rest, address_text(a, "interface"));
        return r < 0 ? why_call(why, r, a->rest, "cannot send there") : 0;
}

static int open_end(struct record *s, const struct request *request, struct ipw_why *why)
{
        struct inet_address at;
        unsigned interface = 0;
        int fd, r;

        r = find(request->address, &at, why);
        if (r == 0)
                r = check_place(request, &at, why);
        if (r == 0 && is_group(&at))
                r = find_interface(request->address, &interface, why);
        if (r < 0)
                return r;
        if (is_group(&at) && at.any.sa_family == AF_INET6)
                at.v6.sin6_scope_id = interface;
        fd = sys_socket("a socket for messages without a connection", at.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return why_call(why, fd, request->address->rest, "cannot make a socket");
        record_init(s, &kind, fd);
        fill_caps(&s->link.caps, at.any.sa_family == AF_INET ? MAX_V4 : MAX_V6, request->ways & IPW_RECV ? IPW_CAP_POLL : 0);
        return request->ways & IPW_RECV ? receive_at(s, &at, request, interface, why) : send_to(s, &at, request, interface, why);
}

static int open_udp(const struct request *request, struct link **out, struct ipw_why *why)
{
        struct record *s = sys_alloc("a link over a socket", sizeof(*s));
        int r;

        if (!s)
                return why_call(why, ENOMEM, request->address->rest, "cannot make a link");
        s->fd = -1;
        r = open_end(s, request, why);
        if (r < 0) {
                sys_closep(&s->fd);
                free(s->link.address);
                free(s);
                return r;
        }
        *out = &s->link;
        return 0;
}

/* ---- the mechanism ----------------------------------------------------------------------------------------------------------------------- */

static int describe(const struct ipw_address *a, struct ipw_caps *out, struct ipw_why *why)
{
        struct inet_address at;
        struct inet_name name;
        bool v4 = false;
        int r;

        if (a->fragment)
                return why_set(why, EINVAL, "udp: '#' means nothing here; leave it away");
        r = inet_name_parse("udp", a->rest, address_number(a, "resolve"), &name, why);
        if (r < 0)
                return r;
        if (address_number(a, "until"))
                return why_set(
                        why, EOPNOTSUPP,
                        "udp:%s: until=last is not offered: without connections nobody knows who may still send; send a message that means "
                        "the end, or use tcp:",
                        a->rest);
        if (!address_number(a, "resolve")) { /* then it is a number, and looking at it touches nothing */
                r = find(a, &at, why);
                v4 = r == 0 && at.any.sa_family == AF_INET;
        }
        if (r == 0)
                fill_caps(out, v4 ? MAX_V4 : MAX_V6, IPW_CAP_POLL);
        return r;
}

static const struct ipw_option options[] = {
        { "insecure", "0|1", "0", "1: beyond this machine too, although anybody on the way can read and change what is sent" },
        { "resolve", "0|1", "0", "1: the host may be a name that is looked up, which can take longer than any timeout" },
        { "interface", "TEXT", "lo", "of a multicast group: the network interface, by its name or by an address that it has" },
        { "ttl", "0..255", "0", "of a multicast group: how many networks far messages go; 0: this host only" },
        { "buffer", "4K..64M", "",
          "how many bytes may lie unread, with the kernel's own; what comes then is dropped (not given: usually 208K)" },
        OPTION_UNTIL,
        OPTION_ACK,
        OPTION_SPIN,
};

const struct mechanism mechanism_udp = {
        .about = {
                .scheme = "udp",
                .syntax = "udp:HOST:PORT",
                .summary = "UDP: at most once, in any order, never waits for a slow receiver; to one, or to a multicast group",
                .good_for = "news to many; what is stale is useless",
                .sample = "udp:127.0.0.1:{port}",
                .roles = 1u << IPW_PUSH | 1u << IPW_PULL | 1u << IPW_PUB | 1u << IPW_SUB,
                .options = options,
                .option_count = COUNT_OF(options),
        },
        .describe = describe,
        .open = open_udp,
};
