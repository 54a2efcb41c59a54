/* SPDX-License-Identifier: MIT */
/* The plays, and what each act must hold whatever fails in it. */
#include "scenario.h"

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bytes.h"

enum { SHORTLY = 2000000, A_WHILE = 50000000, SOON = 2000000000, LARGE = 50000, HUGE = 120000 }; /* ns; bytes */

/* ---- the world ------------------------------------------------------------------------------------------------------------------------ */

bool world_make(struct world *w, const char *root)
{
        static unsigned serial;
        struct ipw_why why;

        (void)snprintf(w->dir, sizeof(w->dir), "%s/%u", root, serial++);
        if (mkdir(w->dir, 0700) < 0)
                err(1, "%s", w->dir);
        row_address(w->row, w->dir, w->address, sizeof(w->address));
        w->gets = w->row->mechanism->roles & 1u << IPW_PULL ? IPW_PULL : IPW_SUB;
        w->sends = w->row->mechanism->roles & 1u << IPW_PUSH ? IPW_PUSH : IPW_PUB;
        return ipw_describe(w->address, &w->bound, &why) == 0;
}

/*
 * The other name that stands in where a filesystem has no files without one. It stays only if it could not be removed, and is removed here; of POSIX objects
 * it is not in our own folder.
 */
static void sweep_temporary(const char *folder, const char *name, size_t length)
{
        DIR *dir = opendir(folder);
        struct dirent *e;

        while (dir && (e = readdir(dir)))
                if (e->d_name[0] == '.' && strncmp(e->d_name + 1, name, length) == 0)
                        (void)unlinkat(dirfd(dir), e->d_name, 0);
        if (dir)
                (void)closedir(dir);
}

void world_sweep(struct world *w)
{
        static const char *const schemes[] = { "shm", "sem", "sem+shm" };
        const char *name = strstr(w->address, ":/");

        for (size_t i = 0; name && i < COUNT_OF(schemes); i++)
                if (strcmp(w->row->mechanism->scheme, schemes[i]) == 0)
                        sweep_temporary("/dev/shm", name + 2, strcspn(name + 2, "?"));
        sweep_temporary(w->dir, "memory", strlen("memory"));
}

void world_clear(struct world *w)
{
        struct ipw_why why;

        if (!w->row->mechanism->anonymous)
                (void)ipw_remove(w->address, &why);
        world_sweep(w);
        empty_folder(w->dir);
        if (mkdir(w->dir, 0700) < 0)
                err(1, "%s", w->dir);
}

void world_check_names(struct world *w)
{
        DIR *dir = opendir(w->dir);
        struct ipw_why why;
        struct dirent *e;

        if (!dir)
                err(1, "%s", w->dir);
        while ((e = readdir(dir)))
                BROKEN_UNLESS(*e->d_name == '.', "\"%s\" is left", e->d_name);
        (void)closedir(dir);
        if (!w->row->mechanism->anonymous) {
                int r = ipw_remove(w->address, &why);

                BROKEN_UNLESS(r == -ENOENT || r == -EOPNOTSUPP, "the object is left");
        }
}

void world_check_error(ssize_t r, const struct ipw_why *why, const char *what)
{
        BROKEN_UNLESS(r > -4096 && strerrorname_np((int)-r), "%s: %zd is no error", what, r);
        BROKEN_UNLESS(why->error == -r, "%s: %s, but the text is for %d: \"%s\"", what, strerrorname_np((int)-r), why->error, why->text);
        BROKEN_UNLESS(strlen(why->text) > 8, "%s: %s without a text", what, strerrorname_np((int)-r));
}

/* An error of a link: it must be one, and have a text. */
static ssize_t judged(struct ipw_link *l, ssize_t r, const char *what)
{
        struct ipw_why why;

        if (r >= 0)
                return r;
        ipw_link_why(l, &why);
        world_check_error(r, &why, what);
        return r;
}

static struct ipw_link *open_at(const char *address, unsigned how)
{
        struct ipw_why why = { 0 };
        struct ipw_link *l = NULL;
        int r = ipw_open(&l, address, how, SHORTLY, &why);

        if (r < 0)
                world_check_error(r, &why, "ipw_open()");
        BROKEN_UNLESS(r <= 0 && (r == 0) == (l != NULL), "ipw_open() says %d and gives %p", r, (void *)l);
        return l;
}

/* A second try, as people do. */
static struct ipw_link *open_stubborn(const char *address, unsigned how)
{
        struct ipw_link *l = open_at(address, how);

        return l ? l : open_at(address, how);
}

/* What was acknowledged may still be dropped. */
static bool is_lossy(const struct world *w)
{
        return !(w->bound.flags & IPW_CAP_RELIABLE);
}

static bool is_bytes(const struct world *w)
{
        return w->bound.flags & IPW_CAP_BYTES;
}

static bool make_ends(struct world *w, unsigned how)
{
        struct ipw_why why = { 0 };
        char a[64], b[64];
        int r;

        if (!w->row->mechanism->anonymous) {
                strcpy(w->push, w->address);
                strcpy(w->pull, w->address);
                return true;
        }
        r = ipw_ends(a, b, w->address, how, &why);
        if (r < 0)
                world_check_error(r, &why, "ipw_ends()");
        if (r < 0)
                return false;
        strcpy(w->push, a);
        strcpy(w->pull, b);
        return true;
}

/* An anonymous end belongs to the link once it is open. If opening failed it is still this process's, if it was not used up: fds tell. */
static struct ipw_link *open_end(struct world *w, char *end, unsigned how)
{
        struct ipw_link *l = open_stubborn(end, how);

        if (!l && w->row->mechanism->anonymous)
                ipw_end_drop(end);
        return l;
}

static void finish(struct world *w, struct ipw_link *a, struct ipw_link *b)
{
        struct ipw_why why = { 0 };
        int r;

        (void)ipw_close(a);
        (void)ipw_close(b);
        if (w->row->mechanism->anonymous)
                return;
        r = ipw_remove(w->address, &why);
        if (r < 0)
                world_check_error(r, &why, "ipw_remove()");
        fault_pause(true); /* the fault is over: now it must go */
        r = ipw_remove(w->address, &why);
        BROKEN_UNLESS(r == 0 || r == -ENOENT || r == -EOPNOTSUPP, "ipw_remove() afterwards: %s: %s", strerrorname_np(-r), why.text);
        fault_pause(false);
}

/* ---- messages: a ledger of what was sent, and what came ----------------------------------------------------------------------------------- */

enum fate { UNSENT, SENT, REFUSED, MAYBE, CUT };

struct ledger {
        struct world *w;
        enum fate fate[MESSAGES];
        size_t size[MESSAGES];
        size_t came[MESSAGES]; /* bytes; of records all or none */
        unsigned count, next;  /* sent; not before this one may come */
        bool cut; /* a peer may be cut off, and is told: nobody listens, or a try to dial that failed was the first, and all others are refused */
        bool reported; /* receiving failed, or promises nothing */
};
static char outbox[1 << 18], inbox[1 << 18];

static struct ipw_message message(struct ledger *g, size_t size)
{
        memset(outbox + g->count * 1024 % 65536, 'A' + (int)g->count % 50, size);
        g->size[g->count] = size;
        return (struct ipw_message){ .data = outbox + g->count * 1024 % 65536, .size = size };
}

static void note_sent(struct ledger *g, ssize_t r)
{
        bool certain = !is_bytes(g->w) || r == -EAGAIN || r == -ETIMEDOUT || r == -EMSGSIZE; /* bytes may be cut by the end */

        g->fate[g->count++] = r >= 0 ? SENT : r == -EINPROGRESS ? MAYBE : certain ? REFUSED : CUT;
        BROKEN_UNLESS(g->count < MESSAGES, "the play is too long");
}

static ssize_t tell(struct ledger *g, struct ipw_link *out, size_t size, unsigned flags, int64_t timeout)
{
        struct ipw_message m = message(g, size);
        ssize_t r;

        m.flags = flags;
        r = judged(out, ipw_send(out, &m, timeout), "ipw_send()");
        BROKEN_UNLESS(r < 0 || (size_t)r == size, "ipw_send() of %zu says %zd", size, r);
        note_sent(g, r);
        return r;
}

/* What came: each message at most once, in order, whole. */
static void note_came(struct ledger *g, const char *data, size_t size)
{
        for (size_t i = 0; i < size;) {
                unsigned which = g->next;
                size_t n;

                while (which < g->count && 'A' + (int)which % 50 != data[i])
                        which++;
                BROKEN_UNLESS(which < g->count, "'%c' came, which was never sent, or came before", data[i]);
                BROKEN_UNLESS(g->fate[which] != REFUSED, "message %u came, which was refused", which);
                for (unsigned k = g->next; k < which; k++)
                        BROKEN_UNLESS(g->fate[k] != SENT || g->came[k] == g->size[k] || g->reported, "message %u came before %u", which, k);
                for (n = 0; i < size && data[i] == 'A' + (int)which % 50; i++)
                        n++;
                g->came[which] += n;
                BROKEN_UNLESS(g->came[which] <= g->size[which], "message %u came twice or too long", which);
                BROKEN_UNLESS(is_bytes(g->w) || (g->came[which] == g->size[which] && n == size), "message %u came with %zu bytes of %zu",
                              which, n, g->size[which]);
                g->next = g->came[which] == g->size[which] ? which + 1 : which;
        }
}

static ssize_t hear(struct ledger *g, struct ipw_link *in, size_t room, int64_t timeout)
{
        struct ipw_message m = { .data = inbox, .capacity = room };
        ssize_t r = judged(in, ipw_recv(in, &m, timeout), "ipw_recv()");

        if (r >= 0)
                note_came(g, inbox, (size_t)r);
        else if (r != -EAGAIN && r != -ETIMEDOUT && r != -EMSGSIZE && r != -EINTR && r != -ECANCELED && r != -EPIPE)
                g->reported = true;
        return r;
}

static bool all_came(const struct ledger *g)
{
        for (unsigned i = 0; i < g->count; i++)
                if (g->fate[i] == SENT && g->came[i] != g->size[i])
                        return false;
        return true;
}

/* The connection was reset, and that is the one way to lose what was acknowledged: the sender is told so, and that settles it. */
static bool was_cut(struct ledger *g, struct ipw_link *out)
{
        ssize_t r = tell(g, out, 10, 0, 0);

        g->reported |= r == -EPIPE || r == -ECONNRESET;
        return g->reported;
}

/* The fault is over. Now all that was acknowledged comes. */
static void settle(struct ledger *g, struct ipw_link *in, struct ipw_link *out)
{
        int64_t wait = A_WHILE;

        fault_pause(true);
        if (out)
                (void)ipw_flush(out, 0);
        while (!all_came(g) && !g->reported) {
                ssize_t r = hear(g, in, sizeof(inbox), wait);

                if ((r == -ETIMEDOUT || r == -EPIPE) && (fault_is(ECONNRESET) || g->cut || !(g->w->bound.flags & IPW_CAP_ACCEPT)) && out &&
                    was_cut(g, out))
                        break;
                if (r == -ETIMEDOUT && wait < SOON) {
                        wait = SOON;
                        continue;
                }
                if (r == -EPIPE && fault_is(ECONNRESET)) { /* so it was told, and that is how a stream ends */
                        g->reported = true;
                        break;
                }
                BROKEN_UNLESS(r >= 0 || g->reported || r == -EAGAIN, "what was acknowledged does not come: %s", strerrorname_np((int)-r));
        }
        while (!g->reported && hear(g, in, sizeof(inbox), 0) >= 0)
                ; /* what may come, and must not come */
        if (out && !g->reported && ipw_flush(out, SHORTLY) == 0)
                for (unsigned i = 0; i < g->count; i++)
                        if (g->fate[i] == MAYBE)
                                g->fate[i] = SENT;
        while (!g->reported && hear(g, in, sizeof(inbox), 0) >= 0)
                ;
        BROKEN_UNLESS(g->reported || all_came(g), "ipw_flush() said that all is there, but it is not");
        fault_pause(false);
}

static void tell_many(struct ledger *g, struct ipw_link *out, unsigned n)
{
        struct ipw_message m[8];
        struct ledger before = *g;
        ssize_t r;

        for (unsigned i = 0; i < n; i++) {
                m[i] = message(g, 30 + i);
                g->count++;
        }
        r = judged(out, ipw_send_many(out, m, n, SHORTLY), "ipw_send_many()");
        BROKEN_UNLESS(r <= (ssize_t)n && r != 0, "ipw_send_many() of %u says %zd", n, r);
        g->count = before.count;
        for (unsigned i = 0; i < n; i++)
                note_sent(g, (ssize_t)i < r ? 0 : i == 0 ? r : -EAGAIN);
}

static void hear_many(struct ledger *g, struct ipw_link *in)
{
        struct ipw_message m[4] = { 0 };
        ssize_t r;

        for (int i = 0; i < 4; i++)
                m[i] = (struct ipw_message){ .data = inbox + i * 100, .capacity = i == 2 ? 3 : 100 };
        r = judged(in, ipw_recv_many(in, m, 4, SHORTLY), "ipw_recv_many()");
        for (ssize_t i = 0; i < r; i++)
                note_came(g, m[i].data, m[i].size);
        if (r < 0 && r != -EAGAIN && r != -ETIMEDOUT && r != -EMSGSIZE && r != -EINTR && r != -EPIPE)
                g->reported = true;
}

static void look(struct ipw_link *l, unsigned direction)
{
        struct pollfd p;

        if (judged(l, ipw_pollfd(l, direction, &p), "ipw_pollfd()") == 0)
                (void)poll(&p, 1, 0);
}

/* What fits without somebody who reads meanwhile: more into a socket than into a pipe. */
static size_t large(const struct ipw_link *out)
{
        size_t most = strstr(ipw_link_caps(out)->stack, "unix") ? HUGE : LARGE;

        return ipw_link_caps(out)->max_msg < most ? ipw_link_caps(out)->max_msg : most;
}

/* ---- the plays ------------------------------------------------------------------------------------------------------------------------ */

static bool always(const struct world *w)
{
        return true;
}

static bool open_both(struct world *w, unsigned flags, struct ipw_link **in, struct ipw_link **out)
{
        *in = *out = NULL;
        if (!make_ends(w, IPW_PUSH))
                return false;
        *in = open_end(w, w->pull, w->gets | flags);
        *out = open_end(w, w->push, w->sends | flags);
        return *in && *out;
}

static void talk(struct world *w, unsigned flags)
{
        struct ledger g = { .w = w, .reported = is_lossy(w) };
        struct ipw_link *in, *out;
        char text[400];

        if (open_both(w, flags, &in, &out)) {
                struct ipw_message gathered;
                struct iovec parts[2];

                (void)ipw_link_address(in, text, sizeof(text));
                (void)tell(&g, out, 40, 0, SHORTLY);
                (void)tell(&g, out, 41, 0, 0);
                (void)hear(&g, in, 5, SHORTLY);
                (void)hear(&g, in, sizeof(inbox), SHORTLY);
                look(in, IPW_RECV);
                look(out, IPW_SEND);
                gathered = message(&g, large(out) < 3000 ? large(out) : 3000);
                parts[0] = (struct iovec){ gathered.data, 7 };
                parts[1] = (struct iovec){ (char *)gathered.data + 7, gathered.size - 7 };
                gathered.iov = parts;
                gathered.iov_count = 2;
                note_sent(&g, judged(out, ipw_send(out, &gathered, SHORTLY), "ipw_send()"));
                tell_many(&g, out, 3);
                (void)hear(&g, in, sizeof(inbox), SHORTLY);
                hear_many(&g, in);
                look(in, IPW_RECV);
                hear_many(&g, in);
                (void)judged(in, ipw_turn(in), "ipw_turn()");
                (void)judged(out, ipw_turn(out), "ipw_turn()");
                settle(&g, in, out);
                (void)hear(&g, in, sizeof(inbox), 300000); /* waits for nothing */
                (void)hear(&g, in, sizeof(inbox), 0);
                (void)tell(&g, out, large(out), 0, SHORTLY);
                (void)hear(&g, in, 100, SHORTLY);
                (void)hear(&g, in, sizeof(inbox), SHORTLY);
                (void)tell(&g, out, large(out), IPW_DEFER, SHORTLY);
                (void)judged(out, ipw_flush(out, SHORTLY), "ipw_flush()");
                settle(&g, in, out);
                if (ipw_interrupt(in) == 0)
                        (void)hear(&g, in, sizeof(inbox), SHORTLY);
                settle(&g, in, out);
                (void)tell(&g, out, 45, 0, SHORTLY);
                (void)hear(&g, in, 5, SHORTLY); /* in hand at the end */
        }
        finish(w, in, out);
}

static void play_talk(struct world *w)
{
        talk(w, 0);
}

/* There is room, and then there is a message: neither waits for long, once both sides have greeted where the framing begins so. */
static void play_endless(struct world *w)
{
        struct ledger g = { .w = w, .reported = is_lossy(w) };
        struct ipw_link *in, *out;
        /* A listener outlives a peer that it could not serve, and so waits on. */
        int64_t wait = w->bound.flags & IPW_CAP_ACCEPT ? A_WHILE : IPW_FOREVER;

        if (open_both(w, 0, &in, &out) && judged(in, ipw_turn(in), "ipw_turn()") == 0)
                for (int i = 0; i < 3 && !g.reported; i++) {
                        size_t size = i == 1 ? large(out) : 40;

                        if (tell(&g, out, size, 0, i ? IPW_FOREVER : SHORTLY) < 0)
                                break;
                        if (i == 2)
                                (void)hear(&g, in, 5, wait);
                        while (!all_came(&g) && !g.reported)
                                if (hear(&g, in, sizeof(inbox), wait) == -ETIMEDOUT && !was_cut(&g, out)) {
                                        BROKEN_UNLESS(wait != SOON, "what was acknowledged does not come");
                                        wait = SOON;
                                }
                }
        finish(w, in, out);
}

/* As most programs are: a write to nobody would kill. */
static void play_sigpipe(struct world *w)
{
        (void)signal(SIGPIPE, SIG_DFL);
        talk(w, IPW_SIGNALS);
        (void)signal(SIGPIPE, SIG_IGN);
}

static void play_wakeable(struct world *w)
{
        talk(w, IPW_WAKEABLE);
}

/* No room: what is refused never comes, what is accepted does. */
static void play_full(struct world *w)
{
        struct ledger g = { .w = w, .reported = is_lossy(w) };
        struct ipw_link *in, *out;

        if (open_both(w, 0, &in, &out)) {
                look(out, IPW_SEND);
                for (int i = 0; i < 40 && tell(&g, out, large(out), 0, 0) >= 0; i++)
                        ;
                (void)tell(&g, out, large(out), 0, 300000);
                look(out, IPW_SEND);
                (void)tell(&g, out, 50, IPW_DEFER, 0);
                (void)hear(&g, in, sizeof(inbox), SHORTLY);
                (void)tell(&g, out, large(out), 0, 300000);
                (void)judged(out, ipw_flush(out, 300000), "ipw_flush()");
                settle(&g, in, out);
                (void)tell(&g, out, 51, 0, SHORTLY);
                settle(&g, in, out);
        }
        finish(w, in, out);
}

static bool listens(const struct world *w)
{
        return w->bound.flags & IPW_CAP_ACCEPT;
}

static bool can_pair(const struct world *w)
{
        return w->row->mechanism->roles & 1u << IPW_PAIR;
}

static unsigned side(const struct world *w, unsigned flag)
{
        return w->bound.flags & IPW_CAP_ACCEPT ? flag : 0;
}

static void play_pair(struct world *w)
{
        struct ledger g = { .w = w, .reported = is_lossy(w), .cut = true }, h = { .w = w, .reported = is_lossy(w) };
        struct ipw_link *a = NULL, *b = NULL;

        if (make_ends(w, IPW_PAIR)) {
                a = open_end(w, w->pull, IPW_PAIR | side(w, IPW_LISTEN));
                b = open_end(w, w->push, IPW_PAIR | side(w, IPW_DIAL));
        }
        if (a && b) {
                (void)tell(&g, b, 40, 0, SHORTLY);
                (void)hear(&g, a, sizeof(inbox), SHORTLY);
                (void)tell(&h, a, large(a), 0, SHORTLY);
                look(a, IPW_RECV);
                look(b, IPW_RECV);
                (void)hear(&h, b, sizeof(inbox), SHORTLY);
                if (listens(w))
                        (void)ipw_close(open_at(w->push, IPW_PAIR | IPW_DIAL)); /* a third is not wanted */
                settle(&g, a, b);
                (void)judged(a, ipw_finish(a), "ipw_finish()");
                (void)judged(b, ipw_finish(b), "ipw_finish()");
        }
        finish(w, a, b);
}

/* The receiver dials, the sender listens. */
static void play_reversed(struct world *w)
{
        struct ledger g = { .w = w, .reported = is_lossy(w) };
        struct ipw_link *in = NULL, *out;

        (void)make_ends(w, IPW_PUSH);
        out = open_stubborn(w->push, w->sends | IPW_LISTEN);
        if (out)
                in = open_stubborn(w->pull, w->gets | IPW_DIAL);
        if (in) {
                look(out, IPW_SEND);
                (void)tell(&g, out, 40, 0, SHORTLY);
                (void)tell(&g, out, large(out), 0, SHORTLY);
                (void)hear(&g, in, sizeof(inbox), SHORTLY);
                tell_many(&g, out, 3);
                settle(&g, in, out);
                (void)ipw_close(open_at(w->pull, w->gets | IPW_DIAL));
                (void)judged(out, ipw_turn(out), "ipw_turn()");
        }
        finish(w, in, out);
}

static bool can_accept(const struct world *w)
{
        return can_pair(w) && w->bound.flags & IPW_CAP_ACCEPT;
}

static struct ipw_link *take_conversation(struct ipw_link *listener)
{
        struct ipw_link *server = NULL;

        for (int i = 0; i < 3 && !server; i++) {
                int r = (int)judged(listener, ipw_accept(listener, &server, SHORTLY), "ipw_accept()");

                BROKEN_UNLESS((r == 0) == (server != NULL), "ipw_accept() says %d", r);
        }
        return server;
}

static void play_accept(struct world *w)
{
        struct ledger g = { .w = w, .reported = is_lossy(w) };
        struct ipw_link *listener = NULL, *client = NULL, *server = NULL;

        if (make_ends(w, IPW_PUSH))
                listener = open_stubborn(w->pull, IPW_PAIR | IPW_LISTEN);
        if (listener)
                client = open_stubborn(w->push, IPW_PAIR | IPW_DIAL);
        if (client) {
                look(listener, IPW_RECV);
                server = take_conversation(listener);
        }
        if (server) {
                (void)tell(&g, client, 40, 0, SHORTLY);
                for (int i = 0; i < 3 && server && !all_came(&g) && !g.reported; i++)
                        if (hear(&g, server, sizeof(inbox), SHORTLY) == -EPIPE) {
                                /* of a first dial, which failed half way; the one that succeeded waits behind it */
                                (void)ipw_close(server);
                                server = take_conversation(listener);
                        }
        }
        if (server) {
                settle(&g, server, client);
        }
        (void)ipw_close(server);
        finish(w, client, listener);
}

/* Joining, refusing, a second receiver, what a killed process left. */
static bool has_name(const struct world *w)
{
        return !w->row->mechanism->anonymous;
}

static void play_names(struct world *w)
{
        struct ipw_link *first, *second;
        struct ipw_caps bound;

        (void)make_ends(w, IPW_PUSH);
        (void)ipw_describe(w->address, &bound, NULL);
        (void)ipw_close(open_at(w->pull, w->gets | IPW_EXISTING));
        (void)ipw_close(open_at(w->push, w->sends)); /* nobody is there yet, perhaps */
        first = open_stubborn(w->pull, w->gets);
        (void)ipw_close(open_at(w->pull, w->gets | IPW_FRESH));
        second = open_at(w->pull, w->gets);
        (void)ipw_close(second);
        (void)ipw_close(open_at(w->push, w->sends | IPW_EXISTING));
        finish(w, first, NULL);
}

static bool option_has(const struct world *w, const char *name, const char *value)
{
        const struct ipw_mechanism *m = w->row->mechanism;

        for (size_t i = 0; i < m->option_count; i++)
                if (strcmp(m->options[i].name, name) == 0)
                        return !value || strstr(m->options[i].values, value);
        return false;
}

/* Objects that are not made as usual. */
static void play_options(struct world *w)
{
        static const char *const options[] = { "mode=0640", "group=root",   "keep=0",     "keep=1",
                                               "size=4096", "buffer=65536", "ack=queued", "max=60000" };

        for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
                struct ledger g = { .w = w, .reported = is_lossy(w) };
                struct ipw_link *in, *out;
                char name[16], address[480];

                (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(options[i], "="), options[i]);
                if (!option_has(w, name, NULL))
                        continue;
                (void)make_ends(w, IPW_PUSH);
                row_option(address, sizeof(address), w->address, options[i]);
                in = open_stubborn(address, w->gets);
                out = in ? open_stubborn(address, w->sends) : NULL;
                if (strcmp(name, "size") == 0)
                        (void)ipw_close(open_at(w->address, w->sends));
                if (out) {
                        (void)tell(&g, out, 40, 0, SHORTLY);
                        (void)tell(&g, out, large(out), 0, SHORTLY);
                        settle(&g, in, out);
                }
                finish(w, in, out);
        }
}

static bool can_end(const struct world *w)
{
        char address[480];
        struct ipw_caps caps;
        struct ipw_why why;

        if (!option_has(w, "until", "last"))
                return false;
        row_option(address, sizeof(address), w->address, "until=last");
        return ipw_describe(address, &caps, &why) == 0;
}

/* Has somebody dialled who is not in yet? A second look finds out, and takes him in if it can. */
static bool is_unknown(struct ipw_link *in)
{
        struct ipw_stats stats;

        return ipw_turn(in) < 0 || ipw_link_stats(in, &stats) < 0 || (ipw_link_caps(in)->flags & IPW_CAP_ACCEPT && stats.peers == 0);
}

static void play_end(struct world *w)
{
        struct ledger g = { .w = w, .reported = is_lossy(w) };
        struct ipw_link *in, *out;
        char address[480];

        (void)make_ends(w, IPW_PUSH);
        row_option(address, sizeof(address), w->address, "until=last");
        in = open_stubborn(address, w->gets);
        out = in ? open_stubborn(w->push, w->sends) : NULL;
        if (out) {
                (void)judged(in, ipw_turn(in), "ipw_turn()");
                (void)tell(&g, out, 40, 0, SHORTLY);
                (void)tell(&g, out, large(out), 0, SHORTLY);
                g.reported |= is_unknown(in); /* over TCP nobody can say any more who that was */
                (void)ipw_close(out);
                out = NULL;
                look(in, IPW_RECV);
                settle(&g, in, NULL);
                (void)hear(&g, in, sizeof(inbox), SHORTLY);
        }
        finish(w, in, out);
}

/* Descriptors go along: with which messages, their size tells. */
enum { WITHOUT = 40 };

static bool can_pass(const struct world *w)
{
        return w->bound.max_fds > 0;
}

static void tell_fds(struct ledger *g, struct ipw_link *out, size_t size, int fds[2])
{
        struct ipw_message m = message(g, size);

        m.fds = fds;
        m.fd_count = 2;
        note_sent(g, judged(out, ipw_send(out, &m, SHORTLY), "ipw_send()"));
}

static void hear_fds(struct ledger *g, struct ipw_link *in, size_t room, unsigned fd_room, const int fds[2])
{
        int got[2];
        struct ipw_message m = { .data = inbox, .capacity = room, .fds = got, .fd_room = fd_room };
        ssize_t r = judged(in, ipw_recv(in, &m, SHORTLY), "ipw_recv()");

        if (r < 0)
                return;
        note_came(g, inbox, (size_t)r);
        BROKEN_UNLESS(m.fd_count == (r == WITHOUT || !fd_room ? 0 : 2), "a message of %zd bytes came with %u descriptors", r, m.fd_count);
        for (unsigned i = 0; i < m.fd_count; i++) {
                struct stat ours, theirs;

                BROKEN_UNLESS(fstat(fds[i], &ours) == 0 && fstat(got[i], &theirs) == 0 && ours.st_ino == theirs.st_ino,
                              "another descriptor came");
                (void)close(got[i]);
        }
}

static void play_descriptors(struct world *w)
{
        struct ledger g = { .w = w };
        struct ipw_link *in, *out;
        int fds[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
                err(1, "socketpair");
        if (open_both(w, 0, &in, &out)) {
                (void)hear(&g, in, sizeof(inbox), 0);
                tell_fds(&g, out, 50, fds);
                (void)tell(&g, out, WITHOUT, 0, SHORTLY);
                hear_fds(&g, in, 5, 2, fds);
                for (int i = 0; i < 3; i++)
                        hear_fds(&g, in, sizeof(inbox), 2, fds);
                tell_fds(&g, out, large(out), fds);
                hear_fds(&g, in, sizeof(inbox), 2, fds);
                tell_fds(&g, out, 51, fds);
                hear_fds(&g, in, sizeof(inbox), 1, fds);
                hear_fds(&g, in, sizeof(inbox), 0, fds);
                settle(&g, in, out);
                tell_fds(&g, out, 52, fds); /* for nobody */
        }
        (void)close(fds[0]);
        (void)close(fds[1]);
        finish(w, in, out);
}

/* Neither the kind of memory nor a switch of the row changes anything in this. */
static bool can_lend(const struct world *w)
{
        return w->bound.flags & IPW_CAP_LEND && (strcmp(w->row->name, "shm") == 0 || strcmp(w->row->name, "shm+anon") == 0);
}

/* In place: up to three, each smaller than it was claimed; the one in the middle is left out. */
static ssize_t tell_lent(struct ledger *g, struct ipw_link *out, size_t size, int64_t timeout)
{
        unsigned first = g->count;
        struct ipw_span s[3];
        ssize_t n = judged(out, ipw_claim(out, size, s, 3, timeout), "ipw_claim()"), r;

        if (n < 0)
                return n;
        for (ssize_t i = 0; i < n; i++) {
                struct ipw_message m = message(g, size - (size_t)i);

                memcpy(s[i].data, m.data, m.size);
                s[i].size = m.size;
                if (i == 1)
                        BROKEN_UNLESS(ipw_abandon(out, &s[i], 1) == 0, "ipw_abandon() fails");
                else
                        g->count++;
        }
        r = judged(out, ipw_commit(out, s, (size_t)n), "ipw_commit()");
        n = g->count - first;
        g->count = first;
        BROKEN_UNLESS(r < 0 || r == n, "ipw_commit() of %zd says %zd", n, r);
        for (ssize_t i = 0; i < n; i++)
                note_sent(g, r);
        return r;
}

/* Up to three are borrowed, and one is received. */
static ssize_t hear_lent(struct ledger *g, struct ipw_link *in, int64_t timeout)
{
        struct ipw_span s[3];
        ssize_t n = judged(in, ipw_borrow(in, s, 3, timeout), "ipw_borrow()");

        if (n < 0 || judged(in, ipw_give_back(in, s, 0), "ipw_give_back()") < 0)
                return n;
        n = judged(in, ipw_borrow(in, s, 3, 0), "ipw_borrow() of what was given back");
        BROKEN_UNLESS(n > 0, "what was given back is not there: %zd", n);
        note_came(g, s[0].data, s[0].size);
        return judged(in, ipw_give_back(in, s, 1), "ipw_give_back()");
}

static void play_lend(struct world *w)
{
        struct ledger g = { .w = w };
        struct ipw_link *in, *out;
        struct ipw_span s[2];

        if (open_both(w, IPW_WAKEABLE, &in, &out)) {
                (void)hear_lent(&g, in, SHORTLY);
                (void)tell_lent(&g, out, 60, SHORTLY);
                look(in, IPW_RECV);
                look(out, IPW_SEND);
                (void)hear_lent(&g, in, SHORTLY);
                (void)hear(&g, in, 5, SHORTLY); /* kept, and lent from there */
                (void)hear_lent(&g, in, SHORTLY);
                settle(&g, in, out);
                for (int i = 0; i < 24 && tell_lent(&g, out, large(out), 0) > 0; i++)
                        ;
                (void)tell_lent(&g, out, large(out), SHORTLY);
                (void)hear_lent(&g, in, SHORTLY);
                settle(&g, in, out);
                (void)tell_lent(&g, out, 70, SHORTLY);
                (void)judged(out, ipw_claim(out, 80, s, 2, SHORTLY), "ipw_claim()");
                (void)judged(in, ipw_borrow(in, s, 2, SHORTLY), "ipw_borrow()");
        }
        finish(w, in, out); /* with all that in hand */
}

static bool can_guess(const struct world *w)
{
        const char *framing = w->row->framing;

        return option_has(w, "framing", "auto") &&
               (strcmp(framing, "frame") == 0 || strcmp(framing, "line") == 0 || strcmp(framing, "sp") == 0);
}

static void play_guess(struct world *w)
{
        const char *given;
        char guessing[480];
        struct ledger g = { .w = w, .reported = is_lossy(w) };
        struct ipw_link *in = NULL, *out = NULL;

        if (!make_ends(w, IPW_PUSH))
                return;
        given = strstr(w->pull, "framing=");
        if (given)
                (void)snprintf(guessing, sizeof(guessing), "%.*sframing=auto%s", (int)(given - w->pull), w->pull,
                               given + strcspn(given, "&"));
        else
                row_option(guessing, sizeof(guessing), w->pull, "framing=auto");
        in = open_end(w, guessing, w->gets);
        out = open_end(w, w->push, w->sends);
        if (in && out) {
                look(in, IPW_RECV);
                (void)hear(&g, in, sizeof(inbox), 0); /* where greetings are exchanged: answers one */
                (void)tell(&g, out, 40, 0, SHORTLY);
                (void)tell(&g, out, 41, 0, SHORTLY);
                (void)hear(&g, in, sizeof(inbox), SHORTLY);
                settle(&g, in, out);
        }
        finish(w, in, out);
}

/* Ends that nobody opens. */
static bool is_anonymous(const struct world *w)
{
        return w->row->mechanism->anonymous;
}

static void play_drop(struct world *w)
{
        if (!make_ends(w, IPW_PUSH))
                return;
        ipw_end_drop(w->push);
        ipw_end_drop(w->pull);
}

/* A sender dies with a message under way, and another goes on. */
static void play_orphan(struct world *w)
{
        struct ipw_link *in, *out;
        struct ledger g = { .w = w, .reported = is_lossy(w) };
        pid_t pid;

        (void)make_ends(w, IPW_PUSH);
        in = open_stubborn(w->pull, w->gets);
        pid = in ? fork() : -1;
        if (pid == 0) {
                struct ipw_message m = { .data = outbox, .size = LARGE };

                out = open_at(w->push, w->sends);
                memset(outbox, 'z', LARGE);
                for (int i = 0; out && i < 40 && ipw_send(out, &m, 0) >= 0; i++)
                        ;
                _exit(0);
        }
        if (pid > 0)
                (void)waitpid(pid, NULL, 0);
        out = pid > 0 ? open_stubborn(w->push, w->sends) : NULL;
        for (int i = 0; out && i < 40; i++)
                if (ipw_recv(in, &(struct ipw_message){ .data = inbox, .capacity = sizeof(inbox) }, 0) < 0)
                        break;
        if (out) {
                (void)tell(&g, out, 40, 0, SHORTLY);
                (void)ipw_recv(in, &(struct ipw_message){ .data = inbox, .capacity = sizeof(inbox) }, SHORTLY);
                (void)tell(&g, out, 41, 0, SHORTLY); /* unread when the receiver goes, and the next one comes */
                (void)ipw_close(in);
                in = open_at(w->pull, w->gets);
                if (in)
                        (void)ipw_recv(in, &(struct ipw_message){ .data = inbox, .capacity = sizeof(inbox) }, SHORTLY);
        }
        finish(w, in, out);
}

/* Ends of what usually has a name. */
static void play_unnamed(struct world *w)
{
        const char *option = strchr(w->address, '?');
        char address[480], a[64], b[64];
        struct ledger g = { .w = w, .reported = is_lossy(w) };
        struct ipw_link *in, *out;
        struct ipw_why why;

        (void)snprintf(address, sizeof(address), "%s:%s", w->row->mechanism->scheme, option ? option : "");
        if (ipw_ends(a, b, address, IPW_PAIR, &why) < 0)
                return;
        in = open_stubborn(a, IPW_PAIR);
        if (!in)
                ipw_end_drop(a);
        out = open_stubborn(b, IPW_PAIR);
        if (!out)
                ipw_end_drop(b);
        if (in && out) {
                (void)tell(&g, out, 40, 0, SHORTLY);
                settle(&g, in, out);
                (void)tell(&g, out, 41, 0, SHORTLY); /* never read */
        }
        (void)ipw_close(in);
        (void)ipw_close(out);
}

/* A full object, a sender that waits for room without end, and somebody who makes it. */
static bool is_shared(const struct world *w)
{
        return has_name(w) && w->bound.flags & IPW_CAP_MANY_RECEIVERS && !(w->bound.flags & (IPW_CAP_ACCEPT | IPW_CAP_UNBOUNDED));
}

/* Until that process sleeps in a call, or for a while: a failing call may keep it from ever doing so. */
static void until_asleep(pid_t pid)
{
        char path[40], text[300] = "";

        (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        for (int tries = 0; tries < 1000; tries++) {
                FILE *f = fopen(path, "re");
                size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
                const char *state;

                if (f)
                        (void)fclose(f);
                text[n] = 0;
                state = strrchr(text, ')');
                if (!state || state[2] == 'S')
                        return;
                (void)nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
        }
}

static void play_blocked(struct world *w)
{
        struct ipw_message m = { .data = outbox, .size = 3000 };
        struct ipw_link *in, *out;
        pid_t pid = -1;
        ssize_t n = 0;

        if (open_both(w, 0, &in, &out)) {
                while ((n = ipw_send(out, &m, 0)) > 0)
                        ;
                pid = n == -EAGAIN ? fork() : -1;
        }
        if (pid == 0) {
                fault_pause(true);
                until_asleep(getppid());
                in = open_at(w->pull, w->gets);
                for (int i = 0; in && i < 2; i++)
                        (void)ipw_recv(in, &(struct ipw_message){ .data = inbox, .capacity = sizeof(inbox) }, SOON);
                _exit(0);
        }
        if (pid > 0) {
                (void)judged(out, ipw_send(out, &m, IPW_FOREVER), "ipw_send()");
                (void)judged(out, ipw_send(out, &m, SOON), "ipw_send()");
                (void)waitpid(pid, NULL, 0);
        }
        finish(w, in, out);
}

/* One that ends as by a kill: it has opened, and closes nothing. */
static void leave_a_dead_one(const struct world *w)
{
        pid_t pid = fork();

        if (pid == 0) {
                fault_pause(true);
                (void)open_at(w->pull, w->gets);
                _exit(0);
        }
        (void)waitpid(pid, NULL, 0);
}

/* The kinds of memory differ in how they are opened, and there other plays look. */
static bool goes_to_all(const struct world *w)
{
        return strcmp(w->row->name, "shm") == 0;
}

/* To all of shared memory: one is dead and in the way, and one comes later. */
static void play_to_all(struct world *w)
{
        struct ledger g = { .w = w };
        struct ipw_link *in, *out, *late;

        w->gets = IPW_SUB;
        w->sends = IPW_PUB;
        if (open_both(w, 0, &in, &out)) {
                (void)tell(&g, out, 40, 0, SHORTLY);
                leave_a_dead_one(w);
                (void)hear(&g, in, 5, SHORTLY);
                look(out, IPW_SEND);
                for (int i = 0; i < 24; i++) { /* more than there is room for, until it is found dead */
                        (void)tell(&g, out, large(out), 0, SHORTLY);
                        (void)hear(&g, in, sizeof(inbox), SHORTLY);
                }
                late = open_at(w->pull, w->gets);
                tell_many(&g, out, 3);
                if (late) {
                        struct ledger h = g;

                        h.next = g.count - 3;
                        (void)hear(&h, late, sizeof(inbox), SHORTLY);
                }
                (void)ipw_close(late);
                settle(&g, in, out);
                BROKEN_UNLESS(!open_at(w->push, IPW_PUSH), "a broadcast was opened as a queue");
        }
        finish(w, in, out);
}

/* A reader that knows only read(2) is there already. */
static bool is_fifo(const struct world *w)
{
        return strcmp(w->row->mechanism->scheme, "fifo") == 0;
}

static void play_plain_reader(struct world *w)
{
        const char *path = strchr(w->address, ':') + 1;
        char name[300], guessing[340];
        int fd;

        (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(path, "?"), path);
        if (mkfifo(name, 0600) < 0 || (fd = open(name, O_RDWR | O_CLOEXEC)) < 0)
                err(1, "%s", name);
        (void)ipw_close(open_at(w->address, w->sends));
        (void)snprintf(guessing, sizeof(guessing), "fifo:%s?framing=auto", name);
        (void)ipw_close(open_at(guessing, w->sends));
        (void)close(fd);
        finish(w, NULL, NULL);
}

/* Descriptors from elsewhere. */
static bool adopts(const struct world *w)
{
        return is_anonymous(w) && strcmp(w->row->framing, "frame") != 0;
}

static void adopt(struct world *w, int fds[2], unsigned in_how, unsigned out_how, const char *framing)
{
        struct ledger g = { .w = w, .reported = is_lossy(w) };
        struct ipw_link *in, *out;
        char address[64];

        (void)snprintf(address, sizeof(address), "fd:%d%s%s", fds[0], *framing ? "?framing=" : "", framing);
        in = open_end(w, address, in_how);
        (void)snprintf(address, sizeof(address), "fd:%d%s%s", fds[1], *framing ? "?framing=" : "", framing);
        out = open_end(w, address, out_how);
        if (in && out) {
                (void)tell(&g, out, 40, 0, SHORTLY);
                (void)hear(&g, in, sizeof(inbox), SHORTLY);
                settle(&g, in, out);
        }
        finish(w, in, out);
}

static void play_adopt(struct world *w)
{
        int fds[2];

        if (pipe(fds) == 0)
                adopt(w, fds, w->gets, w->sends, w->row->framing);
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0)
                adopt(w, fds, IPW_PAIR, IPW_PAIR, w->row->framing);
        if (!is_bytes(w) && socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) == 0)
                adopt(w, fds, IPW_PAIR, IPW_PAIR, "");
}

static bool is_in_memory(const struct world *w)
{
        return strncmp(w->address, "sem+shm:", 8) == 0 || strncmp(w->address, "sem+file:", 9) == 0;
}

/* Memory has none but its size; the others are for messages. */
static bool has_no_options(const struct world *w)
{
        return !strchr(w->address, '?');
}

/* ---- a log ------------------------------------------------------------------------------------------------------------------------------ */

static bool is_log(const struct world *w)
{
        return strcmp(w->row->mechanism->scheme, "log") == 0;
}

/* After a failed sync nobody knows what became of the message, and the text says so. */
static void tell_log(struct ledger *g, struct ipw_link *out, size_t size, unsigned flags)
{
        struct ipw_why why;

        (void)tell(g, out, size, flags, SHORTLY);
        ipw_link_why(out, &why);
        if (g->fate[g->count - 1] == REFUSED && strstr(why.text, "refuses to go on"))
                g->fate[g->count - 1] = MAYBE;
}

/* The lock on the log, or on a position in it, in other hands. */
static int lock_file(const struct world *w, const char *name)
{
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
        char path[200];
        int fd;

        (void)snprintf(path, sizeof(path), "%s/log/%s", w->dir, name);
        fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd >= 0)
                (void)fcntl(fd, F_OFD_SETLK, &lock);
        return fd;
}

/* From file to file, onto the disk, and the oldest dropped. */
static void play_segments(struct world *w)
{
        struct ledger g = { .w = w };
        struct ipw_link *in, *out, *other;
        char keep[480];
        int fd;

        row_option(keep, sizeof(keep), w->address, "ack=disk&segment=4K&keep-size=60K&keep-age=1ns");
        in = open_stubborn(w->address, w->gets);
        other = open_stubborn(w->address, w->sends);
        out = open_stubborn(keep, w->sends);
        if (in && out && other) {
                for (int i = 0; i < 3; i++) {
                        tell_log(&g, out, 3000, 0);
                        (void)hear(&g, in, sizeof(inbox), SHORTLY);
                        tell_log(&g, other, 3000, 0);
                        (void)hear(&g, in, sizeof(inbox), SHORTLY);
                }
                fd = lock_file(w, "control");
                tell_log(&g, other, 100, 0);
                (void)close(fd);
                tell_log(&g, out, HUGE, IPW_DEFER);
                (void)judged(out, ipw_flush(out, SHORTLY), "ipw_flush()");
                (void)hear(&g, in, sizeof(inbox), SHORTLY);
                settle(&g, in, out);
        }
        (void)ipw_close(other);
        finish(w, in, out);
}

/* A byte that has turned over in the middle, and half a record at the end. */
static void damage(const struct world *w)
{
        char path[200];
        int fd;

        fault_pause(true);
        (void)snprintf(path, sizeof(path), "%s/log/00000000000000000001.log", w->dir);
        fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd >= 0) {
                struct stat st = { 0 };

                (void)fstat(fd, &st);
                if (pwrite(fd, "!", 1, 64 + 116 + 50) != 1 || pwrite(fd, "half a record", 13, st.st_size) != 13)
                        err(1, "%s", path);
                (void)close(fd);
        }
        fault_pause(false);
}

/* Numbers that were never given. */
static void play_gap(struct world *w, struct ledger *g)
{
        char given[480], from[480];
        struct ipw_link *in, *out;

        row_option(given, sizeof(given), w->address, "numbers=given");
        row_option(from, sizeof(from), w->address, "from=4");
        out = open_stubborn(given, w->sends);
        if (out) {
                struct ipw_message m = message(g, 100);

                m.token = 1000;
                note_sent(g, judged(out, ipw_send(out, &m, SHORTLY), "ipw_send()"));
        }
        in = open_stubborn(from, w->gets);
        for (int i = 0; i < 2 && in; i++)
                (void)hear(g, in, sizeof(inbox), 0);
        (void)ipw_close(in);
        (void)ipw_close(out);
}

static void play_damage(struct world *w)
{
        struct ledger g = { .w = w, .reported = true };
        struct ipw_link *in, *out = open_stubborn(w->address, w->sends);
        char skip[480];

        row_option(skip, sizeof(skip), w->address, "damage=skip");
        for (int i = 0; i < 3 && out; i++)
                (void)tell(&g, out, 100, 0, SHORTLY);
        (void)ipw_close(out);
        damage(w);
        in = open_stubborn(skip, w->gets);
        for (int i = 0; i < 3 && in; i++)
                (void)hear(&g, in, sizeof(inbox), 0);
        out = open_stubborn(w->address, w->sends);
        if (out)
                (void)tell(&g, out, 100, 0, SHORTLY);
        (void)ipw_close(out);
        (void)ipw_close(in);
        play_gap(w, &g);
        finish(w, NULL, NULL);
}

static ssize_t take(struct ipw_link *in, struct ipw_message *m, int64_t timeout)
{
        *m = (struct ipw_message){ .data = inbox, .capacity = sizeof(inbox) };
        return in ? judged(in, ipw_recv(in, m, timeout), "ipw_recv()") : -1;
}

static void acknowledge(struct ipw_link *in, const struct ipw_message *m)
{
        int r = ipw_ack(in, m);

        BROKEN_UNLESS(r <= 0, "ipw_ack() says %d", r);
        (void)judged(in, r, "ipw_ack()");
}

/* Receivers that share a position: what one leaves in hand another gets, what is needed is kept, and somebody else has the lock. */
static void play_share(struct world *w)
{
        struct ledger g = { .w = w, .reported = true };
        struct ipw_link *a, *b, *out;
        char keep[480], consumer[480], share[480];
        struct ipw_message m;
        struct ipw_why why;
        int fd;

        row_option(keep, sizeof(keep), w->address, "segment=4K&keep-size=4K");
        row_option(consumer, sizeof(consumer), w->address, "ack=consumer");
        row_option(share, sizeof(share), w->address, "share=pull");
        out = open_stubborn(keep, w->sends);
        for (int i = 0; i < 4 && out; i++)
                (void)tell(&g, out, 1500, 0, SHORTLY);
        a = open_stubborn(consumer, IPW_PULL);
        b = open_stubborn(consumer, IPW_PULL);
        for (int i = 0; i < 2 && a && b; i++) {
                (void)take(a, &m, SHORTLY);
                if (take(b, &m, SHORTLY) >= 0)
                        acknowledge(b, &m);
        }
        (void)take(b, &m, SHORTLY);
        if (out)
                (void)tell(&g, out, 3000, 0, SHORTLY);
        (void)ipw_close(a);
        if (take(b, &m, SHORTLY) >= 0)
                acknowledge(b, &m);
        fd = lock_file(w, "pull.share");
        (void)take(b, &m, SHORTLY);
        a = open_at(consumer, IPW_PULL);
        (void)close(fd);
        (void)ipw_close(a);
        (void)take(b, &m, 0);
        (void)ipw_close(b);
        (void)ipw_close(out);
        if (ipw_remove(share, &why) == 0)
                BROKEN_UNLESS(ipw_remove(share, &why) < 0, "removed twice");
        finish(w, NULL, NULL);
}

/* clang-format off */
const struct scenario scenarios[] = {
        { "talk", always, play_talk, false },
        { "endless", always, play_endless, true },
        { "wakeable", always, play_wakeable, false },
        { "sigpipe", always, play_sigpipe, false },
        { "lend", can_lend, play_lend },
        { "full", always, play_full, false },
        { "pair", can_pair, play_pair, false },
        { "accept", can_accept, play_accept, false },
        { "reversed", listens, play_reversed, false },
        { "names", has_name, play_names, false },
        { "options", has_name, play_options, false },
        { "end", can_end, play_end, false },
        { "descriptors", can_pass, play_descriptors, false },
        { "guess", can_guess, play_guess, false },
        { "drop", is_anonymous, play_drop, false },
        { "orphan", has_name, play_orphan, false },
        { "adopt", adopts, play_adopt, false },
        { "unnamed", has_name, play_unnamed, false },
        { "blocked", is_shared, play_blocked, true },
        { "to-all", goes_to_all, play_to_all, false },
        { "plain", is_fifo, play_plain_reader, false },
        { "segments", is_log, play_segments, false },
        { "damage", is_log, play_damage, false },
        { "share", is_log, play_share, true },
        { "turns", always, play_gate, true, .for_gates = true },
        { "inside", is_in_memory, play_gate_inside, true, .for_gates = true },
        { "bytes", has_no_options, play_segment, false, .for_segments = true },
        { 0 },
};
/* clang-format on */
