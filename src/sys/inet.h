/* SPDX-License-Identifier: MIT */
/* HOST:PORT: names of Internet sockets, IPv4 and IPv6. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "ipcway.h"

enum { INET_TEXT = 80, INET_HOSTS = 8 };

/* HOST:PORT, [HOST]:PORT or //HOST:PORT, taken apart. */
struct inet_name {
        char host[256];
        uint16_t port;
};

struct inet_address {
        union {
                struct sockaddr any;
                struct sockaddr_in v4;
                struct sockaddr_in6 v6;
        };
        socklen_t size;
};

struct inet_addresses {
        struct inet_address at[INET_HOSTS];
        unsigned count;
};

/* `scheme` is for the text. Touches nothing. `resolve`: the host may be a name, else only an address or localhost. */
int inet_name_parse(const char *scheme, const char *rest, bool resolve, struct inet_name *, struct ipw_why *);

/* What the name stands for, at least one. localhost is 127.0.0.1, then ::1. Other names are asked for, which may take as long as it likes. */
int inet_find(const char *scheme, const struct inet_name *, struct inet_addresses *, struct ipw_why *);

/* Never leaves this machine. */
bool inet_is_loopback(const struct inet_address *);
bool inet_equal(const struct inet_address *, const struct inet_address *);
uint16_t inet_port(const struct inet_address *);

/* "127.0.0.1:80", "[::1]:80", "[fe80::1%2]:80" */
void inet_print(const struct inet_address *, char text[INET_TEXT]);
