/* SPDX-License-Identifier: MIT */
/*
 * Unix sockets of all types: which is connected to which, what waits in each, how many wait at a listener. The other end is the one the kernel's list of
 * sockets names: what a socket says of its peer's process is only who made it.
 */
#include "collect.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static const char diag[] = "sock_diag(7)";

static const char *kind_of(const struct unix_socket *s)
{
        return s->type == SOCK_SEQPACKET ? "unix+seqpacket" : s->type == SOCK_DGRAM ? "unix+dgram" : "unix";
}

static struct key key_of(uint32_t inode)
{
        return (struct key){ .kind = KIND_UNIX, .inode = inode };
}

static void add_socket(struct ipw_probe *p, const struct unix_socket *s)
{
        struct key key = key_of(s->inode);
        bool fresh, named = (s->name[0] == '/' || s->name[0] == '@') && (s->listens || s->type == SOCK_DGRAM);
        uint32_t object = object_at(p, &key, kind_of(s), &fresh);

        if (!fresh)
                return;
        object_name(p, object, named, s->name);
        fact_text(p, object, "state", diag,
                  s->listens              ? "listens"
                  : s->peer               ? "connected"
                  : s->type == SOCK_DGRAM ? "open"
                                          : "not connected");
        if (!s->counted) {
                fact_missing(p, object, "waiting", diag, -EOPNOTSUPP, "this kernel does not tell");
        } else if (s->listens) {
                fact_number(p, object, "callers", diag, s->waits);
                fact_number(p, object, "callers-most", diag, s->room);
        } else {
                fact_number(p, object, "waiting", diag, s->waits);
                fact_number(p, object, "unread", diag, s->room);
        }
}

/* Descriptors that were sent and wait to be received stand in none of the processes; the socket they wait in says how many. */
static void count_flying(struct ipw_probe *p, uint32_t object, pid_t pid, int fd)
{
        struct source *s = p->source;
        char path[64], text[4096];
        const char *value, *source;
        uint64_t n;

        (void)snprintf(path, sizeof(path), "%d/fdinfo/%d", (int)pid, fd);
        if (s->ops->read(s, path, text, sizeof(text)) < 0 || !line_value(text, "scm_fds:", &value) || !next_number(&value, 10, &n) || !n)
                return;
        source = keep_format(p, "/proc/%s", path);
        if (source)
                fact_number(p, object, "in-flight", source, n);
}

void collect_unix(struct ipw_probe *p)
{
        for (uint32_t i = 0; i < p->sockets.count; i++)
                add_socket(p, &p->sockets.at[i]);
        for (uint32_t i = 0; i < p->sockets.count; i++) {
                const struct unix_socket *s = &p->sockets.at[i];
                struct key key = key_of(s->inode), peer = key_of(s->peer);

                if (s->peer)
                        object_peer(p, object_find(p, &key), object_find(p, &peer));
        }
        for (uint32_t i = 0; i < p->holds.count; i++) {
                const struct hold *h = &p->holds.at[i];
                const struct unix_socket *s = h->key.kind == KIND_UNIX ? find_socket(p, h->key.inode) : NULL;
                uint32_t object = s ? object_find(p, &h->key) : NO_OBJECT;

                object_user(p, object, p->processes.at[h->process].pid, h->fd, how_of(h));
                if (s && s->waits && !s->listens)
                        count_flying(p, object, p->processes.at[h->process].pid, h->fd);
        }
        if (p->no_sockets)
                gap(p, "Unix sockets: this kernel does not list them (sock_diag(7) for AF_UNIX)");
}
