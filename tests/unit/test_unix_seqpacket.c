/* SPDX-License-Identifier: MIT */
/* unix+seqpacket: against programs that know only socket, connect and send; names and their dead; many peers, some of which are killed. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "failing.h"
#include "own_machine.h"
#include "subject.h"

#define SCHEME "unix+seqpacket:"

static char folder[64]; /* "/tmp/ipcway-test-PID" */
static char name[96];   /* in it */
static char deep[600];  /* a folder in it with a long path */
static const char *const others[] = { "file", "fifo", "link", "target", "socket", "old", "wmem_default", "wmem_max" };

static void clean(void)
{
        char path[700];

        for (size_t i = 0; i < COUNT_OF(others); i++) {
                (void)snprintf(path, sizeof(path), "%s/%s", folder, others[i]);
                (void)unlink(path);
        }
        (void)snprintf(path, sizeof(path), "%s/socket", deep);
        (void)unlink(path);
        (void)rmdir(deep);
}

static void clean_all(void)
{
        char path[128];

        clean();
        (void)snprintf(path, sizeof(path), "%s/ipcway/names", folder);
        (void)unlink(path);
        (void)snprintf(path, sizeof(path), "%s/ipcway", folder);
        (void)rmdir(path);
        (void)rmdir(folder);
}

static int fresh(void **state)
{
        clean();
        sys_hook = NULL; /* a test that failed may have left its own */
        *state = (void *)(intptr_t)open_descriptors();
        return 0;
}

static int after(void **state)
{
        clean();
        return open_descriptors() == (int)(intptr_t)*state ? 0 : -1; /* a test that failed leaves more, and says why itself */
}

static void send_text(struct ipw_link *l, const char *text)
{
        struct ipw_message m = { .data = (char *)text, .size = strlen(text) };

        assert_int_equal(ipw_send(l, &m, IPW_MS(PATIENCE)), strlen(text));
}

static struct ipw_message expect(struct ipw_link *l, const char *text)
{
        static char room[256];
        struct ipw_message m = { .data = room, .capacity = sizeof(room) };
        ssize_t n = ipw_recv(l, &m, IPW_MS(PATIENCE));

        if (n != (ssize_t)strlen(text) || memcmp(room, text, strlen(text)) != 0)
                fail_msg("expected \"%s\", got %zd: \"%.*s\"", text, n, n > 0 ? (int)n : 0, room);
        return m;
}

static ssize_t try_recv(struct ipw_link *l, int64_t timeout)
{
        char room[256];
        struct ipw_message m = { .data = room, .capacity = sizeof(room) };

        return ipw_recv(l, &m, timeout);
}

static uint64_t peers(struct ipw_link *l)
{
        struct ipw_stats stats;

        assert_int_equal(ipw_link_stats(l, &stats), 0);
        return stats.peers;
}

/* ---- programs that know nothing of this library -------------------------------------------------------------------------------------------- */

static struct sockaddr_un plain_name(const char *path)
{
        struct sockaddr_un a = { .sun_family = AF_UNIX };

        assert_true(strlen(path) < sizeof(a.sun_path));
        strcpy(a.sun_path, path);
        return a;
}

static int plain_dial(void)
{
        struct sockaddr_un a = plain_name(name);
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

        assert_return_code(connect(fd, (struct sockaddr *)&a, sizeof(a)), errno);
        return fd;
}

static int plain_bind(int type)
{
        struct sockaddr_un a = plain_name(name);
        int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

        assert_return_code(bind(fd, (struct sockaddr *)&a, sizeof(a)), errno);
        return fd;
}

static int plain_listen(void)
{
        int fd = plain_bind(SOCK_SEQPACKET);

        assert_return_code(listen(fd, 8), errno);
        return fd;
}

static void plain_send(int fd, const char *text)
{
        assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void plain_expect(int fd, const char *text)
{
        char room[256];
        ssize_t n = recv(fd, room, sizeof(room), 0);

        assert_int_equal(n, strlen(text));
        assert_memory_equal(room, text, strlen(text));
}

static void test_plain_dials(void **state)
{
        struct ipw_link *l = open_with("", IPW_PULL);
        int fd = plain_dial();
        struct ipw_message m;

        plain_send(fd, "one");
        plain_send(fd, "two");
        m = expect(l, "one");
        assert_true(m.flags & IPW_HAS_PEER && m.peer > 0);
        expect(l, "two");
        close(fd);
        assert_int_equal(try_recv(l, 0), -EAGAIN); /* a listener does not end */
        assert_int_equal(peers(l), 0);
        ipw_close(l);
        assert_int_equal(access(name, F_OK), -1);
}

static void test_plain_listens(void **state)
{
        int at = plain_listen(), fd;
        struct ipw_link *l = open_with("", IPW_PUSH);

        fd = accept(at, NULL, NULL);
        send_text(l, "one");
        send_text(l, "two");
        plain_expect(fd, "one");
        plain_expect(fd, "two");
        ipw_close(l);
        assert_int_equal(recv(fd, &(char){ 0 }, 1, 0), 0);
        close(fd);
        close(at);
}

static void test_plain_pair_and_push_listen(void **state)
{
        struct ipw_link *l = open_with("", IPW_PAIR | IPW_LISTEN);
        int fd = plain_dial();

        plain_send(fd, "hello");
        expect(l, "hello");
        send_text(l, "answer");
        plain_expect(fd, "answer");
        close(fd);
        assert_int_equal(try_recv(l, IPW_MS(PATIENCE)), -EPIPE);
        ipw_close(l);
        l = open_with("", IPW_PUSH | IPW_LISTEN);
        fd = plain_dial();
        send_text(l, "pushed");
        plain_expect(fd, "pushed");
        close(fd);
        ipw_close(l);
}

static void test_descriptors_do_not_leak_in(void **state)
{
        struct ipw_link *l = open_with("?identity=1", IPW_PULL);
        int fd = plain_dial(), before = open_descriptors();
        char control[CMSG_SPACE(sizeof(int))] = { 0 };
        struct iovec iov = { (char *)"x", 1 };
        struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };

        *CMSG_FIRSTHDR(&h) = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) };
        memcpy(CMSG_DATA(CMSG_FIRSTHDR(&h)), &fd, sizeof(fd));
        assert_int_equal(sendmsg(fd, &h, 0), 1);
        expect(l, "x");
        assert_int_equal(open_descriptors(), before + 1); /* the accepted one */
        close(fd);
        ipw_close(l);
}

/* ---- names --------------------------------------------------------------------------------------------------------------------------------- */

static void test_not_there_yet(void **state)
{
        struct ipw_link *in, *out = NULL;
        struct ipw_why why;
        pid_t pid;

        refuse_with("", IPW_PUSH, EAGAIN, "nobody listens there yet");
        pid = fork_child();
        if (pid == 0) {
                if (ipw_open(&out, address, IPW_PUSH, IPW_MS(PATIENCE), &why) < 0)
                        _exit(1);
                _exit(ipw_send(out, &(struct ipw_message){ .data = (char *)"late", .size = 4 }, IPW_MS(PATIENCE)) == 4 ? 0 : 2);
        }
        await_sleep(pid);
        in = open_with("", IPW_PULL);
        expect(in, "late");
        assert_int_equal(reap(pid), 0);
        ipw_close(in);
}

static void test_stale_name(void **state)
{
        struct ipw_link *l;

        close(plain_listen());
        refuse_with("", IPW_PUSH, EAGAIN, "nobody listens there yet");
        refuse_with("", IPW_PULL | IPW_FRESH, EEXIST, "exists");
        l = open_with("", IPW_PULL);
        ipw_close(open_with("", IPW_PUSH));
        ipw_close(l);
}

static void test_name_is_taken(void **state)
{
        struct ipw_link *l = open_with("", IPW_PULL);
        struct ipw_why why;
        int fd;

        refuse_with("", IPW_PULL, EADDRINUSE, "somebody has this name");
        assert_int_equal(ipw_remove(address, &why), -EBUSY);
        ipw_close(open_with("", IPW_PUSH)); /* unharmed */
        ipw_close(l);
        fd = plain_bind(SOCK_SEQPACKET); /* bound, not yet listening: refuses, and is alive */
        refuse_with("", IPW_PULL, EADDRINUSE, "somebody has this name");
        assert_int_equal(ipw_remove(address, &why), -EBUSY);
        close(fd);
        assert_int_equal(ipw_remove(address, &why), 0);
        assert_int_equal(ipw_remove(address, &why), -ENOENT);
        assert_non_null(strstr(why.text, name));
}

/* A refused connection alone proves nothing: then a person must say so. */
static void test_kernel_without_a_list(void **state)
{
        struct ipw_why why;

        close(plain_listen());
        sys_hook = &failing_no_list;
        refuse_with("", IPW_PULL, EADDRINUSE, "ipcway remove");
        assert_int_equal(access(name, F_OK), 0);
        assert_int_equal(ipw_remove(address, &why), 0);
        sys_hook = NULL;
}

static void test_opening_fails_anywhere(void **state)
{
        static const unsigned roles[] = { IPW_PULL, IPW_PUSH | IPW_LISTEN, IPW_PAIR | IPW_LISTEN, IPW_PUSH };
        char text[256];

        (void)snprintf(text, sizeof(text), "%s?identity=1&buffer=64K&mode=0640&group=%u", address, getegid());
        for (size_t i = 0; i < COUNT_OF(roles); i++) {
                int at = roles[i] == IPW_PUSH ? plain_listen() : -1;

                failing_opens(text, roles[i], at < 0 ? name : NULL);
                if (at >= 0)
                        close(at);
        }
}

/* Who decides about a dead name holds a lock; others come back later. */
static void test_two_find_it_dead(void **state)
{
        enum { N = 4 };
        pid_t pids[N];
        int won = 0;

        for (int round = 0; round < 20; round++) {
                int go[2], done[2];
                char byte;

                close(plain_listen());
                assert_return_code(pipe2(go, O_CLOEXEC) | pipe2(done, O_CLOEXEC), errno);
                for (int i = 0; i < N; i++) {
                        pids[i] = fork_child();
                        if (pids[i] == 0) {
                                struct ipw_link *l = NULL;
                                int r;

                                close(go[1]);
                                (void)read(go[0], &byte, 1);
                                r = ipw_open(&l, address, IPW_PULL, IPW_MS(PATIENCE), NULL);
                                close(done[1]);
                                (void)read(done[0], &byte, 1); /* stay until all have tried */
                                ipw_close(l);
                                _exit(r == 0 ? 1 : r == -EADDRINUSE ? 0 : 2);
                        }
                }
                close(go[1]);
                close(done[1]);
                for (int i = 0; i < N; i++) {
                        int status = reap(pids[i]);

                        assert_in_range(status, 0, 1);
                        won += status;
                }
                close(go[0]);
                close(done[0]);
                assert_int_equal(won, round + 1);
                assert_int_equal(access(name, F_OK), -1);
        }
}

static void test_close_leaves_what_is_not_ours(void **state)
{
        struct ipw_link *l = open_with("", IPW_PULL);
        int fd;

        assert_return_code(unlink(name), errno);
        fd = plain_listen();
        ipw_close(l);
        assert_int_equal(access(name, F_OK), 0);
        close(fd);
}

static void test_keep(void **state)
{
        struct ipw_link *l = open_with("?keep=1", IPW_PULL);

        ipw_close(l);
        assert_int_equal(access(name, F_OK), 0);
        ipw_close(open_with("", IPW_PULL)); /* takes the dead name over, and it is not kept this time */
        assert_int_equal(access(name, F_OK), -1);
}

static void test_symbolic_link(void **state)
{
        char target[96];
        struct ipw_link *l;
        struct ipw_why why;

        (void)snprintf(target, sizeof(target), "%s/target", folder);
        assert_return_code(symlink(target, name), errno);
        refuse_with("", IPW_PUSH, ELOOP, "symbolic link");
        refuse_with("", IPW_PULL, ELOOP, "symbolic link");
        assert_int_equal(ipw_remove(address, &why), -ELOOP);
        assert_return_code(rename(name, target), errno);
        l = open_with("", IPW_PULL);
        assert_return_code(unlink(target), errno);
        assert_return_code(symlink(name, target), errno);
        (void)snprintf(target, sizeof(target), SCHEME "%s/target", folder);
        talk_refuse(target, IPW_PUSH, ELOOP, "symbolic link"); /* although a listener is behind it */
        ipw_close(l);
}

/* ---- a folder that is another one a moment later ------------------------------------------------------------------------------------------- */

static char swap_one[128], swap_other[128], swap_aside[128];
static const char *swap_before; /* the first call of that name; NULL: it has been */

static int swap_folders(struct sys_call *call)
{
        if (!swap_before || strcmp(call->site->call, swap_before) != 0)
                return 0;
        swap_before = NULL;
        assert_return_code(rename(swap_one, swap_aside), errno);
        assert_return_code(rename(swap_other, swap_one), errno);
        return 0;
}

static void swap_back(void)
{
        assert_null(swap_before); /* it did happen */
        assert_return_code(rename(swap_one, swap_other), errno);
        assert_return_code(rename(swap_aside, swap_one), errno);
}

/* Between the look at the folder and the call somebody puts another in its place: we stay in the one that was looked at. */
static void test_swapped_folder(void **state)
{
        static const struct sys_hook hook = { swap_folders, failing_after };
        struct ipw_link *ours, *theirs, *out;
        char at_one[160], at_other[160];

        (void)snprintf(swap_one, sizeof(swap_one), "%s/one", folder);
        (void)snprintf(swap_other, sizeof(swap_other), "%s/two", folder);
        (void)snprintf(swap_aside, sizeof(swap_aside), "%s/three", folder);
        (void)snprintf(at_one, sizeof(at_one), SCHEME "%s/s", swap_one);
        (void)snprintf(at_other, sizeof(at_other), SCHEME "%s/s", swap_other);
        assert_return_code(mkdir(swap_one, 0700), errno);
        assert_return_code(mkdir(swap_other, 0700), errno);

        ours = talk_open(at_one, IPW_PULL);
        theirs = talk_open(at_other, IPW_PULL);
        swap_before = "connect";
        sys_hook = &hook;
        out = talk_open(at_one, IPW_PUSH);
        sys_hook = NULL;
        send_text(out, "for whom it was meant");
        expect(ours, "for whom it was meant");
        assert_int_equal(try_recv(theirs, 0), -EAGAIN);
        swap_back();
        ipw_close(out);
        ipw_close(theirs);
        ipw_close(ours);

        /* bind(2) takes the whole path, for that is what others are shown; so it is noticed, before anybody could dial. */
        swap_before = "bind";
        sys_hook = &hook;
        talk_refuse(at_one, IPW_PULL, ENOENT, "cannot look at the socket just bound");
        sys_hook = NULL;
        swap_back();
        talk_refuse(at_other, IPW_PUSH, EAGAIN, "");
        assert_return_code(unlink(at_other + strlen(SCHEME)), errno);

        swap_before = "listen";
        sys_hook = &hook;
        ours = talk_open(at_one, IPW_PULL);
        sys_hook = NULL;
        assert_int_equal(access(at_one + strlen(SCHEME), F_OK), -1); /* what has this name now is as it was */
        swap_back();
        out = talk_open(at_one, IPW_PUSH);
        send_text(out, "still here");
        expect(ours, "still here");
        ipw_close(out);
        ipw_close(ours);
        assert_return_code(rmdir(swap_one), errno);
        assert_return_code(rmdir(swap_other), errno);
}

static void test_other_kinds(void **state)
{
        struct ipw_why why;
        int fd;

        assert_return_code(mkfifo(name, 0600), errno);
        refuse_with("", IPW_PUSH, ENOTSOCK, "is a FIFO, not a socket");
        refuse_with("", IPW_PULL, ENOTSOCK, "is a FIFO, not a socket");
        assert_int_equal(ipw_remove(address, &why), -ENOTSOCK);
        assert_return_code(unlink(name), errno);
        fd = plain_bind(SOCK_STREAM);
        assert_return_code(listen(fd, 1), errno);
        refuse_with("", IPW_PUSH, EPROTOTYPE, "another type");
        refuse_with("", IPW_PULL, EADDRINUSE, "somebody has this name");
        close(fd);
}

static void test_bad_addresses(void **state)
{
        char text[400] = SCHEME "@";

        talk_refuse(SCHEME "/tmp/", IPW_PULL, EINVAL, "names a folder");
        talk_refuse(SCHEME "@", IPW_PULL, EINVAL, "needs a name");
        talk_refuse(SCHEME, IPW_PULL, EINVAL, "ipw_ends()");
        talk_refuse(SCHEME "/tmp/x#1", IPW_PULL, EINVAL, "%23");
        talk_refuse(SCHEME "@x?mode=0600", IPW_PULL, EINVAL, "no permissions");
        talk_refuse(SCHEME "/nowhere/x", IPW_PULL, ENOENT, "/nowhere");
        refuse_with("?group=no-such-group-here", IPW_PULL, ENOENT, "no such group");
        assert_int_equal(access(name, F_OK), -1); /* what failed left nothing behind */
        refuse_with("", IPW_PULL | IPW_EXISTING, EINVAL, "IPW_EXISTING");
        refuse_with("", IPW_PUSH | IPW_FRESH, EINVAL, "IPW_FRESH");
        refuse_with("", IPW_PAIR, EINVAL, "IPW_LISTEN");
        memset(text + strlen(text), 'n', 107);
        talk_refuse(text, IPW_PULL, ENAMETOOLONG, "at most 106 bytes");
}

static void test_long_path(void **state)
{
        char text[700];
        struct ipw_link *in, *out;

        assert_return_code(mkdir(deep, 0700), errno);
        (void)snprintf(text, sizeof(text), SCHEME "%s/socket", deep);
        assert_true(strlen(text) > 200);
        in = talk_open(text, IPW_PULL);
        out = talk_open(text, IPW_PUSH);
        send_text(out, "far");
        expect(in, "far");
        ipw_close(out);
        ipw_close(in);
        assert_return_code(rmdir(deep), errno);
}

static void test_abstract(void **state)
{
        char text[128];
        struct ipw_link *in, *out;
        struct ipw_why why;

        (void)snprintf(text, sizeof(text), SCHEME "@ipcway-test-%d", (int)getpid());
        talk_refuse(text, IPW_PUSH, EAGAIN, "nobody listens there yet");
        in = talk_open(text, IPW_PULL);
        talk_refuse(text, IPW_PULL, EADDRINUSE, "somebody has this name");
        out = talk_open(text, IPW_PUSH);
        send_text(out, "nowhere on disk");
        expect(in, "nowhere on disk");
        assert_int_equal(ipw_remove(text, &why), -EOPNOTSUPP);
        ipw_close(out);
        ipw_close(in);
}

static void test_mode_whatever_the_umask(void **state)
{
        static const mode_t masks[] = { 0, 077, 0777 };
        struct stat st;
        char text[64];

        for (size_t i = 0; i < COUNT_OF(masks); i++) {
                mode_t before = umask(masks[i]);
                struct ipw_link *l = open_with("", IPW_PULL);

                assert_return_code(stat(name, &st), errno);
                assert_int_equal(st.st_mode & 0777, 0600);
                ipw_close(l);
                (void)snprintf(text, sizeof(text), "?mode=0660&group=%u", getegid());
                l = open_with(text, IPW_PULL);
                assert_return_code(stat(name, &st), errno);
                assert_int_equal(st.st_mode & 0777, 0660);
                assert_int_equal(st.st_gid, getegid());
                ipw_close(l);
                umask(before);
        }
}

/* Another user dials, and listens: root is trusted, so this needs root and somebody else. */
static void test_other_users(void **state)
{
        enum { SOMEBODY = 12345 };
        struct ipw_link *l;
        struct ipw_why why;
        char text[64];
        pid_t pid;
        int fd;

        if (geteuid() != 0)
                skip();
        assert_return_code(chmod(folder, 0755), errno);
        if (!may_look(SOMEBODY, folder))
                skip();
        l = open_with("?mode=0666", IPW_PULL);
        pid = fork_child();
        if (pid == 0) {
                char byte;

                become(SOMEBODY);
                fd = plain_dial();
                (void)send(fd, "let me in", 9, MSG_NOSIGNAL);
                _exit(recv(fd, &byte, 1, 0) <= 0 ? 0 : 2); /* closed in our face */
        }
        while (waitpid(pid, NULL, WNOHANG) == 0)
                assert_int_equal(try_recv(l, IPW_MS(5)), -ETIMEDOUT);
        ipw_link_why(l, &why);
        assert_non_null(strstr(why.text, "peer=uid:12345"));
        ipw_close(l);

        fd = plain_listen();
        assert_return_code(chown(name, SOMEBODY, (gid_t)-1), errno);
        refuse_with("", IPW_PUSH, EPERM, "peer=uid:12345");
        (void)snprintf(text, sizeof(text), "?peer=uid:%d", SOMEBODY);
        ipw_close(open_with(text, IPW_PUSH)); /* the file is admitted, and root listens */
        close(fd);
        refuse_with("", IPW_PULL, EPERM, "belongs to user 12345"); /* dead, and not ours to remove */
        assert_return_code(chmod(folder, 0700), errno);
}

/* A link on the way is followed, for folders are often behind one. What another user's link leads to is his, and that is what is looked at. */
static void test_link_on_the_way(void **state)
{
        enum { SOMEBODY = 12345 };
        char way[128], behind[160];
        struct ipw_link *in, *out;
        char guarded = '0';
        int fd;

        (void)snprintf(way, sizeof(way), "%s/link", folder);
        (void)snprintf(behind, sizeof(behind), SCHEME "%s/socket", way);
        assert_return_code(symlink(folder, way), errno);
        in = talk_open(behind, IPW_PULL);
        out = open_with("", IPW_PUSH);
        send_text(out, "the same folder");
        expect(in, "the same folder");
        ipw_close(out);
        ipw_close(in);
        if (geteuid() != 0)
                skip();
        fd = plain_listen();
        assert_return_code(chown(name, SOMEBODY, (gid_t)-1), errno);
        assert_return_code(lchown(way, SOMEBODY, (gid_t)-1), errno);
        talk_refuse(behind, IPW_PUSH, EPERM, "belongs to user 12345");
        talk_refuse(behind, IPW_PULL, EPERM, "belongs to user 12345");
        (void)close(fd);
        talk_refuse(behind, IPW_PULL, EPERM, "belongs to user 12345"); /* dead, and still not ours to remove */
        assert_return_code(chmod(folder, 01777), errno);               /* as /tmp is: here the kernel may follow no strange link at all */
        fd = open("/proc/sys/fs/protected_symlinks", O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
                assert_int_equal(read(fd, &guarded, 1), 1);
                (void)close(fd);
        }
        talk_refuse(behind, IPW_PUSH, guarded == '0' ? EPERM : EACCES, guarded == '0' ? "belongs to user 12345" : "cannot open the folder");
        assert_return_code(chmod(folder, 0700), errno);
}

/* ---- messages ------------------------------------------------------------------------------------------------------------------------------ */

/* What is said to be possible is what the settings of the machine leave. */
static void test_bound(void **state)
{
        static const char *const names[] = { "wmem_default", "wmem_max" };
        static const struct {
                const char *set[2], *address;
                size_t most;
        } known[] = { { { "100000", "70000" }, "unix+seqpacket:/x", 140000 - 32 },
                      { { "100000", "20000" }, "unix+dgram:/x", 100000 - 32 },
                      { { "100000", "1000000000" }, "unix+dgram:/x", 4 << 20 },
                      { { "100000", "70000" }, "unix+seqpacket:/x?buffer=64K", 65536 - 32 } };
        pid_t pid = fork_child();
        int status;

        if (pid == 0) {
                own_machine(CLONE_NEWNS);
                for (size_t i = 0; i < COUNT_OF(known); i++) {
                        struct ipw_caps caps;

                        for (int k = 0; k < 2; k++) {
                                char path[64], own[300];

                                (void)snprintf(path, sizeof(path), "/proc/sys/net/core/%s", names[k]);
                                (void)snprintf(own, sizeof(own), "%s/%s", folder, names[k]);
                                CHILD_CHECK((status = open(own, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) >= 0);
                                CHILD_CHECK(dprintf(status, "%s\n", known[i].set[k]) > 0 && close(status) == 0);
                                if (i == 0 && mount(own, path, NULL, MS_BIND, NULL) < 0)
                                        _exit(CANNOT);
                        }
                        CHILD_CHECK(ipw_describe(known[i].address, &caps, NULL) == 0);
                        CHILD_CHECK(caps.max_msg == known[i].most && caps.atomic_max == known[i].most);
                }
                _exit(0);
        }
        status = reap(pid);
        if (status == CANNOT)
                skip();
        assert_int_equal(status, 0);
}

static void test_sizes(void **state)
{
        struct ipw_link *in = open_with("", IPW_PULL), *out = open_with("", IPW_PUSH);
        size_t max = ipw_link_caps(out)->max_msg;
        unsigned char *data = malloc(max + 1), *room = calloc(1, max);
        struct ipw_message m = { .data = data, .size = max }, got = { .data = room, .capacity = max };
        struct iovec parts[2] = { { data, 10 }, { data + 10, 20 } };

        for (size_t i = 0; i <= max; i++)
                data[i] = (unsigned char)(i * 7 + i / 251);
        for (int again = 0; again < 3; again++) { /* the first is met unexpected, the others expected */
                assert_int_equal(ipw_send(out, &m, 0), max);
                assert_int_equal(ipw_recv(in, &got, 0), max);
                assert_memory_equal(room, data, max);
                memset(room, 0, max);
        }
        m.size = max + 1;
        assert_int_equal(ipw_send(out, &m, 0), -EMSGSIZE);
        m.size = 0;
        assert_int_equal(ipw_send(out, &m, 0), -EMSGSIZE);
        m = (struct ipw_message){ .iov = parts, .iov_count = 2 };
        assert_int_equal(ipw_send(out, &m, 0), 30);
        assert_int_equal(ipw_recv(in, &got, 0), 30);
        assert_memory_equal(room, data, 30);
        ipw_close(out);
        ipw_close(in);
        free(data);
        free(room);
}

static void test_buffer(void **state)
{
        struct ipw_link *in = open_with("", IPW_PULL), *out;
        char *data = calloc(1, 1 << 20);
        struct ipw_message m = { .data = data, .size = (1 << 20) - 32 }, got = { .data = data, .capacity = 1 << 20 };
        struct ipw_why why;

        if (ipw_open(&out, (char[256]){ 0 }, IPW_PUSH, 0, &why) != -EINVAL) /* an empty address */
                fail();
        {
                char text[256];

                (void)snprintf(text, sizeof(text), "%s?buffer=1M", address);
                if (ipw_open(&out, text, IPW_PUSH, 0, &why) < 0) { /* wmem_max may be lower: then it must say so */
                        assert_int_equal(why.error, ERANGE);
                        assert_non_null(strstr(why.text, "net.core.wmem_max"));
                        ipw_close(in);
                        free(data);
                        return;
                }
        }
        assert_int_equal(ipw_link_caps(out)->max_msg, m.size);
        assert_int_equal(ipw_send(out, &m, 0), m.size);
        assert_int_equal(ipw_recv(in, &got, 0), m.size); /* larger than the receiver's own limit */
        ipw_close(out);
        ipw_close(in);
        free(data);
}

static void test_short_buffer(void **state)
{
        struct ipw_link *in = open_with("", IPW_PULL), *out = open_with("", IPW_PUSH);
        char room[8192];
        struct ipw_message got = { .data = room, .capacity = 3 };
        struct pollfd p;

        for (int again = 0; again < 2; again++) { /* small expected, then large expected */
                size_t size = again ? 8000 : 10;

                memset(room, 'a', sizeof(room));
                assert_int_equal(ipw_send(out, &(struct ipw_message){ .data = room, .size = 8000 }, 0), 8000);
                assert_int_equal(ipw_recv(in, &(struct ipw_message){ .data = room, .capacity = sizeof(room) }, 0), 8000);
                if (!again) {
                        send_text(out, "x");
                        expect(in, "x");
                }
                for (size_t i = 0; i < size; i++)
                        room[i] = (char)('0' + i % 10);
                assert_int_equal(ipw_send(out, &(struct ipw_message){ .data = room, .size = size }, 0), size);
                send_text(out, "next");
                memset(room, 0, sizeof(room));
                got.capacity = 3;
                assert_int_equal(ipw_recv(in, &got, 0), -EMSGSIZE);
                assert_int_equal(got.size, size);
                assert_int_equal(ipw_recv(in, &got, 0), -EMSGSIZE);
                assert_int_equal(ipw_pollfd(in, IPW_RECV, &p), 0);
                assert_int_equal(poll(&p, 1, 0), 1);
                got.capacity = sizeof(room);
                assert_int_equal(ipw_recv(in, &got, 0), size);
                for (size_t i = 0; i < size; i++)
                        assert_int_equal(room[i], '0' + i % 10);
                expect(in, "next");
        }
        ipw_close(out);
        ipw_close(in);
}

static void test_many_at_once(void **state)
{
        enum { N = 150 };
        struct ipw_link *in = open_with("", IPW_PAIR | IPW_LISTEN), *out = open_with("", IPW_PAIR | IPW_DIAL);
        struct ipw_message m[N] = { 0 };
        char data[N][32], room[N][32];
        struct pollfd p;
        size_t sent = 0, got = 0;

        for (size_t i = 0; i < N; i++) {
                (void)snprintf(data[i], sizeof(data[i]), "message number %04zu", i);
                m[i] = (struct ipw_message){ .data = data[i], .size = 19 };
        }
        while (sent < N) {
                ssize_t n = ipw_send_many(out, m + sent, N - sent, 0);

                assert_true(n > 0);
                sent += (size_t)n;
        }
        assert_int_equal(ipw_pollfd(in, IPW_RECV, &p), 0);
        /* One of the first ten finds too little room: it and all behind it that the same call took stay in hand, in order. */
        for (size_t i = 0; i < N; i++)
                m[i] = (struct ipw_message){ .data = room[i], .capacity = i == 4 ? 5 : 32 };
        assert_int_equal(ipw_recv_many(in, m, 10, 0), 4);
        got = 4;
        assert_int_equal(poll(&p, 1, 0), 1);
        assert_int_equal(ipw_recv(in, &m[4], 0), -EMSGSIZE);
        assert_int_equal(m[4].size, 19);
        m[4].capacity = 32;
        while (got < N) {
                ssize_t n = ipw_recv_many(in, m + got, N - got, 0);

                assert_true(n > 0);
                got += (size_t)n;
        }
        for (size_t i = 0; i < N; i++) {
                assert_int_equal(m[i].size, 19);
                assert_memory_equal(room[i], data[i], 19);
        }
        assert_int_equal(ipw_recv_many(in, m, 10, 0), -EAGAIN);
        assert_int_equal(poll(&p, 1, 0), 0);
        send_text(out, "last");
        ipw_close(out);
        assert_int_equal(ipw_recv_many(in, m, 10, 0), 1); /* the end is no message */
        assert_int_equal(ipw_recv_many(in, m, 10, 0), -EPIPE);
        ipw_close(in);
}

static void test_identity_and_empty(void **state)
{
        struct ipw_link *in = open_with("?identity=1&until=last", IPW_PULL), *out = open_with("?identity=1", IPW_PUSH);
        struct ipw_message m = { .data = (char *)"", .size = 0 };
        struct ipw_message many[4] = { 0 };
        char room[4][8];

        assert_int_equal(ipw_link_caps(out)->min_msg, 0);
        assert_true(ipw_link_caps(in)->flags & IPW_CAP_IDENTITY);
        assert_int_equal(ipw_send(out, &m, 0), 0);
        m = expect(in, "");
        assert_true(m.flags & IPW_HAS_SENDER);
        assert_int_equal(m.sender.source, 2);
        assert_int_equal(m.sender.pid, getpid());
        assert_int_equal(m.sender.uid, getuid());
        assert_int_equal(m.sender.gid, getgid());
        m = (struct ipw_message){ 0 };
        for (size_t i = 0; i < 4; i++)
                many[i] = (struct ipw_message){ .data = room[i], .capacity = 8 };
        assert_int_equal(ipw_send(out, &m, 0), 0);
        send_text(out, "a");
        assert_int_equal(ipw_send(out, &m, 0), 0);
        ipw_close(out);
        assert_int_equal(ipw_recv_many(in, many, 4, 0), 3);
        assert_int_equal(many[0].size, 0);
        assert_int_equal(many[1].size, 1);
        assert_int_equal(many[2].size, 0);
        assert_int_equal(many[2].sender.pid, getpid());
        assert_int_equal(try_recv(in, 0), -EPIPE);
        ipw_close(in);
}

static void test_empty_from_a_plain_program(void **state)
{
        struct ipw_link *in = open_with("?until=last", IPW_PULL);
        int fd = plain_dial();

        assert_int_equal(send(fd, "", 0, 0), 0);
        expect(in, ""); /* the conversation goes on */
        assert_int_equal(send(fd, "", 0, 0), 0);
        plain_send(fd, "behind");
        close(fd);
        expect(in, "");
        expect(in, "behind");
        assert_int_equal(try_recv(in, 0), -EPIPE);
        ipw_close(in);
}

static void test_unread_data_at_the_other_side(void **state)
{
        struct ipw_link *in = open_with("", IPW_PAIR | IPW_LISTEN);
        int fd = plain_dial();

        plain_send(fd, "said before leaving");
        expect(in, "said before leaving");
        send_text(in, "never read");
        plain_send(fd, "and this");
        close(fd); /* with something unread: the kernel reports a reset first */
        expect(in, "and this");
        assert_int_equal(try_recv(in, 0), -EPIPE);
        ipw_close(in);
}

/* ---- the end, and who is killed ---------------------------------------------------------------------------------------------------------- */

static void test_killed_receiver_frees_a_blocked_sender(void **state)
{
        struct ipw_message m = { .data = folder, .size = sizeof(folder) };
        struct ipw_link *out = NULL;
        int at = plain_listen(), ready[2];
        ssize_t r;
        pid_t pid;
        char byte;

        assert_return_code(pipe2(ready, O_CLOEXEC), errno);
        pid = fork_child();
        if (pid == 0) {
                int fd = accept(at, NULL, NULL);

                close(at);
                close(ready[0]);
                while (read(fd, &byte, 0) == 0 && write(ready[1], "x", 1) == 1)
                        pause();
                _exit(1);
        }
        out = open_with("", IPW_PUSH);
        close(at);
        assert_int_equal(read(ready[0], &byte, 1), 1);
        while (ipw_send(out, &m, 0) > 0)
                ;
        {
                pid_t blocked = fork_child(); /* kills the receiver once the parent sleeps in its send */

                if (blocked == 0) {
                        await_sleep(getppid());
                        kill(pid, SIGKILL);
                        _exit(0);
                }
                r = ipw_send(out, &m, IPW_FOREVER);
                assert_true(r == -EPIPE || r == -ECONNRESET);
                assert_int_equal(reap(blocked), 0);
        }
        assert_int_equal(reap(pid), -SIGKILL);
        ipw_close(out);
        close(ready[0]);
        close(ready[1]);
}

static pid_t sender(const char *what, int times, int stay)
{
        pid_t pid = fork_child();

        if (pid == 0) {
                struct ipw_link *out;
                char text[64];

                if (ipw_open(&out, address, IPW_PUSH, IPW_MS(PATIENCE), NULL) < 0)
                        _exit(1);
                for (int i = 0; i < times; i++) {
                        struct ipw_message m = { .data = text, .size = (size_t)snprintf(text, sizeof(text), "%s %d", what, i) };

                        if (ipw_send(out, &m, IPW_MS(PATIENCE)) < 0)
                                _exit(2);
                }
                while (stay)
                        pause();
                ipw_close(out);
                _exit(0);
        }
        return pid;
}

static void test_killed_sender_ends_a_sleeping_receiver(void **state)
{
        struct ipw_link *in = open_with("?until=last", IPW_PULL);
        pid_t pid = sender("hello", 1, 1), killer;

        expect(in, "hello 0");
        killer = fork_child();
        if (killer == 0) {
                await_sleep(getppid());
                kill(pid, SIGKILL);
                _exit(0);
        }
        assert_int_equal(try_recv(in, IPW_FOREVER), -EPIPE);
        assert_int_equal(try_recv(in, 0), -EPIPE);
        assert_int_equal(reap(killer), 0);
        assert_int_equal(reap(pid), -SIGKILL);
        assert_int_equal(access(name, F_OK), -1); /* nobody can dial what has ended */
        ipw_close(in);
}

static void test_four_at_once(void **state)
{
        enum { TIMES = 500 };
        struct ipw_link *in = open_with("?until=last", IPW_PULL);
        int next[4] = { 0 };
        pid_t pids[4];
        char text[64];
        struct ipw_message m = { .data = text, .capacity = sizeof(text) - 1 };
        struct ipw_link *silent = open_with("", IPW_PUSH);
        ssize_t n;

        send_text(silent, "only this");
        expect(in, "only this");
        for (int i = 0; i < 4; i++)
                pids[i] = sender((const char *[]){ "0", "1", "2", "3" }[i], TIMES, 0);
        for (int i = 0; i < 4 * TIMES; i++) {
                int who, number;

                n = ipw_recv(in, &m, IPW_MS(PATIENCE));
                assert_true(n > 0);
                text[n] = 0;
                assert_int_equal(sscanf(text, "%d %d", &who, &number), 2);
                assert_int_equal(number, next[who]++);
        }
        for (int i = 0; i < 4; i++)
                assert_int_equal(reap(pids[i]), 0);
        assert_int_equal(try_recv(in, 0), -EAGAIN); /* the silent one is still there */
        assert_int_equal(peers(in), 1);
        ipw_close(silent);
        assert_int_equal(try_recv(in, IPW_MS(PATIENCE)), -EPIPE);
        ipw_close(in);
}

static void test_rotation(void **state)
{
        struct ipw_link *in = open_with("", IPW_PULL), *loud = open_with("", IPW_PUSH), *quiet;

        for (int i = 0; i < 100; i++)
                send_text(loud, "loud");
        expect(in, "loud");
        quiet = open_with("", IPW_PUSH);
        send_text(quiet, "quiet");
        for (int i = 0;; i++) {
                char room[16];
                struct ipw_message m = { .data = room, .capacity = sizeof(room) };

                assert_true(i < 80); /* before the loud one has said all */
                if (ipw_recv(in, &m, 0) == 5)
                        break;
        }
        ipw_close(loud);
        ipw_close(quiet);
        ipw_close(in);
}

static void test_push_to_many(void **state)
{
        struct ipw_link *out = open_with("", IPW_PUSH | IPW_LISTEN);
        struct ipw_message m = { .data = (char *)"work", .size = 4 };
        int fds[3];
        char room[8];

        assert_int_equal(ipw_send(out, &m, 0), -EAGAIN); /* nobody there */
        for (int i = 0; i < 3; i++)
                fds[i] = plain_dial();
        for (int i = 0; i < 6; i++)
                send_text(out, "work");
        assert_int_equal(peers(out), 3);
        for (int i = 0; i < 3; i++) {
                assert_int_equal(recv(fds[i], room, sizeof(room), MSG_DONTWAIT), 4);
                assert_int_equal(recv(fds[i], room, sizeof(room), MSG_DONTWAIT), 4);
                assert_int_equal(recv(fds[i], room, sizeof(room), MSG_DONTWAIT), -1);
        }
        m.peer = 2;
        assert_int_equal(ipw_send(out, &m, 0), 4);
        assert_int_equal(recv(fds[1], room, sizeof(room), MSG_DONTWAIT), 4);
        close(fds[1]);
        assert_int_equal(ipw_send(out, &m, 0), -EPIPE);
        for (int i = 0; i < 4; i++)
                send_text(out, "work"); /* to those that are left */
        assert_int_equal(peers(out), 2);
        /* A message for one peer waits for that one, though the other has room. */
        m.peer = 1;
        while (ipw_send(out, &m, 0) == 4)
                ;
        assert_int_equal(ipw_send(out, &m, IPW_MS(1)), -ETIMEDOUT);
        send_text(out, "work");
        close(fds[0]);
        assert_int_equal(ipw_turn(out), 0);
        assert_int_equal(peers(out), 1);
        close(fds[2]);
        ipw_close(out);
}

static void test_two_hundred_peers(void **state)
{
        enum { N = 200 };
        struct ipw_link *in = open_with("", IPW_PULL), *out[N];
        unsigned char seen[N] = { 0 };
        struct pollfd p;

        assert_int_equal(ipw_pollfd(in, IPW_RECV, &p), 0);
        assert_int_equal(poll(&p, 1, 0), 0);
        for (int i = 0; i < N; i++)
                out[i] = open_with("", IPW_PUSH);
        for (int i = 0; i < N; i++)
                assert_int_equal(ipw_send(out[i], &(struct ipw_message){ .data = &(unsigned char){ (unsigned char)i }, .size = 1 }, 0), 1);
        for (int i = 0; i < N; i++) {
                unsigned char byte;

                assert_int_equal(poll(&p, 1, 20000), 1);
                while (ipw_recv(in, &(struct ipw_message){ .data = &byte, .capacity = 1 }, 0) != 1)
                        assert_int_equal(poll(&p, 1, 20000), 1);
                seen[byte]++;
        }
        for (int i = 0; i < N; i++)
                assert_int_equal(seen[i], 1);
        assert_int_equal(try_recv(in, 0), -EAGAIN);
        assert_int_equal(poll(&p, 1, 0), 0);
        assert_int_equal(peers(in), N);
        for (int i = 0; i < N; i++)
                ipw_close(out[i]);
        assert_int_equal(poll(&p, 1, 0), 1);
        assert_int_equal(try_recv(in, 0), -EAGAIN);
        assert_int_equal(peers(in), 0);
        ipw_close(in);
}

/* Some say something, some do not. */
static void test_connects_leak_nothing(void **state)
{
        enum { TIMES = 10000 };
        struct ipw_link *in = open_with("", IPW_PULL);
        int before, heard = 0;
        size_t memory = 0;
        char text[20];
        struct ipw_message m = { .data = text, .capacity = sizeof(text) };

        assert_int_equal(try_recv(in, 0), -EAGAIN);
        before = open_descriptors();
        for (int i = 0; i < TIMES; i++) {
                int fd = plain_dial();

                if (i % 3 == 0)
                        plain_send(fd, "hello");
                (void)close(fd);
                while (i % 32 == 31 && ipw_recv(in, &m, 0) == 5)
                        heard++;
                if (i == TIMES / 2)
                        memory = mallinfo2().uordblks;
        }
        while (ipw_recv(in, &m, 0) == 5)
                heard++;
        assert_int_equal(heard, (TIMES + 2) / 3);
        for (int i = 0; peers(in) && i < TIMES; i++)
                assert_int_equal(try_recv(in, 0), -EAGAIN);
        assert_int_equal(peers(in), 0);
        assert_int_equal(open_descriptors(), before);
        assert_true(mallinfo2().uordblks <= memory + 1000);
        ipw_close(in);
}

static void test_no_descriptors_left(void **state)
{
        struct ipw_link *in = open_with("", IPW_PULL);
        int fds[2] = { plain_dial(), plain_dial() };
        struct rlimit was, tight;

        plain_send(fds[0], "patience");
        assert_return_code(getrlimit(RLIMIT_NOFILE, &was), errno);
        tight = was;
        tight.rlim_cur = (rlim_t)fds[1] + 1;
        assert_return_code(setrlimit(RLIMIT_NOFILE, &tight), errno);
        assert_int_equal(try_recv(in, 0), -EAGAIN);
        assert_int_equal(try_recv(in, IPW_MS(1)), -ETIMEDOUT);
        assert_return_code(setrlimit(RLIMIT_NOFILE, &was), errno);
        expect(in, "patience"); /* nobody was lost */
        close(fds[0]);
        close(fds[1]);
        ipw_close(in);
}

/* ---- conversations ------------------------------------------------------------------------------------------------------------------------- */

static void test_pair_serves_the_first_only(void **state)
{
        struct ipw_link *l = open_with("", IPW_PAIR | IPW_LISTEN), *peer;
        struct pollfd p;
        int first = plain_dial(), second = plain_dial();
        char byte;

        assert_int_equal(ipw_pollfd(l, IPW_RECV, &p), 0);
        assert_int_equal(poll(&p, 1, 0), 1);
        assert_int_equal(try_recv(l, 0), -EAGAIN);
        assert_int_equal(poll(&p, 1, 0), 0);
        assert_int_equal(recv(second, &byte, 1, 0), 0); /* refused */
        refuse_with("", IPW_PUSH, EAGAIN, "nobody listens there yet");
        plain_send(first, "still here");
        assert_int_equal(poll(&p, 1, 20000), 1);
        expect(l, "still here");
        assert_int_equal(ipw_accept(l, &peer, 0), -EBUSY);
        ipw_close(l);
        close(first);
        close(second);
}

static void *say_hello(void *link)
{
        struct ipw_message m = { .data = (char *)"hello", .size = 5 };

        return (void *)(intptr_t)ipw_send(link, &m, IPW_MS(PATIENCE));
}

/* One thread per direction, both asleep before anybody has dialled; either may be the one to meet the peer. */
static void test_two_threads_meet_the_first(void **state)
{
        for (int round = 0; round < 50; round++) {
                struct ipw_link *l = open_with("", IPW_PAIR | IPW_LISTEN);
                pthread_t thread;
                void *sent;
                pid_t pid;

                pid = fork_child();
                if (pid == 0) {
                        char room[8];
                        int fd;

                        await_sleep(getppid());
                        fd = plain_dial();
                        _exit(send(fd, "hi", 2, 0) == 2 && recv(fd, room, sizeof(room), 0) == 5 ? 0 : 1);
                }
                assert_int_equal(pthread_create(&thread, NULL, say_hello, l), 0);
                expect(l, "hi");
                assert_int_equal(pthread_join(thread, &sent), 0);
                assert_int_equal((intptr_t)sent, 5);
                assert_int_equal(reap(pid), 0);
                ipw_close(l);
        }
}

static void test_accept(void **state)
{
        static const unsigned roles[] = { IPW_PAIR | IPW_LISTEN, IPW_PULL, IPW_PUSH | IPW_LISTEN };

        for (size_t i = 0; i < COUNT_OF(roles); i++) {
                struct ipw_link *l = open_with("", roles[i]), *one = NULL, *two = NULL;
                int fds[2];

                assert_true(ipw_link_caps(l)->flags & IPW_CAP_ACCEPT);
                assert_int_equal(ipw_accept(l, &one, 0), -EAGAIN);
                fds[0] = plain_dial();
                fds[1] = plain_dial();
                assert_int_equal(ipw_accept(l, &one, IPW_MS(PATIENCE)), 0);
                assert_int_equal(ipw_accept(l, &two, IPW_FOREVER), 0);
                plain_send(fds[1], "to two");
                plain_send(fds[0], "to one");
                expect(one, "to one");
                expect(two, "to two");
                send_text(two, "answer");
                plain_expect(fds[1], "answer");
                assert_int_equal(i == 2 ? ipw_send(l, &(struct ipw_message){ .data = (char *)"x", .size = 1 }, 0) : try_recv(l, 0),
                                 -EOPNOTSUPP);
                close(fds[0]);
                assert_int_equal(try_recv(one, IPW_MS(PATIENCE)), -EPIPE);
                ipw_close(one);
                ipw_close(two);
                close(fds[1]);
                ipw_close(l);
        }
}

static void test_fork(void **state)
{
        struct ipw_link *in = open_with("", IPW_PULL), *out = open_with("", IPW_PUSH);
        pid_t pid;

        send_text(out, "before");
        expect(in, "before");
        pid = fork_child();
        if (pid == 0) {
                int stale = try_recv(in, 0) == -ESTALE;

                ipw_close(in);
                ipw_close(out);
                _exit(stale ? 0 : 1);
        }
        assert_int_equal(reap(pid), 0);
        assert_int_equal(access(name, F_OK), 0);
        send_text(out, "after");
        expect(in, "after");
        ipw_close(out);
        ipw_close(in);
}

static void test_ends(void **state)
{
        char a[64], b[64];
        struct ipw_why why;
        int x, y;

        assert_int_equal(ipw_ends(a, b, SCHEME, IPW_PAIR, &why), 0);
        assert_int_equal(sscanf(a, "fd:%d", &x), 1);
        assert_int_equal(sscanf(b, "fd:%d", &y), 1);
        assert_int_equal(fcntl(x, F_GETFD), 0); /* crosses exec */
        plain_send(x, "there");
        plain_expect(y, "there");
        ipw_end_drop(a);
        assert_int_equal(recv(y, &(char){ 0 }, 1, 0), 0);
        ipw_end_drop(b);
        assert_int_equal(ipw_ends(a, b, address, IPW_PAIR, &why), -EOPNOTSUPP);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, fresh, after)
        const struct CMUnitTest tests[] = {
                TEST(plain_dials),
                TEST(plain_listens),
                TEST(plain_pair_and_push_listen),
                TEST(descriptors_do_not_leak_in),
                TEST(not_there_yet),
                TEST(stale_name),
                TEST(name_is_taken),
                TEST(kernel_without_a_list),
                TEST(opening_fails_anywhere),
                TEST(two_find_it_dead),
                TEST(close_leaves_what_is_not_ours),
                TEST(keep),
                TEST(symbolic_link),
                TEST(link_on_the_way),
                TEST(swapped_folder),
                TEST(other_kinds),
                TEST(bad_addresses),
                TEST(long_path),
                TEST(abstract),
                TEST(mode_whatever_the_umask),
                TEST(other_users),
                TEST(bound),
                TEST(sizes),
                TEST(buffer),
                TEST(short_buffer),
                TEST(many_at_once),
                TEST(identity_and_empty),
                TEST(empty_from_a_plain_program),
                TEST(unread_data_at_the_other_side),
                TEST(killed_receiver_frees_a_blocked_sender),
                TEST(killed_sender_ends_a_sleeping_receiver),
                TEST(four_at_once),
                TEST(rotation),
                TEST(push_to_many),
                TEST(two_hundred_peers),
                TEST(connects_leak_nothing),
                TEST(no_descriptors_left),
                TEST(pair_serves_the_first_only),
                TEST(two_threads_meet_the_first),
                TEST(accept),
                TEST(fork),
                TEST(ends),
        };
        char part[201];
        int failed;

        memset(part, 'd', 200);
        part[200] = 0;
        (void)snprintf(folder, sizeof(folder), "/tmp/ipcway-test-%d", (int)getpid());
        (void)snprintf(name, sizeof(name), "%s/socket", folder);
        (void)snprintf(address, sizeof(address), SCHEME "%s", name);
        (void)snprintf(deep, sizeof(deep), "%s/%s", folder, part);
        if (mkdir(folder, 0700) < 0 || setenv("XDG_RUNTIME_DIR", folder, 1) < 0)
                return 99;
        janitor_start(clean_all);
        failed = cmocka_run_group_tests_name("unix+seqpacket", tests, NULL, NULL);
        clean_all();
        return failed;
}
