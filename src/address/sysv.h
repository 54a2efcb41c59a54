/* SPDX-License-Identifier: MIT */
/*
 * How System V objects are named: PATH#PROJ (ftok(3) makes the key), a key, or the id of an object that exists. And whom they
 * belong to: a key is a number that anybody may take first, so the owner of what is found there is looked at before it is used.
 */
#pragma once

#include <sys/ipc.h>

#include "address.h"

struct sysv_name {
        char text[160]; /* the address without its options, shortened if need be; for error texts */
        const char *path;
        int project;
        key_t key; /* once sysv_find_key() has been asked, if there is a path */
        int id;    /* -1: it has a key */
};

/* Reads REST and FRAGMENT; touches nothing. `name` points into the address. */
int sysv_parse(struct sysv_name *name, const struct ipw_address *, struct ipw_why *);

/* PATH#PROJ to key, as ftok(3) does it. Nothing to do for the other names. */
int sysv_find_key(struct sysv_name *name, struct ipw_why *);

/* What mode= and group= ask for, to be set by IPC_SET. An unknown group is an error with a text. */
int sysv_set_owner(struct ipc_perm *, const struct ipw_address *, struct ipw_why *);

/* Is the object ours, root's, or that of somebody whom `peer=` admits? -EPERM with a text. */
int sysv_check_owner(const struct sysv_name *, const char *object, const struct ipc_perm *, const struct ipw_address *, struct ipw_why *);
