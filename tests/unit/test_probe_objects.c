/* SPDX-License-Identifier: MIT */
/*
 * What there is: an object of every kind is made, with users that are known, and the picture must say of it what is true; and where it may not see, that it may
 * not. Nothing that was looked at may show it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "object_with.h"
#include "own_machine.h"
#include "people.h"
#include "snapshot.h"

static char folder[64], file[96], fifo[96], name[64], odd[96], odd_address[128], second[96];

static void clean(void)
{
        (void)unlink(file);
        (void)unlink(fifo);
        (void)rmdir(folder);
        (void)mq_unlink(name);
        (void)mq_unlink(second);
        (void)sem_unlink(name);
        (void)shm_unlink(name);
        (void)shm_unlink(odd);
        (void)shm_unlink(second);
}

static int fresh(void **state)
{
        clean();
        if (mkdir(folder, 0700) < 0 || mkfifo(fifo, 0600) < 0)
                return -1;
        return close(open(file, O_CREAT | O_RDWR | O_CLOEXEC, 0600));
}

static int done(void **state)
{
        end_people();
        clean();
        return 0;
}

/* ---- finding and comparing ------------------------------------------------------------------------------------------------------------- */

static unsigned how(const struct ipw_probe_object *o, pid_t pid)
{
        for (size_t i = 0; i < o->user_count; i++)
                if (o->users[i].pid == pid)
                        return o->users[i].how;
        return 0;
}

static void expect_number(const struct ipw_probe_object *o, const char *fact, int64_t number)
{
        const struct ipw_probe_fact *f = ipw_probe_fact(o, fact);
        char text[24];

        if (!f || f->state != IPW_FACT_SEEN || f->number != number || !*f->source)
                fail_msg("%s: %s is %s (state %d), not %lld", o->address, fact, f ? f->text : "not there", f ? f->state : 0,
                         (long long)number);
        (void)snprintf(text, sizeof(text), "%lld", (long long)number);
        assert_string_equal(f->text, text);
}

static void expect_text(const struct ipw_probe_object *o, const char *fact, const char *text)
{
        const struct ipw_probe_fact *f = ipw_probe_fact(o, fact);

        if (!f || f->state != IPW_FACT_SEEN || !strstr(f->text, text))
                fail_msg("%s: %s is \"%s\", not \"%s\"", o->address, fact, f ? f->text : "not there", text);
}

static void expect_missing(const struct ipw_probe_object *o, const char *fact, int state, const char *needs)
{
        const struct ipw_probe_fact *f = ipw_probe_fact(o, fact);

        if (!f || f->state != state || !strstr(f->text, needs))
                fail_msg("%s: %s is \"%s\" (state %d), not \"%s\"", o->address, fact, f ? f->text : "not there", f ? f->state : 0, needs);
}

/* A child that does this and then waits; it can be looked at once it sleeps in that call. */
static struct ipw_probe *with(int which, void (*body)(const int *), const int *fds, const char *call)
{
        people[which] = fork_child();
        if (people[which] == 0) {
                body(fds);
                _exit(1);
        }
        return until(people[which], call);
}

static void pause_for_ever(const int *fds)
{
        for (;;)
                (void)pause();
}

static uint64_t inode_of(int fd)
{
        struct stat st;

        assert_int_equal(fstat(fd, &st), 0);
        return st.st_ino;
}

/* ---- pipes and sockets ------------------------------------------------------------------------------------------------------------------- */

static void read_first(const int *fds)
{
        char byte;

        close_but(fds[0], -1);
        (void)read(fds[0], &byte, 1);
}

static void test_pipes(void **state)
{
        const struct ipw_probe_object *o;
        struct ipw_probe *p;
        char address[160];
        struct stat st;
        int fds[2], both;

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        assert_int_equal(fstat(fds[0], &st), 0);
        both = open(fifo, O_RDWR | O_CLOEXEC);
        p = with(0, read_first, fds, "read(2)");
        (void)snprintf(address, sizeof(address), "pipe:[%llu]", (unsigned long long)st.st_ino);
        o = object_with(p, address);
        assert_int_equal(how(o, getpid()), IPW_USE_READS | IPW_USE_WRITES);
        assert_int_equal(how(o, people[0]), IPW_USE_READS | IPW_USE_WAITS);
        assert_int_equal(o->named, 0);
        expect_missing(o, "bytes", IPW_FACT_UNSUPPORTED, "a copy of its descriptor");
        (void)snprintf(address, sizeof(address), "fifo:%s", fifo);
        o = object_with(p, address);
        assert_int_equal(o->named, 1);
        assert_string_equal(o->kind, "fifo");
        assert_int_equal(how(o, getpid()), IPW_USE_READS | IPW_USE_WRITES);
        ipw_probe_free(p);
        (void)close(both);
        (void)close(fds[0]);
        (void)close(fds[1]);
}

static void open_fifo(const int *fds)
{
        close_but(-1, -1);
        (void)open(fifo, O_RDONLY);
}

static void test_fifo_that_nobody_has(void **state)
{
        struct ipw_probe *p = with(0, open_fifo, NULL, "open(2)");
        char address[160];

        (void)snprintf(address, sizeof(address), "fifo:%s", fifo);
        assert_int_equal(how(object_with(p, address), people[0]), IPW_USE_WAITS);
        ipw_probe_free(p);
}

static void test_unix_sockets(void **state)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        const struct ipw_probe_object *o;
        struct ipw_probe *p;
        char text[120];
        int fds[2], listener;
        struct stat st;

        (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s-socket", file);
        (void)unlink(address.sun_path);
        listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(listener, (void *)&address, sizeof(address)), 0);
        assert_int_equal(listen(listener, 3), 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        assert_int_equal(write(fds[0], "hello", 5), 5);
        assert_int_equal(fstat(fds[1], &st), 0);
        p = take();
        (void)unlink(address.sun_path);
        (void)snprintf(text, sizeof(text), "unix:[%llu]", (unsigned long long)st.st_ino);
        o = object_with(p, text);
        expect_text(o, "state", "connected");
        expect_number(o, "waiting", 5);
        assert_non_null(o->peer);
        assert_ptr_equal(o->peer->peer, o);
        assert_int_equal(how(o->peer, getpid()), IPW_USE_READS | IPW_USE_WRITES);
        (void)snprintf(text, sizeof(text), "unix+seqpacket:%s", address.sun_path);
        o = object_with(p, text);
        expect_text(o, "state", "listens");
        expect_number(o, "callers", 0);
        expect_number(o, "callers-most", 3);
        assert_null(o->peer);
        ipw_probe_free(p);
        (void)close(listener);
        (void)close(fds[0]);
        (void)close(fds[1]);
}

/* Descriptors that were sent and not yet received stand in no process. */
static void test_descriptors_in_flight(void **state)
{
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(2 * sizeof(int))];
        } control = { .header = { .cmsg_len = CMSG_LEN(2 * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
        struct iovec byte = { .iov_base = (char[]){ 'x' }, .iov_len = 1 };
        struct msghdr m = { .msg_iov = &byte, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
        const struct ipw_probe_fact *fact;
        struct ipw_probe *p;
        char text[80];
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        memcpy(CMSG_DATA(&control.header), (int[]){ 0, 0 }, 2 * sizeof(int));
        assert_int_equal(sendmsg(fds[0], &m, 0), 1);
        p = take();
        (void)snprintf(text, sizeof(text), "unix:[%llu]", (unsigned long long)inode_of(fds[1]));
        fact = ipw_probe_fact(object_with(p, text), "in-flight");
        if (fact) /* older kernels do not tell */
                assert_int_equal(fact->number, 2);
        (void)snprintf(text, sizeof(text), "unix:[%llu]", (unsigned long long)inode_of(fds[0]));
        assert_null(ipw_probe_fact(object_with(p, text), "in-flight"));
        ipw_probe_free(p);
        (void)close(fds[0]);
        (void)close(fds[1]);
}

/* What a socket says of its peer is who listened; who has the other end now is another. */
static void keep_first(const int *fds)
{
        close_but(fds[1], -1);
        pause_for_ever(NULL);
}

static void test_peer_is_who_has_it(void **state)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        const struct ipw_probe_object *o;
        struct ipw_probe *p;
        int fds[2], listener;
        char text[80];

        (void)snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "%s", name);
        listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(listener, (void *)&address, sizeof(address)), 0);
        assert_int_equal(listen(listener, 1), 0);
        fds[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fds[0], (void *)&address, sizeof(address)), 0);
        fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        people[0] = fork_child();
        if (people[0] == 0)
                keep_first(fds);
        (void)snprintf(text, sizeof(text), "unix:[%llu]", (unsigned long long)inode_of(fds[0]));
        (void)close(fds[1]);
        (void)close(listener);
        p = until(people[0], "pause(2)");
        o = object_with(p, text);
        assert_non_null(o->peer);
        assert_int_equal(o->peer->user_count, 1);
        assert_int_equal(o->peer->users[0].pid, people[0]);
        ipw_probe_free(p);
        (void)close(fds[0]);
}

/* fds: both ends of a connection, and the listener. */
static void connect_tcp(int fds[3])
{
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(a);

        fds[2] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(fds[2], (void *)&a, sizeof(a)), 0);
        assert_int_equal(listen(fds[2], 7), 0);
        assert_int_equal(getsockname(fds[2], (void *)&a, &size), 0);
        fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fds[0], (void *)&a, sizeof(a)), 0);
        fds[1] = accept4(fds[2], NULL, NULL, SOCK_CLOEXEC);
        assert_true(fds[1] >= 0);
}

static unsigned port_of(int fd)
{
        struct sockaddr_in a = { 0 };
        socklen_t size = sizeof(a);

        assert_int_equal(getsockname(fd, (void *)&a, &size), 0);
        return ntohs(a.sin_port);
}

static void expect_tcp(const struct ipw_probe *p, const int fds[3])
{
        const struct ipw_probe_object *o;
        char text[80];

        (void)snprintf(text, sizeof(text), "tcp:[%llu]", (unsigned long long)inode_of(fds[0]));
        o = object_with(p, text);
        expect_text(o, "state", "connected");
        assert_int_equal(how(o, people[0]), IPW_USE_READS | IPW_USE_WRITES | IPW_USE_WAITS);
        assert_non_null(o->peer);
        assert_int_equal(o->peer->inode, inode_of(fds[1]));
        assert_int_equal(how(o->peer, getpid()), IPW_USE_READS | IPW_USE_WRITES);
        (void)snprintf(text, sizeof(text), "127.0.0.1:%u to 127.0.0.1:%u", port_of(fds[0]), port_of(fds[1]));
        assert_string_equal(o->name, text);
        (void)snprintf(text, sizeof(text), "tcp:127.0.0.1:%u", port_of(fds[2]));
        o = object_with(p, text);
        expect_text(o, "state", "listens");
        assert_int_equal(how(o, getpid()), IPW_USE_READS | IPW_USE_WRITES);
}

static int no_list(struct source *s, int (*each)(void *, const struct inet_socket *), void *context)
{
        return -ENOENT;
}

static void test_tcp(void **state)
{
        const struct ipw_probe_wait *w;
        struct source_ops ops;
        struct live live;
        struct ipw_why why;
        struct ipw_probe *p;
        int fds[3];

        connect_tcp(fds);
        p = with(0, read_first, fds, "read(2)");
        expect_tcp(p, fds);
        w = find(p, people[0], "read(2)");
        assert_non_null(strstr(w->text, "answers or closes"));
        assert_int_equal(w->waker_count, 1);
        assert_int_equal(w->wakers[0], getpid());
        ipw_probe_free(p);

        /* a kernel that does not answer over netlink has the same in a file */
        assert_int_equal(live_open(&live), 0);
        ops = *live.source.ops;
        ops.inet_sockets = no_list;
        live.source.ops = &ops;
        assert_int_equal(probe_take(&p, &live.source, IPW_PROBE_OBJECTS, &why), 0);
        live_close(&live);
        expect_tcp(p, fds);
        ipw_probe_free(p);
        for (int i = 0; i < 3; i++)
                (void)close(fds[i]);
}

static void test_udp(void **state)
{
        struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
        const struct ipw_probe_object *o;
        socklen_t size = sizeof(a);
        struct ipw_probe *p;
        char text[80];
        int fd;

        fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || bind(fd, (void *)&a, sizeof(a)) < 0) {
                (void)close(fd);
                skip(); /* no IPv6 here */
        }
        assert_int_equal(getsockname(fd, (void *)&a, &size), 0);
        p = take();
        (void)snprintf(text, sizeof(text), "udp:[::1]:%u", ntohs(a.sin6_port));
        o = object_with(p, text);
        assert_int_equal(how(o, getpid()), IPW_USE_READS | IPW_USE_WRITES);
        assert_null(o->peer);
        ipw_probe_free(p);
        (void)close(fd);
}

/* ---- queues and semaphores ------------------------------------------------------------------------------------------------------------------ */

static void receive_queue(const int *fds)
{
        char room[64];

        for (;;)
                (void)mq_receive(fds[0], room, sizeof(room), NULL);
}

static void test_posix_queue(void **state)
{
        struct mq_attr small = { .mq_maxmsg = 2, .mq_msgsize = 16 };
        const struct ipw_probe_object *o;
        struct ipw_probe *p;
        struct stat before, after;
        char address[80];
        int fd, other;

        fd = mq_open(name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600, &small);
        assert_true(fd >= 0);
        (void)snprintf(address, sizeof(address), "mq:%s", name);
        p = with(0, receive_queue, &fd, "mq_receive(3)");
        o = object_with(p, address);
        assert_int_equal(how(o, people[0]), IPW_USE_READS | IPW_USE_WRITES | IPW_USE_WAITS);
        expect_number(o, "messages", 0);
        expect_number(o, "messages-most", 2);
        expect_number(o, "message-size", 16);
        ipw_probe_free(p);
        end_people();

        assert_int_equal(mq_send(fd, "hello", 5, 0), 0);
        assert_int_equal(fstat(fd, &before), 0);
        p = take();
        assert_int_equal(fstat(fd, &after), 0);
        assert_memory_equal(&before.st_atim, &after.st_atim, sizeof(before.st_atim));
        o = object_with(p, address);
        expect_number(o, "messages", 1);
        expect_missing(o, "bytes", IPW_FACT_UNSUPPORTED, "access time");
        ipw_probe_free(p);

        assert_int_equal(mq_unlink(name), 0);
        other = mq_open(second, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600, &small);
        assert_true(other >= 0);
        p = take();
        (void)snprintf(address, sizeof(address), "mq:[%llu]", (unsigned long long)before.st_ino);
        o = object_with(p, address); /* it is known for one, since there is another on its device */
        assert_string_equal(o->name, name);
        expect_missing(o, "messages", IPW_FACT_UNSUPPORTED, "no name");
        ipw_probe_free(p);
        (void)mq_close(other);
        (void)mq_close(fd);
}

static void receive_sysv(const int *fds)
{
        struct {
                long type;
                char text[8];
        } m;

        (void)msgrcv(fds[0], &m, sizeof(m.text), 2, 0);
}

static void take_sysv(const int *fds)
{
        (void)semop(fds[0], (struct sembuf[]){ { .sem_num = 1, .sem_op = 1 }, { .sem_num = 0, .sem_op = -1 } }, 2);
}

static void test_sysv(void **state)
{
        struct {
                long type;
                char text[8];
        } m = { 1, "hello" };
        const struct ipw_probe_object *o;
        int queue, set, segment, looks = 0;
        struct ipw_probe *p;
        struct shmid_ds ds;
        char address[80];
        void *at;

        queue = msgget(IPC_PRIVATE, 0600);
        set = semget(IPC_PRIVATE, 3, 0600);
        segment = shmget(IPC_PRIVATE, 12345, 0600);
        assert_true(queue >= 0 && set >= 0 && segment >= 0);
        at = shmat(segment, NULL, 0);
        assert_ptr_not_equal(at, (void *)-1);
        assert_int_equal(msgsnd(queue, &m, 5, 0), 0);
        assert_int_equal(semctl(set, 1, SETVAL, 4), 0);
        ipw_probe_free(with(0, receive_sysv, &queue, "msgrcv(2)"));
        p = with(1, take_sysv, &set, "semop(2)");
        while (shmctl(segment, IPC_STAT, &ds) == 0 && ds.shm_nattch != 3) /* both children have it too */
                look_again(&looks, "children that have the segment");

        (void)snprintf(address, sizeof(address), "mq+sysv:id=%d", queue);
        o = object_with(p, address);
        expect_number(o, "messages", 1);
        expect_number(o, "bytes", 5);
        expect_number(o, "sender", getpid());
        assert_int_equal(how(o, people[0]), IPW_USE_WAITS);
        assert_int_equal(how(o, getpid()), IPW_USE_LAST | IPW_USE_WRITES);

        (void)snprintf(address, sizeof(address), "sem+sysv:id=%d", set);
        o = object_with(p, address);
        expect_number(o, "semaphores", 3);
        expect_text(o, "value", "0 4 0");
        expect_number(o, "waiters", 1);
        assert_int_equal(how(o, people[1]), IPW_USE_WAITS);
        assert_int_equal(how(o, getpid()), IPW_USE_LAST);

        (void)snprintf(address, sizeof(address), "shm+sysv:id=%d", segment);
        o = object_with(p, address);
        expect_number(o, "size", 12345);
        expect_number(o, "attached", 3);
        expect_number(o, "maker", getpid());
        assert_true(how(o, getpid()) & IPW_USE_MAPS && how(o, people[0]) & IPW_USE_MAPS);
        assert_int_equal(o->named, 1);
        ipw_probe_free(p);

        assert_int_equal(shmctl(segment, IPC_RMID, NULL), 0);
        p = take();
        o = object_with(p, address);
        expect_text(o, "state", "removed");
        assert_int_equal(o->named, 0);
        ipw_probe_free(p);
        (void)shmdt(at);
        (void)msgctl(queue, IPC_RMID, NULL);
        (void)semctl(set, 0, IPC_RMID);
}

static void take_named(const int *fds)
{
        sem_t *sem = sem_open(name, 0);

        (void)sem_wait(sem);
}

static void test_posix_semaphore(void **state)
{
        const struct ipw_probe_object *o;
        char address[80], path[96];
        struct stat before, after;
        struct ipw_probe *p;
        sem_t *sem;

        sem = sem_open(name, O_CREAT | O_EXCL, 0600, 3);
        assert_true(sem != SEM_FAILED);
        (void)snprintf(address, sizeof(address), "sem:%s", name);
        (void)snprintf(path, sizeof(path), "/dev/shm/sem.%s", name + 1);
        assert_int_equal(stat(path, &before), 0);
        p = take();
        o = object_with(p, address); /* whoever made it has it mapped under another name, that is gone */
        expect_number(o, "value", 3);
        expect_number(o, "waiters", 0);
        assert_true(how(o, getpid()) & IPW_USE_MAPS);
        ipw_probe_free(p);
        (void)sem_close(sem);

        p = take();
        o = object_with(p, address); /* nobody has it, so its file is read */
        expect_number(o, "value", 3);
        assert_int_equal(o->user_count, 0);
        ipw_probe_free(p);
        assert_int_equal(stat(path, &after), 0);
        assert_memory_equal(&before.st_atim, &after.st_atim, sizeof(before.st_atim));

        sem = sem_open(name, 0);
        for (int i = 0; i < 3; i++)
                assert_int_equal(sem_wait(sem), 0);
        (void)sem_close(sem);
        p = with(0, take_named, NULL, "futex(2)");
        o = object_with(p, address);
        expect_number(o, "value", 0);
        expect_number(o, "waiters", 1);
        assert_true(how(o, people[0]) & IPW_USE_WAITS);
        ipw_probe_free(p);
}

/* ---- memory -------------------------------------------------------------------------------------------------------------------------------- */

static void *map(int fd, size_t size)
{
        void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

        assert_ptr_not_equal(at, MAP_FAILED);
        return at;
}

/* It takes CAP_CHECKPOINT_RESTORE, also of a process of one's own. */
static bool may_follow(const void *at, size_t size)
{
        struct stat st;
        char path[80];

        (void)snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (unsigned long)at, (unsigned long)at + size);
        return stat(path, &st) == 0;
}

static void test_memory(void **state)
{
        enum { SIZE = 3 * 4096 };
        const struct ipw_probe_object *o;
        struct ipw_probe *p;
        void *named, *gone, *anonymous, *disk;
        char address[160];
        uint64_t inode, disk_inode;
        bool told;
        int fd;

        fd = shm_open(odd, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
        assert_int_equal(ftruncate(fd, SIZE), 0);
        named = map(fd, SIZE);
        memset(named, 1, 4096);
        (void)close(fd);
        fd = shm_open(second, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
        assert_int_equal(ftruncate(fd, SIZE), 0);
        inode = inode_of(fd);
        gone = map(fd, SIZE);
        (void)close(fd);
        assert_int_equal(shm_unlink(second), 0);
        fd = memfd_create("ipcway test", MFD_CLOEXEC);
        assert_int_equal(ftruncate(fd, SIZE), 0);
        anonymous = map(fd, SIZE);
        (void)close(fd);
        fd = open(file, O_RDWR | O_CLOEXEC);
        assert_int_equal(ftruncate(fd, SIZE), 0);
        disk = map(fd, SIZE);
        disk_inode = inode_of(fd);
        (void)close(fd);
        p = with(0, pause_for_ever, NULL, "pause(2)");

        o = object_with(p, odd_address);
        assert_string_equal(o->name, odd);
        expect_number(o, "size", SIZE);
        expect_number(o, "used", 4096);
        expect_text(o, "state", "named");
        assert_true(how(o, getpid()) & IPW_USE_MAPS && how(o, people[0]) & IPW_USE_WRITES);

        (void)snprintf(address, sizeof(address), "shm:[%llu]", (unsigned long long)inode);
        o = object_with(p, address);
        assert_int_equal(o->named, 0);
        if (ipw_probe_fact(o, "size")->state == IPW_FACT_SEEN) {
                expect_number(o, "size", SIZE);
                expect_text(o, "state", "deleted");
        }
        assert_true(how(o, people[0]) & IPW_USE_MAPS);

        /* Which file a mapping is of, under which name, an ordinary user is not told. */
        told = may_follow(disk, SIZE);
        if (told)
                (void)snprintf(address, sizeof(address), "shm+file:%s", file);
        else
                (void)snprintf(address, sizeof(address), "shm+file:[%llu]", (unsigned long long)disk_inode);
        o = object_with(p, address);
        assert_true(how(o, people[0]) & IPW_USE_MAPS);
        assert_int_equal(ipw_probe_fact(o, "size")->state, told ? IPW_FACT_SEEN : IPW_FACT_DENIED);
        ipw_probe_free(p);
        (void)munmap(named, SIZE);
        (void)munmap(gone, SIZE);
        (void)munmap(anonymous, SIZE);
        (void)munmap(disk, SIZE);
}

/* ---- what has a descriptor of its own ------------------------------------------------------------------------------------------------------- */

static void test_events(void **state)
{
        struct itimerspec later = { .it_value.tv_sec = 3600 };
        int event, epoll, watch, signals, timer;
        const struct ipw_probe_object *o;
        struct ipw_probe *p;
        char address[80];
        sigset_t set;
        size_t n;

        event = eventfd(5, EFD_CLOEXEC);
        epoll = epoll_create1(EPOLL_CLOEXEC);
        assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, event, &(struct epoll_event){ .events = EPOLLIN }), 0);
        watch = inotify_init1(IN_CLOEXEC);
        assert_true(inotify_add_watch(watch, folder, IN_CREATE) >= 0 && inotify_add_watch(watch, file, IN_MODIFY) >= 0);
        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGUSR2);
        signals = signalfd(-1, &set, SFD_CLOEXEC);
        timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
        assert_int_equal(timerfd_settime(timer, 0, &later, NULL), 0);
        p = with(0, pause_for_ever, NULL, "pause(2)");

        (void)snprintf(address, sizeof(address), "epoll:[%d,%d]", (int)getpid(), epoll);
        expect_number(object_with(p, address), "watches", 1);
        (void)snprintf(address, sizeof(address), "inotify:[%d,%d]", (int)getpid(), watch);
        expect_number(object_with(p, address), "watches", 2);
        (void)snprintf(address, sizeof(address), "signalfd:[%d,%d]", (int)people[0], signals);
        expect_text(object_with(p, address), "signals", "USR2");
        (void)snprintf(address, sizeof(address), "timerfd:[%d,%d]", (int)getpid(), timer);
        expect_number(object_with(p, address), "ticks", 0);
        expect_text(object_with(p, address), "left", "(3599, ");
        o = ipw_probe_objects(p, &n);
        while (n && !(strcmp(o->kind, "eventfd") == 0 && how(o, getpid())))
                o++, n--;
        assert_true(n > 0);
        expect_number(o, "count", 5);
        assert_true(how(o, people[0]) & IPW_USE_READS); /* the same in both */
        ipw_probe_free(p);
        for (int i = 0; i < 5; i++)
                (void)close((int[]){ event, epoll, watch, signals, timer }[i]);
}

static void block_signals(const int *fds)
{
        sigset_t set;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGUSR1);
        (void)sigaddset(&set, SIGRTMIN);
        (void)sigprocmask(SIG_BLOCK, &set, NULL);
        (void)signal(SIGHUP, SIG_IGN);
        (void)kill(getpid(), SIGUSR1);
        pause_for_ever(NULL);
}

static void test_signals(void **state)
{
        const struct ipw_probe_process *process;
        const struct ipw_probe_object *o;
        struct ipw_probe *p;
        char address[32];

        p = with(0, block_signals, NULL, "pause(2)");
        (void)snprintf(address, sizeof(address), "signal:%d", (int)people[0]);
        o = object_with(p, address);
        expect_text(o, "pending", "USR1");
        expect_text(o, "blocked", "USR1 RTMIN");
        expect_text(o, "ignored", "HUP");
        process = ipw_probe_process(p, people[0]);
        assert_non_null(process);
        assert_int_equal(process->pending, 1ULL << (SIGUSR1 - 1));
        assert_int_equal(process->parent, getpid());
        assert_int_equal(process->uid, getuid());
        assert_true(process->started > 1000000000 && process->started <= time(NULL) + 1);
        ipw_probe_free(p);
}

static void lock_range(const int *fds)
{
        struct flock lock = { .l_type = F_WRLCK, .l_start = fds[0], .l_len = 10 };
        int fd = open(file, O_RDWR | O_CLOEXEC);

        (void)fcntl(fd, fds[1], &lock);
        pause_for_ever(NULL);
}

static void test_locks(void **state)
{
        const struct ipw_probe_object *o;
        char address[160], text[64];
        struct ipw_probe *p;
        int fd;

        ipw_probe_free(with(0, lock_range, (int[]){ 5, F_SETLKW }, "pause(2)"));
        ipw_probe_free(with(1, lock_range, (int[]){ 30, F_OFD_SETLKW }, "pause(2)"));
        p = with(2, lock_range, (int[]){ 10, F_SETLKW }, "fcntl(2)");
        (void)snprintf(address, sizeof(address), "lock:%s", file);
        o = object_with(p, address);
        (void)snprintf(text, sizeof(text), "exclusive 5-14 by %d", (int)people[0]);
        expect_text(o, "posix", text);
        expect_text(o, "ofd", "exclusive 30-39");
        assert_int_equal(how(o, people[0]), IPW_USE_HOLDS);
        assert_int_equal(how(o, people[1]), IPW_USE_HOLDS);
        assert_int_equal(how(o, people[2]), IPW_USE_WAITS);
        ipw_probe_free(p);
        end_people();

        fd = open(file, O_RDWR | O_CLOEXEC);
        assert_int_equal(fcntl(fd, F_SETLEASE, F_WRLCK), 0);
        p = take();
        expect_text(object_with(p, address), "lease", "exclusive");
        assert_int_equal(fcntl(fd, F_GETLEASE), F_WRLCK);
        ipw_probe_free(p);
        (void)close(fd);
}

/* A semaphore with a lease on it. It gets its name once it has that, so that whoever else looks around here never sees the one without the other. */
static int make_leased(char address[80])
{
        char before[96], path[96];
        int fd;

        (void)snprintf(before, sizeof(before), "/dev/shm/%s", name + 1);
        (void)snprintf(path, sizeof(path), "/dev/shm/sem.%s", name + 1);
        (void)snprintf(address, 80, "sem:%s", name);
        fd = open(before, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
        assert_int_equal(ftruncate(fd, sizeof(sem_t)), 0);
        assert_int_equal(fcntl(fd, F_SETLEASE, F_WRLCK), 0); /* broken, it ends this process */
        assert_int_equal(rename(before, path), 0);
        return fd;
}

/* It is not opened. */
static void test_lease_on_a_semaphore(void **state)
{
        char address[80];
        struct ipw_probe *p;
        int fd = make_leased(address);

        p = take();
        assert_int_equal(fcntl(fd, F_GETLEASE), F_WRLCK);
        expect_missing(object_with(p, address), "value", IPW_FACT_UNSUPPORTED, "break a lease");
        ipw_probe_free(p);
        (void)close(fd);
}

/* Who looks from a pid namespace of its own sees the semaphore, and not that there is a lease on it. */
static void test_lease_outside(void **state)
{
        char address[80], link[64] = "";
        struct ipw_probe *p;
        struct ipw_left left;
        int fd, status;
        pid_t pid;

        (void)!readlink("/proc/self/ns/ipc", link, sizeof(link) - 1);
        if (strcmp(link, "ipc:[4026531839]") != 0)
                skip(); /* in a container, where no pid namespace is taken to share objects with others */
        fd = make_leased(address);
        pid = fork_child();
        if (pid == 0) {
                (void)close(fd);
                own_machine(CLONE_NEWPID | CLONE_NEWNS);
                pid = fork_first();
                if (pid == 0) {
                        if (mount("proc", "/proc", "proc", 0, NULL) < 0)
                                _exit(CANNOT);
                        p = take();
                        expect_missing(object_with(p, address), "value", IPW_FACT_UNSUPPORTED, "outside this pid namespace");
                        assert_int_equal(ipw_probe_left(p, object_with(p, address), &left), 0);
                        assert_int_equal(left.verdict, IPW_LEFT_UNKNOWN);
                        assert_non_null(strstr(left.text, "outside this pid namespace"));
                        _exit(0);
                }
                _exit(reap(pid));
        }
        status = reap(pid);
        assert_int_equal(fcntl(fd, F_GETLEASE), F_WRLCK);
        (void)close(fd);
        if (status == CANNOT)
                skip(); /* takes namespaces of one's own */
        assert_int_equal(status, 0);
}

/* ---- those who may not see --------------------------------------------------------------------------------------------------------------------- */

enum { NOBODY = 65534 };

static void look_as_nobody(void)
{
        struct ipw_probe *p;
        char address[80];
        size_t hidden;

        become(NOBODY);
        p = take();
        (void)ipw_probe_processes(p, &hidden);
        (void)snprintf(address, sizeof(address), "sem:%s", name);
        expect_missing(object_with(p, address), "value", IPW_FACT_DENIED, "CAP_FOWNER");
        assert_int_equal(object_with(p, address)->state, IPW_FACT_DENIED); /* root has it, which is not to be seen */
        _exit(hidden > 0 ? 0 : 1);
}

static void test_denied(void **state)
{
        pid_t pid;
        sem_t *sem;

        if (getuid() != 0 || !may_look(NOBODY, "/proc"))
                skip(); /* takes two users, of whom the other may enter "/" */
        sem = sem_open(name, O_CREAT | O_EXCL, 0600, 1);
        assert_true(sem != SEM_FAILED);
        (void)sem_close(sem); /* else the child would have it in its own memory */
        pid = fork_child();
        if (pid == 0)
                look_as_nobody();
        assert_int_equal(reap(pid), 0);
}

/* ---- a machine that gives other answers --------------------------------------------------------------------------------------------------------- */

static const struct source_ops *plain;
static int answer;

static ssize_t read_no_fdinfo(struct source *s, const char *path, char *text, size_t room)
{
        return strstr(path, "/fdinfo/") ? answer : plain->read(s, path, text, room);
}

static int no_unix_list(struct source *s, int (*each)(void *, const struct unix_socket *), void *context)
{
        return -ENOENT;
}

/* What cannot be seen is said, with why; it is never just not there. */
static void test_what_cannot_be_read(void **state)
{
        static const struct {
                int error, state;
                const char *why;
        } answers[] = { { -ENOENT, IPW_FACT_VANISHED, "gone" }, { -EACCES, IPW_FACT_DENIED, "CAP_SYS_PTRACE" } };
        int event = eventfd(5, EFD_CLOEXEC);
        const char *const *gaps;
        struct ipw_why why;
        struct ipw_probe *p;
        bool said = false;
        char address[80];
        size_t n;

        for (size_t i = 0; i < COUNT_OF(answers); i++) {
                struct source_ops ops;
                struct live live;

                assert_int_equal(live_open(&live), 0);
                plain = live.source.ops;
                ops = *plain;
                ops.read = read_no_fdinfo;
                ops.unix_sockets = no_unix_list;
                answer = answers[i].error;
                live.source.ops = &ops;
                assert_int_equal(probe_take(&p, &live.source, IPW_PROBE_OBJECTS, &why), 0);
                live_close(&live);
                (void)snprintf(address, sizeof(address), "eventfd:[%d,%d]", (int)getpid(), event);
                expect_missing(object_with(p, address), "count", answers[i].state, answers[i].why);
                gaps = ipw_probe_gaps(p, &n);
                for (size_t k = 0; k < n; k++)
                        said |= strstr(gaps[k], "Unix sockets") != NULL;
                assert_true(said);
                ipw_probe_free(p);
        }
        (void)close(event);
}

/* Programs lock folders, too. */
static void test_lock_on_a_folder(void **state)
{
        int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct ipw_probe *p;
        char address[100];

        assert_int_equal(flock(fd, LOCK_EX), 0);
        p = take();
        (void)snprintf(address, sizeof(address), "lock:%s", folder);
        assert_int_equal(how(object_with(p, address), getpid()), IPW_USE_HOLDS);
        ipw_probe_free(p);
        (void)close(fd);
}

/* What one process has for itself may be left out; what it shares may not. */
static void test_shared_only(void **state)
{
        int event = eventfd(5, EFD_CLOEXEC), epoll = epoll_create1(EPOLL_CLOEXEC), ends[2];
        unsigned events = 0, pipes = 0;
        const struct ipw_probe_object *o;
        struct ipw_why why;
        struct ipw_probe *p;
        size_t n;

        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        assert_int_equal(ipw_probe_take(&p, IPW_PROBE_OBJECTS | IPW_PROBE_SHARED, &why), 0);
        o = ipw_probe_objects(p, &n);
        for (size_t i = 0; i < n; i++) {
                assert_string_not_equal(o[i].kind, "epoll");
                if (strcmp(o[i].kind, "signal") == 0)
                        assert_true(*ipw_probe_fact(&o[i], "pending")->text);
                events += strcmp(o[i].kind, "eventfd") == 0 && how(&o[i], getpid()) == (IPW_USE_READS | IPW_USE_WRITES);
                pipes += strcmp(o[i].kind, "pipe") == 0 && how(&o[i], getpid()) == (IPW_USE_READS | IPW_USE_WRITES);
        }
        assert_true(events && pipes);
        ipw_probe_free(p);
        (void)close(event);
        (void)close(epoll);
        (void)close(ends[0]);
        (void)close(ends[1]);
}

/* Root without all capabilities of a process may list its descriptors, and not see what one of them is. */
static int look_but_at_descriptors(struct source *s, const char *path, bool follow, struct look *out)
{
        return strstr(path, "/fd/") && strtol(path, NULL, 10) == getpid() ? -EACCES : plain->look(s, path, follow, out);
}

static ssize_t link_but_of_descriptors(struct source *s, const char *path, char *text, size_t room)
{
        return strstr(path, "/fd/") && strtol(path, NULL, 10) == getpid() ? -EACCES : plain->link(s, path, text, room);
}

static void test_numbers_alone(void **state)
{
        struct source_ops ops;
        struct live live;
        struct ipw_why why;
        struct ipw_probe *p;
        size_t hidden;

        assert_int_equal(live_open(&live), 0);
        plain = live.source.ops;
        ops = *plain;
        ops.look = look_but_at_descriptors;
        ops.link = link_but_of_descriptors;
        live.source.ops = &ops;
        assert_int_equal(probe_take(&p, &live.source, IPW_PROBE_OBJECTS, &why), 0);
        live_close(&live);
        assert_int_equal(ipw_probe_process(p, getpid())->hidden, 1);
        (void)ipw_probe_processes(p, &hidden);
        assert_true(hidden >= 1);
        ipw_probe_free(p);
}

static void test_wrong_use(void **state)
{
        struct ipw_probe *p = NULL;
        struct ipw_why why;
        size_t n;

        assert_int_equal(ipw_probe_take(&p, 0x80, &why), -EINVAL);
        assert_int_equal(ipw_probe_take(&p, IPW_PROBE_SHARED, &why), -EINVAL);
        assert_null(p);
        assert_int_equal(ipw_probe_take(&p, 0, &why), 0);
        (void)ipw_probe_objects(p, &n);
        assert_int_equal(n, 0);
        assert_null(ipw_probe_process(p, -1));
        ipw_probe_free(p);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_pipes, fresh, done),
                cmocka_unit_test_setup_teardown(test_fifo_that_nobody_has, fresh, done),
                cmocka_unit_test_setup_teardown(test_unix_sockets, fresh, done),
                cmocka_unit_test_setup_teardown(test_descriptors_in_flight, fresh, done),
                cmocka_unit_test_setup_teardown(test_peer_is_who_has_it, fresh, done),
                cmocka_unit_test_setup_teardown(test_tcp, fresh, done),
                cmocka_unit_test_setup_teardown(test_udp, fresh, done),
                cmocka_unit_test_setup_teardown(test_posix_queue, fresh, done),
                cmocka_unit_test_setup_teardown(test_sysv, fresh, done),
                cmocka_unit_test_setup_teardown(test_posix_semaphore, fresh, done),
                cmocka_unit_test_setup_teardown(test_memory, fresh, done),
                cmocka_unit_test_setup_teardown(test_events, fresh, done),
                cmocka_unit_test_setup_teardown(test_signals, fresh, done),
                cmocka_unit_test_setup_teardown(test_locks, fresh, done),
                cmocka_unit_test_setup_teardown(test_lease_on_a_semaphore, fresh, done),
                cmocka_unit_test_setup_teardown(test_lease_outside, fresh, done),
                cmocka_unit_test_setup_teardown(test_denied, fresh, done),
                cmocka_unit_test_setup_teardown(test_what_cannot_be_read, fresh, done),
                cmocka_unit_test_setup_teardown(test_lock_on_a_folder, fresh, done),
                cmocka_unit_test(test_shared_only),
                cmocka_unit_test_setup_teardown(test_numbers_alone, fresh, done),
                cmocka_unit_test_setup_teardown(test_wrong_use, fresh, done),
        };

        (void)snprintf(folder, sizeof(folder), "/tmp/ipcway-test-objects-%d", (int)getpid());
        (void)snprintf(file, sizeof(file), "%s/file", folder);
        (void)snprintf(fifo, sizeof(fifo), "%s/fifo", folder);
        (void)snprintf(name, sizeof(name), "/ipcway-test-objects-%d", (int)getpid());
        (void)snprintf(second, sizeof(second), "%s-second", name);
        (void)snprintf(odd, sizeof(odd), "%s) x\n\xff (deleted)", name);
        (void)snprintf(odd_address, sizeof(odd_address), "shm:%s)%%20x%%0A%%FF%%20(deleted)", name);
        janitor_start(clean);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
