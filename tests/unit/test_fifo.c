/* SPDX-License-Identifier: MIT */
/* fifo: names and their owners, who waits for whom, plain programs on the other side, the end, and what is left behind. */
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>

#include "talk.h"

static char dir[64], path[96], address[128];
static struct ipw_link *receiver, *sender;
static int open_at_start;

static void clean(void)
{
        (void)unlink(path);
        (void)rmdir(path);
        (void)rmdir(dir);
}

static int setup(void **state)
{
        receiver = sender = NULL;
        (void)unlink(path);
        open_at_start = open_descriptors();
        return 0;
}

static int teardown(void **state)
{
        if (sender)
                (void)ipw_close(sender);
        if (receiver)
                (void)ipw_close(receiver);
        return open_descriptors() == open_at_start ? 0 : -1;
}

static const char *with(const char *options)
{
        static char text[4][256];
        static unsigned turn;
        char *out = text[turn++ % 4];

        (void)snprintf(out, sizeof(text[0]), "%s%s", address, options);
        return out;
}

static void finish(struct ipw_link **link)
{
        assert_int_equal(ipw_close(*link), 0);
        *link = NULL;
}

static int exists(void)
{
        return access(path, F_OK) == 0;
}

static void test_addresses(void **state)
{
        char text[PATH_MAX + 100];

        talk_refuse("fifo:", IPW_PULL, EINVAL, "needs a path");
        talk_refuse("fifo:/tmp/a#b", IPW_PULL, EINVAL, "%23");
        talk_refuse(with(""), IPW_PAIR, EOPNOTSUPP, "PUSH PULL");
        talk_refuse(with("?framing=morse"), IPW_PULL, EINVAL, "frame|line|nul|len1|");
        talk_refuse(with("?max=2G"), IPW_PULL, ERANGE, "1..1G");
        (void)memset(text, 'x', sizeof(text));
        memcpy(text, "fifo:/", 6);
        text[sizeof(text) - 1] = 0;
        talk_refuse(text, IPW_PULL, ENAMETOOLONG, "the kernel takes");
        assert_false(exists());
}

static void test_nobody_there(void **state)
{
        talk_refuse(with(""), IPW_PUSH, EAGAIN, "mkfifo");
        assert_false(exists()); /* nothing is left behind */
        talk_refuse(with(""), IPW_PUSH | IPW_EXISTING, ENOENT, path);
        talk_refuse(with(""), IPW_PULL | IPW_EXISTING, ENOENT, path);
        talk_refuse(with(""), IPW_PUSH | IPW_FRESH, EOPNOTSUPP, "receiver");
        assert_int_equal(mkfifo(path, 0600), 0);
        talk_refuse(with(""), IPW_PUSH, EAGAIN, "nobody receives");
        talk_refuse(with(""), IPW_PULL | IPW_FRESH, EEXIST, "ipcway remove");
        talk_refuse(with("?until=last"), IPW_PUSH, EOPNOTSUPP, "for the receiver");
}

static void test_permissions(void **state)
{
        mode_t old = umask(077);
        struct stat st;

        receiver = talk_open(with("?mode=0620"), IPW_PULL | IPW_FRESH);
        (void)umask(old);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode, S_IFIFO | 0620);
        finish(&receiver);
        receiver = talk_open(with("?mode=0600"), IPW_PULL); /* joined as it is */
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0620);
        finish(&receiver);
        (void)unlink(path);
        talk_refuse(with("?group=no-such-group-here"), IPW_PULL, ENOENT, "no-such-group-here");
        assert_false(exists());
}

static void test_other_kinds(void **state)
{
        static const unsigned roles[] = { IPW_PULL, IPW_PUSH };
        char elsewhere[128];

        (void)snprintf(elsewhere, sizeof(elsewhere), "%s/real", dir);
        for (int i = 0; i < 2; i++) {
                struct ipw_why why;
                int fd = open(path, O_CREAT | O_WRONLY, 0600);

                (void)close(fd);
                talk_refuse(with(""), roles[i], ENOTSUP, "is a file");
                assert_int_equal(ipw_remove(address, &why), -ENOTSUP);
                (void)unlink(path);
                assert_int_equal(mkdir(path, 0700), 0);
                talk_refuse(with(""), roles[i], ENOTSUP, "is a directory");
                (void)rmdir(path);
                assert_int_equal(mkfifo(elsewhere, 0600), 0);
                assert_int_equal(symlink(elsewhere, path), 0);
                talk_refuse(with(""), roles[i], ELOOP, "symbolic link");
                assert_int_equal(ipw_remove(address, &why), -ELOOP);
                (void)unlink(path);
                (void)unlink(elsewhere);
        }
}

static void test_other_owner(void **state)
{
        struct ipw_why why;

        if (geteuid() != 0)
                skip(); /* only root can give a file away */
        assert_int_equal(mkfifo(path, 0666), 0);
        assert_int_equal(chown(path, 12345, (gid_t)-1), 0);
        talk_refuse(with(""), IPW_PULL, EPERM, "peer=uid:12345");
        talk_refuse(with(""), IPW_PUSH, EPERM, "peer=uid:12345");
        talk_refuse(with("?peer=uid:1"), IPW_PUSH, EPERM, "peer=uid:12345");
        assert_int_equal(ipw_remove(address, &why), -EPERM);
        receiver = talk_open(with("?peer=uid:12345"), IPW_PULL);
}

static void test_one_receiver(void **state)
{
        receiver = talk_open(with(""), IPW_PULL);
        talk_refuse(with(""), IPW_PULL, EBUSY, "one receiver");
        talk_refuse(with("?framing=line"), IPW_PULL, EBUSY, "one receiver");
        finish(&receiver);
        receiver = talk_open(with(""), IPW_PULL);
}

static void test_sender_waits(void **state)
{
        pid_t pid = fork_child();

        if (pid == 0) {
                sender = talk_open(with(""), IPW_PUSH); /* no FIFO, then no reader, then both */
                CHILD_CHECK(talk_send(sender, "here", 4, 0) == 4);
                CHILD_CHECK(ipw_close(sender) == 0);
                _exit(0);
        }
        await_sleep(pid);
        assert_int_equal(mkfifo(path, 0600), 0);
        await_sleep(pid);
        receiver = talk_open(with(""), IPW_PULL);
        talk_expect(receiver, "here");
        assert_int_equal(reap(pid), 0);
        talk_nothing(receiver, EAGAIN); /* senders come and go: no end */
}

static void test_caps(void **state)
{
        struct ipw_caps upper;
        const struct ipw_caps *caps;

        assert_int_equal(ipw_describe(with("?max=1M"), &upper, NULL), 0);
        assert_string_equal(upper.stack, "frame/fifo");
        assert_int_equal(upper.max_msg, 1 << 20);
        assert_int_equal(upper.flags & (IPW_CAP_ENDS | IPW_CAP_MANY_SENDERS), IPW_CAP_ENDS | IPW_CAP_MANY_SENDERS);
        receiver = talk_open(with("?max=1M"), IPW_PULL);
        caps = ipw_link_caps(receiver);
        assert_int_equal(caps->flags, IPW_CAP_ORDERED | IPW_CAP_RELIABLE | IPW_CAP_MANY_SENDERS | IPW_CAP_POLL);
        finish(&receiver);
        receiver = talk_open(with("?until=last"), IPW_PULL);
        assert_true(ipw_link_caps(receiver)->flags & IPW_CAP_ENDS);
        assert_int_equal(ipw_describe(with("?until=last"), &upper, NULL), 0);
        assert_true(upper.flags & IPW_CAP_ENDS);
}

/* until=last: no sender yet is not the end; the last one's going is, even if it came and went unseen. */
static void test_until_last(void **state)
{
        struct ipw_link *second;

        receiver = talk_open(with("?until=last"), IPW_PULL);
        talk_nothing(receiver, EAGAIN);
        sender = talk_open(with(""), IPW_PUSH);
        second = talk_open(with(""), IPW_PUSH);
        talk_nothing(receiver, EAGAIN);
        assert_int_equal(talk_send(sender, "one", 3, 0), 3);
        finish(&sender);
        talk_expect(receiver, "one");
        talk_nothing(receiver, EAGAIN);
        assert_int_equal(talk_send(second, "two", 3, 0), 3);
        finish(&second);
        talk_expect(receiver, "two");
        talk_nothing(receiver, EPIPE);
        finish(&receiver);
        receiver = talk_open(with("?until=last"), IPW_PULL);
        talk_nothing(receiver, EAGAIN);
        sender = talk_open(with(""), IPW_PUSH);
        finish(&sender);
        talk_nothing(receiver, EPIPE);
}

static void test_until_last_asleep(void **state)
{
        char buffer[16];
        struct ipw_message m = { .data = buffer, .capacity = sizeof(buffer) };
        pid_t pid = fork_child();

        if (pid == 0) {
                receiver = talk_open(with("?until=last"), IPW_PULL);
                CHILD_CHECK(ipw_recv(receiver, &m, IPW_FOREVER) == 3);
                CHILD_CHECK(ipw_recv(receiver, &m, IPW_FOREVER) == -EPIPE);
                _exit(0);
        }
        sender = talk_open(with(""), IPW_PUSH);
        await_sleep(pid);
        assert_int_equal(talk_send(sender, "one", 3, 0), 3);
        await_sleep(pid);
        finish(&sender);
        assert_int_equal(reap(pid), 0);
}

static void test_receiver_goes(void **state)
{
        receiver = talk_open(with(""), IPW_PULL);
        sender = talk_open(with(""), IPW_PUSH);
        assert_int_equal(talk_send(sender, "lost with its receiver", 22, 0), 22);
        talk_expect(receiver, "lost with its receiver");
        finish(&receiver);
        assert_int_equal(talk_send(sender, "x", 1, IPW_FOREVER), -EPIPE);
        talk_says(sender, "not delivered");
        receiver = talk_open(with(""), IPW_PULL); /* another comes: the sender goes on */
        assert_int_equal(talk_send(sender, "again", 5, 0), 5);
        talk_expect(receiver, "again");
}

/* ---- plain programs -------------------------------------------------------------------------------------------------------------- */

/* open(2), write(2), close(2): what `echo` does. */
static void test_plain_writer(void **state)
{
        pid_t pid;

        assert_int_equal(mkfifo(path, 0600), 0);
        pid = fork_child();
        if (pid == 0) {
                int fd = open(path, O_WRONLY); /* waits for the reader */

                CHILD_CHECK(fd >= 0 && write(fd, "hello\nworld\n", 12) == 12 && close(fd) == 0);
                _exit(0);
        }
        await_sleep(pid);
        receiver = talk_open(with("?framing=auto"), IPW_PULL);
        talk_expect(receiver, "hello");
        talk_expect(receiver, "world");
        assert_string_equal(ipw_link_caps(receiver)->stack, "line/fifo");
        assert_int_equal(reap(pid), 0);
        finish(&receiver);

        pid = fork_child();
        if (pid == 0) {
                int fd = open(path, O_WRONLY);

                CHILD_CHECK(fd >= 0 && write(fd, "hello\n", 6) == 6);
                _exit(0);
        }
        await_sleep(pid);
        receiver = talk_open(with(""), IPW_PULL);
        assert_int_equal(reap(pid), 0);
        talk_nothing(receiver, EBADMSG);
        talk_says(receiver, "looks like text");
}

/* open(2), read(2): what `cat` does. */
static void test_plain_reader(void **state)
{
        pid_t pid;

        assert_int_equal(mkfifo(path, 0600), 0);
        pid = fork_child();
        if (pid == 0) {
                char buffer[100];
                size_t got = 0;
                ssize_t n;
                int fd = open(path, O_RDONLY); /* waits for the writer */

                CHILD_CHECK(fd >= 0);
                while ((n = read(fd, buffer + got, sizeof(buffer) - got)) > 0)
                        got += (size_t)n;
                CHILD_CHECK(n == 0 && got == 12 && memcmp(buffer, "hello\nworld\n", 12) == 0);
                _exit(0);
        }
        sender = talk_open(with("?framing=auto"), IPW_PUSH);
        assert_string_equal(ipw_link_caps(sender)->stack, "line/fifo");
        assert_int_equal(talk_send(sender, "hello", 5, 0), 5);
        assert_int_equal(talk_send(sender, "world", 5, 0), 5);
        finish(&sender);
        assert_int_equal(reap(pid), 0);
}

static void test_agreement(void **state)
{
        receiver = talk_open(with("?framing=line"), IPW_PULL);
        talk_refuse(with("?framing=frame"), IPW_PUSH, EPROTO, "framing=line");
        sender = talk_open(with("?framing=auto"), IPW_PUSH);
        assert_string_equal(ipw_link_caps(sender)->stack, "line/fifo");
        finish(&sender);
        finish(&receiver);
        receiver = talk_open(with("?framing=frame"), IPW_PULL);
        talk_refuse(with("?framing=line"), IPW_PUSH, EPROTO, "framing=frame");
        sender = talk_open(with("?framing=auto"), IPW_PUSH);
        assert_string_equal(ipw_link_caps(sender)->stack, "frame/fifo");
        assert_int_equal(talk_send(sender, "a\nb", 3, 0), 3);
        talk_expect(receiver, "a\nb");
        finish(&sender);
        finish(&receiver);
        receiver = talk_open(with("?framing=auto"), IPW_PULL);
        talk_refuse(with("?framing=raw"), IPW_PUSH, EPROTO, "framing=auto");
        sender = talk_open(with("?framing=auto"), IPW_PUSH);
        assert_string_equal(ipw_link_caps(sender)->stack, "frame/fifo");
        finish(&sender);
        sender = talk_open(with("?framing=line"), IPW_PUSH);
        assert_int_equal(talk_send(sender, "words", 5, 0), 5);
        talk_expect(receiver, "words");
        finish(&sender);
        finish(&receiver);
        receiver = talk_open(with("?framing=raw"), IPW_PULL);
        sender = talk_open(with("?framing=line"), IPW_PUSH);
        assert_int_equal(talk_send(sender, "words", 5, 0), 5);
        talk_expect(receiver, "words\n");
}

/* ---- what is left behind --------------------------------------------------------------------------------------------------------- */

static void test_keep(void **state)
{
        receiver = talk_open(with(""), IPW_PULL);
        finish(&receiver);
        assert_true(exists());
        /* keep=0: the last one out takes the name along, whoever that is */
        receiver = talk_open(with("?keep=0"), IPW_PULL);
        sender = talk_open(with("?keep=0"), IPW_PUSH);
        finish(&sender);
        assert_true(exists());
        finish(&receiver);
        assert_false(exists());
        receiver = talk_open(with("?keep=0"), IPW_PULL);
        sender = talk_open(with("?keep=0"), IPW_PUSH);
        finish(&receiver);
        assert_true(exists());
        finish(&sender);
        assert_false(exists());
        /* one that was replaced is not ours to remove */
        receiver = talk_open(with("?keep=0"), IPW_PULL);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(mkfifo(path, 0600), 0);
        finish(&receiver);
        assert_true(exists());
}

/* Many come and go at once with keep=0: each send that was acknowledged while the receiver lived arrives, and at the end no name is left. */
static void test_keep_storm(void **state)
{
        enum { CHILDREN = 4, ROUNDS = 50 };
        pid_t pids[CHILDREN];

        for (int i = 0; i < CHILDREN; i++)
                if ((pids[i] = fork_child()) == 0) {
                        for (int k = 0; k < ROUNDS; k++) {
                                struct ipw_link *l = NULL;
                                int r = ipw_open(&l, with("?keep=0"), i % 2 ? IPW_PUSH : IPW_PULL, 0, NULL);

                                CHILD_CHECK(r == 0 || r == -EAGAIN || r == -EBUSY);
                                if (l)
                                        CHILD_CHECK(ipw_close(l) == 0);
                        }
                        _exit(0);
                }
        for (int i = 0; i < CHILDREN; i++)
                assert_int_equal(reap(pids[i]), 0);
        assert_false(exists());
}

static void test_remove(void **state)
{
        struct ipw_why why = { 0 };

        assert_int_equal(ipw_remove(address, &why), -ENOENT);
        receiver = talk_open(with(""), IPW_PULL);
        sender = talk_open(with(""), IPW_PUSH);
        assert_int_equal(ipw_remove(address, &why), -EBUSY);
        assert_non_null(strstr(why.text, "receives"));
        finish(&receiver);
        assert_int_equal(ipw_remove(address, &why), -EBUSY);
        assert_non_null(strstr(why.text, "sender"));
        finish(&sender);
        assert_int_equal(ipw_remove(address, &why), 0);
        assert_false(exists());
}

/* ---- many senders ---------------------------------------------------------------------------------------------------------------- */

static void test_many_senders(void **state)
{
        enum { SENDERS = 4, EACH = 300 };
        unsigned char buffer[20000];
        struct ipw_message m = { .data = buffer, .capacity = sizeof(buffer) };
        uint32_t next[SENDERS] = { 0 };
        pid_t pids[SENDERS];
        unsigned got = 0;
        ssize_t n = 0;

        receiver = talk_open(with("?until=last"), IPW_PULL);
        sender = talk_open(with(""), IPW_PUSH); /* until all have come, some may have gone: not the last of them yet */
        for (uint32_t i = 0; i < SENDERS; i++)
                if ((pids[i] = fork_child()) == 0) {
                        (void)ipw_close(sender);
                        sender = talk_open(with(""), IPW_PUSH);
                        for (uint32_t k = 0; k < EACH; k++) {
                                size_t size = TALK_HEAD + (k * 7919 + i * 31) % (k % 4 ? 200 : sizeof(buffer) - TALK_HEAD);

                                talk_fill(buffer, size, i, k);
                                CHILD_CHECK(talk_send(sender, buffer, size, IPW_FOREVER) == (ssize_t)size);
                        }
                        CHILD_CHECK(ipw_close(sender) == 0);
                        _exit(0);
                }
        while (got < SENDERS * EACH && (n = ipw_recv(receiver, &m, IPW_MS(PATIENCE))) > 0) {
                assert_true(talk_good(buffer, (size_t)n));
                assert_true(get_le32(buffer) < SENDERS);
                assert_int_equal(get_le32(buffer + 4), next[get_le32(buffer)]++);
                got++;
        }
        assert_int_equal(got, SENDERS * EACH);
        assert_int_equal(ipw_close(sender), 0);
        sender = NULL;
        for (int i = 0; i < SENDERS; i++)
                assert_int_equal(reap(pids[i]), 0);
        talk_nothing(receiver, EPIPE);
        assert_int_equal(talk_stats(receiver).dropped + talk_stats(receiver).discarded, 0);
}

/* A forked child closes its copy: the parent's place, name and number are as they were. */
static void test_forked_child(void **state)
{
        pid_t pid;

        receiver = talk_open(with("?keep=0"), IPW_PULL);
        sender = talk_open(with("?keep=0"), IPW_PUSH);
        pid = fork_child();
        if (pid == 0) {
                CHILD_CHECK(talk_send(sender, "x", 1, 0) == -ESTALE);
                CHILD_CHECK(ipw_close(sender) == 0 && ipw_close(receiver) == 0);
                _exit(0);
        }
        assert_int_equal(reap(pid), 0);
        assert_true(exists());
        talk_refuse(with(""), IPW_PULL, EBUSY, "one receiver");
        assert_int_equal(talk_send(sender, "parent", 6, 0), 6);
        talk_expect(receiver, "parent");
}

/* A forked child that lives on holds copies of the descriptors, but not the place. */
static void test_child_lives_on(void **state)
{
        pid_t pid;

        receiver = talk_open(with(""), IPW_PULL);
        sender = talk_open(with(""), IPW_PUSH);
        pid = fork_child();
        if (pid == 0) {
                (void)pause();
                _exit(0);
        }
        finish(&receiver);
        finish(&sender);
        receiver = talk_open(with(""), IPW_PULL);
        finish(&receiver);
        (void)kill(pid, SIGKILL);
        assert_int_equal(reap(pid), -SIGKILL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
                T(test_addresses),     T(test_nobody_there), T(test_permissions),  T(test_other_kinds),  T(test_other_owner),
                T(test_one_receiver),  T(test_sender_waits), T(test_caps),         T(test_until_last),   T(test_until_last_asleep),
                T(test_receiver_goes), T(test_plain_writer), T(test_plain_reader), T(test_agreement),    T(test_keep),
                T(test_keep_storm),    T(test_remove),       T(test_many_senders), T(test_forked_child), T(test_child_lives_on),
        };
        int failed;

        (void)signal(SIGPIPE, SIG_IGN);
        (void)snprintf(dir, sizeof(dir), "/tmp/ipcway-test-fifo-%d", (int)getpid());
        (void)snprintf(path, sizeof(path), "%s/fifo", dir);
        (void)snprintf(address, sizeof(address), "fifo:%s", path);
        if (mkdir(dir, 0700) < 0)
                return 1;
        janitor_start(clean);
        failed = cmocka_run_group_tests(tests, NULL, NULL);
        clean();
        return failed;
}
