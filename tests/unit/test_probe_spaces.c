/* SPDX-License-Identifier: MIT */
/*
 * Two machines in one: a pid, ipc, net and mount namespace, and in it another of each, where everything is called as outside: the same number of a System V queue,
 * the same abstract name, the same port, the same numbers of processes. Who looks from inside sees his own; who looks from outside sees both, and takes neither for the
 * other.
 */
#include <arpa/inet.h>
#include <mqueue.h>
#include <net/if.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "object_with.h"
#include "own_machine.h"
#include "people.h"

enum { PORT = 4711, SPACES = CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS };
static char path[64];
static const char queue_name[] = "/ipcway-test-spaces";

static void clean(void)
{
        (void)unlink(path);
}

/* ---- the same things in both --------------------------------------------------------------------------------------------------------------- */

struct things {
        int queue, set, segment, posix, name, port; /* System V: the first of their kind, so number 0 */
        void *memory;
};

static void own_proc(void)
{
        struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
        int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 || ioctl(s, SIOCSIFFLAGS, &lo) < 0)
                _exit(CANNOT);
        (void)close(s);
}

static int listen_at(int family, const void *address, socklen_t size)
{
        int s = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_int_equal(bind(s, address, size), 0);
        assert_int_equal(listen(s, 1), 0);
        return s;
}

static struct sockaddr_un abstract(void)
{
        struct sockaddr_un a = { .sun_family = AF_UNIX };

        (void)snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "ipcway-test-spaces");
        return a;
}

static struct sockaddr_un named(void)
{
        struct sockaddr_un a = { .sun_family = AF_UNIX };

        (void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
        return a;
}

static struct things make_things(void)
{
        const struct sockaddr_in port = { .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        const struct sockaddr_un name = abstract();
        struct things t;

        t.queue = msgget(IPC_PRIVATE, 0600);
        t.set = semget(IPC_PRIVATE, 1, 0600);
        t.segment = shmget(IPC_PRIVATE, 4096, 0600);
        assert_true(t.queue == 0 && t.set == 0 && t.segment == 0);
        t.memory = shmat(t.segment, NULL, 0);
        t.posix = mq_open(queue_name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600, &(struct mq_attr){ .mq_maxmsg = 1, .mq_msgsize = 16 });
        assert_true(t.posix >= 0);
        t.name = listen_at(AF_UNIX, &name, sizeof(name));
        t.port = listen_at(AF_INET, &port, sizeof(port));
        return t;
}

/* ---- who waits there ------------------------------------------------------------------------------------------------------------------------- */

static struct things inner;

static void receive_sysv(void)
{
        struct {
                long type;
                char text[8];
        } m;

        (void)msgrcv(inner.queue, &m, sizeof(m.text), 0, 0);
}

static void take_sysv(void)
{
        (void)semop(inner.set, &(struct sembuf){ .sem_op = -1 }, 1);
}

static void receive_posix(void)
{
        char text[16];

        (void)mq_receive(inner.posix, text, sizeof(text), NULL);
}

static void accept_name(void)
{
        (void)accept(inner.name, NULL, NULL);
}

static void accept_port(void)
{
        (void)accept(inner.port, NULL, NULL);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *want_mutex(void *unused)
{
        (void)pthread_mutex_lock(&mutex);
        return NULL;
}

static void hold_mutex(void)
{
        pthread_t thread;

        (void)pthread_mutex_lock(&mutex);
        (void)pthread_create(&thread, NULL, want_mutex, NULL);
        for (;;)
                (void)pause();
}

static void await_child(void)
{
        pid_t pid = fork_child();

        if (pid == 0)
                for (;;)
                        (void)pause();
        (void)waitpid(pid, NULL, 0);
}

static int connection;

static void read_connection(void)
{
        char byte;

        (void)read(connection, &byte, 1);
}

static const struct waiter {
        const char *name, *call;
        void (*body)(void);
} waiters[] = { { "w-sysv", "msgrcv(2)", receive_sysv },       { "w-semop", "semop(2)", take_sysv },
                { "w-posix", "mq_receive(3)", receive_posix }, { "w-name", "accept(2)", accept_name },
                { "w-port", "accept(2)", accept_port },        { "w-mutex", "futex(2)", hold_mutex },
                { "w-child", "wait(2)", await_child },         { "w-read", "read(2)", read_connection } };
enum { SYSV, SEMOP, POSIX, NAME, AT_PORT, OURS, MUTEX = OURS, CHILD, READ, WAITERS };
static pid_t waiter[WAITERS];

/* By name and call: seen from outside they have other numbers. */
static const struct ipw_probe_wait *wait_of(const struct ipw_probe *p, int which)
{
        const struct ipw_probe_wait *w;
        size_t n;

        w = ipw_probe_waits(p, &n);
        for (size_t i = 0; i < n; i++)
                if (strcmp(w[i].name, waiters[which].name) == 0 && strcmp(w[i].call, waiters[which].call) == 0)
                        return &w[i];
        fail_msg("%s is not seen to wait", waiters[which].name);
        return NULL;
}

static bool uses(const struct ipw_probe_object *o, pid_t pid)
{
        for (size_t i = 0; i < o->user_count; i++)
                if (o->users[i].pid == pid)
                        return true;
        return false;
}

static int how_many_map(const struct ipw_probe_object *o)
{
        int n = 0;

        for (size_t i = 0; i < o->user_count; i++)
                n += (o->users[i].how & IPW_USE_MAPS) != 0;
        return n;
}

static bool says(const struct ipw_probe *p, const char *words)
{
        const char *const *gaps;
        bool said = false;
        size_t n;

        gaps = ipw_probe_gaps(p, &n);
        for (size_t i = 0; i < n; i++)
                said |= strstr(gaps[i], words) != NULL;
        return said;
}

static const char *const shared_names[OURS] = { "mq+sysv:id=0", "sem+sysv:id=0", "mq:/ipcway-test-spaces", "unix:@ipcway-test-spaces",
                                                "tcp:127.0.0.1:4711" };

/* ---- from inside --------------------------------------------------------------------------------------------------------------------------------- */

static void look_from_inside(void)
{
        const struct ipw_probe_wait *w;
        struct ipw_probe *p = NULL;
        size_t hidden;

        for (int i = 0; i < WAITERS; i++) {
                ipw_probe_free(p);
                p = until(waiter[i], waiters[i].call);
        }
        assert_int_equal(ipw_probe_processes(p, &hidden), WAITERS + 2); /* this one, and a child of theirs */
        assert_int_equal(hidden, 0);
        for (int i = 0; i < OURS; i++)
                assert_true(uses(object_with(p, shared_names[i]), waiter[i]));
        assert_int_equal(how_many_map(object_with(p, "shm+sysv:id=0")), WAITERS + 2);
        w = wait_of(p, MUTEX);
        assert_int_equal(w->waker_count, 1);
        assert_int_equal(w->wakers[0], waiter[MUTEX]);
        assert_int_equal(wait_of(p, CHILD)->waker_count, 1);
        w = wait_of(p, READ);
        assert_int_equal(w->waker_count, 0); /* whoever it is, is outside */
        assert_int_equal(w->end, IPW_WAIT_OPEN);
        assert_true(says(p, "processes outside this pid namespace"));
        ipw_probe_free(p);
}

static void live_inside(int ready)
{
        const struct sockaddr_un address = named();

        own_proc();
        inner = make_things();
        connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(connection, (const void *)&address, sizeof(address)), 0);
        for (int i = 0; i < WAITERS; i++) {
                waiter[i] = fork_child();
                if (waiter[i] == 0) {
                        (void)prctl(PR_SET_NAME, waiters[i].name);
                        waiters[i].body();
                        _exit(1);
                }
        }
        look_from_inside();
        assert_int_equal(write(ready, "x", 1), 1);
        for (;;)
                (void)pause();
}

/* ---- from outside -------------------------------------------------------------------------------------------------------------------------------- */

static void look_from_outside(const struct ipw_probe *p)
{
        const struct ipw_probe_wait *w;

        for (int i = 0; i < OURS; i++) {
                w = wait_of(p, i);
                assert_int_equal(w->end, IPW_WAIT_OPEN);
                assert_false(uses(object_with(p, shared_names[i]), w->pid));
                for (size_t k = 0; k < w->waker_count; k++)
                        assert_int_not_equal(w->wakers[k], getpid()); /* who has ours */
        }
        assert_non_null(strstr(wait_of(p, SYSV)->object, "id=0 of another IPC namespace"));
        assert_non_null(strstr(wait_of(p, SEMOP)->object, "id=0 of another IPC namespace"));
        assert_int_equal(object_with(p, "mq:/ipcway-test-spaces")->users[0].pid, getpid());
        assert_int_equal(object_with(p, "mq:/ipcway-test-spaces")->user_count, 1);
        assert_int_equal(how_many_map(object_with(p, "shm+sysv:id=0")), 1);

        /* their own numbers of processes mean others here */
        w = wait_of(p, MUTEX);
        assert_non_null(strstr(w->text, "held by thread"));
        assert_int_equal(w->waker_count, 1);
        assert_int_equal(w->wakers[0], w->pid);
        w = wait_of(p, CHILD);
        assert_int_equal(w->waker_count, 1);
        assert_int_equal(ipw_probe_process(p, w->wakers[0])->parent, w->pid);

        /* a connection between both: the kernel lists both its ends inside alone, so of one who reads there it is not known who writes */
        w = wait_of(p, READ);
        assert_int_equal(w->waker_count, 0);
        assert_int_equal(w->end, IPW_WAIT_OPEN);
        assert_true(says(p, "sockets of other network namespaces"));
        assert_true(says(p, "System V objects of other IPC namespaces"));
}

static void live_outside(void)
{
        const struct sockaddr_un address = named();
        int ready[2], listener, accepted;
        struct ipw_probe *p;
        struct things outer;
        pid_t inside;
        char byte;

        own_proc();
        outer = make_things();
        listener = listen_at(AF_UNIX, &address, sizeof(address));
        assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
        people[0] = fork_child();
        if (people[0] == 0) {
                (void)mq_close(outer.posix);
                (void)shmdt(outer.memory);
                (void)close(outer.name);
                (void)close(outer.port);
                (void)close(listener);
                (void)close(ready[0]);
                own_machine(SPACES);
                inside = fork_first();
                if (inside == 0)
                        live_inside(ready[1]);
                (void)close(ready[1]);
                _exit(reap(inside));
        }
        (void)close(ready[1]);
        accepted = accept(listener, NULL, NULL);
        if (read(ready[0], &byte, 1) != 1)
                _exit(reap(people[0]));
        p = take();
        look_from_outside(p);
        ipw_probe_free(p);
        (void)close(accepted);
        _exit(0); /* and all that are inside end */
}

static void test_both(void **state)
{
        pid_t pid = fork_child();
        int status;

        if (pid == 0) {
                own_machine(SPACES);
                pid = fork_first();
                if (pid == 0)
                        live_outside();
                _exit(reap(pid));
        }
        status = reap(pid);
        clean();
        if (status == CANNOT)
                skip(); /* takes namespaces of one's own */
        assert_int_equal(status, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_both) };

        (void)snprintf(path, sizeof(path), "/tmp/ipcway-test-spaces-%d", (int)getpid());
        janitor_start(clean);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
