/* SPDX-License-Identifier: MIT */
/* signal: against programs that know only kill(2), sigqueue(3) and sigwaitinfo(2); masks of other threads; limits; numbers that are used again. */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "signal_name.h"
#include "talk.h"

static struct ipw_link *receive(const char *address)
{
        return talk_open(address, IPW_PULL);
}

static struct ipw_link *to(pid_t pid)
{
        char address[40];

        (void)snprintf(address, sizeof(address), "signal:%d", (int)pid);
        return talk_open(address, IPW_PUSH);
}

static ssize_t send_signal(struct ipw_link *out, int number, int value, int64_t timeout)
{
        struct ipw_signal s = { .number = number, .value = value };

        return talk_send(out, &s, sizeof(s), timeout);
}

static struct ipw_signal take_from(struct ipw_link *in, struct ipw_sender *sender)
{
        struct ipw_signal s = { 0 };
        struct ipw_message m = { .data = &s, .capacity = sizeof(s) };
        ssize_t n = ipw_recv(in, &m, IPW_MS(PATIENCE));

        if (n != sizeof(s)) {
                talk_says(in, "no signal at all");
                abort();
        }
        if (sender)
                *sender = m.flags & IPW_HAS_SENDER ? m.sender : (struct ipw_sender){ 0 };
        return s;
}

static void test_names(void **state)
{
        static const char *const none[] = { "", "SIG", "TERMS", "TER", "RTMIN-1", "RTMIN+", "RTMIN+99", "RTMAX+1", "RTMIN+1x", "9", "-9" };
        char text[16];
        int length;

        for (int n = 1; n <= SIGRTMAX; n++) {
                if (n == 32 || n == 33) {
                        assert_int_equal(signal_name(n, text, sizeof(text)), -EINVAL);
                        continue;
                }
                length = signal_name(n, text, sizeof(text));
                assert_int_equal(length, strlen(text));
                assert_int_equal(signal_number(text, strlen(text)), n);
                assert_int_equal(ipw_signal_number(text), n);
        }
        assert_int_equal(ipw_signal_name(0, text, sizeof(text)), -EINVAL);
        assert_int_equal(ipw_signal_name(65, text, sizeof(text)), -EINVAL);
        assert_int_equal(ipw_signal_number("SIGTERM"), SIGTERM);
        assert_int_equal(ipw_signal_number("sigusr1"), SIGUSR1);
        assert_int_equal(ipw_signal_number("IO"), SIGIO);
        assert_int_equal(ipw_signal_number("CLD"), SIGCHLD);
        assert_int_equal(ipw_signal_number("RTMAX-2"), SIGRTMAX - 2);
        for (size_t i = 0; i < COUNT_OF(none); i++)
                assert_int_equal(ipw_signal_number(none[i]), -EINVAL);
}

static void test_refusals(void **state)
{
        talk_refuse("signal:", IPW_PULL, EINVAL, "signal:PID");
        talk_refuse("signal:KILL", IPW_PULL, EINVAL, "no process can");
        talk_refuse("signal:USR1,STOP", IPW_PULL, EINVAL, "STOP");
        talk_refuse("signal:SEGV", IPW_PULL, EINVAL, "sigaltstack");
        talk_refuse("signal:USR1,,USR2", IPW_PULL, EINVAL, "kill -l");
        talk_refuse("signal:USR3", IPW_PULL, EINVAL, "USR3");
        talk_refuse("signal:USR1#x", IPW_PULL, EINVAL, "#");
        talk_refuse("signal:USR1", IPW_PUSH, EOPNOTSUPP, "signal:PID");
        talk_refuse("signal:1", IPW_PULL, EOPNOTSUPP, "signal:INT");
        talk_refuse("signal:0", IPW_PUSH, EINVAL, "1 to");
        talk_refuse("signal:1x", IPW_PUSH, EINVAL, "process id");
        talk_refuse("signal:99999999999", IPW_PUSH, EINVAL, "1 to");
        talk_refuse("signal:2147483647", IPW_PUSH, ESRCH, "no such process");
        talk_refuse("signal:URG", IPW_PULL, EINVAL, "pthread_sigmask"); /* not blocked in this program */
}

static void test_capabilities(void **state)
{
        static const struct {
                const char *address;
                uint32_t has, has_not;
        } rows[] = {
                { "signal:USR1", 0, IPW_CAP_RELIABLE | IPW_CAP_ORDERED },
                { "signal:RTMIN+1,USR1", 0, IPW_CAP_RELIABLE | IPW_CAP_ORDERED },
                { "signal:RTMIN+1,RTMIN+2", IPW_CAP_RELIABLE, IPW_CAP_ORDERED },
                { "signal:RTMIN+1", IPW_CAP_RELIABLE | IPW_CAP_ORDERED, IPW_CAP_ENDS },
                { "signal:1", IPW_CAP_ENDS | IPW_CAP_TIMED_BY_POLLING, IPW_CAP_POLL },
        };
        struct ipw_caps caps;
        struct ipw_why why;

        for (size_t i = 0; i < COUNT_OF(rows); i++) {
                assert_int_equal(ipw_describe(rows[i].address, &caps, &why), 0);
                assert_int_equal(caps.flags & (rows[i].has | rows[i].has_not), rows[i].has);
                assert_int_equal(caps.max_msg, sizeof(struct ipw_signal));
        }
}

/* From the kernel's own calls: what each says of its sender. */
static void test_plain_senders(void **state)
{
        struct ipw_link *in = receive("signal:USR1,USR2,RTMIN+1");
        struct ipw_sender sender;
        struct ipw_signal s;

        talk_nothing(in, EAGAIN);
        assert_int_equal(kill(getpid(), SIGUSR1), 0);
        s = take_from(in, &sender);
        assert_int_equal(s.number, SIGUSR1);
        assert_int_equal(s.code, SI_USER);
        assert_int_equal(s.pid, getpid());
        assert_int_equal(s.uid, getuid());
        assert_int_equal(sender.source, 2);
        assert_int_equal(sender.pid, getpid());

        assert_int_equal(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = -7 }), 0);
        s = take_from(in, &sender);
        assert_int_equal(s.number, SIGRTMIN + 1);
        assert_int_equal(s.code, SI_QUEUE);
        assert_int_equal(s.value, -7);
        assert_int_equal(sender.source, 1); /* the sender could have written anything */

        assert_int_equal(raise(SIGUSR2), 0);
        s = take_from(in, &sender);
        assert_int_equal(s.number, SIGUSR2);
        assert_int_equal(s.code, SI_TKILL);
        assert_int_equal(sender.source, 2);
        talk_nothing(in, EAGAIN);
        (void)ipw_close(in);
}

/* To sigwaitinfo(2). */
static void test_plain_receiver(void **state)
{
        struct ipw_link *out = to(getpid());
        siginfo_t info;
        sigset_t set;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGUSR1);
        (void)sigaddset(&set, SIGRTMIN + 1);
        assert_int_equal(send_signal(out, SIGUSR1, 0, 0), sizeof(struct ipw_signal));
        assert_int_equal(sigwaitinfo(&set, &info), SIGUSR1);
        assert_int_equal(info.si_code, SI_USER); /* the kernel says who */
        assert_int_equal(info.si_pid, getpid());
        assert_int_equal(send_signal(out, SIGUSR1, 5, 0), sizeof(struct ipw_signal));
        assert_int_equal(sigwaitinfo(&set, &info), SIGUSR1);
        assert_int_equal(info.si_code, SI_QUEUE);
        assert_int_equal(info.si_value.sival_int, 5);
        assert_int_equal(send_signal(out, SIGRTMIN + 1, 0, 0), sizeof(struct ipw_signal));
        assert_int_equal(sigwaitinfo(&set, &info), SIGRTMIN + 1);
        assert_int_equal(info.si_code, SI_QUEUE);
        assert_int_equal(info.si_pid, getpid());
        assert_int_equal(info.si_uid, getuid());
        (void)ipw_close(out);
}

static void test_bad_messages(void **state)
{
        struct ipw_link *out = to(getpid()), *in = receive("signal:USR1");
        char small[4];
        struct ipw_message m = { .data = small, .capacity = sizeof(small) };

        assert_int_equal(talk_send(out, "TERM", 4, 0), -EMSGSIZE);
        talk_says(out, "ipcway signal send");
        assert_int_equal(send_signal(out, 32, 0, 0), -EINVAL);
        talk_says(out, "C library");
        assert_int_equal(send_signal(out, 65, 0, 0), -EINVAL);
        assert_int_equal(send_signal(out, -1, 0, 0), -EINVAL);
        assert_int_equal(send_signal(out, 0, 0, 0), sizeof(struct ipw_signal)); /* only asks */
        talk_nothing(in, EAGAIN);
        assert_int_equal(send_signal(out, SIGUSR1, 3, 0), sizeof(struct ipw_signal));
        assert_int_equal(ipw_recv(in, &m, 0), -EMSGSIZE);
        assert_int_equal(m.size, sizeof(struct ipw_signal));
        assert_int_equal(take_from(in, NULL).value, 3);
        (void)ipw_close(out);
        (void)ipw_close(in);
}

/* Standard ones are one while they wait; real-time ones are all there, the lower number first. */
static void test_merge_and_queue(void **state)
{
        struct ipw_link *out = to(getpid()), *in = receive("signal:USR1,RTMIN+1,RTMIN+2");

        for (int i = 0; i < 5; i++) {
                assert_int_equal(send_signal(out, SIGUSR1, 0, 0), sizeof(struct ipw_signal));
                assert_int_equal(send_signal(out, SIGRTMIN + 2, i, 0), sizeof(struct ipw_signal));
                assert_int_equal(send_signal(out, SIGRTMIN + 1, i, 0), sizeof(struct ipw_signal));
        }
        assert_int_equal(take_from(in, NULL).number, SIGUSR1);
        for (int number = 1; number <= 2; number++)
                for (int i = 0; i < 5; i++) {
                        struct ipw_signal s = take_from(in, NULL);

                        assert_int_equal(s.number, SIGRTMIN + number);
                        assert_int_equal(s.value, i);
                }
        talk_nothing(in, EAGAIN);
        (void)ipw_close(out);
        (void)ipw_close(in);
}

enum { MANY = 10000 };

/* 10,000 with values, through a limit far below: each once, in order, none lost. */
static void test_ten_thousand(void **state)
{
        struct ipw_link *in = receive("signal:RTMIN+1"), *out;
        pid_t parent = getpid(), pid = fork_child();

        if (pid == 0) {
                out = to(parent);
                for (int i = 0; i < MANY; i++)
                        CHILD_CHECK(send_signal(out, SIGRTMIN + 1, i, IPW_FOREVER) == sizeof(struct ipw_signal));
                CHILD_CHECK(ipw_close(out) == 0);
                _exit(0);
        }
        for (int i = 0; i < MANY; i++)
                assert_int_equal(take_from(in, NULL).value, i);
        assert_int_equal(reap(pid), 0);
        talk_nothing(in, EAGAIN);
        assert_int_equal(talk_stats(in).received, MANY);
        (void)ipw_close(in);
}

/* In a child, whose limit goes with it. Queued signals count per user, so only what is refused is certain, not when. */
static void check_limit(void)
{
        struct rlimit limit = { 0, 0 };
        struct ipw_link *in = receive("signal:RTMIN+1,USR1"), *out = to(getpid());
        struct ipw_signal s;
        struct ipw_message m = { .data = &s, .capacity = sizeof(s) };

        CHILD_CHECK(setrlimit(RLIMIT_SIGPENDING, &limit) == 0);
        CHILD_CHECK(send_signal(out, SIGRTMIN + 1, 1, 0) == -EAGAIN);
        talk_says(out, "RLIMIT_SIGPENDING");
        CHILD_CHECK(send_signal(out, SIGRTMIN + 1, 1, IPW_MS(5)) == -ETIMEDOUT);
        talk_says(out, "RLIMIT_SIGPENDING");
        CHILD_CHECK(ipw_recv(in, &m, 0) == -EAGAIN);               /* refused is not delivered */
        CHILD_CHECK(send_signal(out, SIGUSR1, 0, 0) == sizeof(s)); /* a standard one always gets through */
        CHILD_CHECK(ipw_recv(in, &m, 0) == sizeof(s) && s.number == SIGUSR1);
        _exit(0);
}

static void test_limit(void **state)
{
        pid_t pid = fork_child();

        if (pid == 0)
                check_limit();
        assert_int_equal(reap(pid), 0);
}

/* ---- masks ------------------------------------------------------------------------------------------------------------------------- */

static sem_t there, over;

static void *with_open_mask(void *argument)
{
        sigset_t set;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, *(int *)argument);
        (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
        (void)sem_post(&there);
        while (sem_wait(&over) < 0)
                ;
        return NULL;
}

static void test_masks(void **state)
{
        static int numbers[] = { 0, 0 };
        pthread_t thread;

        numbers[0] = SIGUSR2;
        numbers[1] = SIGRTMIN + 1;
        for (size_t i = 0; i < COUNT_OF(numbers); i++) {
                assert_int_equal(sem_init(&there, 0, 0) | sem_init(&over, 0, 0), 0);
                assert_int_equal(pthread_create(&thread, NULL, with_open_mask, &numbers[i]), 0);
                while (sem_wait(&there) < 0)
                        ;
                talk_refuse("signal:USR1,USR2,RTMIN+1", IPW_PULL, EINVAL, i ? "SIGRTMIN+1" : "SIGUSR2");
                (void)ipw_close(receive("signal:USR1")); /* that one is blocked everywhere */
                (void)sem_post(&over);
                assert_int_equal(pthread_join(thread, NULL), 0);
        }
        (void)ipw_close(receive("signal:USR1,USR2,RTMIN+1"));
}

/* A process with very many groups has a long status file, and its masks far behind. */
static void test_long_status(void **state)
{
        gid_t groups[3000];
        pid_t pid;

        if (geteuid() != 0)
                skip();
        pid = fork_child();
        if (pid == 0) {
                struct ipw_link *in = NULL;
                struct ipw_why why;

                for (unsigned i = 0; i < COUNT_OF(groups); i++)
                        groups[i] = 100000 + i;
                CHILD_CHECK(syscall(SYS_setgroups, COUNT_OF(groups), groups) == 0);
                CHILD_CHECK(ipw_open(&in, "signal:USR1", IPW_PULL, 0, &why) == 0);
                CHILD_CHECK(ipw_close(in) == 0);
                CHILD_CHECK(ipw_open(&in, "signal:URG", IPW_PULL, 0, &why) == -EINVAL);
                _exit(0);
        }
        assert_int_equal(reap(pid), 0);
}

/* The library changes neither mask nor handler: a program that is started has those from before. */
static void test_nothing_changes(void **state)
{
        sigset_t before, after;
        struct sigaction old, now;
        struct ipw_link *in;

        (void)pthread_sigmask(SIG_SETMASK, NULL, &before);
        (void)sigaction(SIGUSR1, NULL, &old);
        in = receive("signal:USR1,INT");
        (void)pthread_sigmask(SIG_SETMASK, NULL, &after);
        (void)sigaction(SIGUSR1, NULL, &now);
        for (int n = 1; n <= SIGRTMAX; n++)
                assert_int_equal(sigismember(&before, n), sigismember(&after, n));
        assert_ptr_equal(old.sa_handler, now.sa_handler);
        (void)ipw_close(in);
}

static void test_ignored_child(void **state)
{
        (void)signal(SIGCHLD, SIG_IGN);
        talk_refuse("signal:CHLD", IPW_PULL, EINVAL, "SIG_DFL");
        (void)signal(SIGCHLD, SIG_DFL);
        (void)ipw_close(receive("signal:CHLD"));
}

/* SIGCHLD as a message says what became of the child, and leaves it to be reaped. */
static void test_child_signal(void **state)
{
        struct ipw_link *in = receive("signal:CHLD");
        struct ipw_signal s;
        pid_t pid = fork_child();

        if (pid == 0)
                _exit(9);
        do
                s = take_from(in, NULL);
        while (s.pid != pid);
        assert_int_equal(s.number, SIGCHLD);
        assert_int_equal(s.code, CLD_EXITED);
        assert_int_equal(s.status, 9);
        assert_int_equal(reap(pid), 9);
        (void)ipw_close(in);
}

/* ---- the other process ------------------------------------------------------------------------------------------------------------- */

static void sleep_for_ever(void)
{
        for (;;)
                (void)pause();
}

static void test_gone(void **state)
{
        struct ipw_link *out;
        pid_t pid = fork_child();
        siginfo_t info;

        if (pid == 0)
                sleep_for_ever();
        out = to(pid);
        assert_int_equal(send_signal(out, SIGKILL, 0, 0), sizeof(struct ipw_signal));
        assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
        assert_int_equal(send_signal(out, SIGTERM, 0, 0), -EPIPE); /* dead, not reaped: kill(2) would say that all is well */
        talk_says(out, "has ended");
        assert_int_equal(reap(pid), -SIGKILL);
        assert_int_equal(send_signal(out, SIGTERM, 0, 0), -EPIPE);
        assert_int_equal(send_signal(out, SIGRTMIN + 1, 4, IPW_FOREVER), -EPIPE);
        (void)ipw_close(out);
}

static void test_stop_and_continue(void **state)
{
        struct ipw_link *out;
        pid_t pid = fork_child();
        siginfo_t info;

        if (pid == 0)
                sleep_for_ever();
        out = to(pid);
        assert_int_equal(send_signal(out, SIGSTOP, 0, 0), sizeof(struct ipw_signal));
        assert_int_equal(waitid(P_PID, (id_t)pid, &info, WSTOPPED), 0);
        assert_int_equal(send_signal(out, SIGCONT, 0, 0), sizeof(struct ipw_signal));
        assert_int_equal(waitid(P_PID, (id_t)pid, &info, WCONTINUED), 0);
        assert_int_equal(send_signal(out, SIGTERM, 0, 0), sizeof(struct ipw_signal));
        assert_int_equal(reap(pid), -SIGTERM);
        (void)ipw_close(out);
}

static void test_foreign(void **state)
{
        struct ipw_link *out;
        pid_t pid;

        if (geteuid() != 0)
                skip();
        pid = fork_child();
        if (pid == 0) {
                pid_t parent = getppid();

                become(65534);
                out = to(parent);
                CHILD_CHECK(send_signal(out, SIGUSR1, 0, 0) == -EPERM);
                talk_says(out, "another user");
                _exit(0);
        }
        assert_int_equal(reap(pid), 0);
}

/*
 * In a namespace of process ids of its own: its next process gets the number that is told to it. The first bearer of a number is dead and reaped, a second one
 * has it, and the link to the first still hits nobody.
 */
static int reuse_number(void *argument)
{
        struct ipw_link *out;
        pid_t first = fork(), second;
        siginfo_t info;
        char text[16];
        int fd;

        if (first == 0)
                sleep_for_ever();
        out = to(first);
        CHILD_CHECK(kill(first, SIGKILL) == 0 && waitpid(first, NULL, 0) == first);
        fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return 77;
        CHILD_CHECK(write(fd, text, (size_t)snprintf(text, sizeof(text), "%d", (int)first - 1)) > 0);
        second = fork();
        if (second == 0)
                sleep_for_ever();
        CHILD_CHECK(second == first);
        CHILD_CHECK(send_signal(out, SIGKILL, 0, 0) == -EPIPE);
        CHILD_CHECK(send_signal(out, SIGRTMIN + 1, 1, IPW_MS(20)) == -EPIPE);
        CHILD_CHECK(kill(second, 0) == 0 && waitpid(second, NULL, WNOHANG) == 0);
        CHILD_CHECK(kill(second, SIGKILL) == 0 && waitid(P_PID, (id_t)second, &info, WEXITED) == 0);
        return 0;
}

static void test_number_used_again(void **state)
{
        static char stack[1 << 18] __attribute__((aligned(16)));
        int status;
        pid_t pid;

        pid = clone(reuse_number, stack + sizeof(stack), CLONE_NEWPID | SIGCHLD, NULL);
        if (pid < 0)
                skip(); /* needs root */
        status = reap(pid);
        if (status == 77)
                skip(); /* the kernel cannot be told the next number: CONFIG_CHECKPOINT_RESTORE */
        assert_int_equal(status, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_capabilities),
                cmocka_unit_test(test_plain_senders),
                cmocka_unit_test(test_plain_receiver),
                cmocka_unit_test(test_bad_messages),
                cmocka_unit_test(test_merge_and_queue),
                cmocka_unit_test(test_ten_thousand),
                cmocka_unit_test(test_limit),
                cmocka_unit_test(test_masks),
                cmocka_unit_test(test_long_status),
                cmocka_unit_test(test_nothing_changes),
                cmocka_unit_test(test_ignored_child),
                cmocka_unit_test(test_child_signal),
                cmocka_unit_test(test_gone),
                cmocka_unit_test(test_stop_and_continue),
                cmocka_unit_test(test_foreign),
                cmocka_unit_test(test_number_used_again),
        };
        static const int received[] = { SIGUSR1, SIGUSR2, SIGINT, SIGCHLD };
        sigset_t set;

        (void)sigemptyset(&set);
        for (size_t i = 0; i < COUNT_OF(received); i++)
                (void)sigaddset(&set, received[i]);
        for (int n = SIGRTMIN; n <= SIGRTMAX; n++)
                (void)sigaddset(&set, n);
        (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
