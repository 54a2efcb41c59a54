/* SPDX-License-Identifier: MIT */
/* Rings between processes: who may join, what is refused, what the dead leave, and how a ring goes away. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ring.h"
#include "seam.h"
#include "unit.h"

#include "janitor.h"

static char path[80], plain[100];
static char runtime[2][60]; /* folders for locks of System V memory */
static key_t key;

static void clear_runtime(const char *folder)
{
        char name[400];
        DIR *d;

        (void)snprintf(name, sizeof(name), "%s/ipcway", folder);
        d = opendir(name);
        for (struct dirent *e; d && (e = readdir(d));) {
                (void)snprintf(name, sizeof(name), "%s/ipcway/%s", folder, e->d_name);
                (void)unlink(name);
        }
        if (d)
                (void)closedir(d);
        (void)snprintf(name, sizeof(name), "%s/ipcway", folder);
        (void)rmdir(name);
        (void)rmdir(folder);
}

static void clean(void)
{
        (void)unlink(path);
        clear_runtime(runtime[0]);
        clear_runtime(runtime[1]);
        (void)shmctl(shmget(key, 0, 0), IPC_RMID, NULL);
}

static const char *with(const char *options)
{
        static char text[160];

        (void)snprintf(text, sizeof(text), "%s%s", plain, options);
        return text;
}

static struct ipw_link *open_ok(const char *options, unsigned how)
{
        struct ipw_link *l = NULL;
        struct ipw_why why = { 0 };

        if (ipw_open(&l, with(options), how, IPW_MS(1000), &why) < 0)
                fail_msg("%s", why.text);
        return l;
}

static void refused(const char *options, unsigned how, int error, const char *word)
{
        struct ipw_link *l = NULL;
        struct ipw_why why = { 0 };

        assert_int_equal(ipw_open(&l, with(options), how, 0, &why), error);
        if (!strstr(why.text, word))
                fail_msg("the text does not name \"%s\": %s", word, why.text);
}

static int send_one(struct ipw_link *l, int64_t timeout)
{
        return (int)ipw_send(l, &(struct ipw_message){ .data = (char[]){ "hello" }, .size = 5 }, timeout);
}

static int recv_one(struct ipw_link *l, int64_t timeout)
{
        char data[100];

        return (int)ipw_recv(l, &(struct ipw_message){ .data = data, .capacity = sizeof(data) }, timeout);
}

static void remove_it(void)
{
        struct ipw_why why = { 0 };

        if (ipw_remove(plain, &why) < 0)
                fail_msg("%s", why.text);
        assert_int_equal(access(path, F_OK), -1);
}

static struct image *map(void)
{
        int fd = open(path, O_RDWR | O_CLOEXEC);
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

static void unmap(struct image *i)
{
        (void)munmap(i, i->size);
}

static void test_shape_is_compared(void **state)
{
        struct ipw_link *l = open_ok("?size=64K&slots=3", IPW_PUSH);

        refused("?size=128K", IPW_PULL, -EINVAL, "size=65536");
        refused("?slots=4", IPW_PULL, -EINVAL, "slots=3");
        refused("?producers=1", IPW_PULL, -EINVAL, "producers=0");
        refused("?consumers=1", IPW_PULL, -EINVAL, "consumers=0");
        refused("", IPW_PAIR, -EINVAL, "PUSH or PULL");
        refused("", IPW_SUB, -EINVAL, "PUSH or PULL");
        refused("", IPW_REP, -EOPNOTSUPP, "REP");
        refused("", IPW_PULL | IPW_FRESH, -EEXIST, plain + 4);
        refused("?ack=consumer", IPW_PULL, -EINVAL, "queued");
        refused("?trust=hostile", IPW_PULL, -EINVAL, "trust");
        refused("?size=1K", IPW_PULL, -ERANGE, "4K");
        assert_int_equal(ipw_close(l), 0);
        remove_it();
}

static void test_places(void **state)
{
        struct ipw_link *a = open_ok("?slots=2", IPW_PUSH), *b = open_ok("", IPW_PUSH);

        refused("", IPW_PULL, -EUSERS, "slots=4");
        (void)ipw_close(a);
        a = open_ok("", IPW_PULL);
        assert_int_equal(send_one(b, 0), 5);
        assert_int_equal(recv_one(a, 0), 5);
        (void)ipw_close(a);
        (void)ipw_close(b);
        remove_it();
        a = open_ok("", IPW_PAIR);
        b = open_ok("", IPW_PAIR);
        refused("", IPW_PAIR, -EBUSY, "both");
        refused("", IPW_PUSH, -EINVAL, "PAIR");
        (void)ipw_close(a);
        (void)ipw_close(b);
        remove_it();
}

static void test_removal(void **state)
{
        struct ipw_link *in = open_ok("", IPW_PULL), *out = open_ok("", IPW_PUSH);
        struct ipw_why why = { 0 };

        assert_int_equal(ipw_remove(plain, &why), -EBUSY);
        (void)ipw_close(in);
        assert_int_equal(ipw_remove(plain, &why), -EBUSY);
        assert_non_null(strstr(why.text, "use"));
        assert_int_equal(send_one(out, 0), 5);
        (void)ipw_close(out);
        remove_it();
        assert_int_equal(ipw_remove(plain, &why), -ENOENT);
}

/* keep=0: the last to go takes the name along. */
static void test_goes_with_the_last(void **state)
{
        struct ipw_link *in = open_ok("?keep=0", IPW_PULL), *out = open_ok("?keep=0", IPW_PUSH);

        (void)ipw_close(in);
        assert_int_equal(access(path, F_OK), 0);
        (void)ipw_close(out);
        assert_int_equal(access(path, F_OK), -1);
}

static void test_taken_away(void **state)
{
        struct ipw_link *in = open_ok("", IPW_PULL);
        struct ipw_why why = { 0 };

        assert_int_equal(unlink(path), 0);
        assert_int_equal(recv_one(in, IPW_FOREVER), -ESTALE);
        ipw_link_why(in, &why);
        assert_non_null(strstr(why.text, "removed"));
        (void)ipw_close(in);
}

/* Who removed it was killed between marking it and taking the name: the next one finishes that. */
static void test_half_removed(void **state)
{
        struct ipw_link *in = open_ok("", IPW_PULL);
        struct image *i = map();

        (void)ipw_close(in);
        store_release(&i->dead, 1);
        unmap(i);
        in = open_ok("", IPW_PULL);
        i = map();
        assert_int_equal(load_relaxed(&i->dead), 0);
        unmap(i);
        (void)ipw_close(in);
        remove_it();
}

static void test_other_makers(void **state)
{
        struct image *i;

        (void)ipw_close(open_ok("", IPW_PULL));
        i = map();
        i->boot[3] ^= 1;
        refused("", IPW_PULL, -ESTALE, "started");
        i->boot[3] ^= 1;
        i->version++;
        refused("", IPW_PULL, -EPROTO, "version");
        i->version--;
        i->word = 4;
        refused("", IPW_PULL, -EPROTO, "word size");
        i->word = sizeof(long);
        i->capacity = 8;
        refused("", IPW_PULL, -ERANGE, "sense");
        i->magic[0] = 0;
        refused("", IPW_PULL, -EINVAL, "segment");
        unmap(i);
        remove_it();
}

/* ---- what others hold ---------------------------------------------------------------------------------------------------------------------- */

static void test_lock_of_the_dead(void **state)
{
        struct ipw_link *in = open_ok("?slots=4", IPW_PULL), *out = open_ok("", IPW_PUSH);
        struct image *i = map();
        struct ring_words *w = words_of(i);

        store_release(&w->writer, ring_owner(3, 9)); /* nobody is there */
        assert_int_equal(send_one(out, IPW_MS(1000)), 5);
        store_release(&w->reader, ring_owner(1, 0)); /* an earlier tenant of the sender's place */
        assert_int_equal(recv_one(in, IPW_MS(1000)), 5);
        store_release(&w->writer, ring_owner(77, 1));
        assert_int_equal(send_one(out, IPW_MS(1000)), -EBADMSG);
        store_release(&w->writer, 0);
        unmap(i);
        (void)ipw_close(in);
        (void)ipw_close(out);
        remove_it();
}

static void test_lock_of_the_living(void **state)
{
        struct ipw_link *in = open_ok("", IPW_PULL), *out = open_ok("", IPW_PUSH);
        struct image *i = map();
        struct ring_words *w = words_of(i);
        uint64_t living = ring_owner(0, load_relaxed(&ring_slot(i, 0)->epoch));
        struct ipw_why why = { 0 };
        char pid[20];

        store_release(&w->writer, living);
        assert_int_equal(send_one(out, IPW_MS(250)), -ETIMEDOUT);
        assert_int_equal(load_relaxed(&w->writer), living);
        ipw_link_why(out, &why);
        (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
        assert_non_null(strstr(why.text, pid));
        store_release(&w->writer, 0);
        assert_int_equal(send_one(out, IPW_MS(1000)), 5);
        unmap(i);
        (void)ipw_close(in);
        (void)ipw_close(out);
        remove_it();
}

/* A child that was forked keeps a copy of the locked descriptor: then the process number is the proof. */
static void test_lock_of_the_dead_with_a_child(void **state)
{
        struct ipw_link *out = open_ok("", IPW_PUSH);
        struct image *i = map();
        struct ring_words *w = words_of(i);
        int told[2], held[2];
        char byte;
        pid_t pid;

        assert_int_equal(pipe2(told, O_CLOEXEC), 0);
        assert_int_equal(pipe2(held, O_CLOEXEC), 0);
        pid = fork_child();
        if (pid == 0) {
                struct ipw_link *theirs = open_ok("", IPW_PUSH);

                (void)theirs;
                store_release(&w->writer, ring_owner(1, load_relaxed(&ring_slot(i, 1)->epoch)));
                (void)close(held[1]);
                if (fork() == 0) { /* lives until the test lets go of the pipe */
                        (void)!write(told[1], "x", 1);
                        (void)!read(held[0], &byte, 1);
                        _exit(0);
                }
                for (;;)
                        (void)pause();
        }
        assert_int_equal(read(told[0], &byte, 1), 1);
        assert_int_equal(send_one(out, IPW_MS(50)), -ETIMEDOUT); /* it lives */
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_int_equal(send_one(out, IPW_MS(5000)), 5);
        (void)close(held[1]);
        (void)close(held[0]);
        (void)close(told[0]);
        (void)close(told[1]);
        unmap(i);
        (void)ipw_close(out);
        (void)unlink(path); /* the child of the dead may still be on its way out */
}

/*
 * The locks of a ring in System V memory lie in a folder that the environment names, and its users may have different ones: a service, and its user's shell.
 * Each would take the other for dead. While somebody is there the second is refused; who is alone takes the ring over.
 */
static void test_other_folder(void **state)
{
        char address[64], text[200];
        const char *given = getenv("XDG_RUNTIME_DIR");
        struct ipw_link *in, *out = NULL;
        struct ipw_why why = { 0 };

        (void)snprintf(address, sizeof(address), "shm+sysv:0x%x?size=64K", (unsigned)key);
        (void)snprintf(text, sizeof(text), "%s", given ? given : "");
        for (int i = 0; i < 2; i++)
                assert_int_equal(mkdir(runtime[i], 0700), 0);
        assert_int_equal(setenv("XDG_RUNTIME_DIR", runtime[0], 1), 0);
        if (ipw_open(&in, address, IPW_PULL, 0, &why) < 0)
                fail_msg("%s", why.text);
        assert_int_equal(setenv("XDG_RUNTIME_DIR", runtime[1], 1), 0);
        assert_int_equal(ipw_open(&out, address, IPW_PUSH, 0, &why), -ESTALE);
        assert_non_null(strstr(why.text, "XDG_RUNTIME_DIR"));
        assert_int_equal(ipw_remove(address, &why), -ESTALE);
        assert_int_equal(setenv("XDG_RUNTIME_DIR", runtime[0], 1), 0);
        if (ipw_open(&out, address, IPW_PUSH, 0, &why) < 0)
                fail_msg("%s", why.text);
        assert_int_equal(send_one(out, 0), 5);
        assert_int_equal(recv_one(in, 0), 5);
        assert_int_equal(send_one(out, 0), 5);
        (void)ipw_close(out);
        (void)ipw_close(in);

        assert_int_equal(setenv("XDG_RUNTIME_DIR", runtime[1], 1), 0); /* alone: what is unread is still there */
        if (ipw_open(&in, address, IPW_PULL, 0, &why) < 0)
                fail_msg("%s", why.text);
        assert_int_equal(recv_one(in, 0), 5);
        (void)ipw_close(in);
        if (ipw_remove(address, &why) < 0)
                fail_msg("%s", why.text);
        assert_int_equal(*text ? setenv("XDG_RUNTIME_DIR", text, 1) : unsetenv("XDG_RUNTIME_DIR"), 0);
        clean();
}

static unsigned lock_files(const char *folder)
{
        char pattern[200];
        unsigned n;
        glob_t found;

        (void)snprintf(pattern, sizeof(pattern), "%s/ipcway/shm-*", folder);
        (void)glob(pattern, 0, NULL, &found);
        n = (unsigned)found.gl_pathc;
        globfree(&found);
        return n;
}

static void remove_memory(void)
{
        int id = shmget(key, 0, 0);

        assert_true(id >= 0);
        assert_int_equal(shmctl(id, IPC_RMID, NULL), 0);
}

/* The memory of a ring is removed by other means (ipcrm): its locks go with the last user, or, if that was gone before, with the next ring that is made. */
static void test_locks_do_not_stay(void **state)
{
        char address[64], text[200];
        const char *given = getenv("XDG_RUNTIME_DIR");
        struct ipw_link *one, *two;
        struct ipw_why why;

        (void)snprintf(address, sizeof(address), "shm+sysv:0x%x?size=64K", (unsigned)key);
        (void)snprintf(text, sizeof(text), "%s", given ? given : "");
        assert_int_equal(mkdir(runtime[0], 0700), 0);
        assert_int_equal(setenv("XDG_RUNTIME_DIR", runtime[0], 1), 0);
        assert_int_equal(ipw_open(&one, address, IPW_PULL, 0, &why), 0);
        assert_int_equal(ipw_open(&two, address, IPW_PUSH, 0, &why), 0);
        remove_memory();
        assert_int_equal(lock_files(runtime[0]), 1);
        (void)ipw_close(one);
        assert_int_equal(lock_files(runtime[0]), 1);
        (void)ipw_close(two);
        assert_int_equal(lock_files(runtime[0]), 0);

        assert_int_equal(ipw_open(&one, address, IPW_PULL, 0, &why), 0);
        (void)ipw_close(one);
        remove_memory();
        assert_int_equal(lock_files(runtime[0]), 1);
        assert_int_equal(ipw_open(&one, address, IPW_PULL, 0, &why), 0);
        assert_int_equal(lock_files(runtime[0]), 1); /* the new one */
        (void)ipw_close(one);
        assert_int_equal(ipw_remove(address, &why), 0);
        assert_int_equal(lock_files(runtime[0]), 0);
        assert_int_equal(*text ? setenv("XDG_RUNTIME_DIR", text, 1) : unsetenv("XDG_RUNTIME_DIR"), 0);
        clean();
}

static int before_nothing(struct sys_call *call)
{
        return 0;
}

/* When it has just seen that somebody else is there. */
static void stop_when_not_alone(struct sys_call *call)
{
        if (strcmp(call->site->meaning, "does anybody use it") == 0 && call->result < 0) {
                sys_hook = NULL;
                (void)raise(SIGSTOP);
        }
}

/* Two leave a ring that goes with the last, and each sees the other: it goes all the same. */
static void test_two_leave_at_once(void **state)
{
        static const struct sys_hook hook = { before_nothing, stop_when_not_alone };
        const char *address = with("?size=4K&keep=0");
        struct ipw_link *l;
        struct ipw_why why;
        int status;
        pid_t pid;

        assert_int_equal(ipw_open(&l, address, IPW_PULL, 0, &why), 0);
        pid = fork_child();
        if (pid == 0) {
                struct ipw_link *out;

                if (ipw_open(&out, address, IPW_PUSH, 0, &why) < 0)
                        _exit(1);
                sys_hook = &hook;
                (void)ipw_close(out);
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
        assert_true(WIFSTOPPED(status));
        (void)ipw_close(l);
        assert_int_equal(kill(pid, SIGCONT), 0);
        assert_int_equal(reap(pid), 0);
        assert_int_equal(access(path, F_OK), -1);
}

/* What rings cannot do is refused by its name and makes nothing, and is never taken for what they can. */
static void test_not_promised(void **state)
{
        static const char *const schemes[] = { "shm:/", "shm+file:/dev/shm/", "shm+sysv:", "shm+anon:" };
        static const char *const options[] = { "ack=consumer", "trust=hostile", "drop=oldest" };

        for (size_t i = 0; i < COUNT_OF(schemes); i++)
                for (size_t k = 0; k < COUNT_OF(options); k++) {
                        char address[160], word[20] = "";
                        struct ipw_caps caps;
                        struct ipw_why why = { 0 };
                        struct ipw_link *l = NULL;

                        (void)sscanf(options[k], "%15[a-z]", word);
                        if (i < 2)
                                (void)snprintf(address, sizeof(address), "%s%s?%s", schemes[i], strrchr(path, '/') + 1, options[k]);
                        else if (i == 2)
                                (void)snprintf(address, sizeof(address), "%s0x%x?%s", schemes[i], (unsigned)key, options[k]);
                        else
                                (void)snprintf(address, sizeof(address), "%s?%s", schemes[i], options[k]);
                        assert_true(ipw_describe(address, &caps, &why) < 0 && strstr(why.text, word));
                        assert_true(ipw_open(&l, address, i == 3 ? IPW_PUSH : IPW_PUB, 0, &why) < 0 && strstr(why.text, word));
                        assert_int_equal(access(path, F_OK), -1);
                        assert_int_equal(shmget(key, 0, 0), -1);
                }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_two_leave_at_once),
                cmocka_unit_test(test_shape_is_compared),
                cmocka_unit_test(test_places),
                cmocka_unit_test(test_removal),
                cmocka_unit_test(test_goes_with_the_last),
                cmocka_unit_test(test_taken_away),
                cmocka_unit_test(test_half_removed),
                cmocka_unit_test(test_other_makers),
                cmocka_unit_test(test_lock_of_the_dead),
                cmocka_unit_test(test_lock_of_the_living),
                cmocka_unit_test(test_lock_of_the_dead_with_a_child),
                cmocka_unit_test(test_other_folder),
                cmocka_unit_test(test_locks_do_not_stay),
                cmocka_unit_test(test_not_promised),
        };
        int r;

        (void)snprintf(plain, sizeof(plain), "shm:/ipcway-test-shm-%d", (int)getpid());
        (void)snprintf(path, sizeof(path), "/dev/shm/ipcway-test-shm-%d", (int)getpid());
        key = (key_t)(0x5a000000 | getpid());
        for (int i = 0; i < 2; i++)
                (void)snprintf(runtime[i], sizeof(runtime[i]), "/tmp/ipcway-test-shm-%d-%d", (int)getpid(), i);
        janitor_start(clean);
        r = cmocka_run_group_tests(tests, NULL, NULL);
        clean();
        return r;
}
