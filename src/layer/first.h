/* SPDX-License-Identifier: MIT */
/* A listening PAIR: one conversation, with the first peer that comes. */
#pragma once

#include "listener.h"

/* Takes the listener over, also on failure. */
int first_new(struct listener *, struct link **, struct ipw_why *);
