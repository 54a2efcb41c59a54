/* SPDX-License-Identifier: MIT */
/*
 * What the tour does with one mechanism, always by the public calls alone.
 *
 * Move: two processes, a link there and a link back. First 64 bytes go there and back, one at a time, which measures the hand-over between two
 * sleepers: the figure is the median of whole round trips. Then the file goes there, as often as it takes to measure something; the
 * receiver compares every byte with its own copy and takes the time from the first send to the last byte compared.
 *
 * Kill: the receiver looks away while the sender sends until it must wait, in the middle of a message where messages move in pieces. Then the
 * sender gets SIGKILL, and the receiver takes all there is: every message that the sender knew as sent must be there, each whole, and then comes
 * the end, or, where the kernel knows no peers, nothing.
 *
 * Leave: the same, but the receiver never looks and is the one that gets SIGKILL. The sender, who waits in the middle of a message, must be told, or, where
 * the kernel knows no peers, at least come back when its time is up.
 */
#include "tour_row.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "number.h"
#include "say.h"
#include "target.h"

enum { SENDER, RECEIVER, PROBE = 2, SMALL = 64, LAST = '!', VICTIMS = 16, WARM = 100, CHUNK = 65536, LARGE = 1 << 20 };
static const size_t worth_measuring = 16 << 20;
static const int64_t turn = 20000000;   /* ns: so often a sender that is not told looks up */
static const int64_t step = 3000000000; /* ns: no single step takes that long on a machine that works */

struct tour_shared {
        struct duo_report report[2];
        char stack[64];
        uint64_t bytes, messages, discarded, arrived;
        int64_t start, end, killed_at, end_at, round_trip;
        uint64_t begun, done; /* by the sender that is killed */
        int end_seen, text, drops;
        int64_t told_at;
        int receiver_killed, told; /* told: the error, positive */
};

/* A channel as both sides name it: [SENDER] opens it to send. */
struct way {
        char end[2][256];
        const struct ipw_mechanism *mechanism;
};

struct job {
        struct tour *tour;
        struct tour_shared *shared;
        struct way there, back;
        int go[2];    /* the receiver of tour_kill() starts when [1] closes */
        int ready[2]; /* the receiver closes [1] when it is there: not every way makes a sender wait for it */
};

/* ---- names ---------------------------------------------------------------------------------------------------------------------- */

static void drop(const struct way *w, unsigned side)
{
        if (w->mechanism && w->mechanism->anonymous && w->end[side][0])
                ipw_end_drop(w->end[side]);
}

/* Nobody has it now, and the kernel gives it to nobody who does not ask for it. 0: none was found. */
static unsigned free_port(void)
{
        struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        unsigned port = 0;
        uint16_t random;

        for (int i = 0; fd >= 0 && i < 1000 && port == 0; i++) {
                if (getrandom(&random, sizeof(random), 0) != sizeof(random))
                        break;
                sa.sin_port = htons((uint16_t)(20000 + random % 12000));
                if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
                        port = ntohs(sa.sin_port);
        }
        if (fd >= 0)
                (void)close(fd);
        return port;
}

int tour_expand(struct tour *t, const char *sample, char out[256])
{
        size_t n = 0;

        while (*sample && n < 200) {
                if (strncmp(sample, "{dir}", 5) == 0) {
                        int length = snprintf(out + n, 256 - n, "%s/%u", t->dir, t->dirs++);

                        if (mkdir(out + n, 0700) < 0)
                                return -errno;
                        n += (size_t)length;
                        sample += 5;
                } else if (strncmp(sample, "{key}", 5) == 0) {
                        uint32_t key;

                        if (getrandom(&key, sizeof(key), 0) != sizeof(key))
                                return -EIO;
                        n += (size_t)snprintf(out + n, 256 - n, "0x%08x", key | 0x10000000);
                        sample += 5;
                } else if (strncmp(sample, "{port}", 6) == 0) {
                        unsigned port = free_port();

                        if (!port)
                                return -EADDRINUSE;
                        n += (size_t)snprintf(out + n, 256 - n, "%u", port);
                        sample += 6;
                } else {
                        out[n++] = *sample++;
                }
        }
        out[n] = 0;
        return *sample ? -ENAMETOOLONG : 0;
}

static int make_way(struct tour *t, const struct ipw_mechanism *m, struct way *w, int until_last, struct ipw_why *why)
{
        char address[256];
        int r = tour_expand(t, m->sample, address);

        *w = (struct way){ .mechanism = m };
        if (r < 0) {
                why->error = -r;
                (void)snprintf(why->text, sizeof(why->text), "%s: cannot make a name to try it with: %s", m->sample, strerror(-r));
                return r;
        }
        if (!m->anonymous) {
                memcpy(w->end[SENDER], address, sizeof(address));
                memcpy(w->end[RECEIVER], address, sizeof(address));
                if (until_last) /* only the receiver's business; where the kernel knows no last sender, none is waited for */
                        (void)target_extend(w->end[RECEIVER], sizeof(w->end[RECEIVER]), "until", "last");
                if (t->names < TOUR_NAMES)
                        memcpy(t->name[t->names++], address, sizeof(address));
                return 0;
        }
        return ipw_ends(w->end[SENDER], w->end[RECEIVER], address, IPW_PUSH, why);
}

static void remove_names(struct tour *t)
{
        while (t->names)
                (void)ipw_remove(t->name[--t->names], NULL); /* what is gone already is gone */
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
        (void)st;
        (void)kind;
        (void)where;
        (void)remove(path);
        return 0;
}

/* ---- in the two processes --------------------------------------------------------------------------------------------------------- */

static struct ipw_link *open_or_fail(struct duo_report *report, const struct way *w, unsigned side)
{
        unsigned how = target_role(w->mechanism, side == SENDER ? IPW_SEND : IPW_RECV);
        struct ipw_link *link;
        struct ipw_why why = { 0 };

        if (ipw_open(&link, w->end[side], how, step, &why) < 0)
                duo_fail(report, why.error, "%s", why.text);
        return link;
}

static void wait_for_receiver(const struct job *j)
{
        char byte;

        (void)close(j->ready[1]);
        while (read(j->ready[0], &byte, 1) < 0 && errno == EINTR)
                ;
}

/* Does this way drop what comes too fast? Then the receiver says after each message of the file that it has it. */
static int drops(const struct ipw_link *link)
{
        return !(ipw_link_caps(link)->flags & IPW_CAP_RELIABLE);
}

static _Noreturn void fail_link(struct duo_report *report, const struct ipw_link *link)
{
        struct ipw_why why;

        ipw_link_why(link, &why);
        duo_fail(report, 0, "%s", why.text);
}

static void send_or_fail(struct duo_report *report, struct ipw_link *link, const void *data, size_t size)
{
        struct ipw_message m = { .data = (void *)(uintptr_t)data, .size = size };

        if (ipw_send(link, &m, step) < 0)
                fail_link(report, link);
}

static size_t recv_or_fail(struct duo_report *report, struct ipw_link *link, void *data, size_t room)
{
        struct ipw_message m = { .data = data, .capacity = room };
        ssize_t n = ipw_recv(link, &m, step);

        if (n < 0)
                fail_link(report, link);
        return (size_t)n;
}

static size_t chunk_size(const struct ipw_link *link)
{
        size_t most = ipw_link_caps(link)->max_msg;

        return most < CHUNK ? most : CHUNK;
}

static int compare_times(const void *a, const void *b)
{
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

        return (x > y) - (x < y);
}

/* Not every way carries every byte: lines of text carry no newline. Two of them tell; the receiver passes over them if they come. */
static int carries_text_only(struct duo_report *report, struct ipw_link *there)
{
        struct ipw_message m = { .data = (char[]){ '\n', '\n' }, .size = PROBE };
        ssize_t r = ipw_send(there, &m, step);

        if (r == -ETIMEDOUT || r == -EPIPE)
                fail_link(report, there);
        return r < 0;
}

static int64_t ping(struct duo_report *report, struct ipw_link *there, struct ipw_link *back)
{
        static int64_t spent[TOUR_ROUNDS];
        char out[SMALL + 1], in[SMALL];
        int64_t give_up = now() + step / 10;
        unsigned n = 0;

        for (unsigned i = 0; i < WARM + TOUR_ROUNDS && (i < 2 * WARM || now() < give_up); i++) {
                int64_t start;

                (void)snprintf(out, sizeof(out), "%0*u.", SMALL - 1, i);
                start = now();
                send_or_fail(report, there, out, SMALL);
                if (recv_or_fail(report, back, in, SMALL) != SMALL || memcmp(in, out, SMALL) != 0)
                        duo_fail(report, 0, "64 bytes came back changed in round %u", i);
                if (i >= WARM)
                        spent[n++] = now() - start;
        }
        out[SMALL - 1] = LAST;
        send_or_fail(report, there, out, SMALL);
        qsort(spent, n, sizeof(spent[0]), compare_times);
        return spent[n / 2];
}

static void pong(struct duo_report *report, struct ipw_link *there, struct ipw_link *back)
{
        char m[SMALL];

        for (;;) {
                size_t n = recv_or_fail(report, there, m, SMALL);

                if (n == PROBE)
                        continue;
                if (n != SMALL)
                        duo_fail(report, 0, "a message of 64 bytes came with another size");
                if (m[SMALL - 1] == LAST)
                        return;
                send_or_fail(report, back, m, SMALL);
        }
}

static void to_hex(unsigned char *to, const unsigned char *from, size_t size)
{
        static const char digits[] = "0123456789abcdef";

        for (size_t i = 0; i < size; i++) {
                to[2 * i] = (unsigned char)digits[from[i] >> 4];
                to[2 * i + 1] = (unsigned char)digits[from[i] & 15];
        }
}

static void send_file(struct duo_report *report, const struct job *j, struct ipw_link *there, struct ipw_link *back)
{
        static unsigned char digits[CHUNK];
        const struct tour *t = j->tour;
        size_t chunk = chunk_size(there) / (j->shared->text ? 2 : 1);

        for (unsigned pass = 0; pass < t->passes; pass++)
                for (size_t at = 0; at < t->size; at += chunk) {
                        size_t n = t->size - at < chunk ? t->size - at : chunk;

                        if (j->shared->text)
                                to_hex(digits, t->data + at, n);
                        send_or_fail(report, there, j->shared->text ? digits : t->data + at, j->shared->text ? 2 * n : n);
                        if (drops(there))
                                (void)recv_or_fail(report, back, (char[SMALL]){ 0 }, SMALL);
                }
        if (ipw_flush(there, step) < 0)
                fail_link(report, there);
}

static void recv_file(struct duo_report *report, const struct job *j, struct ipw_link *there, struct ipw_link *back)
{
        static unsigned char data[CHUNK], digits[CHUNK];
        struct tour_shared *s = j->shared;
        uint64_t total = (uint64_t)j->tour->size * j->tour->passes;

        while (s->bytes < total) {
                size_t n = recv_or_fail(report, there, data, CHUNK), at = (size_t)(s->bytes % j->tour->size);
                size_t bytes = s->text ? n / 2 : n, left = j->tour->size - at;
                const unsigned char *right = j->tour->data + at;

                if (s->text && bytes <= left) {
                        to_hex(digits, right, bytes);
                        right = digits;
                }
                if (bytes > left || memcmp(data, right, n) != 0)
                        duo_fail(report, 0, "message %llu, at byte %zu of the file, differs from what was sent",
                                 (unsigned long long)s->messages, at);
                s->bytes += bytes;
                s->messages++;
                if (drops(there))
                        send_or_fail(report, back, "+", 1);
        }
}

static void move_sender(void *context)
{
        struct job *j = context;
        struct tour_shared *s = j->shared;
        struct duo_report *report = &s->report[SENDER];
        struct ipw_link *back, *there;

        drop(&j->there, RECEIVER);
        drop(&j->back, SENDER);
        back = open_or_fail(report, &j->back, RECEIVER);
        wait_for_receiver(j);
        there = open_or_fail(report, &j->there, SENDER);
        memcpy(s->stack, ipw_link_caps(there)->stack, sizeof(s->stack));
        s->text = carries_text_only(report, there);
        s->drops = drops(there);
        s->round_trip = ping(report, there, back);
        s->start = now();
        send_file(report, j, there, back);
        if (ipw_close(there) != 0)
                duo_fail(report, 0, "messages that were accepted were lost at the close");
        (void)ipw_close(back);
}

static void move_receiver(void *context)
{
        struct job *j = context;
        struct duo_report *report = &j->shared->report[RECEIVER];
        struct ipw_link *there, *back;

        drop(&j->there, SENDER);
        drop(&j->back, RECEIVER);
        there = open_or_fail(report, &j->there, RECEIVER);
        (void)close(j->ready[1]);
        back = open_or_fail(report, &j->back, SENDER);
        pong(report, there, back);
        recv_file(report, j, there, back);
        j->shared->end = now();
        (void)ipw_close(back);
        (void)ipw_close(there);
}

/*
 * Message number `n` of the sender that is killed: its size and bytes follow from n, so that half a message cannot pass for one. Where a sender does not wait for
 * room, so few small ones fit without.
 */
static size_t victim_size(uint64_t n, const struct ipw_link *link)
{
        size_t most = drops(link) ? SMALL : ipw_link_caps(link)->max_msg;

        return n == 0 ? (most < SMALL ? most : SMALL) : most < LARGE ? most : LARGE;
}

static void victim_fill(unsigned char *data, uint64_t n, size_t size)
{
        for (size_t i = 0; i < size; i++)
                data[i] = (unsigned char)('A' + (i * 7 + (i >> 8) + n * 31) % 26); /* letters go everywhere */
}

static void kill_sender(void *context)
{
        struct job *j = context;
        struct tour_shared *s = j->shared;
        unsigned char *data = malloc(LARGE);
        struct ipw_link *link;

        if (!data)
                duo_fail(&s->report[SENDER], 0, "out of memory");
        (void)close(j->go[1]);
        drop(&j->there, RECEIVER);
        wait_for_receiver(j);
        link = open_or_fail(&s->report[SENDER], &j->there, SENDER);
        for (uint64_t n = 0; n < VICTIMS; n++) {
                struct ipw_message m = { .data = data, .size = victim_size(n, link) };

                victim_fill(data, n, m.size);
                __atomic_store_n(&s->begun, n + 1, __ATOMIC_RELEASE);
                if (ipw_send(link, &m, IPW_FOREVER) < 0)
                        fail_link(&s->report[SENDER], link);
                __atomic_store_n(&s->done, n + 1, __ATOMIC_RELEASE);
        }
        (void)pause(); /* what never fills is killed between messages, before the disk is full */
}

static int is_end(ssize_t error)
{
        return error == -EPIPE || error == -ECONNRESET || error == -ECONNREFUSED;
}

/* Sends until it is told that nobody is there, or cannot be told. */
static void left_sender(void *context)
{
        struct job *j = context;
        struct tour_shared *s = j->shared;
        struct duo_report *report = &s->report[SENDER];
        unsigned char *data = malloc(LARGE);
        struct ipw_link *link;
        int knows;

        if (!data)
                duo_fail(report, 0, "out of memory");
        drop(&j->there, RECEIVER);
        wait_for_receiver(j);
        link = open_or_fail(report, &j->there, SENDER);
        knows = (ipw_link_caps(link)->flags & IPW_CAP_ENDS) != 0;
        for (uint64_t n = 0;;) {
                struct ipw_message m = { .data = data, .size = victim_size(n, link) };
                int killed = __atomic_load_n(&s->receiver_killed, __ATOMIC_ACQUIRE);
                ssize_t r = -ETIMEDOUT;

                if (n < VICTIMS || knows) {
                        victim_fill(data, n, m.size);
                        __atomic_store_n(&s->begun, n + 1, __ATOMIC_RELEASE);
                        r = ipw_send(link, &m, turn);
                } else {
                        (void)poll(NULL, 0, (int)(turn / 1000000)); /* what never fills */
                }
                if (is_end(r)) {
                        s->told = (int)-r;
                        s->told_at = now();
                        break;
                }
                if (r >= 0 || r == -EINPROGRESS) {
                        n++;
                        continue;
                }
                if (r != -ETIMEDOUT)
                        fail_link(report, link);
                if (killed && !knows)
                        break;
                if (killed && now() > s->killed_at + step / 2)
                        duo_fail(report, 0, "the sender waits although its receiver is dead");
        }
        (void)ipw_close(link);
        free(data);
}

/* Takes the sender in, where there are conversations: in some framings nothing can be sent before both have greeted. */
static void meet(struct duo_report *report, struct ipw_link *link)
{
        struct ipw_stats stats = { 0 };
        struct pollfd p;

        while (ipw_link_caps(link)->flags & IPW_CAP_ACCEPT && ipw_link_stats(link, &stats) == 0 && stats.peers == 0) {
                if (ipw_pollfd(link, IPW_RECV, &p) < 0)
                        fail_link(report, link);
                if (poll(&p, 1, (int)(step / 1000000)) == 0)
                        duo_fail(report, 0, "no sender came");
                if (ipw_turn(link) < 0)
                        fail_link(report, link);
        }
}

static void left_receiver(void *context)
{
        struct job *j = context;
        struct duo_report *report = &j->shared->report[RECEIVER];
        struct ipw_link *link;

        drop(&j->there, SENDER);
        link = open_or_fail(report, &j->there, RECEIVER);
        (void)close(j->ready[1]);
        meet(report, link);
        for (;;)
                (void)pause();
}

static void kill_receiver(void *context)
{
        struct job *j = context;
        struct tour_shared *s = j->shared;
        struct duo_report *report = &s->report[RECEIVER];
        unsigned char *data = malloc(LARGE), *right = malloc(LARGE), byte;
        struct ipw_link *link;
        struct ipw_stats stats;
        int r, ends;

        if (!data || !right)
                duo_fail(report, 0, "out of memory");
        (void)close(j->go[1]);
        drop(&j->there, SENDER);
        link = open_or_fail(report, &j->there, RECEIVER);
        (void)close(j->ready[1]);
        meet(report, link);
        while (read(j->go[0], &byte, 1) < 0 && errno == EINTR)
                ;
        ends = (ipw_link_caps(link)->flags & IPW_CAP_ENDS) != 0;
        for (;; s->arrived++) {
                struct ipw_message m = { .data = data, .capacity = LARGE };
                size_t size = victim_size(s->arrived, link);

                r = (int)ipw_recv(link, &m, ends ? step : 0);
                if (r < 0)
                        break;
                victim_fill(right, s->arrived, size);
                if (m.size != size || memcmp(data, right, size) != 0)
                        duo_fail(report, 0, "message %llu of the killed sender is not what was sent", (unsigned long long)s->arrived);
        }
        s->end_at = now();
        s->end_seen = r == -EPIPE;
        if (r != -EPIPE && (ends || r != -EAGAIN))
                fail_link(report, link);
        if (ipw_link_stats(link, &stats) == 0)
                s->discarded = stats.discarded;
        (void)ipw_close(link);
        free(data);
        free(right);
}

/* ---- the parent ------------------------------------------------------------------------------------------------------------------- */

enum duo_end tour_trouble(char out[256], const struct ipw_why *why)
{
        (void)snprintf(out, 256, "%.255s", why->text);
        return why->error == ENOSYS || why->error == EPERM ? DUO_LACKING : DUO_FAILED;
}

static int64_t sooner(int64_t a, int64_t b)
{
        return a < b ? a : b;
}

static struct job begin(struct tour *t)
{
        *t->shared = (struct tour_shared){ 0 };
        return (struct job){ .tour = t, .shared = t->shared, .go = { -1, -1 }, .ready = { -1, -1 } };
}

void tour_end_of(struct tour *t, const struct duo *d)
{
        remove_names(t);
        if (d->interrupted)
                t->interrupted = d->interrupted;
}

static void close_both(const int fds[2])
{
        for (int i = 0; i < 2; i++)
                if (fds[i] >= 0)
                        (void)close(fds[i]);
}

void tour_move(struct tour *t, struct tour_row *row)
{
        struct job j = begin(t);
        struct duo d = { .report = t->shared->report };
        struct ipw_why why = { 0 };
        int r;

        r = make_way(t, row->mechanism, &j.there, 0, &why);
        if (r == 0)
                r = make_way(t, row->mechanism, &j.back, 0, &why);
        if (r == 0 && pipe2(j.ready, O_CLOEXEC) < 0) {
                r = -errno;
                (void)snprintf(why.text, sizeof(why.text), "cannot make a pipe: %s", strerror(-r));
        }
        if (r == 0) {
                d.until = sooner(now() + step + (int64_t)(t->size * t->passes) * 50, t->until); /* 20 MB/s is slow */
                r = duo_start(&d, RECEIVER, move_receiver, &j);
                if (r == 0)
                        r = duo_start(&d, SENDER, move_sender, &j);
                if (r < 0) {
                        why.error = -r;
                        (void)snprintf(why.text, sizeof(why.text), "cannot start a process: %s", strerror(-r));
                }
        }
        for (unsigned side = 0; side < 2; side++) {
                drop(&j.there, side);
                drop(&j.back, side);
        }
        close_both(j.ready);
        row->moved = duo_finish(&d, row->why);
        if (r < 0)
                row->moved = tour_trouble(row->why, &why);
        memcpy(row->stack, t->shared->stack, sizeof(row->stack));
        row->bytes = t->shared->bytes;
        row->messages = t->shared->messages;
        row->round_trip = t->shared->round_trip;
        row->text = t->shared->text;
        row->drops = t->shared->drops;
        row->spent = t->shared->end - t->shared->start;
        tour_end_of(t, &d);
}

/* Once the sender is in the middle of something: the kill. */
static int strike(struct tour *t, struct duo *d, unsigned which, char why_text[256])
{
        int r = duo_wait_asleep(d, SENDER, &t->shared->begun, 2);

        if (r == -ETIMEDOUT)
                (void)snprintf(why_text, 256, "the sender never had to wait, so nobody was killed in mid-message");
        if (r < 0)
                return r;
        t->shared->killed_at = now();
        duo_kill(d, which);
        __atomic_store_n(&t->shared->receiver_killed, which == RECEIVER, __ATOMIC_RELEASE);
        return 0;
}

static int strike_sender(struct tour *t, struct duo *d, char *why_text)
{
        return strike(t, d, SENDER, why_text);
}

static int strike_receiver(struct tour *t, struct duo *d, char *why_text)
{
        return strike(t, d, RECEIVER, why_text);
}

static void judge_kill(const struct tour_shared *s, struct tour_row *row)
{
        row->sent = s->done;
        row->arrived = s->arrived;
        row->discarded = s->discarded;
        row->end_seen = s->end_seen;
        row->end_after = s->end_at - s->killed_at;
        /* one more than it knew of: it was killed between the kernel's yes and its own note of it */
        if (row->killed == DUO_WELL && row->arrived != row->sent && row->arrived != row->sent + 1) {
                row->killed = DUO_FAILED;
                (void)snprintf(row->killed_why, sizeof(row->killed_why), "%llu messages were sent, %llu arrived",
                               (unsigned long long)row->sent, (unsigned long long)row->arrived);
        }
}

/* Two processes with a way between them, of which `blow` kills one. */
static void play(struct tour *t, struct tour_row *row, struct job *j, void (*body[2])(void *),
                 int (*blow)(struct tour *, struct duo *, char *), enum duo_end *end, char why_text[256])
{
        struct duo d = { .report = t->shared->report, .until = sooner(now() + step, t->until) };
        struct ipw_why why = { 0 };
        int struck = 0, r;

        r = make_way(t, row->mechanism, &j->there, 1, &why);
        if (r == 0 && (pipe2(j->go, O_CLOEXEC) < 0 || pipe2(j->ready, O_CLOEXEC) < 0))
                r = -errno;
        if (r == 0)
                r = duo_start(&d, RECEIVER, body[RECEIVER], j);
        if (r == 0)
                r = duo_start(&d, SENDER, body[SENDER], j);
        if (r < 0 && !why.error) {
                why.error = -r;
                (void)snprintf(why.text, sizeof(why.text), "cannot start a process: %s", strerror(-r));
        }
        drop(&j->there, SENDER);
        drop(&j->there, RECEIVER);
        close_both(j->ready);
        if (r == 0)
                struck = blow(t, &d, why_text);
        close_both(j->go);
        if (r < 0 || struck < 0)
                d.until = 0; /* not worth waiting for */
        *end = duo_finish(&d, why_text);
        if (r < 0)
                *end = tour_trouble(why_text, &why);
        tour_end_of(t, &d);
}

void tour_kill(struct tour *t, struct tour_row *row)
{
        void (*body[2])(void *) = { [SENDER] = kill_sender, [RECEIVER] = kill_receiver };
        struct job j = begin(t);

        play(t, row, &j, body, strike_sender, &row->killed, row->killed_why);
        judge_kill(t->shared, row);
}

void tour_leave(struct tour *t, struct tour_row *row)
{
        void (*body[2])(void *) = { [SENDER] = left_sender, [RECEIVER] = left_receiver };
        struct job j = begin(t);

        play(t, row, &j, body, strike_receiver, &row->left, row->left_why);
        row->told = t->shared->told;
        row->told_after = t->shared->told_at - t->shared->killed_at;
}

int tour_open(struct tour *t, const char *file)
{
        const char *base = getenv("TMPDIR");
        struct stat st;
        int fd;

        *t = (struct tour){ .shared = MAP_FAILED, .data = MAP_FAILED };
        fd = open(file, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0) {
                say_error("tour: %s: %s", file, strerror(errno));
                return FAILED;
        }
        if (!S_ISREG(st.st_mode) || st.st_size == 0) {
                say_error("tour: %s: %s; give a regular file with something in it", file,
                          S_ISREG(st.st_mode) ? "is empty" : "is no regular file");
                (void)close(fd);
                return FAILED;
        }
        t->size = (size_t)st.st_size;
        t->passes = (unsigned)(worth_measuring / t->size);
        t->passes = t->passes < 1 ? 1 : t->passes > 256 ? 256 : t->passes;
        t->data = mmap(NULL, t->size, PROT_READ, MAP_PRIVATE, fd, 0);
        (void)close(fd);
        t->shared = mmap(NULL, sizeof(*t->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (t->data == MAP_FAILED || t->shared == MAP_FAILED) {
                say_error("tour: %s: cannot map it: %s", file, strerror(errno));
                return FAILED;
        }
        if (!base || *base != '/' || strlen(base) > 32) /* a socket's path holds 107 bytes in all */
                base = "/tmp";
        (void)snprintf(t->dir, sizeof(t->dir), "%s/ipcway-tour-XXXXXX", base);
        if (!mkdtemp(t->dir)) {
                say_error("tour: cannot make a folder in %s: %s", base, strerror(errno));
                return FAILED;
        }
        return DONE;
}

void tour_close(struct tour *t)
{
        remove_names(t);
        if (nftw(t->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) < 0)
                say_error("tour: cannot remove %s: %s", t->dir, strerror(errno));
        (void)munmap((void *)(uintptr_t)t->data, t->size);
        (void)munmap(t->shared, sizeof(*t->shared));
}
