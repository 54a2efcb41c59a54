/* SPDX-License-Identifier: MIT */
/*
 * TCP and UDP in this network namespace, with both ends where both are here: the other end of a socket is the one whose addresses are the same,
 * exchanged. Sockets of other families are named and no more.
 */
#include "collect.h"

#include <netinet/tcp.h>
#include <stdio.h>

#include "bytes.h"

static const char diag[] = "sock_diag(7)";

static struct key key_of(const struct inet_socket *s)
{
        return (struct key){ .kind = KIND_INET, .inode = s->inode };
}

static const char *state_of(const struct inet_socket *s)
{
        static const char *const states[] = { [TCP_ESTABLISHED] = "connected",
                                              [TCP_SYN_SENT] = "connects",
                                              [TCP_SYN_RECV] = "is called",
                                              [TCP_FIN_WAIT1] = "closes",
                                              [TCP_FIN_WAIT2] = "closes",
                                              [TCP_TIME_WAIT] = "closes",
                                              [TCP_CLOSE] = "open",
                                              [TCP_CLOSE_WAIT] = "closed by its peer",
                                              [TCP_LAST_ACK] = "closes",
                                              [TCP_LISTEN] = "listens",
                                              [TCP_CLOSING] = "closes" };

        return s->state > 0 && (size_t)s->state < COUNT_OF(states) ? states[s->state] : "open";
}

static void add_socket(struct ipw_probe *p, const struct inet_socket *s)
{
        struct key key = key_of(s);
        char local[INET_TEXT], remote[INET_TEXT], name[2 * INET_TEXT + 8];
        bool fresh, connected = s->remote.port != 0;
        uint32_t object = object_at(p, &key, s->tcp ? "tcp" : "udp", &fresh);

        if (!fresh)
                return;
        inet_text(&s->local, local);
        inet_text(&s->remote, remote);
        (void)snprintf(name, sizeof(name), "%s to %s", local, remote);
        object_name(p, object, false, connected ? name : local);
        object_of(p, object)->uid = s->uid;
        if (!connected && s->local.port) {
                object_of(p, object)->named = 1;
                object_address(p, object, "%s:%s", s->tcp ? "tcp" : "udp", local);
        }
        fact_text(p, object, "state", diag, state_of(s));
        if (s->tcp && s->state == TCP_LISTEN) {
                fact_number(p, object, "callers", diag, s->waits);
                if (s->listed)
                        fact_missing(p, object, "callers-most", diag, -EOPNOTSUPP, "this kernel does not tell");
                else
                        fact_number(p, object, "callers-most", diag, s->unsent);
                return;
        }
        fact_number(p, object, "waiting", diag, s->waits);
        fact_number(p, object, "unread", diag, s->unsent);
        fact_text(p, object, "local", diag, local);
        if (connected)
                fact_text(p, object, "remote", diag, remote);
}

void collect_inet(struct ipw_probe *p)
{
        bool fresh;

        for (uint32_t i = 0; i < p->inets.count; i++)
                add_socket(p, &p->inets.at[i]);
        for (uint32_t i = 0; i < p->inets.count; i++) {
                const struct inet_socket *other = find_inet_peer(p, &p->inets.at[i]);
                struct key key = key_of(&p->inets.at[i]), peer = other ? key_of(other) : key;

                if (other)
                        object_peer(p, object_find(p, &key), object_find(p, &peer));
        }
        for (uint32_t i = 0; i < p->holds.count; i++) {
                const struct hold *h = &p->holds.at[i];
                uint32_t object = NO_OBJECT;

                if (h->key.kind == KIND_INET) {
                        object = object_find(p, &h->key);
                } else if (h->key.kind == KIND_SOCKET) {
                        object = object_at(p, &h->key, "socket", &fresh);
                        if (fresh) {
                                object_name(p, object, false, "");
                                fact_missing(p, object, "state", diag, -EOPNOTSUPP, "of another family, or of another network namespace");
                        }
                }
                object_user(p, object, p->processes.at[h->process].pid, h->fd, how_of(h));
        }
}
