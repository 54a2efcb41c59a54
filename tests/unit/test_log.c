/* SPDX-License-Identifier: MIT */
/* log: what is acknowledged is there, in order, once: with writers that are killed at every call and every byte, on full disks, after damage. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "log_folder.h"
#include "log_record.h"

/* ---- messages -------------------------------------------------------------------------------------------------------------------------- */

static void test_any_payload(void **state)
{
        struct ipw_link *out = open_with("", IPW_PUB), *in = open_with("", IPW_SUB), *late;
        char data[300], back[300];
        struct ipw_message m = { .data = back, .capacity = sizeof(back) };

        for (unsigned i = 0; i < sizeof(data); i++)
                data[i] = (char)i;
        for (unsigned size = 0; size <= sizeof(data); size += 50)
                assert_int_equal(talk_send(out, data, size, 0), size);
        for (int reader = 0; reader < 2; reader++) {
                late = reader ? open_with("", IPW_SUB) : in;
                for (unsigned size = 0; size <= sizeof(data); size += 50) {
                        assert_int_equal(ipw_recv(late, &m, 0), size);
                        assert_memory_equal(back, data, size);
                        assert_int_equal(m.token, size / 50 + 1);
                        assert_int_equal(m.flags, 0);
                }
                talk_nothing(late, EAGAIN);
                (void)ipw_close(late);
        }
        (void)ipw_close(out);
}

static void test_a_short_buffer_keeps_it(void **state)
{
        struct ipw_link *out = open_with("", IPW_PUB), *in = open_with("", IPW_SUB);
        char small[4];
        struct ipw_message m = { .data = small, .capacity = sizeof(small) };

        say(out, 1);
        assert_int_equal(ipw_recv(in, &m, 0), -EMSGSIZE);
        assert_int_equal(m.size, 9);
        expect(in, 1);
        (void)ipw_close(in);
        (void)ipw_close(out);
}

static void test_from(void **state)
{
        struct ipw_link *out = open_with("?segment=4K", IPW_PUB), *in;

        in = open_with("?from=end", IPW_SUB); /* there is nothing yet */
        for (unsigned i = 1; i <= 500; i++)
                say(out, i);
        expect(in, 1);
        (void)ipw_close(in);
        assert_true(segments() > 3);
        in = open_with("?from=321", IPW_SUB);
        for (unsigned i = 321; i <= 500; i++)
                expect(in, i);
        (void)ipw_close(in);
        in = open_with("?from=end", IPW_SUB);
        talk_nothing(in, EAGAIN);
        say(out, 501);
        expect(in, 501);
        (void)ipw_close(in);
        in = open_with("?from=503", IPW_SUB);
        talk_nothing(in, EAGAIN);
        say(out, 502);
        talk_nothing(in, EAGAIN);
        say(out, 503);
        expect(in, 503);
        (void)ipw_close(in);
        (void)ipw_close(out);
        refuse_with("?from=0", IPW_SUB, EINVAL, "from=0");
        refuse_with("?from=yesterday", IPW_SUB, EINVAL, "start, end, or a sequence");
}

static void test_writers_on_different_days(void **state)
{
        struct ipw_link *in = open_with("", IPW_SUB), *out;

        for (unsigned i = 1; i <= 20; i++) {
                out = open_with(i % 3 ? "?segment=4K" : "?segment=4K&writers=1", IPW_PUB);
                for (unsigned j = 0; j < 30; j++)
                        say(out, i * 100 + j);
                (void)ipw_close(out);
        }
        for (unsigned i = 1; i <= 20; i++)
                for (unsigned j = 0; j < 30; j++)
                        expect(in, i * 100 + j);
        talk_nothing(in, EAGAIN);
        (void)ipw_close(in);
}

static void test_batches(void **state)
{
        struct ipw_link *out = open_with("?segment=64K", IPW_PUB), *in = open_with("", IPW_SUB);
        static char data[100][700], back[100][700];
        struct ipw_message m[100] = { 0 }, got[100] = { 0 };
        unsigned sent = 0, received = 0;

        for (unsigned i = 0; i < 100; i++)
                got[i] = (struct ipw_message){ .data = back[i], .capacity = sizeof(back[i]) };
        while (sent < 1000) {
                for (unsigned i = 0; i < 100; i++) {
                        talk_fill(data[i], 12 + i * 6, 1, sent + i);
                        m[i] = (struct ipw_message){ .data = data[i], .size = 12 + i * 6 };
                }
                for (unsigned done = 0; done < 100;) {
                        ssize_t n = ipw_send_many(out, m + done, 100 - done, IPW_FOREVER);

                        assert_true(n > 0);
                        done += (unsigned)n;
                }
                sent += 100;
        }
        while (received < sent) {
                ssize_t n = ipw_recv_many(in, got, 100, 0);

                assert_true(n > 0);
                for (ssize_t i = 0; i < n; i++, received++) {
                        assert_true(talk_good(got[i].data, got[i].size));
                        assert_int_equal(get_le32(back[i] + 4), received);
                }
        }
        talk_nothing(in, EAGAIN);
        (void)ipw_close(in);
        (void)ipw_close(out);
}

static void after_any(struct sys_call *call)
{
}

/* It sleeps until something happens, and not to look again. */
static int without_end(struct sys_call *call)
{
        if (strcmp(call->site->call, "ppoll") == 0)
                CHILD_CHECK(strstr(call->arguments, ", -1 ns"));
        CHILD_CHECK(strstr(call->site->call, "sleep") == NULL);
        return 0;
}

static void test_a_sleeper_wakes(void **state)
{
        static const struct sys_hook hook = { without_end, after_any };
        struct ipw_link *out = open_with("?segment=4K", IPW_PUB);
        pid_t pid = fork_child();

        if (pid == 0) {
                struct ipw_link *in = open_with("", IPW_SUB);
                char text[400];
                struct ipw_message m = { .data = text, .capacity = sizeof(text) };

                sys_hook = &hook;
                for (int i = 0; i < 100; i++)
                        CHILD_CHECK(ipw_recv(in, &m, IPW_FOREVER) == 300);
                (void)ipw_close(in);
                _exit(0);
        }
        for (int i = 0; i < 100; i++) {
                char text[300] = { 0 };

                if (i % 10 == 0)
                        await_sleep(pid);
                assert_int_equal(talk_send(out, text, sizeof(text), 0), sizeof(text));
        }
        assert_int_equal(reap(pid), 0);
        (void)ipw_close(out);
}

static void test_many_writers(void **state)
{
        enum { WRITERS = 4, EACH = 300 };
        struct ipw_link *in = open_with("", IPW_SUB);
        unsigned next[WRITERS] = { 0 };
        pid_t pids[WRITERS];
        char back[2000];
        struct ipw_message m = { .data = back, .capacity = sizeof(back) };

        for (unsigned w = 0; w < WRITERS; w++) {
                pids[w] = fork_child();
                if (pids[w] == 0) {
                        struct ipw_link *out = open_with(w % 2 ? "?segment=16K" : "?segment=16K&ack=disk", IPW_PUB);
                        char data[2000];

                        for (unsigned i = 0; i < EACH; i++) {
                                size_t size = 12 + (i * 37 + w) % 1000;

                                talk_fill(data, size, w, i);
                                CHILD_CHECK(talk_send(out, data, size, i % 5 ? IPW_FOREVER : IPW_MS(PATIENCE)) == (ssize_t)size);
                        }
                        _exit(ipw_close(out));
                }
        }
        for (unsigned i = 0; i < WRITERS * EACH; i++) {
                unsigned who;

                assert_true(ipw_recv(in, &m, IPW_MS(PATIENCE)) >= 0);
                assert_true(talk_good(back, m.size));
                who = get_le32(back);
                assert_true(who < WRITERS);
                assert_int_equal(get_le32(back + 4), next[who]++);
                assert_int_equal(m.token, i + 1);
        }
        for (unsigned w = 0; w < WRITERS; w++)
                assert_int_equal(reap(pids[w]), 0);
        talk_nothing(in, EAGAIN);
        (void)ipw_close(in);
}

static int stop_at_sync(struct sys_call *call)
{
        if (strcmp(call->site->call, "fdatasync") == 0)
                (void)raise(SIGSTOP);
        return 0;
}

/* Two wait for the sync of a third, which is killed in it: one asleep without end, one that looks at its time. */
static void test_killed_in_its_sync(void **state)
{
        static const struct sys_hook hook = { stop_at_sync, after_any };
        struct ipw_link *in = open_with("", IPW_SUB);
        pid_t pids[3];
        int status;

        for (unsigned w = 0; w < COUNT_OF(pids); w++) {
                pids[w] = fork_child();
                if (pids[w] == 0) {
                        struct ipw_link *out = open_with("?ack=disk", IPW_PUB);

                        if (w == 0)
                                sys_hook = &hook;
                        CHILD_CHECK(talk_send(out, "x", 1, w == 1 ? IPW_FOREVER : IPW_MS(PATIENCE)) == 1);
                        _exit(ipw_close(out));
                }
                if (w == 0) {
                        assert_int_equal(waitpid(pids[0], &status, WUNTRACED), pids[0]);
                        assert_true(WIFSTOPPED(status));
                }
                talk_expect(in, "x"); /* written, and not yet on stable storage */
        }
        await_sleep(pids[1]);
        await_sleep(pids[2]);
        assert_int_equal(kill(pids[0], SIGKILL), 0);
        assert_int_equal(reap(pids[0]), -SIGKILL);
        assert_int_equal(reap(pids[1]), 0);
        assert_int_equal(reap(pids[2]), 0);
        (void)ipw_close(in);
}

static struct {
        struct ipw_link *other;
        unsigned yields, syncs;
} crowd;

/* In the very moment in which a writer waits for others, one appends. */
static int append_meanwhile(struct sys_call *call)
{
        struct ipw_message m = { .data = (char[]){ "x" }, .size = 1, .flags = IPW_DEFER };
        const struct sys_hook *hook = sys_hook;

        crowd.syncs += strcmp(call->site->call, "fdatasync") == 0;
        if (strcmp(call->site->call, "sched_yield") != 0 || crowd.yields++)
                return 0;
        sys_hook = NULL;
        assert_int_equal(ipw_send(crowd.other, &m, 0), -EINPROGRESS);
        sys_hook = hook;
        return 0;
}

/* Who has met another in a sync waits with the next one for who is about to come, and one sync does for both. Who is alone waits for nobody. */
static void test_one_sync_for_who_comes(void **state)
{
        static const struct sys_hook stop = { stop_at_sync, after_any }, append = { append_meanwhile, after_any };
        struct ipw_link *out = open_with("?ack=disk", IPW_PUB);
        pid_t pid;
        int status;

        memset(&crowd, 0, sizeof(crowd));
        crowd.other = open_with("?ack=disk", IPW_PUB);
        sys_hook = &append;
        assert_int_equal(talk_send(out, "y", 1, 0), 1);
        assert_int_equal(crowd.syncs, 1);
        assert_int_equal(crowd.yields, 0);
        sys_hook = NULL;
        pid = fork_child();
        if (pid == 0) {
                struct ipw_link *first = open_with("?ack=disk", IPW_PUB);

                sys_hook = &stop;
                CHILD_CHECK(talk_send(first, "x", 1, IPW_FOREVER) == 1);
                _exit(ipw_close(first));
        }
        assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
        assert_true(WIFSTOPPED(status));
        assert_int_equal(talk_send(out, "z", 1, 0), -EINPROGRESS);
        assert_int_equal(kill(pid, SIGCONT), 0);
        assert_int_equal(reap(pid), 0);
        sys_hook = &append;
        crowd.syncs = 0;
        assert_int_equal(ipw_flush(out, 0), 0);
        assert_true(crowd.yields >= 1);
        assert_int_equal(ipw_flush(crowd.other, 0), 0);
        assert_int_equal(crowd.syncs, 1);
        sys_hook = NULL;
        (void)ipw_close(crowd.other);
        (void)ipw_close(out);
}

/* ---- who may have it ------------------------------------------------------------------------------------------------------------------- */

static void test_alone(void **state)
{
        struct ipw_link *out = open_with("?writers=1", IPW_PUB);

        say(out, 1);
        refuse_with("", IPW_PUB, EBUSY, "writers=1");
        refuse_with("?writers=1", IPW_PUB, EBUSY, "another writer");
        (void)ipw_close(out);
        out = open_with("", IPW_PUB);
        refuse_with("?writers=1", IPW_PUB, EBUSY, "leave writers=1 away");
        (void)ipw_close(out);
        out = open_with("?writers=1", IPW_PUB);
        (void)ipw_close(out);
}

static void test_remove(void **state)
{
        struct ipw_link *out = open_with("", IPW_PUB), *in;
        struct ipw_why why;
        char name[400];

        say(out, 1);
        assert_int_equal(ipw_remove(address, &why), -EBUSY);
        in = open_with("", IPW_SUB);
        (void)ipw_close(out);
        assert_int_equal(ipw_remove(address, &why), -EBUSY);
        (void)ipw_close(in);
        assert_int_equal(ipw_remove(address, &why), 0);
        assert_int_equal(ipw_remove(address, &why), -ENOENT);
        out = open_with("", IPW_PUB);
        (void)ipw_close(out);
        (void)snprintf(name, sizeof(name), "%s/mine", path);
        assert_true(close(open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)) == 0);
        assert_int_equal(ipw_remove(address, &why), -ENOTEMPTY);
        assert_non_null(strstr(why.text, "not of it"));
        assert_int_equal(unlink(name), 0);
        assert_int_equal(ipw_remove(address, &why), 0);
}

/* Somebody who knows no locks. */
static void test_removed_under_us(void **state)
{
        struct ipw_link *out = open_with("", IPW_PUB), *in = open_with("", IPW_SUB);

        say(out, 1);
        expect(in, 1);
        say(out, 2);
        empty(path);
        assert_int_equal(talk_send(out, "x", 1, 0), -ESTALE);
        talk_says(out, "was removed");
        expect(in, 2);
        talk_nothing(in, ESTALE);
        talk_says(in, "was removed");
        (void)ipw_close(in);
        (void)ipw_close(out);
}

static void test_refusals(void **state)
{
        refuse_with("?keep=0", IPW_PUB, EOPNOTSUPP, "keep=0");
        refuse_with("?until=last", IPW_SUB, EOPNOTSUPP, "until=last");
        refuse_with("#A", IPW_SUB, EINVAL, "%23");
        talk_refuse("log:", IPW_SUB, EINVAL, "no directory");
        talk_refuse("log:/proc/1/status", IPW_SUB, ENOTDIR, "a log is a directory");
        talk_refuse("log:/nonexistent/for/sure", IPW_PUB, ENOENT, "above it");
        refuse_with("", IPW_SUB | IPW_EXISTING, ENOENT, "none was to be made");
        (void)ipw_close(open_with("", IPW_SUB | IPW_FRESH));
        refuse_with("", IPW_SUB | IPW_FRESH, EEXIST, "is there already");
}

/* ---- dropping what is old -------------------------------------------------------------------------------------------------------------- */

static void test_keep_size(void **state)
{
        struct ipw_link *out = open_with("?segment=4K&keep-size=16K", IPW_PUB), *in;
        char text[40];
        struct ipw_message m = { .data = text, .capacity = sizeof(text) };

        fill_log(out, 1, 3000);
        assert_true(segments() <= 5);
        assert_true(talk_stats(out).dropped > 2000);
        in = open_with("?from=1", IPW_SUB);
        assert_true(ipw_recv(in, &m, 0) > 0);
        assert_int_equal(m.flags & IPW_HAS_LOST, IPW_HAS_LOST);
        assert_int_equal(m.lost, talk_stats(out).dropped);
        assert_int_equal(m.token, m.lost + 1);
        assert_int_equal(ipw_recv(in, &m, 0) < 0 || m.flags & IPW_HAS_LOST, 0);
        (void)ipw_close(in);
        in = open_with("?from=start", IPW_SUB);
        assert_true(ipw_recv(in, &m, 0) > 0);
        assert_int_equal(m.flags, 0);
        (void)ipw_close(in);
        (void)ipw_close(out);
}

static void test_an_open_reader_keeps_its_own(void **state)
{
        struct ipw_link *out = open_with("?segment=4K&keep-size=16K", IPW_PUB), *in = open_with("", IPW_SUB);

        say(out, 1);
        expect(in, 1);
        fill_log(out, 2, 3000);
        assert_int_equal(talk_stats(out).dropped, 0);
        for (unsigned i = 2; i <= 3000; i++)
                expect(in, i);
        fill_log(out, 3001, 4000);
        assert_true(talk_stats(out).dropped > 1000);
        for (unsigned i = 3001; i <= 4000; i++)
                expect(in, i);
        assert_int_equal(talk_stats(in).dropped, 0);
        (void)ipw_close(in);
        (void)ipw_close(out);
}

static void test_unless_told(void **state)
{
        struct ipw_link *out = open_with("?segment=4K&keep-size=16K&drop=any", IPW_PUB), *in = open_with("", IPW_SUB);
        char text[40];
        struct ipw_message m = { .data = text, .capacity = sizeof(text) };
        uint64_t last = 1, lost = 0;

        say(out, 1);
        expect(in, 1);
        fill_log(out, 2, 3000);
        assert_true(talk_stats(out).dropped > 2000);
        while (ipw_recv(in, &m, 0) > 0) { /* what it stands in it still has, then comes a gap */
                uint64_t gap = m.flags & IPW_HAS_LOST ? m.lost : 0;

                assert_int_equal(m.token, last + 1 + gap);
                last = m.token;
                lost += gap;
        }
        assert_int_equal(last, 3000);
        assert_true(lost > 2000);
        assert_int_equal(talk_stats(in).dropped, lost);
        (void)ipw_close(in);
        (void)ipw_close(out);
}

static void test_keep_age(void **state)
{
        struct ipw_link *out = open_with("?segment=4K", IPW_PUB);

        fill_log(out, 1, 1000);
        assert_true(segments() > 5);
        (void)ipw_close(out);
        out = open_with("?segment=4K&keep-age=1ns", IPW_PUB);
        fill_log(out, 1, 1000);
        assert_true(segments() <= 3);
        (void)ipw_close(out);
        out = open_with("?segment=4K&keep-age=100h", IPW_PUB);
        fill_log(out, 1, 1000);
        assert_true(segments() > 5);
        (void)ipw_close(out);
}

/* ---- killed, at every byte and at every call ------------------------------------------------------------------------------------------- */

static void test_torn_at_every_byte(void **state)
{
        char name[400];
        struct ipw_link *out, *in;
        struct stat two, three;

        for (off_t size = 0;; size++) {
                out = open_with("", IPW_PUB);
                fill_log(out, 1, 2);
                assert_int_equal(segment_name(0, name, sizeof(name)), 1);
                assert_int_equal(stat(name, &two), 0);
                say(out, 3);
                assert_int_equal(stat(name, &three), 0);
                (void)ipw_close(out);
                if (two.st_size + size > three.st_size)
                        break;
                assert_int_equal(truncate(name, two.st_size + size), 0);
                in = open_with("", IPW_SUB);
                expect(in, 1);
                expect(in, 2);
                if (two.st_size + size < three.st_size)
                        talk_nothing(in, EAGAIN);
                else
                        expect(in, 3);
                out = open_with("", IPW_PUB); /* the next writer tidies up, and the reader goes on */
                assert_int_equal(talk_stats(out).discarded, size && two.st_size + size < three.st_size);
                say(out, 4);
                expect(in, 4);
                talk_nothing(in, EAGAIN);
                (void)ipw_close(in);
                (void)ipw_close(out);
                empty(path);
        }
}

/*
 * The numbers of all records of ours, in order, read from the files without the library: closing many of its readers, which sleep on inotify(7), takes the
 * kernel long.
 */
static unsigned read_files(unsigned *numbers, unsigned room)
{
        static char bytes[1 << 16];
        struct log_header h;
        struct log_record record;
        char name[400];
        uint64_t next = 0;
        unsigned n = 0;

        for (int i = 0; i < segments(); i++) {
                size_t need, at = LOG_HEADER;
                ssize_t have, step;
                int fd;

                (void)segment_name(i, name, sizeof(name));
                fd = open(name, O_RDONLY | O_CLOEXEC);
                have = read(fd, bytes, sizeof(bytes));
                (void)close(fd);
                if (have < LOG_HEADER && i + 1 == segments())
                        break; /* whoever made it came no further */
                assert_int_equal(log_header_get(&h, bytes, (size_t)have), 0);
                assert_true(!next || h.first == next);
                next = h.first;
                while ((step = log_record_get(&record, bytes + at, (size_t)have - at, next, log_seed(h.id), &need)) > 0) {
                        at += (size_t)step;
                        if (record.seal)
                                continue;
                        next++;
                        if (!talk_good(record.payload, record.size))
                                continue;
                        assert_true(n < room);
                        numbers[n++] = get_le32(record.payload + 4);
                }
                assert_int_equal(at, have); /* nothing half written is left */
        }
        return n;
}

static void kill_everywhere(const char *options)
{
        enum { MESSAGES = 6 };
        unsigned *acknowledged = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        int status = -SIGKILL;

        assert_ptr_not_equal(acknowledged, MAP_FAILED);
        for (int at = 1; status == -SIGKILL; at++) {
                pid_t pid;

                *acknowledged = 0;
                pid = fork_child();
                if (pid == 0) {
                        struct ipw_link *out;
                        char data[1500];

                        plan = (__typeof__(plan)){ .at = at };
                        sys_hook = &plan_hook;
                        out = open_with(options, IPW_PUB);
                        for (unsigned i = 0; i < MESSAGES; i++) {
                                talk_fill(data, sizeof(data), 1, i);
                                CHILD_CHECK(talk_send(out, data, sizeof(data), IPW_FOREVER) == sizeof(data));
                                *acknowledged = i + 1;
                        }
                        (void)ipw_close(out);
                        sys_hook = NULL;
                        _exit(0);
                }
                status = reap(pid);
                assert_true(status == -SIGKILL || status == 0);
                if (access(path, F_OK) == 0) {
                        struct ipw_why why = { 0 };
                        struct ipw_link *out;
                        unsigned numbers[MESSAGES + 1], n;
                        struct stat st;
                        char data[20];

                        assert_int_equal(stat(path, &st), 0);
                        if ((st.st_mode & 0700) != 0700)
                                fail_msg("killed at call %d: nobody but root may enter it, with mode %o", at, st.st_mode);
                        out = open_with(options, IPW_PUB);
                        assert_int_equal(stat(path, &st), 0);
                        if ((st.st_mode & 07777) != 0700)
                                fail_msg("killed at call %d: who opened it left it with mode %o", at, st.st_mode);
                        /* The log is usable: what comes next is behind all that was acknowledged, and at most one more, that was under way. */
                        talk_fill(data, sizeof(data), 1, 99);
                        assert_int_equal(talk_send(out, data, sizeof(data), 0), sizeof(data));
                        n = read_files(numbers, COUNT_OF(numbers));
                        if (n != *acknowledged + 1 && n != *acknowledged + 2)
                                fail_msg("killed at call %d: %u were acknowledged, %u are there", at, *acknowledged, n - 1);
                        for (unsigned i = 0; i < n; i++)
                                assert_int_equal(numbers[i], i + 1 < n ? i : 99);
                        (void)ipw_close(out);
                        if (ipw_remove(address, &why) < 0)
                                fail_msg("killed at call %d: %s", at, why.text);
                }
        }
        assert_int_equal(*acknowledged, MESSAGES);
        (void)munmap(acknowledged, 4096);
}

static void test_killed_at_every_call(void **state)
{
        kill_everywhere("?segment=4K");
        kill_everywhere("?segment=4K&ack=disk&keep-size=64K&writers=1");
}

/* ---- calls that fail ------------------------------------------------------------------------------------------------------------------- */

/*
 * Each call of a few sends fails once, or from there on always. What was acknowledged is there, what was refused is not; and the log goes on.
 */
static void fail_everywhere(const char *options, int error, bool for_ever)
{
        enum { MESSAGES = 6 };

        for (int at = 1;; at++) {
                struct ipw_link *out = open_with(options, IPW_PUB);
                unsigned good = 0;
                bool dead = false;
                char data[1500];

                plan = (__typeof__(plan)){ .at = at, .error = error, .for_ever = for_ever };
                sys_hook = &plan_hook;
                for (unsigned i = 0; i < MESSAGES; i++) {
                        ssize_t n;

                        talk_fill(data, sizeof(data), 1, good);
                        n = talk_send(out, data, sizeof(data), IPW_MS(1));
                        assert_true(n == sizeof(data) || n < 0);
                        good += n > 0 || n == -EINPROGRESS;
                        if (n < 0 && n != -EINPROGRESS) {
                                struct ipw_why why;

                                ipw_link_why(out, &why);
                                assert_int_equal(why.error, -n);
                                dead |= strstr(why.text, "refuses to go on") != NULL;
                        }
                }
                sys_hook = NULL;
                if (!dead) {
                        int r = ipw_flush(out, IPW_FOREVER);

                        assert_int_equal(r, 0);
                        talk_fill(data, sizeof(data), 1, good);
                        assert_int_equal(talk_send(out, data, sizeof(data), IPW_FOREVER), sizeof(data));
                        good++;
                }
                (void)ipw_close(out);
                if (dead) { /* what was on its way may be there */
                        out = open_with(options, IPW_PUB);
                        assert_int_equal(talk_send(out, "x", 1, IPW_FOREVER), 1);
                        (void)ipw_close(out);
                } else {
                        unsigned numbers[MESSAGES + 1];

                        if (read_files(numbers, COUNT_OF(numbers)) != good)
                                fail_msg("call %d failed with %d: not all are there", at, error);
                        for (unsigned i = 0; i < good; i++)
                                assert_int_equal(numbers[i], i);
                }
                empty(path);
                if (plan.calls < at)
                        break;
        }
}

static void test_full_and_broken_disks(void **state)
{
        static const int errors[] = { ENOSPC, EIO, EDQUOT, -1 };

        for (unsigned i = 0; i < COUNT_OF(errors); i++) {
                fail_everywhere("?segment=4K", errors[i], false);
                fail_everywhere("?segment=4K", errors[i], true);
                fail_everywhere("?segment=4K&ack=disk", errors[i], false);
                fail_everywhere("?segment=4K&writers=1", errors[i], true);
        }
}

static const char *is_full; /* for what begins so */

/* There is room again when something was removed. */
static int full_until_unlink(struct sys_call *call)
{
        if (strcmp(call->site->call, "unlinkat") == 0)
                is_full = NULL;
        if (!is_full || strncmp(call->site->call, "pwrite", 6) != 0 || strncmp(call->site->meaning, is_full, strlen(is_full)) != 0)
                return 0;
        call->result = -ENOSPC;
        return 1;
}

static void test_full_with_something_old(void **state)
{
        static const struct sys_hook hook = { full_until_unlink, after_any };
        struct ipw_link *out = open_with("?segment=4K", IPW_PUB), *in;
        int before;

        fill_log(out, 1, 1000);
        before = segments();
        is_full = "";
        sys_hook = &hook;
        assert_int_equal(talk_send(out, "x", 1, 0), -ENOSPC); /* which was not told what may go */
        sys_hook = NULL;
        assert_int_equal(segments(), before);
        (void)ipw_close(out);
        out = open_with("?segment=4K&keep-size=8K", IPW_PUB);
        is_full = "";
        sys_hook = &hook;
        say(out, 1001);
        sys_hook = NULL;
        assert_true(segments() <= 3);
        assert_true(talk_stats(out).dropped > 100);
        in = open_with("?from=1001", IPW_SUB);
        expect(in, 1001);
        (void)ipw_close(in);
        (void)ipw_close(out);
}

/* Of a segment that cannot be begun there is no more than its name, and the one before it is still the last. */
static void test_full_at_a_new_segment(void **state)
{
        static const struct sys_hook hook = { full_until_unlink, after_any };
        struct ipw_link *out = open_with("?segment=4K&keep-size=1", IPW_PUB);
        char text[3000] = { 0 };

        assert_int_equal(talk_send(out, text, sizeof(text), 0), sizeof(text));
        is_full = "what a segment begins with";
        sys_hook = &hook;
        assert_int_equal(talk_send(out, text, sizeof(text), 0), -ENOSPC);
        sys_hook = NULL;
        assert_int_equal(talk_stats(out).dropped, 0);
        assert_int_equal(talk_send(out, text, sizeof(text), 0), sizeof(text));
        assert_int_equal(talk_stats(out).dropped, 1);
        assert_int_equal(segments(), 1);
        (void)ipw_close(out);
}

static void test_a_file_may_not_grow(void **state)
{
        struct ipw_link *out, *in = open_with("", IPW_SUB);
        static char data[10000];
        pid_t pid = fork_child();

        if (pid == 0) {
                struct rlimit limit = { 8192, 8192 };

                CHILD_CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
                out = open_with("", IPW_PUB);
                CHILD_CHECK(talk_send(out, data, 8000, 0) == 8000);
                CHILD_CHECK(talk_send(out, data, 8000, 0) == 8000); /* in a second segment */
                CHILD_CHECK(talk_send(out, data, 8200, 0) == -EFBIG);
                _exit(ipw_close(out));
        }
        assert_int_equal(reap(pid), 0); /* no SIGXFSZ */
        assert_int_equal(segments(), 2);
        (void)ipw_close(in);
}

/* ---- stable storage -------------------------------------------------------------------------------------------------------------------- */

static void test_deferred(void **state)
{
        struct ipw_link *out = open_with("?ack=disk", IPW_PUB), *in = open_with("", IPW_SUB);
        struct ipw_message m = { .data = (char[]){ "message 1" }, .size = 9, .flags = IPW_DEFER };

        assert_int_equal(ipw_send(out, &m, 0), -EINPROGRESS);
        talk_says(out, "do not send it again");
        assert_int_equal(talk_stats(out).sent, 1);
        assert_int_equal(talk_stats(out).unsettled, 1);
        expect(in, 1);
        assert_int_equal(ipw_flush(out, IPW_FOREVER), 0);
        assert_int_equal(talk_stats(out).unsettled, 0);
        assert_int_equal(ipw_send(out, &m, 0), -EINPROGRESS);
        say(out, 2); /* syncs what was before it, too */
        assert_int_equal(talk_stats(out).unsettled, 0);
        assert_int_equal(ipw_send(out, &m, 0), -EINPROGRESS);
        assert_int_equal(ipw_close(out), 1);
        (void)ipw_close(in);
}

static void test_a_failed_sync_ends_it(void **state)
{
        struct ipw_link *one = open_with("?ack=disk", IPW_PUB), *two = open_with("", IPW_PUB), *out, *in;

        say(one, 1);
        plan = (__typeof__(plan)){ .at = 1, .error = EIO, .call = "fdatasync" };
        sys_hook = &plan_hook;
        assert_int_equal(talk_send(one, "message 2", 9, IPW_FOREVER), -EIO);
        sys_hook = NULL;
        talk_says(one, "refuses to go on");
        assert_int_equal(talk_send(one, "x", 1, IPW_FOREVER), -EIO);
        assert_int_equal(ipw_flush(one, IPW_FOREVER), -EIO);
        assert_int_equal(talk_send(two, "x", 1, IPW_FOREVER), -EIO); /* it was there, too */
        out = open_with("?ack=disk", IPW_PUB);                       /* while the others still are */
        say(out, 3);
        assert_int_equal(segments(), 2);
        assert_int_equal(talk_send(two, "x", 1, IPW_FOREVER), -EIO);
        in = open_with("", IPW_SUB);
        expect(in, 1);
        expect(in, 2);
        expect(in, 3);
        talk_nothing(in, EAGAIN);
        assert_int_equal(ipw_close(one), 1);
        (void)ipw_close(two);
        (void)ipw_close(out);
        (void)ipw_close(in);
}

/* ---- damage ---------------------------------------------------------------------------------------------------------------------------- */

static void test_damage(void **state)
{
        struct ipw_link *out = open_with("", IPW_PUB), *in;
        char name[400], text[40];
        struct ipw_message m = { .data = text, .capacity = sizeof(text) };

        fill_log(out, 1, 3);
        (void)ipw_close(out);
        assert_int_equal(segment_name(0, name, sizeof(name)), 1);
        for (off_t at = 64 + 25; at < 64 + 50; at++) { /* each byte of the second */
                flip(name, at);
                in = open_with("", IPW_SUB);
                expect(in, 1);
                talk_nothing(in, EBADMSG);
                talk_says(in, "00000000000000000001.log is damaged at byte 89");
                talk_nothing(in, EBADMSG);
                (void)ipw_close(in);
                in = open_with("?damage=skip", IPW_SUB);
                expect(in, 1);
                assert_int_equal(ipw_recv(in, &m, 0), 9);
                assert_int_equal(m.lost, 1);
                assert_int_equal(m.token, 3);
                talk_nothing(in, EAGAIN);
                (void)ipw_close(in);
                out = open_with("", IPW_PUB); /* whole records are never cut off for it */
                assert_int_equal(talk_stats(out).discarded, 0);
                (void)ipw_close(out);
                flip(name, at);
        }
        flip(name, 70);
        out = open_with("", IPW_PUB);
        say(out, 4);
        (void)ipw_close(out);
        flip(name, 70);
        in = open_with("", IPW_SUB);
        for (unsigned i = 1; i <= 4; i++)
                expect(in, i);
        (void)ipw_close(in);
}

static void test_a_segment_is_missing_or_cut(void **state)
{
        struct ipw_link *out = open_with("?segment=4K", IPW_PUB), *in;
        char name[400], text[40];
        struct ipw_message m = { .data = text, .capacity = sizeof(text) };
        struct stat st;
        uint64_t lost = 0;
        int n = 0;

        fill_log(out, 1, 800);
        (void)ipw_close(out);
        assert_true(segment_name(1, name, sizeof(name)) > 3);
        assert_int_equal(stat(name, &st), 0);
        assert_int_equal(truncate(name, st.st_size - 20), 0); /* the seal and the end of a record */
        in = open_with("", IPW_SUB);
        while (ipw_recv(in, &m, 0) >= 0)
                n++;
        talk_nothing(in, EBADMSG);
        talk_says(in, "the rest of it is gone");
        (void)ipw_close(in);
        in = open_with("?damage=skip", IPW_SUB);
        for (n = 0; ipw_recv(in, &m, 0) >= 0; n++)
                lost += m.flags & IPW_HAS_LOST ? m.lost : 0;
        assert_int_equal(n, 799);
        assert_int_equal(lost, 1);
        (void)ipw_close(in);
        assert_int_equal(unlink(name), 0);
        in = open_with("", IPW_SUB);
        while (ipw_recv(in, &m, 0) >= 0)
                ;
        talk_nothing(in, EBADMSG);
        talk_says(in, "is missing");
        (void)ipw_close(in);
        in = open_with("?damage=skip", IPW_SUB);
        for (n = 0, lost = 0; ipw_recv(in, &m, 0) >= 0; n++)
                lost += m.flags & IPW_HAS_LOST ? m.lost : 0;
        assert_true(lost > 100);
        assert_int_equal(n + lost, 800);
        (void)ipw_close(in);
}

/* A length that claims more than there is must not be waited for while whole records follow. */
static void test_a_length_that_lies(void **state)
{
        struct ipw_link *out = open_with("", IPW_PUB), *in;
        char name[400];
        int fd;

        fill_log(out, 1, 3);
        (void)ipw_close(out);
        assert_int_equal(segment_name(0, name, sizeof(name)), 1);
        fd = open(name, O_RDWR | O_CLOEXEC);
        assert_int_equal(pwrite(fd, "\0\0\0\x10", 4, 64 + 25 + 4), 4);
        (void)close(fd);
        in = open_with("", IPW_SUB);
        expect(in, 1);
        talk_nothing(in, EBADMSG);
        (void)ipw_close(in);
}

/* A copy keeps the numbers, and what was missing is no damage in it. */
static void test_given_numbers(void **state)
{
        static const uint64_t numbers[] = { 5, 6, 9, 10, 1000 };
        struct ipw_link *out = open_with("?numbers=given", IPW_PUB), *in;
        struct ipw_message m = { .data = (char[]){ "a message" }, .size = 9 };
        char text[40];
        uint64_t due = 5;

        for (unsigned i = 0; i < COUNT_OF(numbers); i++) {
                m.token = numbers[i];
                assert_int_equal(ipw_send(out, &m, 0), 9);
                assert_int_equal(ipw_send(out, &m, 0), -EINVAL);
                talk_says(out, "numbers=given");
        }
        m.token = 0; /* the next */
        assert_int_equal(ipw_send(out, &m, 0), 9);
        (void)ipw_close(out);
        in = open_with("", IPW_SUB);
        m = (struct ipw_message){ .data = text, .capacity = sizeof(text) };
        for (unsigned i = 0; i <= COUNT_OF(numbers); i++) {
                assert_int_equal(ipw_recv(in, &m, 0), 9);
                assert_int_equal(m.token, i < COUNT_OF(numbers) ? numbers[i] : 1001);
                assert_int_equal(m.flags & IPW_HAS_LOST ? m.lost : 0, m.token - due);
                due = m.token + 1;
        }
        talk_nothing(in, EAGAIN);
        (void)ipw_close(in);
        in = open_with("?from=8", IPW_SUB);
        assert_int_equal(ipw_recv(in, &m, 0), 9);
        assert_int_equal(m.token, 9);
        assert_int_equal(m.lost, 1);
        (void)ipw_close(in);
}

/* A segment that got no record, and then a gap: its seal does not lead back to it. */
static void test_a_segment_without_records(void **state)
{
        struct ipw_link *out = open_with("?numbers=given", IPW_PUB), *in;
        struct ipw_message m = { .data = (char[]){ "message 7" }, .size = 9, .token = 7 };
        char name[400];

        plan = (__typeof__(plan)){ .at = 1, .error = ENOSPC, .call = "pwritev" };
        sys_hook = &plan_hook;
        assert_int_equal(talk_send(out, "x", 1, 0), -ENOSPC);
        sys_hook = NULL;
        assert_int_equal(ipw_send(out, &m, 0), 9);
        (void)ipw_close(out);
        assert_int_equal(segments(), 2);
        in = open_with("", IPW_SUB);
        expect(in, 7);
        talk_nothing(in, EAGAIN);
        (void)ipw_close(in);
        assert_int_equal(segment_name(0, name, sizeof(name)), 2);
        flip(name, 70); /* and the same without a seal that can be read */
        in = open_with("?damage=skip", IPW_SUB);
        expect(in, 7);
        (void)ipw_close(in);
}

/* Damage before what was asked for does not concern who asks. */
static void test_damage_before_from(void **state)
{
        struct ipw_link *out = open_with("", IPW_PUB), *in;
        char name[400];

        fill_log(out, 1, 4);
        (void)ipw_close(out);
        assert_int_equal(segment_name(0, name, sizeof(name)), 1);
        flip(name, 64 + 25 + 20);
        in = open_with("?from=3", IPW_SUB);
        expect(in, 3);
        expect(in, 4);
        assert_int_equal(talk_stats(in).dropped, 0);
        (void)ipw_close(in);
        in = open_with("?from=2", IPW_SUB);
        talk_nothing(in, EBADMSG);
        (void)ipw_close(in);
}

/* Bytes turned over, cut off and files removed at random: readers and writers end, and what comes has its number and is what was sent. */
static void test_any_damage(void **state)
{
        char name[400], text[40], due[40];
        struct ipw_message m = { .data = text, .capacity = sizeof(text) };
        uint32_t x = 1;

        for (unsigned round = 0; round < 60; round++) {
                struct ipw_link *out = open_with("?segment=4K", IPW_PUB), *in;
                struct ipw_why why;
                uint64_t last = 0;
                ssize_t n;

                fill_log(out, 1, 600);
                (void)ipw_close(out);
                for (unsigned i = 0; i < 1 + round % 5; i++) {
                        struct stat st;
                        int count = segments(), which;

                        x = x * 1664525 + 1013904223;
                        which = (int)((x >> 8) % (unsigned)count);
                        (void)segment_name(which, name, sizeof(name));
                        assert_int_equal(stat(name, &st), 0);
                        if (st.st_size == 0)
                                continue;
                        if (x >> 28 == 0)
                                assert_int_equal(unlink(name), 0);
                        else if (x >> 28 < 4)
                                assert_int_equal(truncate(name, (off_t)((x >> 4) % (uint64_t)st.st_size)), 0);
                        else
                                flip(name, (off_t)((x >> 4) % (uint64_t)st.st_size));
                }
                if (round % 2 && ipw_open(&out, address, IPW_PUB, 0, &why) == 0)
                        (void)ipw_close(out);
                in = open_with(round % 3 ? "?damage=skip" : "", IPW_SUB);
                while ((n = ipw_recv(in, &m, 0)) >= 0) {
                        assert_true(m.token > last && m.token <= 600);
                        last = m.token;
                        assert_int_equal(snprintf(due, sizeof(due), "message %u", (unsigned)last), n);
                        assert_memory_equal(text, due, (size_t)n);
                }
                assert_true(n == -EAGAIN || n == -EBADMSG);
                (void)ipw_close(in);
                empty(path);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_any_payload, fresh),
                cmocka_unit_test_setup(test_a_short_buffer_keeps_it, fresh),
                cmocka_unit_test_setup(test_from, fresh),
                cmocka_unit_test_setup(test_writers_on_different_days, fresh),
                cmocka_unit_test_setup(test_batches, fresh),
                cmocka_unit_test_setup(test_a_sleeper_wakes, fresh),
                cmocka_unit_test_setup(test_many_writers, fresh),
                cmocka_unit_test_setup(test_killed_in_its_sync, fresh),
                cmocka_unit_test_setup(test_one_sync_for_who_comes, fresh),
                cmocka_unit_test_setup(test_alone, fresh),
                cmocka_unit_test_setup(test_remove, fresh),
                cmocka_unit_test_setup(test_removed_under_us, fresh),
                cmocka_unit_test_setup(test_refusals, fresh),
                cmocka_unit_test_setup(test_keep_size, fresh),
                cmocka_unit_test_setup(test_an_open_reader_keeps_its_own, fresh),
                cmocka_unit_test_setup(test_unless_told, fresh),
                cmocka_unit_test_setup(test_keep_age, fresh),
                cmocka_unit_test_setup(test_torn_at_every_byte, fresh),
                cmocka_unit_test_setup(test_killed_at_every_call, fresh),
                cmocka_unit_test_setup(test_full_and_broken_disks, fresh),
                cmocka_unit_test_setup(test_full_with_something_old, fresh),
                cmocka_unit_test_setup(test_full_at_a_new_segment, fresh),
                cmocka_unit_test_setup(test_a_file_may_not_grow, fresh),
                cmocka_unit_test_setup(test_deferred, fresh),
                cmocka_unit_test_setup(test_a_failed_sync_ends_it, fresh),
                cmocka_unit_test_setup(test_damage, fresh),
                cmocka_unit_test_setup(test_a_segment_is_missing_or_cut, fresh),
                cmocka_unit_test_setup(test_a_length_that_lies, fresh),
                cmocka_unit_test_setup(test_given_numbers, fresh),
                cmocka_unit_test_setup(test_a_segment_without_records, fresh),
                cmocka_unit_test_setup(test_damage_before_from, fresh),
                cmocka_unit_test_setup(test_any_damage, fresh),
        };
        int r;

        name_folder();
        janitor_start(clean);
        r = cmocka_run_group_tests(tests, NULL, NULL);
        clean();
        return r;
}
