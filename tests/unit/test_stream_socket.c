/* SPDX-License-Identifier: MIT */
/* unix: and tcp: one link and many peers, some of whom misbehave; other users; ports, closes and what is left behind. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <malloc.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "talk.h"

static char name[64];        /* of an abstract socket */
static char on_unix[96];     /* its address */
static char on_tcp[64];      /* where the tests' listener came to be */
static const char *plain_at; /* on_unix or on_tcp: where plain programs dial */
static in_addr_t plain_from; /* and from where, over TCP; 0: any */

static int fresh(void **state)
{
        *state = (void *)(intptr_t)open_descriptors();
        return 0;
}

static int after(void **state)
{
        return open_descriptors() == (int)(intptr_t)*state ? 0 : -1;
}

/* A listener at a port that is free, whose address goes to on_tcp. */
static struct ipw_link *listen_tcp(const char *options, unsigned how)
{
        char text[96];
        struct ipw_link *l;

        (void)snprintf(text, sizeof(text), "tcp:127.0.0.1:0%s", options);
        l = talk_open(text, how);
        assert_true(ipw_link_address(l, on_tcp, sizeof(on_tcp)) < (int)sizeof(on_tcp));
        assert_null(strstr(on_tcp, ":0"));
        return l;
}

/* A program that knows only socket and connect. */
static int plain_dial(void)
{
        union {
                struct sockaddr any;
                struct sockaddr_in in;
                struct sockaddr_un un;
        } a = { 0 };
        socklen_t size;
        int fd;

        if (plain_at == on_unix) {
                a.un.sun_family = AF_UNIX;
                memcpy(a.un.sun_path + 1, name + 1, strlen(name) - 1);
                size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
        } else {
                a.in.sin_family = AF_INET;
                a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
                a.in.sin_port = htons((uint16_t)atoi(strrchr(on_tcp, ':') + 1));
                size = sizeof(a.in);
        }
        fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (plain_at != on_unix && plain_from) {
                struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(plain_from) };

                assert_return_code(bind(fd, (struct sockaddr *)&from, sizeof(from)), errno);
        }
        assert_return_code(connect(fd, &a.any, size), errno);
        return fd;
}

/* The same, by one who says what he is in the words of nanomsg and nng. */
static int plain_greet(unsigned char kind)
{
        const unsigned char hello[] = { 0, 'S', 'P', 0, 0, kind, 0, 0 };
        int fd = plain_dial();

        assert_int_equal(send(fd, hello, sizeof(hello), 0), sizeof(hello));
        return fd;
}

/* Receives until `link` has counted so many peers or faults; nothing comes. */
static void await(struct ipw_link *link, uint64_t peers, uint64_t discarded)
{
        for (int i = 0; i < PATIENCE / 10; i++) {
                struct ipw_stats s = talk_stats(link);
                char byte;
                struct ipw_message m = { .data = &byte, .capacity = 1 };

                if (s.peers == peers && s.discarded == discarded)
                        return;
                assert_int_equal(ipw_recv(link, &m, IPW_MS(10)), -ETIMEDOUT);
        }
        fail_msg("%llu peers and %llu discarded", (unsigned long long)talk_stats(link).peers,
                 (unsigned long long)talk_stats(link).discarded);
}

/* The last fault is told, and told once. */
static void told_once(struct ipw_link *in, const char *part)
{
        struct ipw_why why;

        talk_nothing(in, EAGAIN);
        talk_says(in, part);
        talk_nothing(in, EAGAIN);
        ipw_link_why(in, &why);
        if (strstr(why.text, part))
                fail_msg("told again: %s", why.text);
}

static size_t memory_in_use(void)
{
        struct mallinfo2 m = mallinfo2();

        return m.uordblks + m.hblkhd;
}

/* ---- many peers, four of them bad ------------------------------------------------------------------------------------------------------------ */

enum { GOOD = 196, ROUNDS = 20, OWN = 64 << 10 /* more than one peer ever needs */ };

static void many_peers(struct ipw_link *in, const char *address)
{
        static const unsigned char half[] = { 1, 0, 0, 0, 0, 0, 0, 0, 10, 'h', 'a' };
        size_t lead = address == on_unix ? 0 : 1; /* a byte that only Unix sockets have */
        struct ipw_link *peers[GOOD];
        unsigned next[GOOD] = { 0 };
        char data[64];
        int silent, torn, garbage, deaf;
        size_t memory = 0;

        plain_at = address;
        silent = plain_dial();
        torn = plain_greet(0x50);
        garbage = plain_dial();
        deaf = plain_greet(0x50); /* reads nothing */
        assert_int_equal(send(torn, half + lead, sizeof(half) - lead, 0), sizeof(half) - lead);
        assert_int_equal(send(garbage, "GET / HTTP/1.1\r\n\r\n and more than a header", 41, 0), 41);
        for (unsigned i = 0; i < GOOD; i++)
                peers[i] = talk_open(address, IPW_PUSH);
        await(in, GOOD + 3, 1); /* nobody sends before he has been greeted */
        for (unsigned round = 0; round < ROUNDS; round++) {
                for (unsigned i = 0; i < GOOD; i++) {
                        talk_fill(data, sizeof(data), i, round);
                        assert_int_equal(talk_send(peers[i], data, sizeof(data), IPW_MS(PATIENCE)), sizeof(data));
                }
                for (unsigned i = 0; i < GOOD; i++) {
                        struct ipw_message m = { .data = data, .capacity = sizeof(data) };

                        assert_int_equal(ipw_recv(in, &m, IPW_MS(PATIENCE)), sizeof(data));
                        assert_true(talk_good(data, m.size));
                        assert_true(get_le32(data) < GOOD);
                        assert_int_equal(get_le32(data + 4), next[get_le32(data)]++);
                }
                if (round == 0)
                        memory = memory_in_use(); /* each has said something: no more is needed, however long it goes on */
        }
        assert_true(memory_in_use() <= memory + OWN);
        told_once(in, "HTTP");
        (void)close(torn);
        await(in, GOOD + 2, 2);
        told_once(in, "middle of a message");
        (void)close(silent);
        (void)close(deaf);
        (void)close(garbage);
        for (unsigned i = 0; i < GOOD; i++)
                (void)ipw_close(peers[i]);
        await(in, 0, 2);
        (void)ipw_close(in);
}

static void test_many_peers_unix(void **state)
{
        many_peers(talk_open(on_unix, IPW_PULL), on_unix);
}

static void test_many_peers_tcp(void **state)
{
        struct ipw_link *in = listen_tcp("", IPW_PULL);

        many_peers(in, on_tcp);
}

/* One who never reads takes his share and no more: the others get the rest, whole, and nobody gets anything twice. */
static void test_one_does_not_read(void **state)
{
        enum { SIZE = 100000, COUNT = 200 };
        struct ipw_link *out = talk_open(on_unix, IPW_PUSH | IPW_LISTEN), *in = talk_open(on_unix, IPW_PULL | IPW_DIAL);
        unsigned char *data = malloc(SIZE), seen[COUNT] = { 0 };
        unsigned came = 0, sent = 0;
        int deaf;

        plain_at = on_unix;
        deaf = plain_greet(0x51);
        while (came < COUNT / 2) {
                struct ipw_message m = { .data = data, .capacity = SIZE };

                if (sent < COUNT) {
                        talk_fill(data, SIZE, 7, sent);
                        sent += talk_send(out, data, SIZE, 0) == SIZE;
                }
                (void)ipw_turn(out);
                while (ipw_recv(in, &m, 0) == SIZE) {
                        assert_true(talk_good(data, SIZE));
                        assert_int_equal(seen[get_le32(data + 4)]++, 0);
                        came++;
                }
        }
        assert_true(talk_stats(out).unsettled <= 2);
        (void)ipw_turn(out);
        (void)close(deaf);
        (void)ipw_close(in);
        (void)ipw_close(out);
        free(data);
}

/* ---- who may be here ----------------------------------------------------------------------------------------------------------------------- */

/* What another user gets who dials: -EPERM with the text, or a conversation. */
static int dial_as_nobody(const char *address)
{
        pid_t pid = fork_child();
        struct ipw_link *l;
        struct ipw_why why;

        if (pid == 0) {
                become(65534);
                if (ipw_open(&l, address, IPW_PUSH, IPW_MS(PATIENCE), &why) == -EPERM)
                        _exit(strstr(why.text, "peer=uid:0") || strstr(why.text, "user 0") ? 1 : 2);
                _exit(talk_send(l, "hello", 5, IPW_MS(PATIENCE)) == 5 ? pause() : 3);
        }
        return pid;
}

static void other_user(struct ipw_link *in, const char *address)
{
        char address_of_child[128];
        pid_t pid;

        if (geteuid() != 0) {
                (void)ipw_close(in);
                skip();
        }
        (void)snprintf(address_of_child, sizeof(address_of_child), "%s", address);
        pid = dial_as_nobody(address_of_child);
        for (int i = 0; i < PATIENCE / 10; i++) {
                struct ipw_why why;

                talk_nothing(in, EAGAIN);
                ipw_link_why(in, &why);
                if (strstr(why.text, "refused") && strstr(why.text, "peer=uid:65534"))
                        break;
                assert_true(i + 1 < PATIENCE / 10);
                (void)poll(NULL, 0, 10);
        }
        assert_int_equal(talk_stats(in).peers, 0);
        (void)kill(pid, SIGKILL);
        (void)reap(pid);
        (void)ipw_close(in);
}

static void test_other_user_unix(void **state)
{
        other_user(talk_open(on_unix, IPW_PULL), on_unix);
}

static void test_other_user_tcp(void **state)
{
        struct ipw_link *in = listen_tcp("", IPW_PULL);

        other_user(in, on_tcp);
}

static void test_other_user_admitted(void **state)
{
        struct ipw_link *in;
        pid_t pid;

        if (geteuid() != 0)
                skip();
        in = listen_tcp("?peer=uid:65534", IPW_PULL);
        *strchr(on_tcp, '?') = 0;
        pid = dial_as_nobody(on_tcp);
        talk_expect(in, "hello");
        (void)kill(pid, SIGKILL);
        (void)reap(pid);
        (void)ipw_close(in);
}

/* Who has closed is nobody's any more, and so is refused; who comes after him is not. With insecure=1 nobody is asked. */
static void test_closed_before_taken_in(void **state)
{
        for (int insecure = 0; insecure < 2; insecure++) {
                struct ipw_link *in = listen_tcp(insecure ? "?framing=line&insecure=1" : "?framing=line", IPW_PULL), *out;
                int fd;

                plain_at = on_tcp;
                *strchr(on_tcp, '?') = 0;
                fd = plain_dial();
                assert_int_equal(send(fd, "gone\n", 5, 0), 5);
                (void)close(fd);
                if (insecure) {
                        talk_expect(in, "gone");
                } else {
                        talk_nothing(in, EAGAIN);
                        talk_says(in, "1 diallers were refused: they had closed before they were taken in");
                        assert_int_equal(talk_stats(in).peers, 0);
                }
                (void)strcat(on_tcp, "?framing=line");
                out = talk_open(on_tcp, IPW_PUSH);
                assert_int_equal(talk_send(out, "here", 4, IPW_MS(PATIENCE)), 4);
                talk_expect(in, "here");
                (void)ipw_close(out);
                (void)ipw_close(in);
        }
}

/* The listener is another user's: the dialler refuses it. */
static void test_other_users_listener(void **state)
{
        char part[16];
        int ends[2];
        pid_t pid;

        if (geteuid() != 0)
                skip();
        assert_return_code(pipe2(ends, O_CLOEXEC), errno);
        pid = fork_child();
        if (pid == 0) {
                become(65534);
                (void)listen_tcp("", IPW_PULL);
                CHILD_CHECK(write(ends[1], on_tcp, sizeof(on_tcp)) == sizeof(on_tcp));
                (void)pause();
        }
        assert_int_equal(read(ends[0], on_tcp, sizeof(on_tcp)), sizeof(on_tcp));
        (void)snprintf(part, sizeof(part), "peer=uid:%d", 65534);
        talk_refuse(on_tcp, IPW_PUSH, EPERM, part);
        (void)kill(pid, SIGKILL);
        (void)reap(pid);
        (void)close(ends[0]);
        (void)close(ends[1]);
}

/* ---- addresses ----------------------------------------------------------------------------------------------------------------------------- */

static void test_addresses(void **state)
{
        struct ipw_link *in, *out;
        char text[96];

        talk_refuse("tcp::8080", IPW_PULL, EINVAL, "needs a host");
        talk_refuse("tcp:8080", IPW_PULL, EINVAL, "needs a host and a port");
        talk_refuse("tcp:127.0.0.1:65536", IPW_PULL, EINVAL, "65535");
        talk_refuse("tcp:::1:80", IPW_PULL, EINVAL, "[::1]");
        talk_refuse("tcp:example.org:80", IPW_PUSH, EINVAL, "resolve=1");
        talk_refuse("tcp:0.0.0.0:0", IPW_PULL, EPERM, "insecure=1");
        talk_refuse("tcp:192.0.2.1:80", IPW_PUSH, EPERM, "insecure=1");
        talk_refuse("tcp:127.0.0.1:0", IPW_PUSH, EINVAL, "port 0");
        talk_refuse("tcp:127.0.0.1:80?insecure=1&peer=uid:1", IPW_PUSH, EINVAL, "peer=");
        in = listen_tcp("", IPW_PULL);
        talk_refuse(on_tcp, IPW_PULL, EADDRINUSE, "ss -ltnp");
        (void)snprintf(text, sizeof(text), "tcp://localhost:%s", strrchr(on_tcp, ':') + 1);
        out = talk_open(text, IPW_PUSH);
        assert_int_equal(ipw_turn(in), 0); /* nobody sends before he has been greeted */
        assert_int_equal(talk_send(out, "hi", 2, IPW_MS(PATIENCE)), 2);
        talk_expect(in, "hi");
        (void)ipw_close(out);
        (void)ipw_close(in);
        talk_refuse(on_tcp, IPW_PUSH, EAGAIN, "nobody listens there yet");
}

static void test_ipv6(void **state)
{
        struct ipw_link *in, *out;
        struct ipw_why why;
        char address[96];

        if (ipw_open(&in, "tcp:[::1]:0", IPW_PULL, 0, &why) == -EADDRNOTAVAIL)
                skip();
        assert_true(ipw_link_address(in, address, sizeof(address)) > 0);
        out = talk_open(address, IPW_PUSH);
        assert_int_equal(ipw_turn(in), 0);
        assert_int_equal(talk_send(out, "six", 3, IPW_MS(PATIENCE)), 3);
        talk_expect(in, "six");
        (void)ipw_close(out);
        (void)ipw_close(in);
}

/* An address that every link has: it needs the interface, by name or number. */
static void test_ipv6_zone(void **state)
{
        char address[128], host[INET6_ADDRSTRLEN], text[160] = "";
        struct ifaddrs *all, *i;
        struct ipw_link *in, *out;

        talk_refuse("tcp:[fe80::1]:80?insecure=1", IPW_PUSH, EINVAL, "name the interface, [fe80::1%25eth0]");
        talk_refuse("tcp:[fe80::1%25no-such-link]:80?insecure=1", IPW_PUSH, ENODEV, "no interface 'no-such-link'");
        talk_refuse("tcp:[fe80::1%25]:80?insecure=1", IPW_PUSH, EINVAL, "is no address");
        talk_refuse("tcp:[::1%25lo]:80", IPW_PUSH, EINVAL, "is no address");
        talk_refuse("tcp:[fe80::1%25lo]:80", IPW_PUSH, EPERM, "insecure=1");
        assert_return_code(getifaddrs(&all), errno);
        for (i = all; i; i = i->ifa_next) {
                const struct sockaddr_in6 *a = (void *)i->ifa_addr;

                if (a && a->sin6_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&a->sin6_addr) &&
                    inet_ntop(AF_INET6, &a->sin6_addr, host, sizeof(host)))
                        (void)snprintf(text, sizeof(text), "tcp:[%s%%25%s]:0?insecure=1", host, i->ifa_name);
        }
        freeifaddrs(all);
        if (!*text)
                skip();
        in = talk_open(text, IPW_PULL);
        assert_true(ipw_link_address(in, address, sizeof(address)) < (int)sizeof(address));
        assert_non_null(strstr(address, "%25")); /* with the port, and still an address */
        out = talk_open(address, IPW_PUSH);
        assert_int_equal(ipw_turn(in), 0);
        assert_int_equal(talk_send(out, "near", 4, IPW_MS(PATIENCE)), 4);
        talk_expect(in, "near");
        (void)ipw_close(out);
        (void)ipw_close(in);
}

/* ---- ends ------------------------------------------------------------------------------------------------------------------------------------ */

/* What is unread on our side does not destroy what we sent. */
static void test_close_keeps_what_was_sent(void **state)
{
        struct ipw_link *a = listen_tcp("", IPW_PAIR | IPW_LISTEN), *b = talk_open(on_tcp, IPW_PAIR | IPW_DIAL);

        talk_nothing(a, EAGAIN);
        assert_int_equal(talk_send(b, "never read", 10, IPW_MS(PATIENCE)), 10);
        for (int i = 0; i < 100; i++)
                assert_int_equal(talk_send(a, "kept", 4, IPW_MS(PATIENCE)), 4);
        assert_int_equal(ipw_close(a), 0);
        for (int i = 0; i < 100; i++)
                talk_expect(b, "kept");
        talk_nothing(b, EPIPE);
        (void)ipw_close(b);
}

/* A plain receiver that has nothing more to say still receives. */
static void test_half_closed(void **state)
{
        struct ipw_link *out = listen_tcp("?framing=line", IPW_PUSH | IPW_LISTEN);
        char room[16];
        int fd;

        plain_at = on_tcp;
        fd = plain_dial();
        assert_return_code(shutdown(fd, SHUT_WR), errno);
        for (int i = 0; i < 3; i++) {
                assert_int_equal(talk_send(out, "still", 5, IPW_MS(PATIENCE)), 5);
                assert_int_equal(recv(fd, room, sizeof(room), 0), 6);
                (void)poll(NULL, 0, 1); /* let it be asked for */
        }
        (void)close(fd);
        (void)ipw_close(out);
}

/* A line without its end may be half of one. */
static void test_unfinished_line(void **state)
{
        char address[128];
        struct ipw_link *in;
        int fd;

        (void)snprintf(address, sizeof(address), "%s?framing=line&until=last", on_unix);
        in = talk_open(address, IPW_PULL);
        plain_at = on_unix;
        fd = plain_dial();
        assert_int_equal(send(fd, "whole\nhal", 9, 0), 9);
        (void)close(fd);
        talk_expect(in, "whole");
        talk_nothing(in, EPIPE);
        assert_int_equal(talk_stats(in).discarded, 1);
        (void)ipw_close(in);
}

/* One way ends, the other goes on; and where it cannot end alone it is said. */
static void test_finish(void **state)
{
        static const char *const kinds[] = {
                "unix:?framing=len4be", "unix:?framing=line", "unix:?framing=raw", "unix+seqpacket:", "unix:", "pipe:"
        };

        for (size_t i = 0; i < COUNT_OF(kinds); i++) {
                char one[64], other[64];
                struct ipw_link *a, *b;

                assert_int_equal(ipw_ends(one, other, kinds[i], IPW_PAIR, NULL), 0);
                a = talk_open(one, IPW_PAIR);
                b = talk_open(other, IPW_PAIR);
                assert_int_equal(ipw_finish(a), i < 4 ? 0 : -EOPNOTSUPP);
                if (i < 4) {
                        talk_nothing(b, EPIPE);
                        assert_int_equal(talk_send(a, "more", 4, 0), -EPIPE);
                        assert_int_equal(talk_send(b, "still", 5, 0), 5);
                        talk_expect(a, "still");
                }
                (void)ipw_close(a);
                (void)ipw_close(b);
        }
}

static void test_ends(void **state)
{
        char one[64], other[64];
        struct ipw_why why;
        struct ipw_link *a, *b;

        assert_int_equal(ipw_ends(one, other, "unix:", IPW_PAIR, &why), 0);
        a = talk_open(one, IPW_PAIR);
        b = talk_open(other, IPW_PAIR);
        assert_int_equal(talk_send(a, "ping", 4, IPW_MS(PATIENCE)), 4);
        talk_expect(b, "ping");
        assert_int_equal(talk_send(b, "pong", 4, IPW_MS(PATIENCE)), 4);
        talk_expect(a, "pong");
        (void)ipw_close(a);
        talk_nothing(b, EPIPE);
        (void)ipw_close(b);
}

/* ---- nothing is left ------------------------------------------------------------------------------------------------------------------------- */

static void come_and_go(struct ipw_link *in, const char *address, int times)
{
        size_t memory = 0;
        int before;

        plain_at = address;
        talk_nothing(in, EAGAIN);
        before = open_descriptors();
        for (int i = 0; i < times; i++) {
                if (i == times / 2) {
                        await(in, 0, 0);
                        memory = mallinfo2().uordblks;
                }
                plain_from =
                        INADDR_LOOPBACK + 1 + (in_addr_t)i / 2000; /* over TCP each leaves a port behind for a minute, of its own address */
                (void)close(plain_dial());
                if (i % 32 == 0)
                        talk_nothing(in, EAGAIN);
        }
        plain_from = 0;
        await(in, 0, 0);
        assert_int_equal(open_descriptors(), before);
        assert_true(mallinfo2().uordblks <= memory + 1000);
        (void)ipw_close(in);
}

static void test_connects_leak_nothing(void **state)
{
        come_and_go(talk_open(on_unix, IPW_PULL), on_unix, 10000);
        come_and_go(listen_tcp("", IPW_PULL), on_tcp, 10000);
}

/* They say that much is to come and send little of it: what that costs us is what has come. */
static void announce_much(struct ipw_link *in, const char *address)
{
        enum { LIARS = 200, SAID = 1 << 20, EACH = 4096 };
        static const unsigned char begun[] = { 1, 0, 0, 0, 0, 0, SAID >> 16, 0, 0, 'a', ' ', 'l', 'i', 't', 't', 'l', 'e' };
        size_t lead = address == on_unix ? 0 : 1, memory;
        int liars[LIARS];

        plain_at = address;
        talk_nothing(in, EAGAIN);
        for (int i = 0; i < LIARS; i++)
                liars[i] = plain_greet(0x50);
        await(in, LIARS, 0);
        memory = memory_in_use();
        for (int i = 0; i < LIARS; i++)
                assert_int_equal(send(liars[i], begun + lead, sizeof(begun) - lead, 0), sizeof(begun) - lead);
        for (int i = 0; i < LIARS; i++)
                talk_nothing(in, EAGAIN);
        if (memory_in_use() > memory + (size_t)LIARS * EACH)
                fail_msg("%zu bytes for each that sent %zu", (memory_in_use() - memory) / LIARS, sizeof(begun));
        for (int i = 0; i < LIARS; i++)
                (void)close(liars[i]);
        await(in, 0, LIARS);
        (void)ipw_close(in);
}

static void test_memory_as_bytes_arrive(void **state)
{
        announce_much(talk_open(on_unix, IPW_PULL), on_unix);
        announce_much(listen_tcp("", IPW_PULL), on_tcp);
}

/* No descriptors left: those who wait are taken in when there are. Who speaks framing=frame sends before he is taken in. */
static void no_descriptors(struct ipw_link *in, const char *framed)
{
        struct ipw_link *out[8];
        struct rlimit old, few;
        int fd;

        for (unsigned i = 0; i < COUNT_OF(out); i++) {
                out[i] = talk_open(framed, IPW_PUSH);
                assert_int_equal(talk_send(out[i], "here", 4, IPW_MS(PATIENCE)), 4);
        }
        assert_return_code(getrlimit(RLIMIT_NOFILE, &old), errno);
        fd = dup(0);
        (void)close(fd);
        few = (struct rlimit){ (rlim_t)fd + 2, old.rlim_max };
        assert_return_code(setrlimit(RLIMIT_NOFILE, &few), errno);
        talk_expect(in, "here");
        talk_expect(in, "here");
        talk_nothing(in, EAGAIN);
        assert_return_code(setrlimit(RLIMIT_NOFILE, &old), errno);
        for (unsigned i = 2; i < COUNT_OF(out); i++)
                talk_expect(in, "here");
        for (unsigned i = 0; i < COUNT_OF(out); i++)
                (void)ipw_close(out[i]);
        (void)ipw_close(in);
}

static void test_no_descriptors(void **state)
{
        char framed[128];

        (void)snprintf(framed, sizeof(framed), "%s?framing=frame", on_unix);
        no_descriptors(talk_open(framed, IPW_PULL), framed);
}

static void test_no_descriptors_tcp(void **state)
{
        struct ipw_link *in = listen_tcp("?framing=frame", IPW_PULL);

        no_descriptors(in, on_tcp);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fresh, after)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_many_peers_unix),
                TEST(test_many_peers_tcp),
                TEST(test_one_does_not_read),
                TEST(test_other_user_unix),
                TEST(test_other_user_tcp),
                TEST(test_other_user_admitted),
                TEST(test_closed_before_taken_in),
                TEST(test_other_users_listener),
                TEST(test_addresses),
                TEST(test_ipv6),
                TEST(test_ipv6_zone),
                TEST(test_close_keeps_what_was_sent),
                TEST(test_half_closed),
                TEST(test_unfinished_line),
                TEST(test_finish),
                TEST(test_ends),
                TEST(test_connects_leak_nothing),
                TEST(test_memory_as_bytes_arrive),
                TEST(test_no_descriptors),
                TEST(test_no_descriptors_tcp),
        };

        (void)snprintf(name, sizeof(name), "@ipcway-test-stream-%d", (int)getpid());
        (void)snprintf(on_unix, sizeof(on_unix), "unix:%s", name);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
