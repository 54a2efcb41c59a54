/* SPDX-License-Identifier: MIT */
/* How users of a ring wait: how often they look, what stops them, and what a loop of their own is told while somebody else is in the way. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "ring.h"
#include "seam.h"
#include "talk.h"

static char name[60], address[80];

static void clean(void)
{
        (void)shm_unlink(name);
}

static int finish(void **state)
{
        clean();
        return 0;
}

static ssize_t send_one(struct ipw_link *l)
{
        return ipw_send(l, &(struct ipw_message){ .data = (char[]){ "hello" }, .size = 5 }, 0);
}

static ssize_t recv_one(struct ipw_link *l, int64_t timeout)
{
        char data[100];

        return ipw_recv(l, &(struct ipw_message){ .data = data, .capacity = sizeof(data) }, timeout);
}

/* ---- how often it looks ----------------------------------------------------------------------------------------------------------------------- */

static atomic_uint sleeps, others;

static int before_call(struct sys_call *call)
{
        (void)atomic_fetch_add(strcmp(call->site->call, "futex") == 0 ? &sleeps : &others, 1);
        return 0;
}

static void after_call(struct sys_call *call)
{
}

/* Ten times a second, wakeable or not; and each look is a few calls, without looking again and again first. */
static void test_idle(void **state)
{
        static const struct sys_hook hook = { before_call, after_call };
        static const unsigned how[] = { 0, IPW_WAKEABLE };

        for (size_t i = 0; i < COUNT_OF(how); i++) {
                struct ipw_link *out = talk_open(address, IPW_PUSH), *in = talk_open(address, IPW_PULL | how[i]);

                (void)recv_one(in, IPW_MS(120)); /* it looks again and again, once */
                sleeps = others = 0;
                sys_hook = &hook;
                assert_int_equal(recv_one(in, IPW_MS(350)), -ETIMEDOUT);
                sys_hook = NULL;
                assert_in_range(sleeps, 1, 5);
                assert_in_range(others, 1, 2000); /* most are of the first look: sched_yield(2) for spin= */
                sleeps = others = 0;
                (void)ipw_close(in);
                (void)ipw_close(out);
        }
}

/* ---- what stops it ---------------------------------------------------------------------------------------------------------------------------- */

static struct ipw_link *alarmed;

static void on_alarm(int number)
{
        (void)ipw_interrupt(alarmed);
}

/* From a signal handler, whenever it comes; a wait that lasts is stopped all the same. */
static void test_interrupt_from_a_handler(void **state)
{
        struct sigaction on = { .sa_handler = on_alarm, .sa_flags = SA_RESTART }, was;
        struct itimerval soon = { .it_value.tv_usec = 20000 };

        alarmed = talk_open(address, IPW_PULL | IPW_WAKEABLE);
        assert_int_equal(sigaction(SIGALRM, &on, &was), 0);
        assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
        assert_int_equal(recv_one(alarmed, IPW_FOREVER), -ECANCELED);
        assert_int_equal(sigaction(SIGALRM, &was, NULL), 0);
        assert_int_equal(recv_one(alarmed, IPW_MS(1)), -ETIMEDOUT); /* once */
        (void)ipw_close(alarmed);
}

struct sleeper {
        struct ipw_link *link;
        _Atomic pid_t thread;
        ssize_t result;
};

static void *sleep_there(void *context)
{
        struct sleeper *s = context;

        atomic_store(&s->thread, (pid_t)syscall(SYS_gettid));
        s->result = recv_one(s->link, IPW_FOREVER);
        return NULL;
}

/* By the wake and not by the end of a slice: which call it sleeps in is known, and that there was one. */
static void test_interrupt_wakes(void **state)
{
        static const struct sys_hook hook = { before_call, after_call };
        struct sleeper s = { .link = talk_open(address, IPW_PULL | IPW_WAKEABLE) };
        struct ipw_link *other = talk_open(address, IPW_PULL | IPW_WAKEABLE);
        char path[60], state_of;
        pthread_t thread;
        int looks = 0;

        sleeps = 0;
        sys_hook = &hook;
        assert_int_equal(pthread_create(&thread, NULL, sleep_there, &s), 0);
        while (!atomic_load(&s.thread))
                look_again(&looks, "a thread");
        (void)snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)s.thread);
        while (!sleeps || (state_of = state_in(path)) != 'S')
                look_again(&looks, "a thread that sleeps");
        assert_int_equal(ipw_interrupt(s.link), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        sys_hook = NULL;
        assert_int_equal(s.result, -ECANCELED);
        assert_int_equal(recv_one(other, IPW_MS(1)), -ETIMEDOUT); /* another handle is not meant */
        (void)ipw_close(other);
        (void)ipw_close(s.link);
}

/* ---- a loop of its own, while another holds the lock ------------------------------------------------------------------------------------------- */

static struct image *map(void)
{
        int fd = shm_open(name, O_RDWR, 0);
        struct stat st;
        void *p;

        assert_true(fd >= 0);
        assert_int_equal(fstat(fd, &st), 0);
        p = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        assert_true(p != MAP_FAILED);
        (void)close(fd);
        return p;
}

static struct ring_words *words_of(struct image *i)
{
        struct ring_shape s;
        const char *what;

        assert_int_equal(ring_check(i, i->size, &s, &what), 0);
        return (struct ring_words *)((char *)i + s.words[0]);
}

static int is_ready(struct ipw_link *l, unsigned direction, int ms)
{
        struct pollfd p;

        assert_int_equal(ipw_pollfd(l, direction, &p), 0);
        return poll(&p, 1, ms);
}

static int polled(struct pollfd p, int ms)
{
        return poll(&p, 1, ms);
}

/* A child that has a place, holds the lock of its side, and is stopped there. It goes on to let go of it, by a send or receive of its own. */
static pid_t start_holder(struct image *i, unsigned role)
{
        struct ring_words *w = words_of(i);
        pid_t pid = fork_child();

        if (pid == 0) {
                struct ipw_link *l = talk_open(address, role);
                shared64 *lock = role == IPW_PUSH ? &w->writer : &w->reader;
                uint32_t mine = 0;

                while (load_relaxed(&ring_slot(i, mine)->pid) != (uint32_t)getpid())
                        mine++;
                store_release(lock, ring_owner(mine, load_relaxed(&ring_slot(i, mine)->epoch)));
                (void)raise(SIGSTOP);
                store_release(lock, 0);
                CHILD_CHECK((role == IPW_PUSH ? send_one(l) : recv_one(l, 0)) == 5);
                for (;;)
                        (void)pause();
        }
        assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
        return pid;
}

static void end(pid_t pid)
{
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(reap(pid), -SIGKILL);
}

/* Silent while it is in the way, though messages are there; ready when it has let go, and when it has died. */
static void test_poll_behind_a_receiver(void **state)
{
        struct ipw_link *out = talk_open(address, IPW_PUSH), *in = talk_open(address, IPW_PULL);
        struct image *i = map();
        struct pollfd p;
        pid_t pid;

        for (int n = 0; n < 5; n++)
                assert_int_equal(send_one(out), 5);
        pid = start_holder(i, IPW_PULL);
        assert_int_equal(ipw_pollfd(in, IPW_RECV, &p), 0);
        assert_int_equal(recv_one(in, 0), -EAGAIN);
        assert_int_equal(polled(p, 0), 0);
        assert_int_equal(send_one(out), 5); /* more of them change nothing */
        assert_int_equal(polled(p, 0), 0);
        assert_int_equal(kill(pid, SIGCONT), 0);
        assert_int_equal(polled(p, PATIENCE), 1);
        assert_int_equal(recv_one(in, 0), 5);
        end(pid);

        pid = start_holder(i, IPW_PULL);
        assert_int_equal(recv_one(in, 0), -EAGAIN);
        assert_int_equal(polled(p, 0), 0);
        end(pid);
        assert_int_equal(polled(p, PATIENCE), 1);
        while (recv_one(in, 0) != 5) /* it may be ready for nothing, but not silent */
                assert_int_equal(polled(p, PATIENCE), 1);

        pid = start_holder(i, IPW_PULL); /* dead before anybody tries */
        end(pid);
        while (recv_one(in, 0) != 5)
                assert_int_equal(polled(p, PATIENCE), 1);
        (void)munmap(i, i->size);
        (void)ipw_close(in);
        (void)ipw_close(out);
}

static void test_poll_behind_a_sender(void **state)
{
        struct ipw_link *in = talk_open(address, IPW_PULL), *out = talk_open(address, IPW_PUSH);
        struct image *i = map();
        struct pollfd p;
        pid_t pid = start_holder(i, IPW_PUSH);

        assert_int_equal(ipw_pollfd(out, IPW_SEND, &p), 0);
        assert_int_equal(polled(p, 0), 1); /* there is room */
        assert_int_equal(send_one(out), -EAGAIN);
        assert_int_equal(polled(p, 0), 0);
        assert_int_equal(kill(pid, SIGCONT), 0);
        assert_int_equal(polled(p, PATIENCE), 1);
        assert_int_equal(send_one(out), 5);
        end(pid);
        (void)munmap(i, i->size);
        (void)ipw_close(out);
        (void)ipw_close(in);
}

/* A sender that dies is never missed, however shortly before somebody has looked. */
static void test_poll_sees_the_end(void **state)
{
        for (int round = 0; round < 20; round++) {
                struct ipw_link *in = NULL;
                struct pollfd p;
                ssize_t r;
                pid_t pid;
                int go[2];
                char byte;

                assert_int_equal(pipe(go), 0);
                pid = fork_child();
                if (pid == 0) {
                        struct ipw_link *out = talk_open(address, IPW_PUSH);

                        CHILD_CHECK(send_one(out) == 5 && write(go[1], "x", 1) == 1);
                        for (;;)
                                (void)pause();
                }
                assert_int_equal(read(go[0], &byte, 1), 1);
                {
                        char text[100];

                        (void)snprintf(text, sizeof(text), "%s?until=last", address);
                        in = talk_open(text, IPW_PULL);
                }
                assert_int_equal(ipw_pollfd(in, IPW_RECV, &p), 0);
                assert_int_equal(recv_one(in, 0), 5);
                assert_int_equal(recv_one(in, 0), -EAGAIN); /* it has just been asked for */
                end(pid);
                while ((r = recv_one(in, 0)) == -EAGAIN)
                        assert_int_equal(polled(p, PATIENCE), 1);
                assert_int_equal(r, -EPIPE);
                assert_int_equal(is_ready(in, IPW_RECV, 0), 1);
                (void)ipw_close(in);
                (void)close(go[0]);
                (void)close(go[1]);
                clean();
        }
}

static int fail_epoll(struct sys_call *call)
{
        call->result = -EMFILE;
        return strcmp(call->site->call, "epoll_create1") == 0;
}

/* What could not be made is asked for again, and is then whole. */
static void test_pollfd_that_failed(void **state)
{
        static const struct sys_hook hook = { fail_epoll, after_call };
        struct ipw_link *in = talk_open(address, IPW_PULL), *out = talk_open(address, IPW_PUSH);
        int before = open_descriptors();
        struct pollfd p;

        sys_hook = &hook;
        assert_int_equal(ipw_pollfd(in, IPW_RECV, &p), -EMFILE);
        sys_hook = NULL;
        assert_int_equal(open_descriptors(), before);
        assert_int_equal(is_ready(in, IPW_RECV, 0), 0);
        assert_int_equal(send_one(out), 5);
        assert_int_equal(is_ready(in, IPW_RECV, PATIENCE), 1);
        (void)ipw_close(in);
        (void)ipw_close(out);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_idle, finish),
                cmocka_unit_test_teardown(test_interrupt_from_a_handler, finish),
                cmocka_unit_test_teardown(test_interrupt_wakes, finish),
                cmocka_unit_test_teardown(test_poll_behind_a_receiver, finish),
                cmocka_unit_test_teardown(test_poll_behind_a_sender, finish),
                cmocka_unit_test_teardown(test_poll_sees_the_end, finish),
                cmocka_unit_test_teardown(test_pollfd_that_failed, finish),
        };

        (void)snprintf(name, sizeof(name), "/ipcway-wait-%d", (int)getpid());
        (void)snprintf(address, sizeof(address), "shm:%s", name);
        janitor_start(clean);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
