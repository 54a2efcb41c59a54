/* SPDX-License-Identifier: MIT */
/*
 * Rings where the machine is not as one would wish: no room, limits, other owners, objects that are taken away, users in another pid namespace. Each case is a
 * child, in namespaces of its own where it needs such. What cannot be made here (a user namespace may be forbidden) is skipped.
 */
#include <dirent.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <time.h>

#include "own_machine.h"
#include "ring.h"
#include "sanitized.h"
#include "talk.h"
#include "without.h"

#include <ipcway/probe.h>

enum { OTHER = 65534, ANOTHER = 65533, SIZE = 100 };

static char folder[60], file[80], shm_name[60], address[3][120];
static key_t key;
static const char *const kinds[] = { "shm", "shm+file", "shm+sysv" };

static void clean(void)
{
        (void)shm_unlink(shm_name);
        for (int i = 0; i < 3; i++)
                (void)ipw_remove(address[i], NULL);
        (void)unlink(file);
        (void)shmctl(shmget(key, 0, 0), IPC_RMID, NULL);
}

static void clean_all(void)
{
        clean();
        (void)rmdir(folder);
}

static ssize_t send_one(struct ipw_link *l, int64_t timeout)
{
        char data[SIZE] = "hello";

        return ipw_send(l, &(struct ipw_message){ .data = data, .size = SIZE }, timeout);
}

static ssize_t recv_one(struct ipw_link *l, int64_t timeout)
{
        char data[SIZE];

        return ipw_recv(l, &(struct ipw_message){ .data = data, .capacity = SIZE }, timeout);
}

static const char *with(int kind, const char *options)
{
        static char text[400];

        (void)snprintf(text, sizeof(text), "%s%s", address[kind], options);
        return text;
}

/* Opening fails so, says that, and leaves nothing. */
#define REFUSED(kind, options, how, error, word)                                                        \
        do {                                                                                            \
                struct ipw_link *l_ = NULL;                                                             \
                struct ipw_why why_ = { 0 };                                                            \
                int before_ = open_descriptors(), r_;                                                   \
                                                                                                        \
                r_ = ipw_open(&l_, with(kind, options), how, 0, &why_);                                 \
                if (r_ != -(error) || !strstr(why_.text, word)) {                                       \
                        (void)fprintf(stderr, "%s: says %d, %s\n", with(kind, options), r_, why_.text); \
                        _exit(1);                                                                       \
                }                                                                                       \
                CHILD_CHECK(!l_ && open_descriptors() == before_);                                      \
        } while (0)

static int entries(const char *path)
{
        DIR *d = opendir(path);
        int n = 0;

        for (struct dirent *e; d && (e = readdir(d));)
                n += e->d_name[0] != '.' || (e->d_name[1] && e->d_name[1] != '.');
        if (d)
                (void)closedir(d);
        return n;
}

static bool is_there(int kind)
{
        char path[120];

        if (kind != 0)
                return kind == 1 ? access(file, F_OK) == 0 : shmget(key, 0, 0) >= 0;
        (void)snprintf(path, sizeof(path), "/dev/shm%s", shm_name);
        return access(path, F_OK) == 0;
}

/* The whole case in a child. */
static void in_child(void (*body)(void))
{
        pid_t pid = fork_child();
        int status;

        if (pid == 0) {
                body();
                _exit(0);
        }
        status = reap(pid);
        clean();
        if (status == CANNOT)
                skip();
        assert_int_equal(status, 0);
}

/* ---- no room ------------------------------------------------------------------------------------------------------------------------------------ */

/* Every byte of it is there: all that fits is sent, over its end and again, and read back. */
static void use_up(int kind)
{
        struct ipw_link *out = talk_open(with(kind, "?size=256K"), IPW_PUSH), *in = talk_open(address[kind], IPW_PULL);

        for (int round = 0; round < 3; round++) {
                int sent = 0;

                while (send_one(out, 0) == SIZE)
                        sent++;
                CHILD_CHECK(sent > 2000);
                for (; sent; sent--)
                        CHILD_CHECK(recv_one(in, 0) == SIZE);
        }
        CHILD_CHECK(ipw_close(in) == 0 && ipw_close(out) == 0);
}

static void small_shm(void)
{
        own_machine(CLONE_NEWNS);
        if (mount("ipcway-test", "/dev/shm", "tmpfs", 0, "size=1M") < 0)
                _exit(CANNOT);
        (void)snprintf(address[1], sizeof(address[1]), "shm+file:/dev/shm/ring");
        REFUSED(0, "", IPW_PUSH, ENOSPC, "df /dev/shm"); /* 1M and its head */
        REFUSED(1, "", IPW_PUSH, ENOSPC, "df shows it");
        CHILD_CHECK(entries("/dev/shm") == 0);
        use_up(0);
        use_up(1);
        REFUSED(0, "x?size=768K", IPW_PULL, ENOSPC, "df /dev/shm");
        CHILD_CHECK(entries("/dev/shm") == 2);
        CHILD_CHECK(ipw_remove(address[0], NULL) == 0 && ipw_remove(address[1], NULL) == 0);
        CHILD_CHECK(entries("/dev/shm") == 0);
}

static void test_full_shm(void **state)
{
        in_child(small_shm);
}

static void small_sysv(void)
{
        own_machine(CLONE_NEWIPC);
        write_to("/proc/sys/kernel/shmall", "256"); /* pages */
        REFUSED(2, "", IPW_PUSH, ENOSPC, "kernel.shmall");
        CHILD_CHECK(!is_there(2));
        use_up(2);
        CHILD_CHECK(ipw_remove(address[2], NULL) == 0);
        write_to("/proc/sys/kernel/shmmax", "65536");
        REFUSED(2, "", IPW_PUSH, EINVAL, "kernel.shmmax");
        CHILD_CHECK(!is_there(2));
}

static void test_full_sysv(void **state)
{
        in_child(small_sysv);
}

/* ---- limits of the process --------------------------------------------------------------------------------------------------------------------- */

static void limit(int which, rlim_t value)
{
        struct rlimit l;

        CHILD_CHECK(getrlimit((__rlimit_resource_t)which, &l) == 0);
        l.rlim_cur = value;
        CHILD_CHECK(setrlimit((__rlimit_resource_t)which, &l) == 0);
}

static void few_descriptors(int kind)
{
        int refused = 0, opened = 0;

        for (rlim_t n = 3; !opened; n++) {
                struct ipw_why why = { 0 };
                struct ipw_link *l = NULL;
                int r, before = open_descriptors();

                limit(RLIMIT_NOFILE, n);
                r = ipw_open(&l, address[kind], IPW_PUSH | IPW_FRESH, 0, &why);
                limit(RLIMIT_NOFILE, 256);
                CHILD_CHECK(r == 0 || (r == -EMFILE && why.text[0]));
                opened += r == 0;
                refused += r < 0;
                CHILD_CHECK(ipw_close(l) == 0 && open_descriptors() == before);
                CHILD_CHECK(is_there(kind) == (r == 0));
        }
        CHILD_CHECK(refused > 0 && ipw_remove(address[kind], NULL) == 0);
}

static void all_limits(void)
{
        struct ipw_why why = { 0 };
        char a[64], b[64];

        for (int kind = 0; kind < 3; kind++)
                few_descriptors(kind);
        limit(RLIMIT_MEMLOCK, 0); /* nothing is locked */
        for (int kind = 0; kind < 3; kind++) {
                use_up(kind);
                CHILD_CHECK(ipw_remove(address[kind], NULL) == 0);
        }
        limit(RLIMIT_FSIZE, 65536); /* no SIGXFSZ */
        for (int kind = 0; kind < 2; kind++)
                REFUSED(kind, "", IPW_PUSH, EFBIG, "ulimit -f");
        CHILD_CHECK(ipw_ends(a, b, "shm+anon:", IPW_PUSH, &why) == -EFBIG && strstr(why.text, "ulimit -f"));
        limit(RLIMIT_FSIZE, RLIM_INFINITY);
        if (!SANITIZED) {
                limit(RLIMIT_AS, 64 << 20);
                for (int kind = 0; kind < 3; kind++)
                        REFUSED(kind, "?size=100M", IPW_PUSH, ENOMEM, "ulimit -v");
                limit(RLIMIT_AS, RLIM_INFINITY);
        }
        for (int kind = 0; kind < 3; kind++)
                CHILD_CHECK(!is_there(kind));
}

static void test_limits(void **state)
{
        in_child(all_limits);
}

/* ---- somebody else's -------------------------------------------------------------------------------------------------------------------------- */

/* Made by one user for all; another one is told whose it is and how to say that he may be trusted. */
static void of_others(void)
{
        int made[2], done[2];
        char byte;
        pid_t pid;

        if (geteuid() != 0 || !may_look(OTHER, "/tmp"))
                _exit(CANNOT);
        CHILD_CHECK(chmod(folder, 0777) == 0 && pipe(made) == 0 && pipe(done) == 0);
        pid = fork_child();
        if (pid == 0) {
                become(OTHER);
                for (int kind = 0; kind < 3; kind++)
                        CHILD_CHECK(talk_open(with(kind, "?mode=0666"), IPW_PUSH));
                CHILD_CHECK(write(made[1], "x", 1) == 1);
                (void)close(done[1]);
                (void)!read(done[0], &byte, 1);
                _exit(0);
        }
        CHILD_CHECK(read(made[0], &byte, 1) == 1);
        become(ANOTHER);
        for (int kind = 0; kind < 3; kind++)
                REFUSED(kind, "", IPW_PULL, EPERM, "peer=uid:65534");
        for (int kind = 0; kind < 2; kind++)
                CHILD_CHECK(ipw_close(talk_open(with(kind, "?peer=uid:65534"), IPW_PULL)) == 0);
        REFUSED(2, "?peer=uid:65534", IPW_PULL, EOPNOTSUPP, "shm:/NAME"); /* its locks lie where another user may not go */
        CHILD_CHECK(close(done[1]) == 0 && reap(pid) == 0);
}

static void test_foreign_owner(void **state)
{
        in_child(of_others);
}

/* ---- taken away -------------------------------------------------------------------------------------------------------------------------------- */

static void take_away(int kind)
{
        int r = kind == 0 ? shm_unlink(shm_name) : kind == 1 ? unlink(file) : shmctl(shmget(key, 0, 0), IPC_RMID, NULL);

        assert_int_equal(r, 0);
}

/* In a child: stands there with a full ring, or an empty one, waits for ever, and is told. */
static void wait_there(int kind, unsigned role, int ready)
{
        struct ipw_link *l = talk_open(with(kind, "?size=4K"), role);
        struct ipw_why why;

        while (role == IPW_PUSH && send_one(l, 0) == SIZE)
                ;
        CHILD_CHECK(write(ready, "x", 1) == 1);
        CHILD_CHECK((role == IPW_PUSH ? send_one(l, IPW_FOREVER) : recv_one(l, IPW_FOREVER)) == -ESTALE);
        ipw_link_why(l, &why);
        CHILD_CHECK(strstr(why.text, "removed"));
        CHILD_CHECK(ipw_close(l) == 0);
        _exit(0);
}

static void test_taken_away_from_who_waits(void **state)
{
        static const unsigned roles[] = { IPW_PULL, IPW_PUSH, IPW_PAIR };

        for (int kind = 0; kind < 3; kind++)
                for (size_t i = 0; i < COUNT_OF(roles); i++) {
                        int ready[2];
                        char byte;
                        pid_t pid;

                        assert_int_equal(pipe(ready), 0);
                        pid = fork_child();
                        if (pid == 0)
                                wait_there(kind, roles[i], ready[1]);
                        assert_int_equal(read(ready[0], &byte, 1), 1);
                        await_sleep(pid);
                        take_away(kind);
                        assert_int_equal(reap(pid), 0);
                        (void)close(ready[0]);
                        (void)close(ready[1]);
                }
        clean();
}

/* Who only tries is told soon, too, and what was sent before is there to be received first. */
static void test_taken_away_from_who_tries(void **state)
{
        for (int kind = 0; kind < 3; kind++) {
                struct ipw_link *in = talk_open(with(kind, "?size=4K"), IPW_PULL), *out = talk_open(address[kind], IPW_PUSH);
                int looks = 0;
                ssize_t r;

                assert_int_equal(send_one(out, 0), SIZE);
                take_away(kind);
                assert_int_equal(recv_one(in, 0), SIZE);
                while ((r = recv_one(in, 0)) == -EAGAIN)
                        look_again(&looks, "that it was removed");
                assert_int_equal(r, -ESTALE);
                while ((r = send_one(out, 0)) == SIZE || r == -EAGAIN)
                        look_again(&looks, "that it was removed");
                assert_int_equal(r, -ESTALE);
                (void)ipw_close(in);
                (void)ipw_close(out);
        }
        clean();
}

/* A loop of its own is woken, though of System V memory nothing tells. */
static void test_taken_away_from_a_loop(void **state)
{
        for (int kind = 0; kind < 3; kind++) {
                struct ipw_link *in = talk_open(with(kind, "?size=4K"), IPW_PULL);
                struct pollfd p;
                ssize_t r;

                assert_int_equal(ipw_pollfd(in, IPW_RECV, &p), 0);
                assert_int_equal(recv_one(in, 0), -EAGAIN);
                assert_true(kind == 2 || poll(&p, 1, 0) == 0); /* there a slice may just be over */
                take_away(kind);
                while ((r = recv_one(in, 0)) == -EAGAIN)
                        assert_int_equal(poll(&p, 1, PATIENCE), 1);
                assert_int_equal(r, -ESTALE);
                (void)ipw_close(in);
        }
        clean();
}

/* ---- two pid namespaces -------------------------------------------------------------------------------------------------------------------------- */

static struct ring_words *words_of(void *memory)
{
        struct ring_shape s;
        const char *what;

        if (ring_check(memory, ((struct image *)memory)->size, &s, &what) < 0)
                abort();
        return (struct ring_words *)((char *)memory + s.words[0]);
}

static void *map(void)
{
        int fd = shm_open(shm_name, O_RDWR, 0);
        struct stat st;
        void *p = fd < 0 || fstat(fd, &st) < 0 ? MAP_FAILED : mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

        if (p == MAP_FAILED)
                abort();
        (void)close(fd);
        return p;
}

static int lifeline[2]; /* closed when the case has ended */

/* In a namespace of its own a process does not know its parent. */
static pid_t fork_into(void)
{
        pid_t pid;

        if (pipe2(lifeline, O_CLOEXEC) < 0 || (pid = fork()) < 0)
                abort();
        if (pid == 0) {
                (void)close(lifeline[1]);
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        }
        return pid;
}

/* Opens it, holds the senders' lock in the middle of a send, says so and stays. */
static void hold_there(int ready)
{
        char byte;
        struct ipw_link *l = talk_open(address[0], IPW_PUSH);
        void *memory = map();
        uint32_t mine = 0;

        CHILD_CHECK(l);
        while (load_relaxed(&ring_slot(memory, mine)->state) != SLOT_LIVE ||
               load_relaxed(&ring_slot(memory, mine)->pid) != (uint32_t)getpid())
                mine++;
        store_release(&words_of(memory)->writer, ring_owner(mine, load_relaxed(&ring_slot(memory, mine)->epoch)));
        CHILD_CHECK(write(ready, "x", 1) == 1);
        (void)!read(lifeline[0], &byte, 1);
        _exit(0);
}

/* A process in a pid namespace of its own, where it is number 1, as it is seen from here. */
static pid_t fork_elsewhere(int ready)
{
        pid_t pid;

        own_machine(CLONE_NEWPID);
        pid = fork_into();
        if (pid == 0) {
                CHILD_CHECK(getpid() == 1);
                hold_there(ready);
        }
        return pid;
}

static int state_there(pid_t number)
{
        struct ipw_why why;
        struct ipw_ring *r;
        int state = 0;

        CHILD_CHECK(ipw_probe_ring(&r, address[0], &why) == 0);
        for (size_t i = 0; i < r->user_count; i++)
                if (r->users[i].pid == number)
                        state = r->users[i].state;
        ipw_ring_free(r);
        return state;
}

/* Its number is that of a process that lives here: the lock tells, and nothing else. */
static void two_spaces(void)
{
        struct ipw_link *out = talk_open(address[0], IPW_PUSH), *in = talk_open(address[0], IPW_PULL);
        void *memory = map();
        int ready[2], looks = 0;
        char byte;
        pid_t pid;

        CHILD_CHECK(pipe(ready) == 0);
        pid = fork_elsewhere(ready[1]);
        CHILD_CHECK(read(ready[0], &byte, 1) == 1);
        CHILD_CHECK(state_there(1) == IPW_USER_ALIVE);
        CHILD_CHECK(kill(pid, SIGSTOP) == 0);
        CHILD_CHECK(waitpid(pid, NULL, WUNTRACED) == pid);
        CHILD_CHECK(send_one(out, IPW_MS(120)) == -ETIMEDOUT); /* stopped, and not robbed */
        CHILD_CHECK((uint32_t)load_relaxed(&words_of(memory)->writer) == 3);
        CHILD_CHECK(kill(pid, SIGKILL) == 0 && reap(pid) == -SIGKILL);
        CHILD_CHECK(state_there(1) == IPW_USER_DEAD);
        CHILD_CHECK(send_one(out, IPW_MS(PATIENCE)) == SIZE && recv_one(in, 0) == SIZE); /* dead, and mended */
        while (state_there(1))
                look_again(&looks, "that its place is free");
        CHILD_CHECK(ipw_close(in) == 0 && ipw_close(out) == 0 && ipw_remove(address[0], NULL) == 0);
}

static void test_two_pid_namespaces(void **state)
{
        in_child(two_spaces);
}

/* The other way round: who is in the small namespace finds out about one in the large one, and mends. */
static void from_inside(void)
{
        int ready[2];
        char byte;
        pid_t outside, inside;

        CHILD_CHECK(pipe(ready) == 0);
        outside = fork_into();
        if (outside == 0)
                hold_there(ready[1]);
        CHILD_CHECK(read(ready[0], &byte, 1) == 1);
        own_machine(CLONE_NEWPID);
        inside = fork_into();
        if (inside == 0) {
                struct ipw_link *out;

                out = talk_open(address[0], IPW_PUSH);
                CHILD_CHECK(send_one(out, IPW_MS(120)) == -ETIMEDOUT);
                CHILD_CHECK(write(ready[1], "x", 1) == 1);
                CHILD_CHECK(send_one(out, IPW_MS(PATIENCE)) == SIZE);
                CHILD_CHECK(ipw_close(out) == 0);
                _exit(0);
        }
        CHILD_CHECK(read(ready[0], &byte, 1) == 1);
        CHILD_CHECK(kill(outside, SIGKILL) == 0 && reap(outside) == -SIGKILL);
        CHILD_CHECK(reap(inside) == 0);
}

static void test_mended_from_another_namespace(void **state)
{
        in_child(from_inside);
}

/* ---- an old kernel ---------------------------------------------------------------------------------------------------------------------------- */

/* A child of the dead one has a copy of its lock, and there is no pidfd_open(2): its number is the proof all the same, once it has been waited for. */
static void without_pidfd(void)
{
        struct ipw_link *out = talk_open(address[0], IPW_PUSH);
        int ready[2];
        char byte;
        pid_t pid;

        CHILD_CHECK(without_new_calls() == 0 && pipe(ready) == 0);
        pid = fork_into();
        if (pid == 0) {
                struct ipw_link *l = talk_open(address[0], IPW_PUSH);

                CHILD_CHECK(l);
                store_release(&words_of(map())->writer, ring_owner(1, 1));
                if (fork() == 0) { /* lives until the case is over */
                        CHILD_CHECK(write(ready[1], "x", 1) == 1);
                        (void)!read(lifeline[0], &byte, 1);
                        _exit(0);
                }
                for (;;)
                        (void)pause();
        }
        CHILD_CHECK(read(ready[0], &byte, 1) == 1);
        CHILD_CHECK(send_one(out, IPW_MS(50)) == -ETIMEDOUT); /* it lives */
        CHILD_CHECK(kill(pid, SIGKILL) == 0 && reap(pid) == -SIGKILL);
        CHILD_CHECK(send_one(out, IPW_MS(PATIENCE)) == SIZE);
        use_up(2); /* memory without MADV_POPULATE_WRITE */
}

static void test_without_pidfd(void **state)
{
        in_child(without_pidfd);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_full_shm),
                cmocka_unit_test(test_full_sysv),
                cmocka_unit_test(test_limits),
                cmocka_unit_test(test_foreign_owner),
                cmocka_unit_test(test_taken_away_from_who_waits),
                cmocka_unit_test(test_taken_away_from_who_tries),
                cmocka_unit_test(test_taken_away_from_a_loop),
                cmocka_unit_test(test_two_pid_namespaces),
                cmocka_unit_test(test_mended_from_another_namespace),
                cmocka_unit_test(test_without_pidfd),
        };
        int failed;

        key = 0x60000000 | (getpid() & 0xfffffff);
        (void)snprintf(folder, sizeof(folder), "/tmp/ipcway-environment-%d", (int)getpid());
        (void)snprintf(shm_name, sizeof(shm_name), "/ipcway-environment-%d", (int)getpid());
        (void)snprintf(address[0], sizeof(address[0]), "%s:%s", kinds[0], shm_name);
        (void)snprintf(file, sizeof(file), "%s/ring", folder);
        (void)snprintf(address[1], sizeof(address[1]), "%s:%s", kinds[1], file);
        (void)snprintf(address[2], sizeof(address[2]), "%s:0x%x", kinds[2], (unsigned)key);
        if (mkdir(folder, 0700) < 0)
                return 1;
        janitor_start(clean_all);
        failed = cmocka_run_group_tests(tests, NULL, NULL);
        clean_all();
        return failed;
}
