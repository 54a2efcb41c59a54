/* SPDX-License-Identifier: MIT */
/* A message arrives whole or not at all, in order, whatever its size and however many send and receive. */
#include <fcntl.h>
#include <limits.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "cases.h"
#include "suite.h"

/* ---- sizes -------------------------------------------------------------------------------------------------------------------------- */

static void refuse_size(struct ipw_link *out, size_t size)
{
        struct ipw_message m = { .data = outbox, .size = size };
        char limit[24];

        (void)snprintf(limit, sizeof(limit), "%zu", size ? ipw_link_caps(out)->max_msg : ipw_link_caps(out)->min_msg);
        EQUAL(ipw_send(out, &m, SOON), -EMSGSIZE);
        check_why(out, EMSGSIZE, limit);
        EQUAL(ipw_send_many(out, &m, 1, SOON), -EMSGSIZE);
}

static void send_sizes(struct run *run, void *argument)
{
        struct ipw_link *out = open_end(run, IPW_PUSH);
        const struct ipw_caps *caps = ipw_link_caps(out);
        size_t sizes[] = { caps->min_msg, 1, caps->atomic_max, caps->atomic_max + 1, caps->max_msg - 1, caps->max_msg, 1 << 20, 3, 70001 };
        unsigned n = 0;

        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
                if (sizes[i] >= caps->min_msg && sizes[i] <= caps->max_msg && sizes[i] <= BOX && !(is_bytes(run) && sizes[i] == 0))
                        shared->value[n++] = (uint32_t)sizes[i];
        shared->value[n] = UINT32_MAX;
        step_to(1);
        for (unsigned i = 0; i < n; i++) {
                put(run, out, shared->value[i], 1, i);
                if (caps->max_msg < SSIZE_MAX)
                        refuse_size(out, caps->max_msg + 1);
                if (caps->min_msg)
                        refuse_size(out, caps->min_msg - 1);
        }
        put(run, out, NAMED, 2, 1);
        step_wait(2);
        (void)ipw_close(out);
}

void case_sizes(struct run *run)
{
        pid_t pid = peer(run, send_sizes, NULL);
        struct ipw_link *in = open_end(run, IPW_PULL);

        leave_end(run, IPW_PUSH);
        step_wait(1);
        for (unsigned i = 0; shared->value[i] != UINT32_MAX; i++)
                get(run, in, shared->value[i], 1, i);
        get(run, in, NAMED, 2, 1);
        EQUAL(try_get(in, 0), -EAGAIN);
        step_to(2);
        peer_end(pid);
        (void)ipw_close(in);
}

/* ---- short buffers ------------------------------------------------------------------------------------------------------------------ */

static void too_short(struct ipw_link *in, size_t room, size_t needed)
{
        struct ipw_message m = { .data = room ? inbox : NULL, .capacity = room };

        memset(inbox, 0xa5, 64);
        EQUAL(ipw_recv(in, &m, SOON), -EMSGSIZE);
        CHECK(m.size == needed, "a buffer of %zu was told to be %zu, the message has %zu", room, m.size, needed);
        CHECK(m.capacity == room, "the capacity was changed to %zu", m.capacity);
        CHECK(room >= 64 || inbox[room] == 0xa5, "a buffer of %zu bytes was overrun", room);
}

static void send_a_large_one(struct run *run, void *argument)
{
        struct ipw_link *out = open_end(run, IPW_PUSH);
        size_t size = some_size(run, 9, 300000);

        shared->value[0] = (uint32_t)size;
        step_to(1);
        put(run, out, size, 1, 9);
        put(run, out, NAMED, 1, 10);
        step_wait(2);
        (void)ipw_close(out);
}

void case_short(struct run *run)
{
        struct ipw_link *in, *out;
        pid_t pid;

        if (is_bytes(run))
                skip("IPW_CAP_BYTES");
        open_both(run, 0, &in, &out);
        put(run, out, 60, 1, 0);
        put(run, out, NAMED, 1, 1);
        put(run, out, 40, 1, 2);
        too_short(in, 0, 60);
        too_short(in, 1, 60);
        check_why(in, EMSGSIZE, "60");
        too_short(in, 59, 60);
        get(run, in, 60, 1, 0);
        struct ipw_message many[] = { { .data = inbox, .capacity = NAMED }, { .data = inbox + 100, .capacity = 39 } };
        EQUAL(ipw_recv_many(in, many, 2, SOON), 1);
        check_filled(run, inbox, NAMED, 1, 1);
        too_short(in, 39, 40);
        get(run, in, 40, 1, 2);
        EQUAL(try_get(in, 0), -EAGAIN);
        (void)ipw_close(out);
        (void)ipw_close(in);
        renew(run);
        pid = peer(run, send_a_large_one, NULL);
        in = open_end(run, IPW_PULL);
        leave_end(run, IPW_PUSH);
        step_wait(1);
        too_short(in, NAMED, shared->value[0]);
        too_short(in, shared->value[0] - 1, shared->value[0]);
        get(run, in, shared->value[0], 1, 9);
        get(run, in, NAMED, 1, 10);
        step_to(2);
        peer_end(pid);
        (void)ipw_close(in);
}

/* ---- order, several senders, several receivers ---------------------------------------------------------------------------------------- */

struct series {
        unsigned from, count;
        size_t most;
};

static void send_series(struct run *run, void *argument)
{
        const struct series *s = argument;
        struct ipw_link *out = open_end(run, IPW_PUSH);

        for (unsigned i = 0; i < s->count; i++)
                put(run, out, some_size(run, i, s->most), s->from, i);
        (void)ipw_flush(out, SOON);
        step_wait(1);
        (void)ipw_close(out);
}

void case_order(struct run *run)
{
        struct series s = { 1, 1000, 300000 };
        pid_t pid = peer(run, send_series, &s);
        struct ipw_link *in;

        leave_end(run, IPW_PUSH);
        in = open_end(run, IPW_PULL);
        for (unsigned i = 0; i < s.count; i++)
                get(run, in, some_size(run, i, s.most), 1, i);
        step_to(1);
        peer_end(pid);
        (void)ipw_close(in);
}

void case_senders(struct run *run)
{
        enum { SENDERS = 4, EACH = 120 };
        struct series s[SENDERS];
        unsigned next[SENDERS] = { 0 }, from, number;
        struct ipw_link *in = NULL;
        pid_t pid[SENDERS];

        if (!(run->gets.flags & IPW_CAP_MANY_SENDERS) || is_bytes(run))
                skip(is_bytes(run) ? "IPW_CAP_BYTES" : "IPW_CAP_MANY_SENDERS");
        if (!run->row->mechanism->anonymous)
                in = open_end(run, IPW_PULL);
        for (unsigned i = 0; i < SENDERS; i++) {
                s[i] = (struct series){ i, EACH, 300000 };
                pid[i] = peer(run, send_series, &s[i]);
        }
        leave_end(run, IPW_PUSH);
        if (run->row->mechanism->anonymous)
                in = open_end(run, IPW_PULL);
        for (unsigned i = 0; i < SENDERS * EACH; i++) {
                ssize_t n = try_get(in, SOON);

                CHECK(n >= 0, "after %u of %u messages: %s", i, SENDERS * EACH, result_name(n));
                CHECK(read_name(inbox, (size_t)n, &from, &number) && from < SENDERS, "a message of %zd bytes that nobody sent", n);
                CHECK(number == next[from], "message %u of sender %u came where %u belongs", number, from, next[from]);
                EQUAL(n, some_size(run, number, 300000));
                check_filled(run, inbox, (size_t)n, from, next[from]++);
        }
        EQUAL(try_get(in, 0), -EAGAIN);
        step_to(1);
        for (unsigned i = 0; i < SENDERS; i++)
                peer_end(pid[i]);
        (void)ipw_close(in);
}

enum { SPREAD = 300 };

static void take_a_share(struct run *run, void *argument)
{
        struct ipw_link *in = open_end(run, IPW_PULL);
        unsigned from, number;

        __atomic_add_fetch(&shared->value[1], 1, __ATOMIC_SEQ_CST);
        while (__atomic_load_n(&shared->value[0], __ATOMIC_SEQ_CST) < SPREAD) {
                ssize_t n = try_get(in, IPW_MS(20));

                if (n == -ETIMEDOUT)
                        continue;
                CHECK(n >= 0 && read_name(inbox, (size_t)n, &from, &number) && number < SPREAD, "a receiver of two got %s", result_name(n));
                check_filled(run, inbox, (size_t)n, 1, number);
                CHECK(__atomic_add_fetch(&shared->seen[number], 1, __ATOMIC_SEQ_CST) == 1, "message %u was received twice", number);
                __atomic_add_fetch(&shared->value[0], 1, __ATOMIC_SEQ_CST);
        }
        (void)ipw_close(in);
}

/* One place for one receiver: the second is told so, and the first is not disturbed. */
static void refuse_second(struct run *run)
{
        struct ipw_link *in, *out, *second = NULL;
        struct ipw_why why = { 0 };
        int r;

        in = open_end(run, IPW_PULL);
        r = ipw_open(&second, run->pull, how_here(run, IPW_PULL), 0, &why);
        CHECK(r == -EBUSY || r == -EADDRINUSE, "a second receiver got %s: \"%s\"", result_name(r), why.text);
        CHECK(strlen(why.text) > 10, "the text for a second receiver is only \"%s\"", why.text);
        out = open_end(run, IPW_PUSH);
        greet(run, in, out);
        put(run, out, NAMED, 1, 1);
        get(run, in, NAMED, 1, 1);
        (void)ipw_close(out);
        (void)ipw_close(in);
        in = open_end(run, IPW_PULL); /* the place is free again */
        (void)ipw_close(in);
}

void case_receivers(struct run *run)
{
        struct ipw_link *out;
        pid_t pid[2];

        if (run->row->mechanism->anonymous || is_bytes(run))
                skip(is_bytes(run) ? "IPW_CAP_BYTES" : "IPW_CAP_MANY_RECEIVERS");
        if (!(run->gets.flags & IPW_CAP_MANY_RECEIVERS)) {
                refuse_second(run);
                return;
        }
        for (int i = 0; i < 2; i++)
                pid[i] = peer(run, take_a_share, NULL);
        out = open_end(run, IPW_PUSH);
        for (unsigned i = 0; i < SPREAD; i++)
                put(run, out, some_size(run, i, 5000), 1, i);
        for (int i = 0; i < 2; i++)
                peer_end(pid[i]);
        (void)ipw_close(out);
}

/* ---- a receiver that does not know the framing ----------------------------------------------------------------------------------------- */

void case_guess(struct run *run)
{
        struct ipw_link *in, *out;
        const char *given = strstr(run->pull, "framing=");
        char guessing[480];

        if (!has_option(run, "framing", "auto") || is_bytes(run))
                skip(is_bytes(run) ? "IPW_CAP_BYTES" : "framing=auto");
        if (given && strcmp(run->row->framing, "frame") != 0 && strcmp(run->row->framing, "line") != 0 &&
            strcmp(run->row->framing, "sp") != 0)
                skip("framing=auto is frame, line or sp");
        if (given)
                (void)snprintf(guessing, sizeof(guessing), "%.*sframing=auto%s", (int)(given - run->pull), run->pull,
                               given + strcspn(given, "&"));
        else
                row_option(guessing, sizeof(guessing), run->pull, "framing=auto");
        (void)snprintf(run->pull, sizeof(run->pull), "%.399s", guessing);
        open_both(run, 0, &in, &out);
        EQUAL(try_get(in, 0), -EAGAIN);
        for (unsigned i = 0; i < 5; i++)
                put(run, out, 50 + i, 1, i);
        for (unsigned i = 0; i < 5; i++)
                get(run, in, 50 + i, 1, i);
        EQUAL(try_get(in, 0), -EAGAIN);
        (void)ipw_close(out);
        if (ipw_link_caps(in)->flags & IPW_CAP_ENDS)
                EQUAL(try_get(in, SOON), -EPIPE);
        (void)ipw_close(in);
}

/* ---- several at once ------------------------------------------------------------------------------------------------------------------ */

enum { BATCH = 32, ITEM = 64 };

static void put_batch(struct run *run, struct ipw_link *out, unsigned batch, unsigned first)
{
        struct ipw_message m[BATCH] = { 0 };
        size_t done = 0;

        for (unsigned i = 0; i < batch; i++) {
                m[i].data = outbox + i * ITEM;
                m[i].size = ITEM;
                fill(run, m[i].data, ITEM, 1, first + i);
        }
        while (done < batch) {
                ssize_t n = ipw_send_many(out, m + done, batch - done, SOON);

                CHECK(n >= 1 && (size_t)n <= batch - done, "ipw_send_many() of %zu: %zd (%s)", batch - done, n, result_name(n));
                done += (size_t)n;
        }
}

void case_batch(struct run *run)
{
        struct ipw_message m[BATCH] = { 0 };
        struct ipw_link *in, *out;
        struct ipw_stats stats;
        unsigned batch;
        size_t done = 0;

        open_both(run, 0, &in, &out);
        batch = ipw_link_caps(out)->depth && ipw_link_caps(out)->depth < BATCH ? ipw_link_caps(out)->depth : BATCH;
        EQUAL(ipw_send_many(out, NULL, 0, 0), 0);
        EQUAL(ipw_recv_many(in, NULL, 0, 0), 0);
        put_batch(run, out, batch, 0);
        if (is_bytes(run)) {
                for (unsigned i = 0; i < batch; i++)
                        get(run, in, ITEM, 1, i);
                return;
        }
        while (done < batch) {
                ssize_t n;

                for (unsigned i = 0; i < batch; i++)
                        m[i] = (struct ipw_message){ .data = inbox + i * ITEM, .capacity = ITEM };
                n = ipw_recv_many(in, m, BATCH, SOON);
                CHECK(n >= 1 && (size_t)n <= batch - done, "ipw_recv_many() with %zu to come: %zd (%s)", batch - done, n, result_name(n));
                for (ssize_t i = 0; i < n; i++, done++) {
                        EQUAL(m[i].size, ITEM);
                        check_filled(run, m[i].data, ITEM, 1, (unsigned)done);
                }
        }
        EQUAL(ipw_recv_many(in, m, BATCH, 0), -EAGAIN);
        put_batch(run, out, batch, 100); /* one by one gets the same */
        for (unsigned i = 0; i < batch; i++)
                get(run, in, ITEM, 1, 100 + i);
        EQUAL(ipw_link_stats(out, &stats), 0);
        EQUAL(stats.sent, 2 * batch);
        if (ipw_link_caps(out)->max_msg < SSIZE_MAX) { /* the good ones before a bad one go */
                struct ipw_message mixed[2] = { { .data = outbox, .size = NAMED },
                                                { .data = outbox, .size = ipw_link_caps(out)->max_msg + 1 } };

                fill(run, outbox, NAMED, 1, 7);
                EQUAL(ipw_send_many(out, mixed, 2, SOON), 1);
                get(run, in, NAMED, 1, 7);
                EQUAL(try_get(in, 0), -EAGAIN);
        }
        (void)ipw_close(out);
        (void)ipw_close(in);
}

void case_gather(struct run *run)
{
        struct ipw_link *in, *out;
        struct iovec iov[] = { { outbox, 5 }, { outbox, 0 }, { outbox + 5, 20 }, { outbox + 25, 31 } };
        struct ipw_message m = { .iov = iov, .iov_count = 4, .data = (void *)1, .size = 99999 };

        open_both(run, 0, &in, &out);
        fill(run, outbox, 56, 1, 1);
        EQUAL(ipw_send(out, &m, SOON), 56);
        get(run, in, 56, 1, 1);
        iov[3].iov_len = SIZE_MAX - 3; /* beyond what can be added up */
        EQUAL(ipw_send(out, &m, SOON), -EMSGSIZE);
        put(run, out, NAMED, 1, 2);
        get(run, in, NAMED, 1, 2);
        (void)ipw_close(out);
        (void)ipw_close(in);
}

/* ---- what else a message may carry ------------------------------------------------------------------------------------------------------ */

static void get_type(struct run *run, struct ipw_link *in, int64_t selector, int64_t wanted)
{
        struct ipw_message m = { .data = inbox, .capacity = BOX, .selector = selector };

        EQUAL(ipw_recv(in, &m, SOON), NAMED);
        CHECK(m.flags & IPW_HAS_TYPE, "a row with IPW_CAP_TYPES does not set IPW_HAS_TYPE");
        EQUAL(m.type, wanted);
        check_filled(run, inbox, NAMED, 1, (unsigned)wanted);
}

void case_types(struct run *run)
{
        static const unsigned sent[] = { 4, 2, 3, 9, 2 };
        struct ipw_message m = { .data = outbox, .size = NAMED };
        struct ipw_link *in, *out;

        open_both(run, 0, &in, &out);
        if (!(ipw_link_caps(out)->flags & IPW_CAP_TYPES)) {
                m.type = 5;
                EQUAL(ipw_send(out, &m, 0), -EOPNOTSUPP);
                check_why(out, EOPNOTSUPP, "types: no");
                m = (struct ipw_message){ .data = inbox, .capacity = BOX, .selector = -3 };
                EQUAL(ipw_recv(in, &m, 0), -EOPNOTSUPP);
                check_why(in, EOPNOTSUPP, "types: no");
                return;
        }
        for (unsigned i = 0; i < sizeof(sent) / sizeof(sent[0]); i++) {
                m.type = sent[i];
                fill(run, outbox, NAMED, 1, sent[i]);
                EQUAL(ipw_send(out, &m, SOON), NAMED);
        }
        get_type(run, in, -3, 2); /* the lowest that is at most 3 */
        get_type(run, in, 9, 9);
        get_type(run, in, 0, 4);
        get_type(run, in, -3, 2);
        m = (struct ipw_message){ .data = inbox, .capacity = BOX, .selector = 2 };
        EQUAL(ipw_recv(in, &m, 0), -EAGAIN);
        m.capacity = 1; /* a short buffer keeps its type too */
        m.selector = 3;
        EQUAL(ipw_recv(in, &m, SOON), -EMSGSIZE);
        get_type(run, in, 3, 3);
        (void)ipw_close(out);
        (void)ipw_close(in);
}

static void send_one(struct run *run, void *argument)
{
        struct ipw_link *out = open_end(run, IPW_PUSH);

        put(run, out, NAMED, 1, 1);
        step_wait(1);
        (void)ipw_close(out);
}

void case_identity(struct run *run)
{
        struct ipw_message m = { .data = inbox, .capacity = BOX };
        pid_t pid = peer(run, send_one, NULL);
        struct ipw_link *in = open_end(run, IPW_PULL);

        leave_end(run, IPW_PUSH);
        EQUAL(ipw_recv(in, &m, SOON), NAMED);
        if (ipw_link_caps(in)->flags & IPW_CAP_IDENTITY) {
                CHECK(m.flags & IPW_HAS_SENDER && m.sender.source == 2, "a row with IPW_CAP_IDENTITY does not tell the sender");
                EQUAL(m.sender.pid, pid);
                EQUAL(m.sender.uid, geteuid());
                EQUAL(m.sender.gid, getegid());
        } else {
                CHECK(!(m.flags & IPW_HAS_SENDER) || m.sender.source < 2,
                      "tells a sender that the kernel vouches for without IPW_CAP_IDENTITY");
        }
        step_to(1);
        peer_end(pid);
        (void)ipw_close(in);
}

static void put_fds(struct run *run, struct ipw_link *out, size_t size, unsigned number, int *fds, unsigned count)
{
        struct ipw_message m = { .data = outbox, .size = size, .fds = fds, .fd_count = count };

        fill(run, outbox, size, 1, number);
        EQUAL(ipw_send(out, &m, SOON), size);
}

/* These and no others come with message `number`. */
static void get_fds(struct run *run, struct ipw_link *in, size_t size, unsigned number, const int *fds, unsigned count)
{
        int got[4] = { -1, -1, -1, -1 };
        struct ipw_message m = { .data = inbox, .capacity = BOX, .fds = got, .fd_room = 4 };

        EQUAL(ipw_recv(in, &m, SOON), size);
        check_filled(run, inbox, size, 1, number);
        EQUAL(m.fd_count, count);
        for (unsigned i = 0; i < count; i++) {
                struct stat ours, theirs;

                CHECK(fcntl(got[i], F_GETFD) & FD_CLOEXEC, "a received descriptor is not CLOEXEC");
                CHECK(fstat(fds[i], &ours) == 0 && fstat(got[i], &theirs) == 0 && ours.st_ino == theirs.st_ino,
                      "a received descriptor is another");
                (void)close(got[i]);
        }
}

/* What does not fit, in bytes, in descriptors or in this process, stays. */
static void descriptors_stay(struct run *run, struct ipw_link *in, struct ipw_link *out, int ends[2])
{
        int got[2];
        struct ipw_message m = { .data = inbox, .capacity = NAMED - 1, .fds = got, .fd_room = 2 };
        struct rlimit old, none;

        put_fds(run, out, NAMED, 5, ends, 2);
        EQUAL(ipw_recv(in, &m, SOON), -EMSGSIZE);
        EQUAL(m.size, NAMED);
        m.capacity = BOX;
        m.fd_room = 1;
        EQUAL(ipw_recv(in, &m, SOON), -EMSGSIZE);
        check_why(in, EMSGSIZE, "fd_room");
        EQUAL(m.fd_count, 2);
        get_fds(run, in, NAMED, 5, ends, 2);
        put_fds(run, out, NAMED, 6, ends, 2);
        EQUAL(try_get(in, 0) >= 0, 1); /* ... unless nobody wants them */
        put_fds(run, out, NAMED, 7, ends, 2);
        CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0, "getrlimit");
        none = (struct rlimit){ 1, old.rlim_max };
        CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0, "setrlimit");
        m.fd_room = 2;
        EQUAL(ipw_recv(in, &m, SOON), -EMFILE);
        check_why(in, EMFILE, "ulimit -n");
        CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0, "setrlimit");
        get_fds(run, in, NAMED, 7, ends, 2);
}

static void descriptors_among_others(struct run *run, struct ipw_link *in, struct ipw_link *out, int ends[2])
{
        struct ipw_message m[5] = { 0 };
        size_t large = ipw_link_caps(out)->max_msg < 60000 ? ipw_link_caps(out)->max_msg : 60000;
        ssize_t done = 0;

        for (unsigned i = 0; i < 5; i++) {
                m[i].data = outbox + i * ITEM;
                m[i].size = ITEM;
                fill(run, m[i].data, ITEM, 1, 10 + i);
        }
        m[1].fds = m[2].fds = ends;
        m[1].fd_count = 1;
        m[2].fd_count = 2;
        while (done < (ssize_t)5) {
                ssize_t n = ipw_send_many(out, m + done, 5 - (size_t)done, SOON);

                CHECK(n > 0, "ipw_send_many(): %s", result_name(n));
                done += n;
        }
        for (unsigned i = 0; i < 5; i++)
                get_fds(run, in, ITEM, 10 + i, ends, i == 1 ? 1 : i == 2 ? 2 : 0);
        put_fds(run, out, large, 20, ends, 2);
        put(run, out, ITEM, 1, 21);
        get_fds(run, in, large, 20, ends, 2);
        get_fds(run, in, ITEM, 21, ends, 0);
}

void case_descriptors(struct run *run)
{
        struct ipw_stats before, after;
        struct ipw_link *in, *out;
        struct ipw_message m = { .data = outbox, .size = NAMED };
        int ends[2], fds;

        open_both(run, 0, &in, &out);
        CHECK(pipe2(ends, O_CLOEXEC) == 0, "pipe2");
        m.fds = ends;
        m.fd_count = ipw_link_caps(out)->max_fds + 1;
        EQUAL(ipw_send(out, &m, 0), -EOPNOTSUPP);
        check_why(out, EOPNOTSUPP, "descriptors");
        m.priority = ipw_link_caps(out)->max_priority + 1;
        m.fd_count = 0;
        EQUAL(ipw_send(out, &m, 0), -EOPNOTSUPP);
        check_why(out, EOPNOTSUPP, "priorities");
        EQUAL(try_get(in, 0), -EAGAIN);
        if (!ipw_link_caps(out)->max_fds)
                return;
        fds = count_fds();
        put_fds(run, out, NAMED, 1, ends, 1);
        get_fds(run, in, NAMED, 1, ends, 1);
        descriptors_among_others(run, in, out, ends);
        EQUAL(ipw_link_stats(in, &before), 0);
        descriptors_stay(run, in, out, ends);
        EQUAL(ipw_link_stats(in, &after), 0);
        EQUAL(after.fds_closed - before.fds_closed, 1);
        EQUAL(count_fds(), fds);
        put_fds(run, out, NAMED, 8, ends, 2); /* and nobody comes for them */
        (void)ipw_close(out);
        (void)ipw_close(in);
        CHECK(count_fds() <= fds, "descriptors that nobody received leak");
}

/* ---- counters, limits ------------------------------------------------------------------------------------------------------------------- */

void case_stats(struct run *run)
{
        struct ipw_stats sent, got, zero = { 0 };
        struct ipw_link *in, *out;
        size_t total = 0;

        open_both(run, 0, &in, &out);
        EQUAL(ipw_link_stats(out, &sent), 0);
        CHECK(sent.sent == zero.sent && sent.sent_bytes == 0 && sent.unsettled == 0, "a new link has sent already");
        for (unsigned i = 0; i < 7; i++) {
                put(run, out, 20 + i, 1, i);
                get(run, in, 20 + i, 1, i);
                total += 20 + i;
        }
        EQUAL(try_get(in, 0), -EAGAIN); /* counts nothing */
        EQUAL(ipw_link_stats(out, &sent), 0);
        EQUAL(ipw_link_stats(in, &got), 0);
        EQUAL(sent.sent, 7);
        EQUAL(sent.sent_bytes, total);
        EQUAL(got.received_bytes, total);
        CHECK(got.received == 7 || is_bytes(run), "7 messages came, counted %llu", (unsigned long long)got.received);
        EQUAL(sent.unsettled, 0);
        EQUAL(got.dropped + got.discarded, 0);
        (void)ipw_close(out);
        (void)ipw_close(in);
}

/* A row that drops rather than waits: what comes is whole and comes once, what does not is counted, and the receiver is told. */
static void check_drops(struct run *run)
{
        enum { FLOOD = 3000 };
        struct ipw_message m = { .data = inbox, .capacity = BOX };
        unsigned got = 0, from, number;
        struct ipw_link *in, *out;
        struct ipw_stats stats;
        uint64_t told = 0;
        ssize_t n;

        open_both(run, 0, &in, &out);
        for (unsigned i = 0; i < FLOOD; i++) {
                fill(run, outbox, 500, 1, i);
                EQUAL(ipw_send(out, &(struct ipw_message){ .data = outbox, .size = 500 }, 0), 500);
        }
        while ((n = ipw_recv(in, &m, 0)) >= 0) {
                CHECK(read_name(inbox, (size_t)n, &from, &number) && number < FLOOD, "%zd bytes came that are no message", n);
                EQUAL(n, 500);
                check_filled(run, inbox, 500, 1, number);
                CHECK(shared->seen[number]++ == 0, "message %u came twice", number);
                told += m.flags & IPW_HAS_LOST ? m.lost : 0;
                got++;
        }
        EQUAL(n, -EAGAIN);
        EQUAL(ipw_link_stats(in, &stats), 0);
        CHECK(stats.dropped > 0, "%u messages fit without being received; this case should send more", FLOOD);
        CHECK(got + stats.dropped == FLOOD, "%u messages were sent: %u came, and %llu are counted as lost", FLOOD, got,
              (unsigned long long)stats.dropped);
        put(run, out, NAMED, 2, 0);
        EQUAL(ipw_recv(in, &m, SOON), NAMED);
        told += m.flags & IPW_HAS_LOST ? m.lost : 0;
        CHECK(told == stats.dropped, "%llu messages are lost, the receiver was told of %llu", (unsigned long long)stats.dropped,
              (unsigned long long)told);
        put(run, out, NAMED, 2, 1);
        EQUAL(ipw_recv(in, &m, SOON), NAMED);
        CHECK(!(m.flags & IPW_HAS_LOST), "the same loss was told twice");
        (void)ipw_close(out);
        (void)ipw_close(in);
}

/* A row that takes all there is: nobody receives, and no send waits. */
static void check_unbounded(struct run *run)
{
        enum { FLOOD = 5000, SIZE = 2000 };
        struct ipw_link *in, *out;

        open_both(run, 0, &in, &out);
        for (unsigned i = 0; i < FLOOD; i++)
                EQUAL(try_put(run, out, SIZE, 1, i, 0), SIZE);
        get_all(run, in, out, SIZE, 1, FLOOD);
        EQUAL(try_get(in, 0), -EAGAIN);
        (void)ipw_close(out);
        (void)ipw_close(in);
}

/* What is said to fit does fit. */
void case_limits(struct run *run)
{
        struct ipw_link *in, *out;
        const struct ipw_caps *caps;
        unsigned count = 0;
        size_t size, bytes = 0;
        ssize_t n = 0;

        if (!pushes_back(run)) {
                check_drops(run);
                return;
        }
        if (!fills_up(run)) {
                check_unbounded(run);
                return;
        }
        open_both(run, 0, &in, &out);
        caps = ipw_link_caps(out);
        size = caps->depth ? caps->min_msg : caps->capacity / 16;
        size = size > caps->atomic_max ? caps->atomic_max : size;
        size = size < caps->min_msg ? caps->min_msg : size > 4096 ? 4096 : size;
        if (!caps->depth && !caps->capacity)
                size = 64;
        for (; count < 1000000 && bytes < 64 << 20; count++) {
                n = try_put(run, out, size, 1, count, 0);
                if (n < 0)
                        break;
                bytes += size;
        }
        check_no_room(run, out, n, size, 1, &count);
        CHECK(count >= caps->depth, "says that %u messages fit, but %u did", caps->depth, count);
        CHECK(!caps->capacity || caps->depth || bytes >= caps->capacity / 2, "says that %zu bytes fit, but %zu did", caps->capacity, bytes);
        get_all(run, in, out, size, 1, count);
        EQUAL(try_get(in, 0), -EAGAIN);
        put(run, out, NAMED, 1, count);
        get(run, in, NAMED, 1, count);
        (void)ipw_close(out);
        (void)ipw_close(in);
}
